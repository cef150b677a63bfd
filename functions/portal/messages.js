import { h } from "./dom.js";
import { button, notice, press, section } from "./pieces.js";

/** What stands above the plans: how the browser came back, and a payment page still open. */
export function offerNotices(checkout, { returned, waited, proceed, again }) {
  const cancelled = returned === "cancelled" && "Checkout was cancelled. Nothing was charged.";
  if (checkout) {
    const title = cancelled || "A payment page is open for your team";
    const still = cancelled ? "The payment page is still open: finish" : "Finish the payment";
    const text = `${still} there, or choose below and start over.`;
    return [notice("waiting", title, text, button("Continue to payment", proceed))];
  }
  if (waited) {
    const text = "No subscription came of it. You can try again below.";
    return [notice("warning", "The payment was not confirmed", text)];
  }
  if (cancelled) return [notice("neutral", cancelled)];
  if (returned !== "success") return [];
  const title = "No payment is on record for your team";
  const text = "If you have just paid, wait a minute and check again before you pay another time.";
  return [notice("warning", title, text, button("Check again", again))];
}

export function welcome() {
  return notice("good", "Your subscription is active", "Thank you. Your payment is confirmed.");
}

/** How the card stands once the browser is back from entering one. */
export function cardNotice(entered, changed) {
  if (entered !== "saved") return notice("neutral", "No card was entered", "Yours stays as it was.");
  if (changed) {
    const text = "It pays for everything from now on, and for what was still unpaid.";
    return notice("good", "Your new card is on file", text);
  }
  const text = "It appears below as soon as Stripe confirms it, usually within a minute.";
  return notice("waiting", "Your card is saved, waiting for confirmation", text);
}

export function signedOut() {
  return notice("neutral", "You are signed out", "Sign in again to see your billing.");
}

/** For a caller who may not see billing; `problem` is the API's 403. */
export function notYours({ code, detail }) {
  const member = code === "manager_only";
  const title = member ? "Billing is the manager’s alone" : "There is no billing for this sign-in";
  const [lead, more] = member
    ? [
        "Your team’s manager looks after the plan, the card and the invoices.",
        "Your own credits and their log are below.",
      ]
    : [detail, "Sign in with another account, or ask your team’s manager."];
  const { element, fill } = section("not-yours", title);
  fill([], h("p", { class: "lead" }, lead), h("p", { class: "muted" }, more));
  return element;
}

/** For somebody who is not a member yet, or not any more; `accept` takes up their invitation. */
export function joining(accept) {
  const { element, heading, fill } = section("joining", "Join the team");
  const place = h("div", { role: "alert" });
  const words = { busy: "Joining…", failed: "You have not joined the team", place };
  const join = (event) =>
    press(event.currentTarget, words, async () => {
      await accept();
      heading.textContent = "You have joined the team";
      fill([], h("p", {}, "Your account works from now on."));
    });
  fill(
    [],
    h("p", {}, "You are not a member yet. If the manager has invited you, take up the invitation."),
    place,
    h("div", { class: "actions" }, button("Accept invitation", join, { look: "primary" })),
  );
  return element;
}
