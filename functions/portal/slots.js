import { h } from "./dom.js";
import { button, notice, refusal } from "./pieces.js";
import { askFor } from "./requests.js";
import { day, money } from "./words.js";

/** How long the number must stand still before its price is asked for (ms). */
const SETTLES = 300;
const MOST = 1_000;

/**
 * Ask how many slots to pay for. What is due today and what from the renewal on is shown before
 * anything is ordered, and exactly that is charged: the order carries the quote.
 */
export function askForSlots(service, billing, home) {
  const { slots } = billing;
  if (isYearly(slots)) return askForOthers(service, slots, home);
  const present = slots.pending_purchased ?? slots.purchased;
  const least = slots.occupied;
  const input = h("input", {
    class: "input",
    id: "slots",
    type: "number",
    inputmode: "numeric",
    min: least,
    max: MOST,
    step: 1,
    required: true,
    value: Math.max(present, least),
    oninput: () => renew(),
    autofocus: true,
  });
  const price = h("div", { class: "price-ahead", "aria-live": "polite" });
  let quoted = null;
  let timer = null;

  function step(by) {
    input.value = Math.min(MOST, Math.max(least, input.valueAsNumber + by || least));
    renew();
  }

  function renew() {
    clearTimeout(timer);
    quoted = null;
    asked.submit.disabled = true;
    if (!input.checkValidity()) return price.replaceChildren(input.validationMessage);
    if (input.valueAsNumber === present) return price.replaceChildren(asItIs(slots));
    price.replaceChildren(h("p", { class: "muted" }, "Calculating the price…"));
    timer = setTimeout(preview, SETTLES);
  }

  async function preview() {
    const purchased = input.valueAsNumber;
    try {
      const answer = await service.order("POST", "/slots/preview", { purchased });
      if (input.valueAsNumber === purchased) show(answer);
    } catch (error) {
      if (error.name === "AbortError" || input.valueAsNumber !== purchased) return;
      if (error.status === undefined) throw error;
      price.replaceChildren(refusal("The price could not be had", error));
    }
  }

  function show(answer) {
    quoted = { purchased: answer.purchased, quote: answer.quote };
    asked.submit.disabled = false;
    price.replaceChildren(whatIsDue(slots, answer));
  }

  /** Where somebody else was faster the new quote is for as many more as this one was. */
  async function act() {
    try {
      await orderSlots(service, quoted);
    } catch (error) {
      if (error.code === "quote_stale") {
        input.value = error.more.preview.purchased;
        show(error.more.preview);
      }
      throw error;
    }
  }

  function askForYearly() {
    asked.dialog.close();
    askFor(service, {
      topic: "annual_slots",
      title: "Ask Support for yearly slots",
      content: h("p", {}, "They agree the price with you, and answer by e-mail."),
      home,
    });
  }

  const asked = service.ask({
    title: "Manage slots",
    content: [
      h(
        "div",
        { class: "field" },
        h("label", { for: "slots" }, "Slots for team members"),
        h(
          "div",
          { class: "stepper" },
          button("Fewer", () => step(-1), { "aria-label": "One slot fewer" }),
          input,
          button("More", () => step(1), { "aria-label": "One slot more" }),
        ),
      ),
      holders(billing),
      price,
      h(
        "p",
        { class: "fine" },
        slots.price && `${money(slots.price)} per slot and month, without tax. `,
        "Slots are billed monthly, also where the plan is not. Yearly ones cost less: ",
        button("Ask for yearly slots", () => askForYearly(), { look: "link" }),
      ),
    ],
    submit: "Confirm",
    busy: "Ordering…",
    failed: "The number of slots was not changed",
    act,
    home,
  });
  renew();
  return asked;
}

/** Whether Support has agreed on them, and changes them. */
export function isYearly({ cycle }) {
  return cycle === "annual";
}

function askForOthers(service, { purchased, price }, home) {
  return askFor(service, {
    topic: "annual_slots",
    title: "Manage slots",
    content: h(
      "p",
      {},
      `You have ${purchased} yearly slots at ${money(price)} each. Support changes them: say how `,
      "many you need, and they answer by e-mail.",
    ),
    home,
  });
}

/** Order a number of slots: more at once, fewer from their renewal on. */
export async function orderSlots(service, wanted) {
  const slots = await service.order("PUT", "/slots", wanted);
  const { purchased, pending_purchased: pending, renews_at: renews } = slots;
  const later = pending != null && renews ? `, ${pending} from ${day(renews)}` : "";
  await service.changed(`Your team has ${purchased} slots${later}.`);
}

function asItIs({ purchased, pending_purchased: pending, renews_at: renews }) {
  const later = pending != null && renews ? `, and ${pending} from ${day(renews)}` : "";
  return h("p", { class: "muted" }, `You have ${purchased} now${later}.`);
}

function whatIsDue({ purchased: present }, { purchased, due_now: now, ...later }) {
  const fewer = purchased < present;
  return h(
    "dl",
    { class: "dues" },
    h("div", {}, h("dt", {}, "Due today"), h("dd", {}, money(now))),
    h(
      "div",
      {},
      h("dt", {}, later.effective_at ? `From ${day(later.effective_at)}` : "From the renewal"),
      h("dd", {}, money(later.from_next_renewal), h("span", { class: "detail" }, "per month")),
    ),
    fewer && h("p", { class: "fine" }, `Until then you keep the ${present} that are paid for.`),
  );
}

/** Who stands in the way of fewer: never less than what is in use. */
function holders({ slots, members }) {
  if (slots.occupied === 0) return null;
  const held = members
    .filter(({ role, status }) => role === "member" && ["active", "invited"].includes(status))
    .map(({ name, email }) => name || email);
  const text = `In use by ${new Intl.ListFormat("en").format(held)}. For fewer, remove somebody first.`;
  return notice("neutral", `At least ${slots.occupied}`, text);
}
