import { h } from "./dom.js";
import {
  button,
  complain,
  dayOf,
  failure,
  isBusy,
  notice,
  press,
  section,
  setBusy,
  setIdle,
} from "./pieces.js";
import { ENTRY_KIND, count, money } from "./words.js";

const MONTHS = 12;
const CSV = "text/csv";
/** How long the browser has to take a file over (ms). */
const KEPT_FOR = 60_000;

/** The section "Credits": what there is, buying and sending, and what happened to it. */
export class CreditsSection {
  #parts = section("credits", "Credits");
  #notice = h("div");
  #figures = h("dl", { class: "figures" });
  #problem = h("div", { role: "alert" });
  #use = h("div");
  #rows = h("tbody", { role: "rowgroup" });
  #foot = h("div", { class: "foot" });
  #filter = { member: "", kind: "" };
  #people = new Map();
  #shown = null;
  #own = false;
  #service;

  /** Of `service` also `get(path)`, `text(path, kind)` → `{text, next}` and `announce(text)`. */
  constructor(service) {
    this.#service = service;
    this.hide();
  }

  get element() {
    return this.#parts.element;
  }

  hide() {
    this.element.hidden = true;
    this.#shown = null;
    this.#filter = { member: "", kind: "" };
  }

  /** For the manager; `returned` is how the browser came back from buying. */
  show(billing, returned) {
    const { credits, members, access } = billing;
    if (!credits) return void this.hide();
    const working = access.state === "active" || access.state === "grace";
    this.#people = new Map(members.map((member) => [member.id, member]));
    this.element.hidden = !working && credits.total === 0 && credits.remaining === 0;
    if (returned) this.#notice.replaceChildren(cameBack(returned));
    const actions = working
      ? [
          button("Buy credits", () => this.#buy(billing), { look: "primary" }),
          credits.mine > 0 && button("Send credits", () => this.#send(billing)),
        ]
      : [];
    this.#fill(actions, figuresOf(credits), !working && asleep());
    const said = JSON.stringify([credits, members.map(({ id }) => id)]);
    if (said === this.#shown || this.element.hidden) return;
    this.#shown = said;
    this.#load();
  }

  /** For a member: their own wallet and log. */
  async showOwn() {
    this.#own = true;
    const { wallet } = await this.#service.get("/credits");
    this.element.hidden = false;
    this.#fill([], [
      ["Available", wallet.available],
      ["Received", wallet.received],
      ["Spent", wallet.spent],
    ]);
    await this.#load();
  }

  #fill(aside, figures, more = null) {
    const [first, ...others] = figures;
    const figure = ([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, count(value)));
    this.#figures.replaceChildren(...[first, ...others].map(figure));
    const exporting = button("Download CSV", (event) => this.#export(event.currentTarget), {
      look: "quiet",
    });
    const tools = h("div", { class: "tools" }, this.#own ? [] : this.#filters(), exporting);
    const log = h("div", { class: "log" }, table(this.#rows), this.#foot);
    const title = h("h3", {}, "Credit log");
    const parts = [this.#notice, more, this.#figures, this.#use, title, tools, this.#problem, log];
    this.#parts.fill(aside, ...parts);
  }

  #filters() {
    const people = [...this.#people.values()].map(({ id, name, email }) => [id, name || email]);
    return [
      this.#select("member", "Person", [["", "Everybody"], ...people]),
      this.#select("kind", "Action", [["", "Everything"], ...Object.entries(ENTRY_KIND)]),
    ];
  }

  #select(name, label, options) {
    const chosen = this.#filter[name];
    const choose = (event) => {
      this.#filter[name] = event.target.value;
      this.#load();
    };
    const given = options.map(([value, text]) =>
      h("option", { value, selected: value === chosen }, text),
    );
    return h("label", { class: "field" }, label, h("select", { class: "input", onchange: choose }, given));
  }

  #path(cursor = null) {
    const query = new URLSearchParams(Object.entries(this.#filter).filter(([, value]) => value));
    if (cursor) query.set("cursor", cursor);
    return query.size > 0 ? `/credits/log?${query}` : "/credits/log";
  }

  async #load() {
    try {
      const [page, use] = await Promise.all([
        this.#service.get(this.#path()),
        this.#service.get(`/credits/usage?by=month&from=${encodeURIComponent(aYearAgo())}`),
      ]);
      this.#problem.replaceChildren();
      this.#rows.replaceChildren();
      this.#append(page);
      this.#use.replaceChildren(chart(use.items, this.#own));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === undefined) throw error;
      this.#problem.replaceChildren(failure(error, () => this.#load()));
    }
  }

  #append({ items, next_cursor: cursor }) {
    const rows = items.map((entry) => row(entry, (id) => this.#nameOf(id)));
    this.#rows.append(...rows);
    const more = cursor && button("Show older entries", () => this.#more(more, cursor));
    const empty = this.#rows.children.length === 0 && "Nothing has happened yet. ";
    this.#foot.replaceChildren(h("p", { class: "fine" }, empty, "Dates are in UTC."), more || "");
    return rows[0];
  }

  #nameOf(id) {
    if (!id) return "";
    const person = this.#people.get(id);
    if (person) return person.name || person.email;
    return { stripe: "Stripe" }[id] ?? (this.#own ? "" : id);
  }

  async #more(control, cursor) {
    if (isBusy(control)) return;
    setBusy(control, "Loading…");
    try {
      const page = await this.#service.get(this.#path(cursor));
      const first = this.#append(page);
      this.#service.announce(`${page.items.length} older entries loaded.`);
      first?.querySelector("th")?.focus();
    } catch (error) {
      setIdle(control);
      complain(this.#problem, "Older entries could not be loaded", error);
    }
  }

  /** The parts of a long log are put together here. */
  #export(control) {
    const words = { busy: "Preparing…", failed: "The log was not downloaded", place: this.#problem };
    return press(control, words, async () => {
      const parts = [];
      for (let cursor = null; ; ) {
        const { text, next } = await this.#service.text(this.#path(cursor), CSV);
        parts.push(text);
        if (!next) break;
        cursor = next;
      }
      const url = URL.createObjectURL(new Blob(parts, { type: CSV }));
      h("a", { href: url, download: "credits.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(url), KEPT_FOR);
      this.#service.announce("The log is being downloaded.");
    });
  }

  async #buy(billing) {
    const { packages } = await this.#service.catalog();
    const currency = billing.subscription.price?.currency;
    const sold = packages
      .map((each) => ({ ...each, price: each.prices.find((price) => price.currency === currency) }))
      .filter(({ price }) => price);
    const options = sold.map(({ id, name, price }, index) =>
      h(
        "label",
        { class: "option" },
        h("input", { type: "radio", name: "package", value: id, checked: index === 0, required: true }),
        h("span", { class: "face" }, h("strong", {}, name), ` ${money(price, { round: true })}`),
      ),
    );
    const choice = h("fieldset", {}, h("legend", {}, "Package"), h("div", { class: "plans" }, options));
    const { proceed } = this.#service;
    const asked = this.#service.ask({
      title: "Buy credits",
      content: [
        choice,
        h("p", {}, "1 credit is 1 contact. Credits never expire, and never turn into money."),
        h("p", { class: "fine" }, "You pay on Stripe’s page, and see the total with any tax there."),
      ],
      submit: "Continue to payment",
      busy: "Opening payment…",
      failed: "The payment page could not be opened",
      act: async () => {
        const { value } = asked.dialog.querySelector("input:checked");
        const { url } = await this.#service.order("POST", "/credits/checkout", { package: value });
        return proceed(url);
      },
      home: this.#parts.heading,
    });
  }

  #send({ credits, members }) {
    const people = members.filter(({ role, status }) => role === "member" && status === "active");
    if (people.length === 0) return void this.#nobodyYet();
    const options = people.map(({ id, name, email, credits: has }) =>
      h("option", { value: id }, `${name || email} (has ${count(has)})`),
    );
    const to = h("select", { class: "input", id: "send-to" }, options);
    const amount = h("input", {
      class: "input",
      id: "send-credits",
      type: "number",
      min: 1,
      max: credits.mine,
      step: 1,
      required: true,
      inputmode: "numeric",
    });
    return this.#service.ask({
      title: "Send credits",
      content: [
        h("div", { class: "field" }, h("label", { for: "send-to" }, "To"), to),
        h("div", { class: "field" }, h("label", { for: "send-credits" }, "Credits"), amount),
        h("p", { class: "fine" }, `You have ${count(credits.mine)}.`),
        h(
          "p",
          {},
          h("strong", {}, "This cannot be undone."),
          " Credits that were sent stay with the member, also when they leave the team.",
        ),
      ],
      submit: "Send",
      busy: "Sending…",
      failed: "Nothing was sent",
      act: async () => {
        const sent = { to: to.value, credits: Number(amount.value) };
        await this.#service.order("POST", "/credits/transfers", sent);
        const who = to.selectedOptions[0].textContent.replace(/ \(has .*\)$/, "");
        await this.#service.changed(`${count(sent.credits)} credits are sent to ${who}.`);
      },
      home: this.#parts.heading,
    });
  }

