import { h } from "./dom.js";
import { radio, supportLink } from "./pieces.js";
import { priceOf } from "./prices.js";

/** Ask Support for another plan: they say what it costs, and nothing is ordered here. */
export function askForPlan(service, catalog, { subscription, support }, home) {
  const others = catalog.plans.filter(({ id }) => id !== subscription.plan?.id);
  let wanted = others[0];
  const options = others.map((plan) =>
    radio(
      "new-plan",
      plan.id,
      plan === wanted,
      () => (wanted = plan),
      h("span", { class: "dot" }),
      h("strong", {}, plan.name),
      h("span", { class: "muted" }, plan.description),
    ),
  );
  return service.ask({
    title: "Change plan",
    content: [
      h("fieldset", {}, h("legend", {}, "Plan you want"), h("div", { class: "cycles" }, options)),
      h(
        "p",
        {},
        "Plans are changed by Support. They get your request, and tell you what the change costs ",
        "before anything happens. You can also write to ",
        supportLink(support),
        ".",
      ),
    ],
    submit: "Ask Support",
    busy: "Sending…",
    failed: "The request was not sent",
    act: async () => {
      const topic = costsMore(wanted, subscription) ? "upgrade" : "downgrade";
      const message = `Plan wanted: ${wanted.name}`;
      await service.order("POST", "/support-requests", { topic, message });
      await service.requested("Your request was sent to Support.");
    },
    home,
  });
}

/** Whether a plan costs more than what is paid now, in the same cycle and currency. */
function costsMore(plan, { cycle, price }) {
  const other = price && priceOf(plan, { cycle, currency: price.currency });
  return !other || other.amount > price.amount;
}
