import { h } from "./dom.js";
import { day, minute } from "./words.js";

let titles = 0;

/** A titled part of the tab: `body` is replaced by each state, `aside` stands beside the title. */
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
  return { element, heading, aside, body };
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
