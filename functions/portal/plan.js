import { askToCancel, billedText, everyCharge, keepSubscription } from "./cancel.js";
import { rememberCard } from "./card.js";
import { askForCycle, orderCycle } from "./cycle.js";
import { h } from "./dom.js";
import { picker } from "./picker.js";
import {
  badge,
  button,
  dayOf,
  failure,
  notice,
  press,
  section,
  skeleton,
  supportLink,
} from "./pieces.js";
import { askForPlan } from "./plan-change.js";
import { sentNotice } from "./requests.js";
import { CYCLES, PARTS, SUBSCRIPTION_STATUS, cardBrand, cardExpiry, money } from "./words.js";

/** Statuses in which a subscription can still be changed. */
const RUNNING = new Set(["active", "trialing", "past_due", "unpaid"]);

/** The section "Subscription plan" in each of its states. */
export class PlanSection {
  #parts = section("plan", "Subscription plan");
  #problem = h("div", { role: "alert" });
  #requests = h("div", { class: "requests" });
  #service;

  constructor(service) {
    this.#service = service;
  }

  get element() {
    return this.#parts.element;
  }

  focus() {
    this.#parts.heading.focus();
  }

  showLoading() {
    this.#parts.fill([], skeleton("wide", "narrow", "full", "full"));
  }

  showFailure(problem, retry) {
    this.#parts.fill([], failure(problem, retry));
  }

  /** Requests for another plan, newest first, as the API has them. */
  showRequests(requests) {
    const sent = requests.find(({ topic }) => topic === "upgrade" || topic === "downgrade");
    this.#requests.replaceChildren(sent ? sentNotice("for another plan", sent) : "");
  }

