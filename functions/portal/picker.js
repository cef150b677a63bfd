import { h } from "./dom.js";
import { button, press, radio, supportLink } from "./pieces.js";
import { percentSaved, priceOf } from "./prices.js";
import { CYCLES, money } from "./words.js";

/**
 * Choose a plan, its cycle and, where the catalog has several, the currency.
 *
 * `subscribe({plan, cycle, currency})` says whether the browser is on its way to payment, and
 * rejects with a Problem, which is shown beside the button.
 */
export function picker({ catalog, checkout, support, subscribe }) {
  const choice = firstChoice(catalog, checkout);
  const plans = h("div", { class: "plans" });
  const savings = {};
  const summary = h("p", { class: "summary", "aria-live": "polite" });
  const problem = h("div", { role: "alert" });
  const submit = button("Subscribe", null, { look: "primary", type: "submit" });

  function choose(change) {
    Object.assign(choice, change);
    if (!priceOf(planOf(catalog, choice), choice)) {
      choice.plan = catalog.plans.find((plan) => priceOf(plan, choice))?.id ?? choice.plan;
    }
    for (const plan of catalog.plans) showPrice(plans, plan, choice);
    showSavings(savings, catalog, choice);
    summary.replaceChildren(...summaryOf(catalog, choice));
    problem.replaceChildren();
  }

  for (const plan of catalog.plans) plans.append(planOption(plan, choice, choose));
  const form = h(
    "form",
    { class: "picker", onsubmit: (event) => send(event, { choice, submit, problem, subscribe }) },
    h(
      "div",
      { class: "choices" },
      cycleOptions(choice, choose, savings),
      currencyOptions(catalog, choice, choose),
    ),
    h("fieldset", {}, h("legend", {}, "Plan"), plans),
    problem,
    h("div", { class: "checkout" }, summary, submit),
    h(
      "p",
      { class: "fine" },
      "You enter your card on Stripe’s payment page. Questions first? Write to ",
      supportLink(support),
      ".",
    ),
  );
  choose({});
  return form;
}

/** What the team's open Checkout is for, or else the first of everything. */
function firstChoice({ plans, currencies }, checkout) {
  const plan = plans.find(({ id }) => id === checkout?.plan) ?? plans[0];
  const cycles = Object.keys(CYCLES).filter((each) =>
    plan.prices.some(({ cycle }) => cycle === each),
  );
  return {
    plan: plan.id,
    cycle: cycles.find((each) => each === checkout?.cycle) ?? cycles[0],
    currency: currencies.find((each) => each === checkout?.currency) ?? currencies[0],
  };
}

function send(event, { choice, submit, problem, subscribe }) {
  event.preventDefault();
  const failed = "The payment page could not be opened";
  const words = { busy: "Opening payment…", failed, place: problem };
  return press(submit, words, () => subscribe({ ...choice }));
}

function cycleOptions(choice, choose, savings) {
  const options = Object.entries(CYCLES).map(([cycle, { name }]) => {
    savings[cycle] = h("span", { class: "saving" });
    return radio("cycle", cycle, cycle === choice.cycle, choose, name, " ", savings[cycle]);
  });
  return h(
    "fieldset",
    {},
    h("legend", {}, "Billing cycle"),
    h("div", { class: "segments" }, options),
  );
}

function currencyOptions({ currencies }, choice, choose) {
  if (currencies.length < 2) return null;
  const options = currencies.map((currency) =>
    radio("currency", currency, currency === choice.currency, choose, currency.toUpperCase()),
  );
  return h("fieldset", {}, h("legend", {}, "Currency"), h("div", { class: "segments" }, options));
}

function planOption(plan, choice, choose) {
  return radio(
    "plan",
    plan.id,
    plan.id === choice.plan,
    choose,
    h("span", { class: "dot" }),
    h("span", { class: "plan-name" }, plan.name),
    h("span", { class: "price", "data-plan": plan.id }),
    h("span", { class: "muted" }, plan.description),
  );
}

function showPrice(plans, plan, choice) {
  const place = plans.querySelector(`[data-plan="${CSS.escape(plan.id)}"]`);
  const price = priceOf(plan, choice);
  place.replaceChildren(
    ...(price
      ? [h("strong", {}, money(price, { round: true })), ` ${CYCLES[choice.cycle].per}`]
      : [`Not sold ${CYCLES[choice.cycle].every}`]),
  );
  const input = place.closest("label").querySelector("input");
  input.disabled = !price;
  input.checked = plan.id === choice.plan;
}

function planOf({ plans }, choice) {
  return plans.find((plan) => plan.id === choice.plan);
}

/** What each cycle saves, for the chosen plan. */
function showSavings(savings, catalog, choice) {
  const plan = planOf(catalog, choice);
  for (const [cycle, place] of Object.entries(savings)) {
    const percent = percentSaved(plan, { ...choice, cycle });
    place.textContent = percent > 0 ? `Save ${percent}%` : "";
  }
}

function summaryOf(catalog, choice) {
  const plan = planOf(catalog, choice);
  const price = priceOf(plan, choice);
  if (!price) return ["Nothing is sold in this currency and cycle."];
  return [
    h("strong", {}, `${plan.name}: ${money(price)}`),
    ` today, then ${CYCLES[choice.cycle].every}. You see the total with any tax before you pay.`,
  ];
}
