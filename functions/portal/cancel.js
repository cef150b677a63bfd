import { h } from "./dom.js";
import { button } from "./pieces.js";
import { day, money } from "./words.js";

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

/** Ask once more before cancelling: the last day, what is lost, what is kept, and why. */
export function askToCancel(service, billing, home) {
  const reason = h(
    "select",
    { class: "input", id: "reason" },
    h("option", { value: "" }, "No answer"),
    Object.entries(REASONS).map(([value, words]) => h("option", { value }, words)),
  );
  const comment = h("textarea", { class: "input", id: "comment", rows: 2, maxlength: LONGEST_COMMENT });
  const asked = service.ask({
    title: "Cancel your subscription?",
    content: [
      lastDay(billing),
      whatIsLost(billing),
      h("p", {}, "Credits stay in the wallets, and work again when you subscribe again."),
      h(
        "p",
        {},
        "Take out what you need before: reports, lists, and your invoices. ",
        button("Go to the invoices", () => leaveForInvoices(), { look: "link" }),
      ),
      field(reason, "Why do you cancel? (optional)"),
      field(comment, "Anything we should know? (optional)"),
    ],
    dismiss: "Keep my subscription",
    submit: "Cancel subscription",
    look: "danger",
    busy: "Cancelling…",
    failed: "The subscription was not cancelled",
    act: () => orderCancellation(service, reason.value, comment.value.trim()),
    home,
  });

  function leaveForInvoices() {
    asked.dialog.close();
    service.showInvoices();
  }
}

async function orderCancellation(service, reason, comment) {
  const told = { ...(reason && { reason }), ...(comment && { comment }) };
  const { ends_at: ends } = await service.order("POST", "/subscription/cancel", told);
  await service.changed(`Your subscription is cancelled and ends on ${day(ends)}.`);
}

/** Take the cancellation back; a pending change that it dropped stays dropped. */
export async function keepSubscription(service) {
  const { renews_at: renews } = await service.order("POST", "/subscription/resume", {});
  await service.changed(`You keep your subscription. It renews on ${day(renews)}.`);
}

function field(control, label) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

function lastDay({ subscription, access, slots }) {
  const until = access.until ?? subscription.renews_at;
  const dropped = subscription.pending_cycle || slots?.pending_purchased != null;
  return h(
    "p",
    {},
    until
      ? ["Your last day is ", h("strong", {}, day(until)), ". Until then everything works as before. "]
      : "Everything works until the end of what is paid. ",
    "After it nothing is charged any more: not the plan, not slots, not DataUnlimited.",
    dropped && " The changes that you planned for the renewal are dropped.",
  );
}

function whatIsLost({ slots, members, add_ons: addOns }) {
  const active = members.filter(({ role, status }) => role === "member" && status === "active");
  const unlimited = addOns?.data_unlimited?.status === "active";
  return h(
    "div",
    {},
    h("p", {}, "After that day you lose:"),
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
