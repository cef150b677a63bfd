import { h } from "./dom.js";
import { answerable, blameFor, field, wholeNumber } from "./fields.js";
import { currencyOf, packageOptions, packagesIn } from "./packages.js";
import { relabel } from "./pieces.js";
import { asOrder, buysAtOnce, isOn, whatItMeans } from "./top-up.js";
import { credits, minorUnits, money, typed } from "./words.js";

const WORKING = new Set(["active", "grace"]);

/**
 * Ask below how many credits the manager is told, and a package is bought. What was changed is
 * sent; `keep`, given `{alert_below}` or `{top_up}` as the API has it then, takes note of it.
 */
export function askForSettings(service, { catalog, billing, settings, keep, home }) {
  const { alert_below: before, top_up: present } = settings;
  let alert = before;
  let blamed = {};
  const told = wholeNumber({ id: "alert", min: 1, value: alert, autofocus: true });
  const topUp = topUpPart({ catalog, billing, present, changed: look });
  const summary = h("p", { class: "summary", "aria-live": "polite" });

  function look() {
    const { offer } = topUp;
    const order = changeOf(topUp, present);
    const known = { present, billing };
    const buys = order?.package && buysAtOnce(order, offer, known);
    const price = buys && `Save and buy ${credits(offer.credits)} for ${money(offer.price)}`;
    summary.replaceChildren(...(order ? whatItMeans(order, offer, known) : [topUp.complaint]));
    relabel(asked.submit, price || "Save");
  }

  async function act() {
    const order = changeOf(topUp, present);
    const below = told.value === "" ? null : told.valueAsNumber;
    if (below !== alert) {
      blamed = { below: told };
      ({ below: alert } = await service.order("PUT", "/settings/alerts", { below }));
      keep({ alert_below: alert });
    }
    if (order) {
      blamed = topUp.controls;
      keep({ top_up: await service.order("PUT", "/settings/top-up", order) });
    }
    if (order || below !== before) service.announce("Your settings are saved.");
  }

  const asked = service.ask({
    title: "Alerts and top-up",
    content: [
      field(
        "Tell me when I have fewer credits than",
        told,
        "By e-mail, once each time. Leave it empty for never.",
      ),
      topUp.element,
      summary,
    ],
    submit: "Save",
    busy: "Saving…",
    failed: "Not everything was saved",
    blame: (error) => blameFor(error, blamed),
    act,
    home,
  });
  topUp.look();
  return asked;
}

/** The order that `topUp` asks for, or null where nothing is to change or something is missing. */
function changeOf({ order }, present) {
  return JSON.stringify(order) === JSON.stringify(asOrder(present)) ? null : order;
}

/** The controls of automatic top-up. One that has stopped stands switched off, as it was chosen. */
function topUpPart({ catalog, billing, present, changed }) {
  const currency = currencyOf(catalog, billing);
  const offers = packagesIn(catalog, currency);
  const obstacle = obstacleTo(billing, offers, currency);
  const cap = present.monthly_cap;
  const choice = { package: (offers.find(({ id }) => id === present.package) ?? offers[0])?.id };
  const on = h("input", {
    type: "checkbox",
    role: "switch",
    id: "top-up",
    checked: isOn(present),
    disabled: obstacle !== null && !isOn(present),
    "aria-describedby": "top-up-hint top-up-wrong",
  });
  const below = wholeNumber({ id: "below", min: 1, value: present.below, required: true });
  const most = h("input", {
    class: "input",
    id: "most",
    inputmode: "decimal",
    autocomplete: "off",
    required: true,
    value: cap?.currency === currency ? typed(cap) : null,
  });
  const packages = packageOptions(offers, choice.package, (chosen) => {
    Object.assign(choice, chosen);
    look();
  });
  packages.setAttribute("aria-describedby", "package-wrong");
  const details = h(
    "fieldset",
    { class: "content" },
    h("legend", { class: "spoken" }, "Automatic top-up"),
    field("Buy when I have fewer credits than", below, "In your own wallet."),
    answerable("package", packages),
    field(
      `At most in a month, in ${currency.toUpperCase()}`,
      most,
      "With taxes. Nothing is bought beyond it before the next month, in UTC.",
    ),
  );
  const element = h(
    "div",
    { class: "content", oninput: look },
    answerable(
      "top-up",
      h("label", { class: "switch" }, on, "Automatic top-up"),
      h("p", { class: "fine", id: "top-up-hint" }, obstacle ?? "Buys credits with the card on file."),
    ),
    details,
  );

  function look() {
    details.hidden = details.disabled = !on.checked;
    if (on.checked) judge({ below, most, offer: part.offer, currency });
    changed();
  }

  const part = {
    element,
    look,
    get offer() {
      return offers.find(({ id }) => id === choice.package);
    },
    /** As the API takes it, or null while something is missing. */
    get order() {
      if (!on.checked) return { below: null };
      if (!below.validity.valid || !most.validity.valid) return null;
      const sum = { amount: minorUnits(most.value, currency), currency };
      return { below: below.valueAsNumber, package: choice.package, monthly_cap: sum };
    },
    /** What is wrong with what has been typed. */
    get complaint() {
      const wrong = [below, most].find((each) => on.checked && each.value && !each.validity.valid);
      return wrong?.validationMessage ?? "";
    },
    get controls() {
      const chosen = details.querySelector("[type=radio]:checked");
      return {
        below,
        package: chosen,
        unknown_package: chosen,
        package_too_small: below,
        monthly_cap: most,
        "monthly_cap.amount": most,
        "monthly_cap.currency": most,
        unknown_currency: most,
        cap_too_low: most,
        no_access: on,
        subscription_ending: on,
      };
    },
  };
  return part;
}

/** Why it cannot be switched on, or null. */
function obstacleTo({ access, subscription }, offers, currency) {
  if (!WORKING.has(access.state)) return "It needs a subscription. Subscribe, then switch it on.";
  if (subscription?.ends_at) return "Your subscription is set to end. Keep it to switch this on.";
  return offers.length > 0 ? null : `No package is sold in ${currency.toUpperCase()}.`;
}

/** What the API would refuse is said while it is typed. */
function judge({ below, most, offer, currency }) {
  const few = offer.credits < below.valueAsNumber;
  const amount = minorUnits(most.value, currency);
  const form = Number.isNaN(amount) && `Write a sum like ${typed(offer.price)}.`;
  const low = amount < offer.price.amount && `At least ${money(offer.price)}, the price of one package.`;
  below.setCustomValidity(few ? `At most ${offer.credits}: that many are in the package.` : "");
  most.setCustomValidity(most.value === "" ? "" : form || low || "");
}