  showCurrent(billing, notices) {
    const { subscription } = billing;
    const status = SUBSCRIPTION_STATUS[subscription.status] ?? [subscription.status, "neutral"];
    this.#problem.replaceChildren();
    this.#parts.fill(
      [badge(subscription.ends_at && status[1] === "good" ? ["Ending", "warning"] : status)],
      notices,
      this.#warning(billing),
      h("p", { class: "plan-name" }, subscription.plan?.name),
      subscription.price && priceLine(subscription),
      facts(subscription),
      this.#pending(subscription),
      this.#requests,
      this.#problem,
      RUNNING.has(subscription.status) ? this.#changes(billing) : questions(billing.support),
    );
  }

  showConfirming(billing, { late }) {
    this.#parts.fill(
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
    this.#parts.fill(
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

  /** What stands in the way of the renewal, with what can be done about it. */
  #warning({ subscription, access, slots, add_ons: addOns, support }) {
    const { ends_at: ends, open_invoice: invoice } = subscription;
    if (access.state === "grace" || access.state === "ended") {
      return overdue(access, invoice, support, invoice ? this.#waysToPay(subscription) : []);
    }
    if (!ends) return null;
    const charges = subscription.charges ?? [];
    const parts = [
      partEnd("Your slots end", "Your slots ended", slots?.ends_at, ends),
      partEnd("DataUnlimited ends", "DataUnlimited ended", addOns?.data_unlimited?.ends_at, ends),
    ];
    const text = ["Everything works until then. ", ...parts, billedText(charges)];
    const keep = this.#orderButton("Keep my subscription", {
      look: "primary",
      busy: "Keeping…",
      failed: "The cancellation was not taken back",
      order: () => keepSubscription(this.#service),
    });
    const actions = RUNNING.has(subscription.status) ? [keep] : [];
    const said = notice("neutral", ["Your subscription ends on ", dayOf(ends)], text, ...actions);
    if (charges.length > 1) said.append(everyCharge(charges));
    return said;
  }

  #waysToPay({ open_invoice: invoice, card }) {
    const pay = this.#orderButton(`Pay ${money(invoice.amount_due)} now`, {
      look: "primary",
      busy: "Paying…",
      failed: "The invoice is not paid yet",
      order: () => this.#service.pay(invoice),
    });
    return [pay, this.#cardButton("Use a new card", card)];
  }

  #pending(subscription) {
    const { cycle, plan, renews_at: renews } = subscription;
    const { pending_cycle: pending, pending_plan: other } = subscription;
    const from = renews ? dayOf(renews) : "the renewal";
    if (other) {
      const what = pending ? `${other.name}, ${CYCLES[pending].name.toLowerCase()},` : other.name;
      const text = `Until then you have ${plan.name}. Nothing is due today.`;
      return notice("waiting", [`${what} from `, from], text);
    }
    if (!pending) return null;
    const keep = this.#orderButton(`Keep ${CYCLES[cycle].name.toLowerCase()}`, {
      busy: "Keeping…",
      failed: "The change was not taken back",
      order: () => orderCycle(this.#service, subscription, cycle),
    });
    const title = [`${CYCLES[pending].name} from `, from];
    const text = `Until then you pay ${CYCLES[cycle].name.toLowerCase()}. Nothing is due today.`;
    return notice("waiting", title, text, keep);
  }

  #changes(billing) {
    const { subscription } = billing;
    const { status, ends_at: ends, price, card } = subscription;
    const changeable = status === "active" && !ends && price;
    const home = this.#parts.heading;
    const change = (label, ask) =>
      this.#orderButton(label, {
        busy: "Loading…",
        failed: "The plans could not be loaded",
        order: async () => void ask(this.#service, await this.#service.catalog(), billing, home),
      });
    return h(
      "div",
      { class: "actions" },
      changeable && change("Change cycle", askForCycle),
      !ends && change("Change plan", askForPlan),
      this.#cardButton(card ? "Update card" : "Add a card", card),
      !ends &&
        button("Cancel subscription", () => askToCancel(this.#service, billing, home), {
          look: "quiet",
        }),
    );
  }

  #cardButton(label, card) {
    return this.#orderButton(label, {
      busy: "Opening…",
      failed: "The card page could not be opened",
      order: async () => {
        const { url } = await this.#service.order("POST", "/subscription/card");
        rememberCard(card);
        return this.#service.proceed(url);
      },
    });
  }

  /** A button that is busy until its order is done, and says below the facts what failed. */
  #orderButton(label, { look, busy, failed, order }) {
    const { proceed } = this.#service;
    const words = { busy, failed, proceed, place: this.#problem };
    return button(label, (event) => press(event.currentTarget, words, order), { look });
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
  const { next_charge: charge, monthly_total: monthly, card } = subscription;
  const following = pending && detail("then ", CYCLES[pending].name.toLowerCase());
  return h(
    "dl",
    { class: "facts" },
    fact("Billing cycle", CYCLES[cycle]?.name, following),
    ends ? fact("Ends on", dayOf(ends)) : fact("Renews on", renews && dayOf(renews)),
    charge && fact("Next charge", money(charge), detail("on ", dayOf(charge.at)), chargeParts(charge)),
    monthly && fact("Total per month", `≈ ${money(monthly, { round: true })}`),
    ends && !charge && fact("Next charge", "None"),
    fact("Payment card", card ? cardText(card) : "None on file"),
  );
}

/** What a charge is made of, where it is more than the plan. */
function chargeParts({ items, currency, estimated_at: estimated }) {
  if (items.length === 1 && items[0].kind === "subscription") return null;
  const parts = items.map(({ kind, amount }) => `${PARTS[kind]} ${money({ amount, currency })}`);
  return detail(parts.join(" · "), estimated && [", estimated on ", dayOf(estimated)]);
}

function partEnd(ends, ended, at, planEnds) {
  if (!at) return "";
  if (at === planEnds) return `${ends} on the same day. `;
  return [`${at < new Date().toISOString() ? ended : ends} on `, dayOf(at), ". "];
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

function overdue({ state, until }, invoice, support, actions) {
  const owed = invoice ? ` (${invoice.number})` : "";
  if (state === "grace") {
    const text = until
      ? ["Your team keeps its access until ", dayOf(until), `. Then it ends, unless the invoice${owed} is paid.`]
      : `Your team keeps its access for now. It ends unless the invoice${owed} is paid.`;
    return notice("warning", "Your last payment did not go through", text, ...actions);
  }
  const text = invoice
    ? `Pay the open invoice${owed} to get it back.`
    : ["Write to ", supportLink(support), " to get it back."];
  return notice("bad", "Your team’s access has ended", text, ...actions);
}

function questions(support) {
  return h("p", { class: "fine" }, "Questions? Write to ", supportLink(support), ".");
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
