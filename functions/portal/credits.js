import { askToBuy } from "./buy-credits.js";
import { h } from "./dom.js";
import { limitGauge } from "./limit.js";
import { badge, button, nameOf, notice, press, section, skeleton } from "./pieces.js";
import { askToSend, receivers } from "./send-credits.js";
import { MEMBER_STATUS, count, credits } from "./words.js";

const WORKING = new Set(["active", "grace"]);

/** The section "Credits" of a manager: what there is, who has it, buying and sending. */
export class CreditsSection {
  #parts = section("credits", "Credits");
  #problem = h("div", { role: "alert" });
  #news = h("div", { class: "requests" });
  #settings;
  #usage;
  #service;

  /** `settings` and the chart `usage` stand among the figures. */
  constructor(service, settings, usage) {
    this.#service = service;
    this.#settings = settings;
    this.#usage = usage;
    this.hide();
  }

  get element() {
    return this.#parts.element;
  }

  showLoading() {
    this.element.hidden = false;
    this.#news.replaceChildren();
    this.#parts.fill([], skeleton("wide", "full"));
  }

  hide() {
    this.element.hidden = true;
    this.#parts.fill([]);
  }

  /** What became of a purchase. */
  tell(news) {
    this.#news.replaceChildren(news);
  }

  /** Without access what there is sleeps: it is shown, and nothing can be done with it. */
  show(billing) {
    const working = WORKING.has(billing.access.state);
    const { credits: there } = billing;
    const any = Object.values(there).some((each) => each > 0);
    this.element.hidden = !working && !any;
    this.#problem.replaceChildren();
    this.#settings.show(billing);
    this.#parts.fill(
      working ? [this.#buyButton(billing), this.#sendButton(billing)] : [],
      this.#news,
      !working && asleep("Nothing can be bought, sent or spent. What is there stays, and works again when your team subscribes."),
      owed(there.debt, "The next credits that you buy pay them off first."),
      this.#problem,
      any ? totals(there) : nothingYet(),
      this.#settings.element,
      this.#people(billing, working && there.mine > 0),
      this.#usage.element,
    );
  }

  #buyButton(billing) {
    const failed = "The packages could not be loaded";
    const words = { busy: "Loading…", failed, place: this.#problem };
    const order = async () => {
      const catalog = await this.#service.catalog();
      askToBuy(this.#service, catalog, billing, this.#parts.heading);
    };
    return button("Buy credits", (event) => press(event.currentTarget, words, order), {
      look: "primary",
    });
  }

  #sendButton(billing) {
    return button("Send credits", () => askToSend(this.#service, billing, this.#parts.heading));
  }

  /** Those who have joined, and whose credits sleep until they return. */
  #people(billing, sending) {
    const active = receivers(billing);
    const gone = billing.members.filter(
      ({ role, status, credits: theirs }) => role === "member" && status !== "active" && theirs > 0,
    );
    if (active.length + gone.length === 0) return null;
    const rows = [...active, ...gone].map((member) => {
      const who = member.name || member.email;
      const send = () => askToSend(this.#service, billing, this.#parts.heading, member);
      const named = { look: "quiet", "aria-label": `Send credits: ${who}` };
      const able = sending && member.status === "active";
      return person(member, able && button("Send", send, named));
    });
    return h(
      "div",
      {},
      h("h3", { id: "wallets" }, "Wallets of your team"),
      h("ul", { class: "people", "aria-labelledby": "wallets" }, rows),
    );
  }
}

/** What an account has of credits, to tell whether any have moved. */
export function standing({ credits: there, members }) {
  return JSON.stringify([there, members.map((member) => member.credits)]);
}

/** The section "Your credits" of a member: their own wallet. */
export class WalletSection {
  #parts = section("credits", "Your credits");
  #usage;

  constructor(usage) {
    this.#usage = usage;
    this.#parts.fill([], skeleton("wide", "full"));
  }

  get element() {
    return this.#parts.element;
  }

  showFailure(failed) {
    this.#parts.fill([], failed);
  }

  show(wallet, access) {
    const { available, held, received, spent, debt } = wallet;
    const working = WORKING.has(access);
    this.#parts.fill(
      [],
      !working && asleep("Nothing can be spent. What is there stays, and works again when your team subscribes."),
      owed(debt, "The next credits that come pay them off first."),
      figures([
        ["Yours to use", available],
        held > 0 && ["Set aside", held],
        ["Received", received],
        ["Spent", spent],
      ]),
      limitGauge(wallet),
      received === 0 && h("p", { class: "muted" }, "Your manager sends you credits."),
      h("p", { class: "fine" }, FINE),
      this.#usage.element,
    );
  }
}

const FINE = "1 credit buys 1 verified contact. Credits never expire, and never turn into money.";

function asleep(text) {
  return notice("neutral", "Without a subscription credits sleep", text);
}

/** Credits that were taken back after they had been used. */
function owed(debt, then) {
  if (debt === 0) return null;
  const title = debt === 1 ? "1 credit is owed" : `${credits(debt)} are owed`;
  return notice("warning", title, `A payment was taken back after its credits had been used. ${then}`);
}

function totals({ total, spent, held, remaining, mine }) {
  return [
    figures([
      ["Total", total, "bought until now"],
      ["Spent", spent],
      held > 0 && ["Set aside", held, "not spent yet"],
      ["Remaining", remaining, `${count(mine)} in your wallet`],
    ]),
    h("p", { class: "fine" }, FINE),
  ];
}

function figures(given) {
  const figure = ([term, number, more]) =>
    h(
      "div",
      {},
      h("dt", {}, term),
      h("dd", {}, count(number), more && h("span", { class: "detail" }, more)),
    );
  return h("dl", { class: "facts figures" }, given.filter(Boolean).map(figure));
}

function nothingYet() {
  return h(
    "div",
    { class: "nothing" },
    h("p", { class: "lead" }, "Your team has no credits yet"),
    h("p", { class: "muted" }, FINE),
  );
}

function person(member, control) {
  const { status, credits: theirs } = member;
  const asleepNow = status !== "active";
  return h(
    "li",
    { class: "person" },
    nameOf(member),
    h(
      "div",
      { class: "standing" },
      h("strong", {}, credits(theirs)),
      asleepNow && badge(MEMBER_STATUS[status] ?? [status, "neutral"]),
      asleepNow && h("span", { class: "fine" }, "They sleep until this person returns"),
    ),
    h("div", { class: "actions" }, control || []),
  );
}
