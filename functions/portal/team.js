import { h } from "./dom.js";
import { askForLimit, limitNote } from "./limit.js";
import {
  badge,
  button,
  dayOf,
  gauge,
  nameOf,
  notice,
  press,
  section,
  skeleton,
  toneOf,
} from "./pieces.js";
import { askForSlots, isYearly, orderSlots } from "./slots.js";
import { CYCLES, MEMBER_STATUS, day, money } from "./words.js";

const PRESENT = new Set(["active", "invited", "waiting"]);

/** The section "Team members": who holds a slot, who did, and how many are paid for. */
export class TeamSection {
  #parts = section("team", "Team members");
  #problem = h("div", { role: "alert" });
  #former = null;
  #service;

  constructor(service) {
    this.#service = service;
  }

  get element() {
    return this.#parts.element;
  }

  showLoading() {
    this.element.hidden = false;
    this.#parts.fill([], skeleton("wide", "full", "full"));
  }

  hide() {
    this.element.hidden = true;
    this.#parts.fill([]);
  }

  /** Without access the team is shown as it was, and nothing of it can be changed. */
  show(billing) {
    const { members, access } = billing;
    const working = access.state === "active" || access.state === "grace";
    const people = members.filter(({ role }) => role === "member");
    this.element.hidden = !working && people.length === 0;
    this.#problem.replaceChildren();
    const managers = members.filter(({ role, status }) => role === "manager" && status === "active");
    const present = people.filter(({ status }) => PRESENT.has(status));
    const list = [...managers, ...present].map((each) => this.#row(each, billing, working));
    this.#parts.fill(
      working ? [this.#inviteButton(billing), this.#slotsButton(billing)] : [],
      working ? usage(billing.slots) : asleep(),
      working && this.#overdue(billing.slots),
      working && this.#ending(billing, present.length),
      working && this.#pending(billing.slots),
      this.#problem,
      h("ul", { class: "people" }, list),
      this.#formerOnes(
        members.filter((each) => !managers.includes(each) && !present.includes(each)),
        billing,
        working,
      ),
    );
  }

