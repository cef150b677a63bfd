import { h } from "./dom.js";
import { day, minute } from "./words.js";

let titles = 0;

/**
 * A titled part of the tab. `fill(aside, ...content)` replaces what stands beside the title and in
 * the body; a focus that was on it goes to the title.
 */
export function section(name, title) {
  const id = `title-${(titles += 1)}`;
  const heading = h("h2", { id, tabindex: "-1" }, title);
  const aside = h("div", { class: "aside" });
  const body = h("div", { class: "body" });
  const element = h(
    "section",
    { class: `section ${name}`, "aria-labelledby": id },
    h("header", {}, heading, aside),
    body,
  );
  function fill(besides, ...content) {
    const held = element.contains(element.getRootNode().activeElement);
    aside.replaceChildren(...besides.filter(Boolean));
    body.replaceChildren(...content.flat().filter(Boolean));
    if (held) heading.focus();
  }
  return { element, heading, body, fill };
}

export function button(label, press, { look = "", ...attributes } = {}) {
  const classes = `button ${look}`.trim();
  return h("button", { type: "button", class: classes, onclick: press, ...attributes }, label);
}

/** While a request runs the button keeps its focus, says so, and ignores more presses. */
export function setBusy(control, label) {
  control.dataset.label ??= control.textContent;
  control.setAttribute("aria-disabled", "true");
  control.classList.add("busy");
  control.textContent = label;
}

export function setIdle(control) {
  control.removeAttribute("aria-disabled");
  control.classList.remove("busy");
  control.textContent = control.dataset.label ?? control.textContent;
}

/** What it says from now on, or once it is idle again. */
export function relabel(control, label) {
  control.dataset.label = label;
  if (!isBusy(control)) control.textContent = label;
}

export function isBusy(control) {
  return control.getAttribute("aria-disabled") === "true";
}

export function badge([word, tone]) {
  return h("span", { class: `badge ${tone}` }, word);
}

/** A message with room for what can be done about it. */
export function notice(tone, title, text, ...actions) {
  return h(
    "div",
    { class: `notice ${tone}` },
    h("p", { class: "notice-title" }, title),
    text && h("p", {}, text),
    actions.length > 0 && h("div", { class: "actions" }, actions),
  );
}

/** What became of an order that failed; `proceed(url)` leads to where the bank wants the customer. */
export function refusal(title, { status, detail, errors, more }, proceed) {
  const tone = status === 402 ? "warning" : "bad";
  const way = more.url && proceed && button("Continue to payment", () => proceed(more.url));
  const message = notice(tone, title, detail, ...(way ? [way] : []));
  const fields = errors.map(({ field, message: text }) => `${field}: ${text}`);
  const people = more.members?.map(({ name, email }) => name || email) ?? [];
  const named = [...fields, ...people].map((text) => h("li", {}, text));
  if (named.length > 0) message.append(h("ul", { class: "bullets" }, named));
  return message;
}

/** Show in `place` why an order failed, unless nobody waits for it any more. */
export function complain(place, title, error, proceed) {
  if (error.name === "AbortError") return;
  if (error.status === undefined) throw error;
  place.replaceChildren(refusal(title, error, proceed));
}

/**
 * Run an order from its button, which is busy meanwhile and stays so when the order resolves to
 * `true`: the browser is leaving. `place` is an alert for what fails, unless `blame(error)` says
 * that it has shown it where it belongs.
 */
export async function press(control, { busy, failed, place, proceed, blame }, order) {
  if (isBusy(control)) return;
  setBusy(control, busy);
  place.replaceChildren();
  let leaving = false;
  try {
    leaving = await order();
  } catch (error) {
    if (!blame?.(error)) complain(place, failed, error, proceed);
  } finally {
    if (leaving !== true) setIdle(control);
  }
}

/** One of several choices; what is given as label is its whole face. */
export function radio(name, value, checked, choose, ...label) {
  const change = () => choose({ [name]: value });
  const input = h("input", { type: "radio", name, value, checked, onchange: change });
  return h("label", { class: "option" }, input, h("span", { class: "face" }, label));
}

export function dayOf(instant) {
  return h("time", { datetime: instant, title: minute(instant) }, day(instant));
}

/** How to reach the operator's support, as a phrase that ends a sentence. */
export function supportLink({ email, url }) {
  const href = email ? `mailto:${email}` : url;
  return h("a", { href }, email ?? "Support");
}

/** Bars where text will be; assistive technology hears "Loading" once from the tab itself. */
export function skeleton(...widths) {
  const bars = widths.map((width) => h("span", { class: `bar ${width}` }));
  return h("div", { class: "skeleton", "aria-hidden": "true" }, bars);
}

export function failure(problem, retry) {
  const reference =
    problem.requestId && h("p", { class: "fine" }, `Reference ${problem.requestId}`);
  const title = problem.status === 0 ? "No connection" : "This could not be loaded";
  const message = notice("bad", title, problem.detail, button("Try again", retry));
  if (reference) message.append(reference);
  return message;
}

/** From which share on the use of something limited is pointed out. */
const NEARLY_ALL = 0.75;

/** The tone of so many used of all that there are. */
export function toneOf(used, all) {
  if (used >= all) return "bad";
  return used / all >= NEARLY_ALL ? "warning" : "good";
}

/** How much is used: a bar whose colour only repeats the words. */
export function gauge(lead, [words, tone], used, all) {
  const bar = h("span", { class: "bar-fill" });
  bar.style.inlineSize = `${all > 0 ? Math.min(100, (used / all) * 100) : 100}%`;
  return h(
    "div",
    { class: "usage" },
    h("p", {}, lead),
    badge([words, tone]),
    h("span", { class: `bar-ground ${tone}`, "aria-hidden": "true" }, bar),
  );
}

/** Whose row it is, by name where there is one. */
export function nameOf({ name, email }) {
  return h(
    "div",
    { class: "who" },
    h("strong", {}, name || email),
    name && h("span", { class: "muted" }, email),
  );
}
