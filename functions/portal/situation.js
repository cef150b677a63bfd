const LIVE = new Set(["active", "trialing", "past_due", "unpaid", "paused", "incomplete"]);

/**
 * What the plan section is about, from what the API says and never from the browser's way back:
 * `current` a subscription, `confirming` a payment, or `offer` the plans.
 *
 * `returned` (the browser came back from a successful Checkout) only decides how an open Checkout
 * is spoken of: Stripe may have the money while its word has not reached the API yet.
 */
export function situation({ subscription, access }, returned) {
  const { status, checkout } = subscription;
  if (LIVE.has(status)) return "current";
  if (checkout) return returned || checkout.status === "completing" ? "confirming" : "offer";
  if (status === "pending") return "confirming";
  return status === "canceled" && access.state !== "ended" ? "current" : "offer";
}
