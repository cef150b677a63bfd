import { h } from "./dom.js";
import { notice } from "./pieces.js";
import { count, credits } from "./words.js";

/** Whoever can be sent credits: the members who have joined. */
export function receivers({ members }) {
  return members.filter(({ role, status }) => role === "member" && status === "active");
}

/** Ask to whom and how many; that it cannot be undone is said before it happens. */
export function askToSend(service, billing, home, member = null) {
  const people = receivers(billing);
  const { mine } = billing.credits;
  if (people.length === 0 || mine < 1) return service.ask(nothingToSend(mine, home));
  const to = h(
    "select",
    { class: "input", id: "to", required: true, onchange: () => look() },
    !member && people.length > 1 && h("option", { value: "" }, "Choose a member"),
    people.map(({ id, name, email }) =>
      h("option", { value: id, selected: id === member?.id }, name ? `${name} (${email})` : email),
    ),
  );
  const many = h("input", {
    class: "input",
    id: "credits",
    type: "number",
    inputmode: "numeric",
    min: 1,
    max: mine,
    step: 1,
    required: true,
    autocomplete: "off",
    "aria-describedby": "there-are",
    autofocus: true,
    oninput: () => look(),
  });
  const after = h("p", { class: "summary", "aria-live": "polite" });

  function look() {
    const receiver = people.find(({ id }) => id === to.value);
    const known = receiver && many.checkValidity();
    after.replaceChildren(...(known ? whatItMeans(receiver, many.valueAsNumber, mine) : []));
  }

  async function act() {
    const receiver = people.find(({ id }) => id === to.value);
    const order = { to: receiver.id, credits: many.valueAsNumber };
    const entry = await service.order("POST", "/credits/transfers", order);
    const sent = entry.credits === 1 ? "1 credit is" : `${credits(entry.credits)} are`;
    await service.changed(`${sent} sent to ${receiver.name || receiver.email}.`);
  }

  return service.ask({
    title: "Send credits",
    content: [
      h("div", { class: "field" }, h("label", { for: "to" }, "To"), to),
      h(
        "div",
        { class: "field" },
        h("label", { for: "credits" }, "Credits"),
        many,
        h("p", { class: "fine", id: "there-are" }, `From 1 to ${count(mine)}: what your wallet has.`),
      ),
      after,
      notice("warning", "Sending cannot be undone", "Credits that you send stay with the member, also when they leave the team."),
    ],
    submit: "Send credits",
    busy: "Sending…",
    failed: "The credits were not sent",
    act,
    home,
  });
}

function whatItMeans({ name, email, credits: present }, sent, mine) {
  const theirs = h("strong", {}, credits(present + sent));
  const yours = h("strong", {}, credits(mine - sent));
  return [`Then ${name || email} has `, theirs, ", and you have ", yours, "."];
}

function nothingToSend(mine, home) {
  const text =
    mine < 1
      ? "Your wallet has no credits to send. Buy some first."
      : "Nobody has joined your team yet. Invite members first, then send them credits.";
  return { title: "Send credits", content: h("p", {}, text), home };
}
