const KEPT = "billing-card-before";

/** Note the card on file, to tell on the way back whether Stripe has reported another one. */
export function rememberCard(card) {
  sessionStorage.setItem(KEPT, JSON.stringify(card));
}

/** The card as it was noted in this tab, or null; asked once. */
export function cardBefore() {
  const card = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  return JSON.parse(card);
}
