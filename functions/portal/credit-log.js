import { h } from "./dom.js";
import { button, failure, isBusy, notice, press, section, setBusy, setIdle, skeleton } from "./pieces.js";
import { ENTRY_KIND, count, minute, shortDay, timeOfDay } from "./words.js";

const A_PAGE = 10;
/** How long the file of a download must be there for the browser to take it (ms). */
const KEPT = 60_000;
const NOBODY = "—";
const DAY = 24 * 60 * 60 * 1_000;

/** The section "Credit log": every movement, newest first, as far as the caller may see it. */
export class LogSection {
  #parts = section("log", "Credit log");
  #rows = h("tbody", { role: "rowgroup" });
  #foot = h("div", { class: "foot" });
  #problem = h("div", { role: "alert" });
  #place = h("div", { class: "entries" });
  #form = null;
  #member = choice("member", [], "Everybody");
  #people = null;
  #shown = null;
  #newest = null;
  #asked = 0;
  #service;

  /** `fetchPage(query)` → `{items, next_cursor}`; `fetchCsv(query)` → `{part, next}`. */
  constructor(service) {
    this.#service = service;
    this.hide();
  }

  get element() {
    return this.#parts.element;
  }

  /** The time of the newest entry of all, or null. */
  get newest() {
    return this.#newest;
  }

  get failed() {
    return this.#shown === "failed";
  }

  hide() {
    this.element.hidden = true;
    this.#member.value = "";
    this.#form = this.#shown = this.#newest = null;
    this.#parts.fill([]);
  }

  showLoading() {
    this.element.hidden = false;
    this.#shown = null;
    this.#parts.fill([], skeleton("full", "full", "full"));
  }

  showFailure(problem, retry) {
    this.#shown = "failed";
    this.#parts.fill([], failure(problem, retry));
  }

  /** Whose names and entries a manager sees; a member, for whom nobody is named, sees their own. */
  set people(members) {
    this.#people = members;
    const chosen = this.#member.value;
    const options = members.map(({ id, name, email }) => [id, name || email]);
    this.#member.replaceChildren(...optionsOf(options, "Everybody"));
    this.#member.value = chosen;
  }

  /** Show the first page; older entries that were asked for stay while it is the same. */
  async load() {
    await this.#loadFirst(this.#query);
  }

