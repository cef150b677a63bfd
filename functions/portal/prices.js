import { CYCLES } from "./words.js";

export function priceOf(plan, { cycle, currency }) {
  return plan.prices.find((price) => price.cycle === cycle && price.currency === currency);
}

/** How much less a cycle costs than paying monthly, in whole percent, rounded down. */
export function percentSaved(plan, { cycle, currency }) {
  const monthly = priceOf(plan, { cycle: "monthly", currency });
  const price = priceOf(plan, { cycle, currency });
  if (!monthly || !price) return 0;
  return Math.floor((1 - price.amount / (monthly.amount * CYCLES[cycle].months)) * 100 + 1e-9);
}