  #nobodyYet() {
    this.#service.ask({
      title: "There is nobody to send credits to",
      content: h("p", {}, "Invite a team member first. They can be sent credits once they have joined."),
      home: this.#parts.heading,
    });
  }
}

function figuresOf({ total, spent, held, remaining, debt, mine }) {
  return [
    ["Total", total],
    ["Spent", spent],
    ["Remaining", remaining],
    ["Yours to use or send", mine],
    ...(held > 0 ? [["Set aside", held]] : []),
    ...(debt > 0 ? [["Owed", debt]] : []),
  ];
}

function cameBack(returned) {
  if (returned !== "bought") return notice("neutral", "Nothing was bought");
  const text = "Your credits are here as soon as Stripe has confirmed the payment, usually within a minute.";
  return notice("waiting", "Thank you for your purchase", text);
}

function asleep() {
  return notice("neutral", "Your credits are kept", "They work again when you subscribe.");
}

function aYearAgo() {
  const now = new Date();
  const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - MONTHS + 1, 1));
  return first.toISOString().replace(/\.\d+Z$/, "Z");
}

/** Months with a bar and a number each: what the bars show is what the numbers say. */
function chart(periods, own) {
  if (periods.length === 0) return "";
  const series = own
    ? [["sent", "Received"], ["spent", "Spent"]]
    : [["bought", "Bought"], ["sent", "Sent"], ["spent", "Spent"]];
  const most = Math.max(1, ...periods.flatMap((each) => series.map(([name]) => each[name])));
  const bar = (name, value) => {
    const fill = h("span", { class: "bar-fill" });
    fill.style.inlineSize = `${(value / most) * 100}%`;
    return h("span", { class: `bar-ground ${name}`, "aria-hidden": "true" }, fill);
  };
  const line = ([name, label], each) =>
    h("div", { class: "amount" }, h("dt", {}, label), h("dd", {}, count(each[name])), bar(name, each[name]));
  const months = periods.map((each) =>
    h("li", {}, h("strong", {}, monthOf(each.period)), h("dl", {}, series.map((one) => line(one, each)))),
  );
  return h("figure", { class: "chart" }, h("figcaption", {}, "By month"), h("ul", {}, months));
}