  #inviteButton(billing) {
    const home = this.#parts.heading;
    const ask = billing.slots.free > 0 ? askToInvite : askForRoom;
    return button("Invite", () => ask(this.#service, billing, home), { look: "primary" });
  }

  #slotsButton(billing) {
    return button("Manage slots", () => askForSlots(this.#service, billing, this.#parts.heading));
  }

  /** Members lose access with their slots, which may be before the plan ends. */
  #ending({ slots, subscription }, holding) {
    const { ends_at: ends, purchased, pending_purchased: pending } = slots;
    const over = purchased === 0;
    if (!ends || pending === 0 || (over && holding === 0)) return null;
    const title = [over ? "Your slots ended on " : "Your slots end on ", dayOf(ends)];
    const again = subscription.ends_at ? "Keep your subscription and buy slots" : "Buy slots";
    const text = over
      ? `${again} to give your members access again. Their credits are kept.`
      : "Your members have access until then. Their credits are kept.";
    return notice("neutral", title, text);
  }

  #overdue({ overdue }) {
    if (!overdue) return null;
    const { until, invoice } = overdue;
    const { proceed } = this.#service;
    const failed = "The invoice is not paid yet";
    const words = { busy: "Paying…", failed, place: this.#problem, proceed };
    const order = () => this.#service.pay(invoice);
    const click = (event) => press(event.currentTarget, words, order);
    const pay = invoice && button(`Pay ${money(invoice.amount_due)} now`, click, { look: "primary" });
    const named = invoice ? ` (${invoice.number})` : "";
    const text = ["They stay until ", dayOf(until), `. Then they end, unless the invoice${named} is paid.`];
    return notice("warning", "The last payment for your slots did not go through", text, pay);
  }

  #pending(slots) {
    const { purchased, pending_purchased: pending, renews_at: renews } = slots;
    if (pending === null || pending === undefined) return null;
    const { proceed } = this.#service;
    const failed = "The change was not taken back";
    const words = { busy: "Keeping…", failed, place: this.#problem, proceed };
    const order = () => orderSlots(this.#service, { purchased });
    const keep = button(`Keep ${slotsIn(purchased)}`, (event) =>
      press(event.currentTarget, words, order),
    );
    const title = [`${slotsIn(pending)} from `, renews ? dayOf(renews) : "the renewal"];
    const text = `Until then you have the ${purchased} that are paid for.`;
    return notice("waiting", title, text, ...(isYearly(slots) ? [] : [keep]));
  }

  #row(member, billing, working) {
    const { role, status, expires_at: expires } = member;
    const manager = role === "manager" && status === "active";
    const note = manager ? "Needs no slot" : noteOn(status, expires);
    return h(
      "li",
      { class: "person" },
      nameOf(member),
      h(
        "div",
        { class: "standing" },
        badge(manager ? ["Manager", "neutral"] : (MEMBER_STATUS[status] ?? [status, "neutral"])),
        note && h("span", { class: "fine" }, note),
        status === "active" && !manager && limitNote(member),
      ),
      h("div", { class: "actions" }, working || manager ? this.#changes(member, billing) : []),
    );
  }

  #changes(member, billing) {
    const who = member.name || member.email;
    const named = (label) => ({ look: "quiet", "aria-label": `${label}: ${who}` });
    const end = (label) =>
      button(
        label,
        () => askToRemove(this.#service, member, billing, this.#parts.heading),
        named(label),
      );
    if (member.role === "manager" && member.status === "active") {
      return member.id === billing.account.me ? [] : [end("Remove")];
    }
    if (member.status === "waiting") {
      return [this.#invite("Give a slot", member, named), end("Remove")];
    }
    if (member.status === "active") return [this.#limitButton(member, named), end("Remove")];
    if (member.status === "invited") {
      return [this.#invite("Send again", member, named), end("Withdraw")];
    }
    return [this.#invite("Invite again", member, named)];
  }

  #limitButton(member, named) {
    const ask = () => askForLimit(this.#service, member, this.#parts.heading);
    return button("Limit", ask, named("Limit"));
  }

  #invite(label, { email, name }, named) {
    const { proceed } = this.#service;
    const failed = `${name || email} was not invited`;
    const words = { busy: "Inviting…", failed, place: this.#problem, proceed };
    const order = () => orderInvitation(this.#service, { email, ...(name && { name }) });
    return button(label, (event) => press(event.currentTarget, words, order), named(label));
  }

  /** Those whose wallets sleep; the list stays open or closed as it was. */
  #formerOnes(people, billing, working) {
    if (people.length === 0) return null;
    const open = this.#former?.open ?? false;
    const rows = people.map((each) => this.#row(each, billing, working));
    const title = `Former members and invitations (${people.length})`;
    const text = "Their credits stay in their wallets, and are there again when they return.";
    this.#former = h(
      "details",
      { open },
      h("summary", {}, title),
      h("p", { class: "fine" }, text),
      h("ul", { class: "people" }, rows),
    );
    return this.#former;
  }
}

function noteOn(status, expires) {
  if (status === "waiting") return "Was a manager";
  if (!expires) return null;
  if (status === "invited") return ["Invitation expires on ", dayOf(expires)];
  return status === "expired" && ["Expired on ", dayOf(expires)];
}

function slotsIn(count) {
  return count === 1 ? "1 slot" : `${count} slots`;
}

function usage({ purchased, occupied, invited, free }) {
  if (purchased === 0) {
    const title = "Your team has no slots yet";
    const text = "Each team member needs a slot. Your own account needs none.";
    return h("div", { class: "nothing" }, h("p", { class: "lead" }, title), h("p", {}, text));
  }
  const full = free < 1;
  const said = full ? ["All in use", "bad"] : [`${free} free`, toneOf(occupied, purchased)];
  const lead = [
    h("strong", {}, `${occupied} of ${slotsIn(purchased)} in use`),
    invited > 0 && h("span", { class: "muted" }, ` (${invited} invited)`),
  ];
  return gauge(lead, said, occupied, purchased);
}

function asleep() {
  const text = "Members, their credits and the invitations are kept, and work again when you subscribe.";
  return notice("neutral", "Without a subscription your team has no access", text);
}

function askForRoom(service, billing, home) {
  const { purchased } = billing.slots;
  const asked = service.ask({
    title: purchased > 0 ? "All slots are in use" : "An invitation needs a slot",
    content: h("p", {}, "Remove somebody, or add a slot, and then invite."),
    submit: "Manage slots",
    busy: "Opening…",
    failed: "The slots could not be shown",
    act: () => {
      asked.dialog.close();
      askForSlots(service, billing, home);
    },
    home,
  });
}

/** Ask for an address; the API is the judge of whether it is one and whether a slot is free. */
function askToInvite(service, { slots }, home) {
  const email = h("input", {
    class: "input",
    id: "email",
    type: "email",
    required: true,
    maxlength: 254,
    autocomplete: "off",
    autofocus: true,
  });
  const name = h("input", { class: "input", id: "name", maxlength: 100, autocomplete: "off" });
  return service.ask({
    title: "Invite a team member",
    content: [
      h("div", { class: "field" }, h("label", { for: "email" }, "E-mail"), email),
      h("div", { class: "field" }, h("label", { for: "name" }, "Name (optional)"), name),
      h(
        "p",
        { class: "fine" },
        `The invitation holds one of your ${slots.free} free slots. It is open for 14 days, and `,
        "you can withdraw it or send it again.",
      ),
    ],
    submit: "Invite",
    busy: "Inviting…",
    failed: "Nobody was invited",
    act: () => {
      const given = name.value.trim();
      return orderInvitation(service, { email: email.value.trim(), ...(given && { name: given }) });
    },
    home,
  });
}

async function orderInvitation(service, person) {
  const invited = await service.order("POST", "/members", person);
  const { email, status, expires_at: expires } = invited;
  if (status === "active") return service.changed(`${email} has a slot.`);
  const until = expires ? `, until ${day(expires)}` : "";
  return service.changed(`${email} is invited${until}.`);
}

/** Ask once more; "remove the person" and "pay for fewer slots" are two things, and this is one. */
function askToRemove(service, member, { slots }, home) {
  const who = member.name || member.email;
  const invited = member.status === "invited";
  const manager = member.role === "manager";
  const holds = !manager && member.status !== "waiting";
  const price = slots.price && `${money(slots.price)} ${CYCLES[slots.cycle].per}`;
  const paid = price ? ` and stays paid (${price})` : " and stays paid";
  return service.ask({
    title: invited ? `Withdraw the invitation to ${who}?` : `Remove ${who}?`,
    content: [
      h("p", {}, invited ? "It can no longer be accepted." : "They lose their access at once."),
      manager && h("p", {}, "Billing mails and their automatic top-up stop. If they sign in as a manager again, they are back."),
      holds && h("p", {}, `Their slot is free for someone else${paid} until you lower the number of slots.`),
      !invited &&
        h("p", {}, "Their credits stay in their wallet, and are there again if they return."),
    ],
    dismiss: invited ? "Keep the invitation" : `Keep ${who}`,
    submit: invited ? "Withdraw" : "Remove",
    look: "danger",
    busy: invited ? "Withdrawing…" : "Removing…",
    failed: invited ? "The invitation was not withdrawn" : `${who} was not removed`,
    act: async () => {
      await service.order("DELETE", `/members/${encodeURIComponent(member.id)}`);
      const done = invited ? `The invitation to ${who} is withdrawn.` : `${who} is removed.`;
      await service.changed(done);
    },
    home,
  });
}
