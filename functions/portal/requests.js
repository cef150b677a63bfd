import { h } from "./dom.js";
import { dayOf, notice } from "./pieces.js";

/** That a request is on its way, and when it was sent; `about` ends "Your request …". */
export function sentNotice(about, { at }) {
  const title = [`Your request ${about} was sent on `, dayOf(at)];
  return notice("waiting", title, "They answer by e-mail.");
}

/** Ask for something in the manager's own words, and have it recorded. */
export function askFor(service, { topic, home, ...words }) {
  const message = h("textarea", { class: "input", id: "message", rows: 4, maxlength: 2_000 });
  const label = h("label", { for: "message" }, "Message (optional)");
  return service.ask({
    submit: "Send request",
    busy: "Sending…",
    failed: "The request was not sent",
    ...words,
    content: [words.content, h("div", { class: "field" }, label, message)],
    act: async () => {
      const text = message.value.trim();
      await service.order("POST", "/support-requests", { topic, ...(text && { message: text }) });
      await service.requested("Your request was sent.");
    },
    home,
  });
}
