import { h } from "./dom.js";
import { dayOf, notice } from "./pieces.js";
import { cardBrand, count, credits, money } from "./words.js";

const ON = new Set(["active", "under_way", "waiting", "paused"]);

/** Whether it is switched on, also where it cannot buy just now. */
export function isOn({ status }) {
  return ON.has(status);
}

/** What is set, as the order that would set it. */
export function asOrder(topUp) {
  if (!isOn(topUp)) return { below: null };
  const { below, package: id, monthly_cap: cap } = topUp;
  return { below, package: id, monthly_cap: { amount: cap.amount, currency: cap.currency } };
}

/** What is set, in words; `offer` is the package, where it is still sold. */
export function rule({ below, monthly_cap: cap, charged }, offer) {
  const bought = offer
    ? `${credits(offer.credits)} are bought for ${money(offer.price)}`
    : "credits are bought";
  const used = charged ? ` ${money(charged)} so far this month.` : "";
  return `Below ${count(below)}, ${bought}, at most ${money(cap)} a month.${used}`;
}

const STOPPED = {
  declined: ["Your card was declined, or your bank wanted your approval, on ", "Update your card, or buy credits yourself, then"],
  no_access: ["Your team's subscription had ended, or was cancelled, on ", "With a subscription that renews,"],
  not_sold: ["Its package was not sold any more on ", "Choose another one, and"],
  reversed: ["A package's payment was refunded or disputed on ", "To have packages bought again,"],
  refused: ["Our payment service refused to make an invoice for it on ", "We look into that. Later,"],
};

/** What is to be said beyond the rule; `leave` is the button that forgets one that has stopped. */
export function news({ status, stopped, monthly_cap: cap, resumes_at: resumes }, leave) {
  if (status === "under_way") {
    const text = "They are in your wallet as soon as Stripe confirms the payment.";
    return notice("waiting", "Credits are being bought with your card", text);
  }
  if (status === "waiting") {
    const title = ["No more are bought before ", resumes ? dayOf(resumes) : "the next month"];
    const text = `One more package would cost more than what is left of ${money(cap)}. Raise the sum, or buy credits yourself.`;
    return notice("warning", title, text);
  }
  if (status === "paused") {
    const text = "Your subscription is set to end, or has ended. Resume it, or subscribe again, to have credits bought.";
    return notice("warning", "Automatic top-up is paused: nothing is bought", text);
  }
  if (status !== "stopped") return null;
  const [because, remedy] = STOPPED[stopped.because] ?? ["It stopped on ", "To go on,"];
  const text = [because, dayOf(stopped.at), `. ${remedy} switch it on again.`];
  return notice("warning", "Automatic top-up has stopped", text, leave);
}

/** What an order does, and when; `offer` is its package, `known` the `{billing, present}` before. */
export function whatItMeans(order, offer, known) {
  if (order.below === null) return [whatEnds(known.present)];
  const { card } = known.billing.subscription;
  const paying = card ? `your ${cardBrand(card.brand)} ending in ${card.last4}` : "the card on file";
  return [
    `Each time you have fewer than ${count(order.below)}, `,
    h("strong", {}, `${credits(offer.credits)} are bought for ${money(offer.price)}`),
    `, without tax, with ${paying}. `,
    whatHappensNow(order, offer, known),
  ];
}

function whatEnds({ status }) {
  const still = status === "under_way" ? "What your card is just being charged for still comes. " : "";
  return `${still}Nothing more is bought by itself.`;
}

function whatHappensNow(order, offer, known) {
  const { mine } = known.billing.credits;
  const there = `You have ${credits(mine)} now`;
  if (buysAtOnce(order, offer, known)) {
    return h("strong", {}, `${there}: the first package is bought as soon as you save.`);
  }
  if (known.present.status === "under_way") return "One package is being bought now.";
  if (mine >= order.below) return `${there}, so nothing is bought yet.`;
  if (isAnswered(known)) return `${there}, and a package was bought for that already.`;
  const { monthly_cap: cap } = order;
  const used = { ...cap, amount: chargedIn(cap.currency, known.present) };
  return `${there}, but ${money(used)} of this month’s ${money(cap)} are used: the first package is bought next month.`;
}

/** Whether saving it buys a package there and then. */
export function buysAtOnce(order, offer, known) {
  const low = known.billing.credits.mine < order.below;
  const busy = known.present.status === "under_way" || isAnswered(known);
  return low && !busy && !isUsedUp(order, offer, known.present);
}

/** Whether the wallet is low still although a package was bought: each fall is answered once. */
function isAnswered({ billing, present }) {
  return present.status === "active" && billing.credits.mine < present.below;
}

/** Taxes are not known before: where a package was too much with them, it is so again. */
function isUsedUp({ package: id, monthly_cap: cap }, { price }, present) {
  const same = present.package === id && cap.amount <= present.monthly_cap?.amount;
  const waits = present.status === "waiting" && same;
  return waits || chargedIn(cap.currency, present) + price.amount > cap.amount;
}

function chargedIn(currency, { charged }) {
  return charged?.currency === currency ? charged.amount : 0;
}
