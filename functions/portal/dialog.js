import { h } from "./dom.js";
import { button, press } from "./pieces.js";

let titles = 0;

/**
 * Ask in a modal dialog in `root`; hands back the dialog and its submit button.
 *
 * `act()` runs when the form is sent, and the dialog closes once it is done, or stays busy if it
 * resolves to `true`: the browser is leaving. What it fails with is shown under the title `failed`. Without `submit` there is nothing to send. The focus goes back to
 * where it was, or to `home` if that is gone meanwhile.
 */
export function openDialog(root, { title, content, dismiss = "Close", home, ...sent }) {
  const id = `dialog-${(titles += 1)}`;
  const problem = h("div", { role: "alert" });
  const submit =
    sent.submit && button(sent.submit, null, { type: "submit", look: sent.look ?? "primary" });
  const close = button(dismiss, () => dialog.close(), { autofocus: sent.look === "danger" });

  function send(event) {
    event.preventDefault();
    return press(submit, { ...sent, place: problem }, async () => {
      const leaving = await sent.act();
      if (leaving === true) return true;
      dialog.close();
      return false;
    });
  }

  const dialog = h(
    "dialog",
    { "aria-labelledby": id, onclose: leave, oncancel: stayWhileBusy },
    h(
      "form",
      { onsubmit: send },
      h("h2", { id }, title),
      h("div", { class: "content" }, content),
      problem,
      h("div", { class: "actions" }, close, submit),
    ),
  );

  function stayWhileBusy(event) {
    if (submit?.classList.contains("busy")) event.preventDefault();
  }

  function leave() {
    dialog.remove();
    if (root.activeElement === null) home.focus();
  }

  root.append(dialog);
  dialog.showModal();
  return { dialog, submit };
}
