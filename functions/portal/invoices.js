import { h } from "./dom.js";
import {
  badge,
  button,
  dayOf,
  failure,
  isBusy,
  notice,
  press,
  section,
  setBusy,
  setIdle,
  skeleton,
} from "./pieces.js";
import { INVOICE_KIND, INVOICE_STATUS, money } from "./words.js";

/** Statuses in which Stripe has made a document. */
const WITH_DOCUMENT = new Set(["open", "paid", "void", "uncollectible"]);

/** The section "Invoice history": newest first, more on demand, each as PDF. */
export class InvoiceSection {
  #parts = section("invoices", "Invoice history");
  #rows = h("tbody", { role: "rowgroup" });
  #foot = h("div", { class: "foot" });
  #problem = h("div", { role: "alert" });
  #shown = null;
  #fetchPage;
  #fetchDocument;
  #pay;
  #proceed;
  #announce;

  /** `fetchPage(cursor)` → `{items, next_cursor}`; `fetchDocument(id)` → `{url}`; `pay(invoice)`. */
  constructor({ fetchPage, fetchDocument, pay, proceed, announce }) {
    this.#pay = pay;
    this.#proceed = proceed;
    this.#fetchPage = fetchPage;
    this.#fetchDocument = fetchDocument;
    this.#announce = announce;
  }

  get element() {
    return this.#parts.element;
  }

  focus() {
    this.#parts.heading.focus();
  }

  get empty() {
    return this.#shown === "[]";
  }

  showLoading() {
    this.#shown = null;
    this.#parts.body.replaceChildren(skeleton("full", "full", "full"));
  }

  showFailure(problem, retry) {
    this.#shown = null;
    this.#parts.body.replaceChildren(failure(problem, retry));
  }

  /** Show the first page; older ones that were asked for stay while it is the same. */
  async load() {
    const page = await this.#fetchPage(null);
    const said = JSON.stringify(page.items);
    if (said === this.#shown) return;
    this.#shown = said;
    this.#rows.replaceChildren();
    this.#problem.replaceChildren();
    if (page.items.length === 0) {
      this.#parts.body.replaceChildren(nothingYet());
      return;
    }
    this.#parts.body.replaceChildren(table(this.#rows), this.#problem, this.#foot);
    this.#append(page);
  }

  #append({ items, next_cursor: cursor }) {
    const rows = items.map((invoice) => row(invoice, this.#controls(invoice)));
    this.#rows.append(...rows);
    const more = cursor && button("Show older invoices", () => this.#more(more, cursor));
    this.#foot.replaceChildren(h("p", { class: "fine" }, "Dates are in UTC."), more || "");
    return rows[0];
  }

  #controls(invoice) {
    const named = (label) => ({ "aria-label": `${label} ${invoice.number}`, look: "quiet" });
    const failed = `Invoice ${invoice.number} is not paid yet`;
    const words = { busy: "Paying…", failed, place: this.#problem, proceed: this.#proceed };
    const pay = (event) => press(event.currentTarget, words, () => this.#pay(invoice));
    const download = (event) => this.#download(invoice, event.currentTarget);
    return [
      invoice.status === "open" && button("Pay now", pay, named("Pay invoice")),
      WITH_DOCUMENT.has(invoice.status) &&
        button("Download PDF", download, named("Download PDF of invoice")),
    ];
  }

  async #more(control, cursor) {
    if (isBusy(control)) return;
    setBusy(control, "Loading…");
    try {
      const page = await this.#fetchPage(cursor);
      this.#problem.replaceChildren();
      const first = this.#append(page);
      this.#announce(`${page.items.length} older invoices loaded.`);
      first?.querySelector("th")?.focus();
    } catch (error) {
      setIdle(control);
      this.#complain("Older invoices could not be loaded", error);
    }
  }

  async #download(invoice, control) {
    if (isBusy(control)) return;
    setBusy(control, "Preparing…");
    try {
      const { url } = await this.#fetchDocument(invoice.id);
      this.#problem.replaceChildren();
      h("a", { href: url, rel: "noreferrer" }).click();
      this.#announce(`The PDF of invoice ${invoice.number} is being downloaded.`);
    } catch (error) {
      this.#complain(`The PDF of invoice ${invoice.number} could not be opened`, error);
    } finally {
      setIdle(control);
    }
  }

  #complain(title, error) {
    if (error.name !== "AbortError")
      this.#problem.replaceChildren(notice("bad", title, error.detail));
  }
}

function nothingYet() {
  return h(
    "div",
    { class: "nothing" },
    h("p", { class: "lead" }, "No invoices yet"),
    h("p", { class: "muted" }, "Each payment appears here, ready to download as PDF."),
  );
}

const COLUMNS = ["Invoice", "Date", "For", "Status", "Total"];

/* The roles are spelled out because a narrow table is laid out as cards, which would drop them. */
function table(rows) {
  const head = (name, ...label) =>
    h("th", { scope: "col", role: "columnheader", class: name }, label);
  const heads = COLUMNS.map((name) => head(name.toLowerCase(), name));
  const last = head("document", h("span", { class: "spoken" }, "Document"));
  const first = h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads, last));
  return h("table", { class: "cards", role: "table" }, first, rows);
}

function row(invoice, controls) {
  const status = INVOICE_STATUS[invoice.status] ?? [invoice.status, "neutral"];
  const cell = (name, ...content) => h("td", { role: "cell", class: name }, content);
  return h(
    "tr",
    { role: "row" },
    h("th", { scope: "row", role: "rowheader", class: "invoice", tabindex: "-1" }, invoice.number),
    cell("date", dayOf(invoice.at)),
    cell("for", ...what(invoice)),
    cell("status", badge(status)),
    cell("total", money(invoice.total)),
    cell("document", controls),
  );
}

function what({ kind, lines }) {
  const described = lines?.map((line) => line.description).filter(Boolean) ?? [];
  return [
    h("span", { class: "kind" }, INVOICE_KIND[kind] ?? INVOICE_KIND.other),
    described.length > 0 && h("span", { class: "muted lines" }, described.join(", ")),
  ];
}
