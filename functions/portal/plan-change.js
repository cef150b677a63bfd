import { h } from "./dom.js";
import { radio, supportLink } from "./pieces.js";

/** Ask which plan is wanted. Support makes the change, unless the operator lets the API make it. */
export function askForPlan(service, catalog, { subscription, support }, home) {
  const others = catalog.plans.filter(({ id }) => id !== subscription.plan?.id);
  const choice = { plan: others[0]?.id };
  const options = others.map((plan) =>
    radio(
      "new-plan",
      plan.id,
      plan.id === choice.plan,
      () => Object.assign(choice, { plan: plan.id }),
      h("span", { class: "dot" }),
      h("strong", {}, plan.name),
      h("span", { class: "muted" }, plan.description),
    ),
  );
  return service.ask({
    title: "Change plan",
    content: [
      h(
        "p",
        {},
        "Plans are changed by Support. They get your request, and tell you what the change costs ",
        "before anything happens. You can also write to ",
        supportLink(support),
        ".",
      ),
      h("fieldset", {}, h("legend", {}, "Plan you want"), h("div", { class: "cycles" }, options)),
    ],
    submit: "Ask Support",
    busy: "Sending…",
    failed: "The request was not sent",
    act: () => orderPlan(service, choice),
    home,
  });
}

async function orderPlan(service, choice) {
  try {
    await service.order("PUT", "/subscription/plan", choice);
    await service.changed("Your plan is changed.");
  } catch (error) {
    if (error.code !== "contact_support") throw error;
    await service.requested("Your request was sent to Support.");
  }
}
