import { picker } from "./picker.js";
import { badge, dayOf, failure, notice, section, skeleton, supportLink } from "./pieces.js";
import { h } from "./dom.js";
import { CYCLES, SUBSCRIPTION_STATUS, cardBrand, cardExpiry, money } from "./words.js";

/** The section "Subscription plan" in each of its states. */
export class PlanSection {
  #parts = section("plan", "Subscription plan");

  get element() {
    return this.#parts.element;
  }

  focus() {
    this.#parts.heading.focus();
  }

  showLoading() {
    this.#show([], skeleton("wide", "narrow", "full", "full"));
  }

  showFailure(problem, retry) {
    this.#show([], failure(problem, retry));
  }

  /** `welcome`: this browser has just seen the payment through, and the API has confirmed it. */
  showCurrent(billing, { welcome }) {
    const { subscription } = billing;
    const status = SUBSCRIPTION_STATUS[subscription.status] ?? [subscription.status, "neutral"];
    this.#show(
      [badge(subscription.ends_at && status[1] === "good" ? ["Ending", "warning"] : status)],
      welcome &&
        notice("good", "Your subscription is active", "Thank you. Your payment is confirmed."),
      warning(billing),
      h("p", { class: "plan-name" }, subscription.plan?.name),
      subscription.price && priceLine(subscription),
      facts(subscription),
      h(
        "p",
        { class: "fine" },
        "To move to another plan, write to ",
        supportLink(billing.support),
        ".",
      ),
    );
  }

  showConfirming(billing, { late }) {
    this.#show(
      [badge(SUBSCRIPTION_STATUS.pending)],
      h(
        "div",
        { class: "confirming" },
        h("span", { class: "spinner", "aria-hidden": "true" }),
        h("div", {}, confirmingText(billing, late)),
      ),
    );
  }

  showOffer(billing, catalog, { notices = [], subscribe }) {
    const ended = billing.subscription.status === "canceled" || billing.access.state === "ended";
    this.#show(
      [badge(ended ? SUBSCRIPTION_STATUS.canceled : ["Not subscribed", "neutral"])],
      notices,
      ended && endedNotice(billing),
      picker({
        catalog,
        checkout: billing.subscription.checkout,
        support: billing.support,
        subscribe,
      }),
    );
  }

  #show(aside, ...content) {
    const held = this.element.contains(this.element.getRootNode().activeElement);
    this.#parts.aside.replaceChildren(...aside);
    this.#parts.body.replaceChildren(...content.flat().filter(Boolean));
    if (held) this.focus();
  }
}

function priceLine({ price, cycle }) {
  return h(
    "p",
    { class: "price" },
    h("strong", {}, money(price, { round: true })),
    ` ${CYCLES[cycle]?.per ?? ""}`,
  );
}

function facts(subscription) {
  const { cycle, pending_cycle: pending, renews_at: renews, ends_at: ends } = subscription;
  const { next_charge: charge, card } = subscription;
  const following = pending && detail("then ", CYCLES[pending].name.toLowerCase());
  return h(
    "dl",
    { class: "facts" },
    fact("Billing cycle", CYCLES[cycle]?.name, following),
    ends ? fact("Ends on", dayOf(ends)) : fact("Renews on", renews && dayOf(renews)),
    charge && fact("Next charge", money(charge), detail("on ", dayOf(charge.at))),
    ends && !charge && fact("Next charge", "None"),
    fact("Payment card", card ? cardText(card) : "None on file"),
  );
}

function fact(term, ...description) {
  const given = description.flat(2).filter(Boolean);
  return given.length > 0 && h("div", {}, h("dt", {}, term), h("dd", {}, given));
}

function detail(...text) {
  return h("span", { class: "detail" }, text);
}

function cardText(card) {
  return [
    `${cardBrand(card.brand)} `,
    h("span", { class: "digits", "aria-hidden": "true" }, `•••• ${card.last4}`),
    h("span", { class: "spoken" }, `ending in ${card.last4}`),
    detail("expires ", cardExpiry(card)),
  ];
}

function warning({ subscription, access, support }) {
  const until = access.until && dayOf(access.until);
  if (access.state === "grace") {
    const text = until
      ? ["Your team keeps its access until ", until, ". Then it ends, unless the invoice is paid."]
      : "Your team keeps its access for now. It ends unless the invoice is paid.";
    return notice("warning", "Your last payment did not go through", text);
  }
  if (access.state === "ended") {
    const text = ["Write to ", supportLink(support), " to get it back."];
    return notice("bad", "Your team’s access has ended", text);
  }
  if (subscription.ends_at) {
    const text = "Until then everything works as before. Nothing more is charged.";
    const title = ["Your subscription ends on ", dayOf(subscription.ends_at)];
    return notice("neutral", title, text);
  }
  return null;
}

function endedNotice({ access, subscription }) {
  const at = access.until ?? subscription.ends_at;
  const title = at ? ["Your subscription ended on ", dayOf(at)] : "Your subscription has ended";
  return notice("neutral", title, "Subscribe again whenever you like. What your team had is kept.");
}

function isSettling({ subscription }) {
  return subscription.checkout?.status === "completing";
}

/** What is being waited for, in a few words. */
export function confirmingTitle(billing) {
  return isSettling(billing)
    ? "Payment under way, waiting for the bank"
    : "Payment received, waiting for confirmation";
}

function confirmingText(billing, late) {
  const settling = isSettling(billing);
  const text = settling
    ? "Some payments take a few days to arrive. Your plan appears here as soon as this one has."
    : "This usually takes a few seconds. Your plan appears here as soon as Stripe confirms it.";
  const comfort = [
    !settling && "It is taking longer than usual. ",
    "Nothing is lost, and there is no need to pay again: you can close this page and come back. ",
    "Questions? Write to ",
    supportLink(billing.support),
    ".",
  ];
  return [
    h("p", { class: "lead" }, confirmingTitle(billing)),
    h("p", { class: "muted" }, text),
    (late || settling) && h("p", { class: "muted" }, comfort),
  ];
}