  /** Resolves to the page, or to null if another was asked for meanwhile. */
  async #loadFirst(query) {
    const asked = (this.#asked += 1);
    const page = await this.#service.fetchPage(query);
    if (asked !== this.#asked) return null;
    if (!query.filtered) this.#newest = page.items[0]?.at ?? null;
    this.#showFirst(page, query);
    return page;
  }

  #showFirst(page, query) {
    const said = JSON.stringify([page, this.#people]);
    if (said === this.#shown) return;
    const first = this.#shown === null || this.failed;
    this.#shown = said;
    const empty = page.items.length === 0;
    const none = empty && !query.filtered;
    this.#rows.replaceChildren();
    this.#problem.replaceChildren();
    this.#place.replaceChildren(
      ...(empty && !page.next_cursor ? [nothing(query.filtered)] : [table(this.#rows), this.#foot]),
    );
    this.#append(page, query);
    if (none) this.#form = null;
    else this.#form ??= this.#filters();
    if (first || none || !this.#form.isConnected) {
      const csv = button("Download CSV", (event) => this.#download(event.currentTarget));
      this.#parts.fill(none ? [] : [csv], none ? [] : this.#form, this.#problem, this.#place);
    }
  }

  #append({ items, next_cursor: cursor }, query) {
    const rows = items.map((entry) => row(entry, this.#namesOf(entry)));
    this.#rows.append(...rows);
    const more = cursor && button("Show older", () => this.#more(more, { ...query, cursor }));
    this.#foot.replaceChildren(
      h("p", { class: "fine" }, "Dates are in UTC. ", this.#people && whose(query, this.#people)),
      more || "",
    );
    return rows[0];
  }

  async #more(control, query) {
    if (isBusy(control)) return;
    setBusy(control, "Loading…");
    const asked = this.#asked;
    try {
      const page = await this.#service.fetchPage(query);
      if (asked !== this.#asked) return;
      this.#problem.replaceChildren();
      const first = this.#append(page, query);
      this.#service.announce(`${page.items.length} older entries loaded.`);
      first?.querySelector("th")?.focus();
    } catch (error) {
      setIdle(control);
      this.#complain("Older entries could not be loaded", error);
    }
  }

  /** The whole log as it is filtered, put together from its parts. */
  async #download(control) {
    if (isBusy(control)) return;
    setBusy(control, "Preparing…");
    try {
      const parts = [];
      for (let cursor; cursor !== null; ) {
        const { part, next } = await this.#service.fetchCsv({ ...this.#query, limit: null, cursor });
        parts.push(part);
        cursor = next;
      }
      this.#problem.replaceChildren();
      save(new Blob(parts, { type: "text/csv" }), "credits.csv");
      this.#service.announce("The credit log is being downloaded.");
    } catch (error) {
      this.#complain("The credit log could not be downloaded", error);
    } finally {
      setIdle(control);
    }
  }

  #complain(title, error) {
    if (error.name === "AbortError") return;
    if (error.status === undefined) throw error;
    this.#problem.replaceChildren(notice("bad", title, error.detail));
  }

  get #query() {
    const given = this.#form?.querySelector("form") ?? null;
    const filters = given ? filtersOf(new FormData(given)) : {};
    return { ...filters, limit: A_PAGE, filtered: Object.values(filters).some(Boolean) };
  }

  #filters() {
    const show = button("Show", null, { type: "submit" });
    const words = { busy: "Loading…", failed: "The log could not be loaded", place: this.#problem };
    const ask = async () => {
      const page = await this.#loadFirst(this.#query);
      if (page === null) return;
      const many = page.next_cursor ? "The first" : count(page.items.length);
      this.#service.announce(`${many} ${page.items.length === 1 ? "entry" : "entries"} shown.`);
    };
    const send = (event) => {
      event.preventDefault();
      return press(show, words, ask);
    };
    const clear = button("Clear", () => {
      form.reset();
      return press(show, words, ask);
    });
    const form = h(
      "form",
      { onsubmit: send },
      field("From", h("input", { class: "input", type: "date", name: "from" })),
      field("To", h("input", { class: "input", type: "date", name: "to" })),
      this.#people && field("Member", this.#member),
      field("Action", choice("kind", Object.entries(ENTRY_KIND), "All")),
      h("div", { class: "actions" }, show, clear),
    );
    return h("details", { class: "filters" }, h("summary", {}, "Filter"), form);
  }

  /** In a member's own log nobody else is named: who sends them credits is a manager. */
  #namesOf(entry) {
    const { kind, from, to } = entry;
    if (this.#people) {
      const names = new Map(this.#people.map(({ id, name, email }) => [id, name || email]));
      return (id) => names.get(id) ?? SERVICES[id] ?? "Support";
    }
    const own = kind === "transfer" ? to : (from ?? to);
    const other = kind === "transfer" ? "Your manager" : "Support";
    return (id) => (id === own ? "You" : (SERVICES[id] ?? other));
  }
}

/** Who acts and is no person. */
const SERVICES = { stripe: "Stripe", schedule: "Automatic" };

/** The query's days are in UTC, and the last one is in it. */
function filtersOf(form) {
  const last = form.get("to");
  return {
    from: form.get("from") && `${form.get("from")}T00:00:00Z`,
    to: last && new Date(Date.parse(last) + DAY).toISOString().replace(".000", ""),
    member: form.get("member"),
    kind: form.get("kind"),
  };
}

function field(label, control) {
  control.id = `log-${control.name}`;
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

function choice(name, entries, all) {
  return h("select", { class: "input", name }, optionsOf(entries, all));
}

function optionsOf(entries, all) {
  return [["", all], ...entries].map(([value, words]) => h("option", { value }, words));
}

function whose({ member }, people) {
  const person = people.find(({ id }) => id === member);
  if (person) return `The balance is of ${person.name || person.email}.`;
  return "The balance is of the wallet that the credits left, or else of the one they came into.";
}

function nothing(filtered) {
  const [title, text] = filtered
    ? ["No entries match", "Choose other days, or clear the filter."]
    : ["No credits have moved yet", "Everything that happens to credits appears here."];
  return h(
    "div",
    { class: "nothing" },
    h("p", { class: "lead" }, title),
    h("p", { class: "muted" }, text),
  );
}

const COLUMNS = {
  date: "Date",
  action: "Action",
  credits: "Credits",
  from: "From",
  to: "To",
  by: "By",
  balance: "Balance after",
};

/* The roles are spelled out because a narrow table is laid out as cards, which would drop them. */
function table(rows) {
  const head = ([name, label]) =>
    h("th", { scope: "col", role: "columnheader", class: name }, label);
  const line = h("tr", { role: "row" }, Object.entries(COLUMNS).map(head));
  return h("table", { class: "cards", role: "table" }, h("thead", { role: "rowgroup" }, line), rows);
}

function row({ at, kind, credits, from, to, by, balance_after: balance }, nameOf) {
  const cell = (name, ...content) =>
    h("td", { role: "cell", class: name, "data-label": COLUMNS[name] }, content);
  const person = (name, id) => (id ? cell(name, nameOf(id)) : cell(`${name} nobody`, NOBODY));
  return h(
    "tr",
    { role: "row" },
    h(
      "th",
      { scope: "row", role: "rowheader", class: "date", tabindex: "-1" },
      h(
        "time",
        { datetime: at, title: minute(at) },
        shortDay(at),
        h("span", { class: "detail" }, timeOfDay(at)),
      ),
    ),
    cell("action", actionOf(kind, nameOf(by), nameOf(to))),
    cell("credits", count(credits)),
    person("from", from),
    person("to", to),
    person("by", by),
    balance === null ? cell("balance nobody", NOBODY) : cell("balance", count(balance)),
  );
}

/** What the operator's people give was not bought; a member is not who sends. */
function actionOf(kind, by, to) {
  if (kind === "grant" && by === SERVICES.schedule) return "Automatic top-up";
  if (kind === "grant" && by === "Support") return "Given";
  if (kind === "transfer" && to === "You") return "Received";
  return ENTRY_KIND[kind] ?? kind;
}

function save(file, name) {
  const address = URL.createObjectURL(file);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT);
}
