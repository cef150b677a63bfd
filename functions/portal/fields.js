import { h } from "./dom.js";

/** A labelled control with a hint, and room for what `blame` says of it. */
export function field(label, control, hint) {
  const { id } = control;
  control.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
  return answerable(
    id,
    h("label", { for: id }, label),
    control,
    h("p", { class: "fine", id: `${id}-hint` }, hint),
  );
}

/** Controls with room for what `blame` says of one of them, until something is changed in it. */
export function answerable(id, ...content) {
  const wrong = h("p", { class: "wrong", id: `${id}-wrong` });
  function clear({ target }) {
    target.removeAttribute("aria-invalid");
    wrong.replaceChildren();
  }
  return h("div", { class: "field", oninput: clear }, content, wrong);
}

/** A field for a whole number; without a `value` it is empty. */
export function wholeNumber(attributes) {
  return h("input", {
    class: "input",
    type: "number",
    inputmode: "numeric",
    step: 1,
    max: 10 ** 12,
    autocomplete: "off",
    ...attributes,
  });
}

/** Show at the control what was refused of it, and lead there. */
export function blame(control, message) {
  if (control.matches(".input")) control.setAttribute("aria-invalid", "true");
  control.closest(".field").querySelector(".wrong").textContent = message;
  control.focus();
}

/**
 * Show what an order was refused for at the controls that it is about; says whether all of it is
 * shown. `controls` are by the names of the API's fields and the codes of its refusals.
 */
export function blameFor({ code, detail, errors = [] }, controls) {
  const found = controls[code] ? [{ field: code, message: detail }] : errors;
  if (found.length === 0 || found.some((each) => !controls[each.field])) return false;
  for (const each of found.toReversed()) blame(controls[each.field], each.message);
  return true;
}
