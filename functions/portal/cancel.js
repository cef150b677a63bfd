import { h } from "./dom.js";
import { button } from "./pieces.js";
import { CYCLES, PARTS, day, money } from "./words.js";

/* Stripe's own words for the reasons, so that they can be counted there. */
const REASONS = {
  too_expensive: "It costs too much",
  missing_features: "Something is missing",
  unused: "We do not use it enough",
  too_complex: "It is hard to use",
  low_quality: "It does not work well enough",
  customer_service: "Support did not help",
  switched_service: "We use something else now",
  other: "Another reason",
};
const LONGEST_COMMENT = 400;

/**
 * Ask once more before canceling: when each part ends, what is still billed, what is lost, and why.
 * Where slots would end before the plan, they can be kept until then.
 */
export function askToCancel(service, billing, home) {
  const { keep_slots: offer, ...ends } = billing.subscription.cancellation;
  const reason = h(
    "select",
    { class: "input", id: "reason" },
    h("option", { value: "" }, "No answer"),
    Object.entries(REASONS).map(([value, words]) => h("option", { value }, words)),
  );
  const comment = h("textarea", { class: "input", id: "comment", rows: 2, maxlength: LONGEST_COMMENT });
  const keep = h("input", { type: "checkbox", onchange: show });
  const outcome = h("div", { role: "status" });
  const asked = service.ask({
    title: "Cancel your subscription?",
    content: [
      outcome,
      offer && keepChoice(keep, offer),
      whatIsLost(billing),
      h("p", {}, "Credits stay in the wallets and work again when you subscribe again."),
      h(
        "p",
        {},
        "Before that, take out what you need: reports, lists and invoices. ",
        button("Go to the invoices", () => leaveForInvoices(), { look: "link" }),
      ),
      field(reason, "Why are you canceling? (optional)"),
      field(comment, "Anything we should know? (optional)"),
    ],
    dismiss: "Keep my subscription",
    submit: "Cancel subscription",
    look: "danger",
    busy: "Canceling…",
    failed: "The subscription was not canceled",
    act: () => orderCancellation(service, reason.value, comment.value.trim(), keep.checked),
    home,
  });
  show();

  function show() {
    const { until, charges } = offer ?? {};
    const chosen = keep.checked ? { ...ends, slots_ends_at: until, charges } : ends;
    outcome.replaceChildren(whatEnds(chosen, billing), whatIsBilled(chosen.charges));
  }

  function leaveForInvoices() {
    asked.dialog.close();
    service.showInvoices();
  }
}

async function orderCancellation(service, reason, comment, keeps) {
  const body = {
    ...(reason && { reason }),
    ...(comment && { comment }),
    ...(keeps && { keep_slots: true }),
  };
  const ends = await service.order("POST", "/subscription/cancel", body);
  await service.changed(["Your subscription is canceled.", ...lastDays(ends), billedText(ends.charges)].join(" "));
}

/** Take the cancellation back; a pending change that it dropped stays dropped. */
export async function keepSubscription(service) {
  const kept = await service.order("POST", "/subscription/resume", {});
  const { renews_at: renews, slots_ended_at: slots, add_on_ended_at: addOn } = kept;
  const said = [`Your subscription continues. It renews on ${day(renews)}.`];
  if (slots) said.push(`Your slots ended on ${day(slots)}. Buy slots again for your team.`);
  if (addOn) said.push(`DataUnlimited ended on ${day(addOn)}. Ask Support to switch it on again.`);
  await service.changed(said.join(" "));
}

/** When each part ends, in sentences. */
export function lastDays({ ends_at: ends, slots_ends_at: slots, add_on_ends_at: addOn }) {
  const said = [`Your plan ends on ${day(ends)}.`];
  if (slots) said.push(`Your slots end on ${day(slots)}.`);
  if (addOn) said.push(`DataUnlimited ends on ${day(addOn)}.`);
  return said;
}

/** All that will still be billed, in a sentence. */
export function billedText(charges) {
  if (charges.length === 0) return "You will not be charged again.";
  const [first] = charges;
  const next = `${money(first)} on ${day(first.at)}`;
  if (charges.length === 1) return `One charge is left: ${next}.`;
  const total = charges.reduce((sum, { amount }) => sum + amount, 0);
  return `${charges.length} charges are left, ${money({ ...first, amount: total })} in all. The next is ${next}.`;
}

function whatIsBilled(charges) {
  return h(
    "div",
    {},
    h("p", {}, h("strong", {}, billedText(charges))),
    charges.length > 1 && everyCharge(charges),
  );
}

/** Every charge that is left, behind a summary. */
export function everyCharge(charges) {
  const line = (charge) => `${day(charge.at)}: ${money(charge)} · ${PARTS[charge.for]}`;
  return h(
    "details",
    { class: "fine" },
    h("summary", {}, "Every charge"),
    h("ul", { class: "bullets" }, charges.map((charge) => h("li", {}, line(charge)))),
  );
}

function whatEnds(ends, { subscription, slots }) {
  const now = ends.ends_at < subscription.renews_at || !subscription.renews_at;
  const dropped = subscription.pending_cycle || subscription.pending_plan || slots?.pending_purchased != null;
  return h(
    "p",
    {},
    now && "The last renewal is not paid yet. It will not be charged, and your plan ends now. ",
    !now && lastDays(ends).join(" "),
    !now && untilThen(ends),
    dropped && " Changes that you planned for the renewal are dropped.",
  );
}

function untilThen({ ends_at: ends, slots_ends_at: slots }) {
  return slots && slots < ends
    ? " Members lose access when the slots end. You keep yours until the plan ends."
    : " Everything works until then.";
}

function keepChoice(keep, { purchased, price, cycle, until }) {
  const many = purchased === 1 ? "1 slot" : `${purchased} slots`;
  const cost = `${money(price, { round: true })} ${CYCLES[cycle].per}`;
  return h("label", { class: "check" }, keep, `Keep ${many} at ${cost} until ${day(until)}`);
}

function field(control, label) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

function whatIsLost({ slots, members, add_ons: addOns }) {
  const active = members.filter(({ role, status }) => role === "member" && status === "active");
  const unlimited = addOns?.data_unlimited?.status === "active";
  return h(
    "div",
    {},
    h("p", {}, "When your plan ends you lose:"),
    h(
      "ul",
      { class: "bullets" },
      h("li", {}, active.length > 0 ? accessOf(active.length) : "Your access"),
      h("li", {}, "All reports"),
      slots?.purchased > 0 && h("li", {}, slotsOf(slots)),
      unlimited && h("li", {}, "DataUnlimited"),
    ),
  );
}

function accessOf(count) {
  return `Your access, and that of ${count === 1 ? "1 team member" : `${count} team members`}`;
}

function slotsOf({ purchased, price }) {
  const many = purchased === 1 ? "1 slot" : `${purchased} slots`;
  return price ? `${many} (${money(price, { round: true })} each per month)` : many;
}
