import { h } from "./dom.js";
import { radio, supportLink } from "./pieces.js";
import { percentSaved, priceOf } from "./prices.js";
import { CYCLES, day, money } from "./words.js";

/** Ask which cycle to change to: what each costs, from when, and that nothing is due today. */
export function askForCycle(service, catalog, billing, home) {
  const { subscription, slots } = billing;
  const offers = cyclesOf(subscription, catalog);
  if (offers.length < 2) return service.ask(noOtherCycle(billing, home));
  const standing = subscription.pending_cycle ?? subscription.cycle;
  const choice = { cycle: standing };
  const summary = h("p", { class: "summary", "aria-live": "polite" });

  function choose(change) {
    Object.assign(choice, change);
    const chosen = offers.find(({ cycle }) => cycle === choice.cycle);
    summary.replaceChildren(...whatItMeans(subscription, standing, chosen));
  }

  async function act() {
    if (choice.cycle === standing) return;
    await orderCycle(service, subscription, choice.cycle);
  }

  choose({});
  return service.ask({
    title: "Change billing cycle",
    content: [
      h(
        "fieldset",
        {},
        h("legend", {}, "Billing cycle"),
        h(
          "div",
          { class: "cycles" },
          offers.map((offer) => cycleOption(offer, subscription, offer.cycle === standing, choose)),
        ),
      ),
      summary,
      slots?.purchased > 0 && h("p", { class: "fine" }, `Your slots stay ${CYCLES[slots.cycle].name.toLowerCase()}.`),
    ],
    submit: "Change cycle",
    busy: "Changing…",
    failed: "The cycle was not changed",
    act,
    home,
  });
}

/** Order a cycle and say from when it holds; the present one takes a pending change back. */
export async function orderCycle(service, { cycle: present }, cycle) {
  const { effective_at: at } = await service.order("PUT", "/subscription/cycle", { cycle });
  const { name } = CYCLES[cycle];
  const kept = cycle === present && `You stay with ${name.toLowerCase()} billing.`;
  await service.changed(kept || `${name} from ${at ? day(at) : "the renewal on"}.`);
}

/** The cycles that this plan is sold in; what is paid now may be a price of earlier days. */
function cyclesOf({ plan, cycle: present, price }, catalog) {
  const sold = catalog.plans.find(({ id }) => id === plan.id);
  return Object.keys(CYCLES).flatMap((cycle) => {
    const choice = { cycle, currency: price.currency };
    const offered = cycle === present ? price : sold && priceOf(sold, choice);
    return offered ? [{ cycle, price: offered, saved: sold ? percentSaved(sold, choice) : 0 }] : [];
  });
}

function cycleOption({ cycle, price, saved }, { cycle: present }, checked, choose) {
  const { name, per } = CYCLES[cycle];
  return radio(
    "new-cycle",
    cycle,
    checked,
    () => choose({ cycle }),
    h("span", { class: "dot" }),
    h("strong", {}, name),
    h("span", { class: "price" }, `${money(price, { round: true })} ${per}`),
    cycle === present && h("span", { class: "muted" }, "Your cycle now"),
    cycle !== present && saved > 0 && h("span", { class: "saving" }, `Save ${saved}%`),
  );
}

function whatItMeans({ cycle: present, renews_at: renews }, standing, { cycle, price }) {
  if (cycle === standing) return ["Choose another cycle to change to."];
  const cost = h("strong", {}, `${money(price)} ${CYCLES[cycle].per}`);
  if (cycle === present) return ["Nothing changes: you stay at ", cost, "."];
  return [cost, ` from ${day(renews)}. Until then you have what you paid for; nothing is due today.`];
}

function noOtherCycle({ support }, home) {
  const content = h("p", {}, "Your plan is not sold in another cycle. Write to ");
  content.append(supportLink(support), ".");
  return { title: "Change billing cycle", content, home };
}