function monthOf(period) {
  const format = { month: "short", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat("en", format).format(new Date(`${period}-01T00:00:00Z`));
}

const COLUMNS = [
  ["invoice", "Action"],
  ["date", "Date"],
  ["from", "From"],
  ["to", "To"],
  ["by", "By"],
  ["total", "Credits"],
  ["status", "Balance after"],
];

/* The roles are spelled out because a narrow table is laid out as cards, which would drop them. */
function table(rows) {
  const heads = COLUMNS.map(([name, label]) =>
    h("th", { scope: "col", role: "columnheader", class: name }, label),
  );
  const head = h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads));
  return h("table", { role: "table", "aria-label": "Credit log" }, head, rows);
}

function row(entry, nameOf) {
  const cell = (name, label, content) =>
    h("td", { role: "cell", class: name, "data-label": content ? label : null }, content);
  const after = entry.balance_after;
  return h(
    "tr",
    { role: "row" },
    h(
      "th",
      { scope: "row", role: "rowheader", class: "invoice", tabindex: "-1" },
      ENTRY_KIND[entry.kind] ?? entry.kind,
    ),
    cell("date", "", dayOf(entry.at)),
    cell("from", "From", nameOf(entry.from)),
    cell("to", "To", nameOf(entry.to)),
    cell("by", "By", nameOf(entry.by)),
    cell("total", "", count(entry.credits)),
    cell("status", "Balance", after === null ? "" : count(after)),
  );
}
