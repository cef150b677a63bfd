import { h } from "./dom.js";
import { currencyOf, packageOptions, packagesIn } from "./packages.js";
import { notice } from "./pieces.js";
import { count, credits, money } from "./words.js";

const KEPT = "billing-credits-before";
const MOST = 100;

/** Ask for a package and how many of it; paying leads to Stripe's page. */
export function askToBuy(service, catalog, billing, home) {
  const currency = currencyOf(catalog, billing);
  const offers = packagesIn(catalog, currency);
  const choice = { package: offers[0]?.id };
  const quantity = h("input", {
    class: "input",
    id: "quantity",
    type: "number",
    inputmode: "numeric",
    min: 1,
    max: MOST,
    step: 1,
    required: true,
    value: 1,
    oninput: () => choose({}),
  });
  const summary = h("p", { class: "summary", "aria-live": "polite" });

  function choose(change) {
    Object.assign(choice, change);
    const chosen = offers.find(({ id }) => id === choice.package);
    const sum = chosen && quantity.checkValidity() && sumOf(chosen, quantity.valueAsNumber);
    summary.replaceChildren(...(sum || [quantity.validationMessage]));
  }

  async function act() {
    const order = { package: choice.package, quantity: quantity.valueAsNumber };
    const { url } = await service.order("POST", "/credits/checkout", order);
    rememberCredits(billing.credits);
    return service.proceed(url);
  }

  if (offers.length === 0) {
    const content = h("p", {}, `No package is sold in ${currency.toUpperCase()}.`);
    return service.ask({ title: "Buy credits", content, home });
  }
  choose({});
  return service.ask({
    title: "Buy credits",
    content: [
      packageOptions(offers, choice.package, choose),
      h("div", { class: "field" }, h("label", { for: "quantity" }, "How many of it"), quantity),
      summary,
      h(
        "p",
        { class: "fine" },
        "They come into your wallet once Stripe confirms the payment. Credits never expire, and ",
        "never turn into money. You pay on Stripe’s page, and see the total with any tax before.",
      ),
    ],
    submit: "Continue to payment",
    busy: "Opening payment…",
    failed: "The payment page could not be opened",
    act,
    home,
  });
}

function sumOf({ credits: many, price }, quantity) {
  const total = money({ ...price, amount: price.amount * quantity });
  return [h("strong", {}, `${credits(many * quantity)} for ${total}`), ", without tax."];
}

/** Note what there is, to tell on the way back whether anything has come. */
function rememberCredits({ total, debt }) {
  sessionStorage.setItem(KEPT, JSON.stringify({ total, debt }));
}

/** How a purchase stands once the browser is back: `cancelled`, `unknown`, `waiting`, or `come`. */
export function purchaseOf(returned, { total }) {
  if (returned !== "bought") return "cancelled";
  const before = JSON.parse(sessionStorage.getItem(KEPT));
  if (before === null) return "unknown";
  return total > before.total ? "come" : "waiting";
}

/** What is said of a purchase; the balance alone says that the credits have come. */
export function purchaseNotice(standing, present, { late = false } = {}) {
  if (standing === "cancelled") return notice("neutral", "No credits were bought", "Nothing was charged.");
  if (standing === "come") return arrival(JSON.parse(sessionStorage.getItem(KEPT)), present);
  const title = "Your credits are waiting for confirmation";
  if (standing === "unknown") {
    const text = "If you have paid, they appear here as soon as Stripe confirms it.";
    return notice("waiting", title, `${text} There is no need to pay again.`);
  }
  const text = late
    ? "It is taking longer than usual. Nothing is lost, and there is no need to pay again: you can close this page and come back."
    : "They appear here as soon as Stripe confirms the payment, usually within a few seconds.";
  return notice("waiting", title, text);
}

export function forgetCredits() {
  sessionStorage.removeItem(KEPT);
}

function arrival(before, { total, debt }) {
  const paidOff = Math.max(0, before.debt - debt);
  const text =
    paidOff > 0
      ? `Thank you. ${credits(paidOff)} of them paid off what was owed.`
      : "Thank you. They are in your wallet, ready to use or to send.";
  return notice("good", `${count(total - before.total)} credits have come`, text);
}
