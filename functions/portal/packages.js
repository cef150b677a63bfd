import { h } from "./dom.js";
import { radio } from "./pieces.js";
import { money } from "./words.js";

/** Packages are paid in the subscription's currency. */
export function currencyOf(catalog, { subscription }) {
  return subscription.price?.currency ?? catalog.currencies[0];
}

/** Those that are sold in a currency, each with its `price` in it. */
export function packagesIn(catalog, currency) {
  return catalog.packages.flatMap((each) => {
    const price = each.prices.find((sold) => sold.currency === currency);
    return price ? [{ ...each, price }] : [];
  });
}

/** One of them to choose: `choose({package})` is told its id. */
export function packageOptions(offers, chosen, choose) {
  const options = offers.map((offer) => option(offer, offer.id === chosen, choose));
  return h(
    "fieldset",
    {},
    h("legend", {}, "Package"),
    h("div", { class: "cycles" }, options),
  );
}

function option({ id, name, credits: many, price }, checked, choose) {
  const each = { ...price, amount: price.amount / many };
  return radio(
    "package",
    id,
    checked,
    choose,
    h("span", { class: "dot" }),
    h("strong", {}, name),
    h("span", { class: "price" }, money(price, { round: true })),
    h("span", { class: "muted" }, `${money(each)} per credit`),
  );
}
