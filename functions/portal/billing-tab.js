import { Api } from "./api.js";
import { h } from "./dom.js";
import { InvoiceSection } from "./invoices.js";
import { notYours, offerNotices, signedOut } from "./messages.js";
import { PlanSection, confirmingTitle } from "./plan.js";
import { situation } from "./situation.js";

const STYLES = new URL("billing-tab.css", import.meta.url).href;

/** When a wait for Stripe's confirmation is called long, and how its questions thin out (ms). */
const LATE = 60_000;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 10_000;
/** A tab that comes back into view after this long asks again (ms). */
const STALE = 15_000;
/** How often the first invoice is looked for once its subscription is active. */
const INVOICE_LOOKS = 6;

/**
 * The Billing tab as one element, for any page that can hand it a token.
 *
 * Attributes: `api-base`, the API's address (the page's own by default); `checkout`, `success` or
 * `cancelled`, how the browser came back from Checkout (removed once it is dealt with).
 * Properties: `token`, or `getToken({renew})`, which is asked before each request, and with
 * `renew: true` once after a 401.
 * Events: `billing-signed-out`; `billing-checkout-settled`; `billing-navigate`, cancelable, with
 * `detail.url`, before the browser leaves for a payment page.
 * Method: `refresh()`.
 */
export class BillingTab extends HTMLElement {
  static observedAttributes = ["api-base"];

  #api;
  #life = new AbortController();
  #getToken = null;
  #billing = null;
  #catalog = null;
  #confirming = null;
  #loadedAt = 0;
  #failed = false;
  #intent = null;
  #voice = h("p", { class: "spoken", role: "status" });
  #tab = h("div", { class: "tab" });
  #plan = new PlanSection();
  #invoices = new InvoiceSection({
    fetchPage: (cursor) =>
      this.#get(cursor ? `/invoices?cursor=${encodeURIComponent(cursor)}` : "/invoices"),
    fetchDocument: (id) => this.#get(`/invoices/${encodeURIComponent(id)}/pdf`),
    announce: (text) => this.#announce(text),
  });

  get getToken() {
    return this.#getToken;
  }

  set getToken(ask) {
    this.#getToken = ask;
    this.#begin();
  }

  /** Write only: a token that is held for one purpose is handed to nobody else. */
  set token(token) {
    this.getToken = ({ renew }) => (renew ? null : token);
  }

  connectedCallback() {
    for (const property of ["getToken", "token"]) this.#adopt(property);
    if (!this.shadowRoot) this.#furnish();
    this.#begin();
  }

  disconnectedCallback() {
    this.#life.abort();
  }

  attributeChangedCallback() {
    this.#begin();
  }

  /** Ask again and show what has changed. */
  async refresh() {
    if (!this.isConnected || !this.#getToken) return;
    if (this.#life.signal.aborted) return void this.#begin();
    const invoices = this.#loadInvoices();
    await this.#loadPlan();
    await invoices;
  }

  #furnish() {
    const styles = h("link", { rel: "stylesheet", href: STYLES });
    const shown = () => this.#tab.removeAttribute("hidden");
    styles.addEventListener("load", shown);
    styles.addEventListener("error", shown);
    this.#tab.setAttribute("hidden", "");
    this.attachShadow({ mode: "open" }).append(styles, this.#voice, this.#tab);
  }

  /** A property that the host set before this class was known hides the accessor: set it again. */
  #adopt(property) {
    if (!Object.hasOwn(this, property)) return;
    const value = this[property];
    delete this[property];
    this[property] = value;
  }

  /** Start anew, for whoever the token now speaks for; nothing of another account remains. */
  #begin() {
    if (!this.shadowRoot || !this.isConnected) return;
    this.#life.abort();
    this.#life = new AbortController();
    this.#billing = this.#catalog = this.#intent = this.#confirming = null;
    this.#listen(this.#life.signal);
    this.#layOut();
    this.#plan.showLoading();
    this.#invoices.showLoading();
    if (!this.#getToken) return;
    this.#api = new Api(this.getAttribute("api-base") ?? location.origin, this.#getToken);
    this.#announce("Loading your billing.");
    this.refresh();
  }

  #listen(signal) {
    const refresh = () => this.refresh();
    const returned = (event) => event.persisted && this.#begin();
    const seen = () => {
      if (!document.hidden && performance.now() - this.#loadedAt > STALE) this.refresh();
    };
    const reconnected = () => this.#failed && refresh();
    addEventListener("pageshow", returned, { signal });
    addEventListener("online", reconnected, { signal });
    document.addEventListener("visibilitychange", seen, { signal });
  }

  #layOut() {
    this.#tab.replaceChildren(this.#plan.element, this.#invoices.element);
  }

  /** What is answered after a new beginning belongs to the one before, and is dropped. */
  async #get(path) {
    const { signal } = this.#life;
    try {
      return await this.#api.get(path, { signal });
    } finally {
      signal.throwIfAborted();
    }
  }

  #announce(text) {
    this.#voice.textContent = text;
  }

  /** What is shown stays when it could not be asked again in passing. */
  async #loadPlan() {
    try {
      await this.#show(await this.#get("/billing"));
    } catch (error) {
      this.#failed = true;
      if (error.passing && this.#billing) return;
      this.#fail(error, (problem) => this.#plan.showFailure(problem, () => this.#retry()));
    }
  }

  async #loadInvoices() {
    try {
      await this.#invoices.load();
    } catch (error) {
      const retry = () => {
        this.#invoices.showLoading();
        return this.#loadInvoices();
      };
      this.#fail(error, (problem) => this.#invoices.showFailure(problem, retry));
    }
  }

  #retry() {
    this.#billing = null;
    this.#plan.showLoading();
    this.#plan.focus();
    return this.#loadPlan();
  }

  /** What concerns the caller as a whole replaces the tab; the rest is shown where it happened. */
  #fail(error, show) {
    if (error.name === "AbortError") return;
    if (error.status === undefined) throw error;
    if (error.status === 401) this.#leave(signedOut());
    else if (error.status === 403) this.#leave(notYours(error));
    else show(error);
    if (error.status === 401) this.#tell("billing-signed-out");
  }

  #leave(content) {
    this.#life.abort();
    this.#tab.replaceChildren(content);
  }

  async #show(billing) {
    const before = this.#billing;
    const returned = this.getAttribute("checkout");
    const now = situation(billing, returned === "success");
    if (now === "offer") this.#catalog ??= await this.#get("/catalog");
    this.#loadedAt = performance.now();
    this.#failed = false;
    if (before && JSON.stringify(billing) === JSON.stringify(before)) return;
    this.#billing = billing;
    if (now === "confirming") return void this.#confirm();
    const waited = this.#confirming !== null;
    this.#confirming = null;
    if (now === "current") this.#showCurrent(waited, returned);
    else this.#showOffer(waited, returned);
    if (returned) this.#settle(now);
  }

  #showCurrent(waited, returned) {
    const active = this.#billing.subscription.status === "active";
    const welcome = active && (waited || returned === "success");
    this.#plan.showCurrent(this.#billing, { welcome });
    const name = this.#billing.subscription.plan?.name ?? "";
    this.#announce(welcome ? "Your subscription is active." : `Your plan: ${name}.`);
    if (welcome) this.#awaitFirstInvoice();
  }

  #showOffer(waited, returned) {
    const billing = this.#billing;
    const { checkout } = billing.subscription;
    const notices = offerNotices(checkout, {
      returned,
      waited,
      proceed: () => this.#navigate(checkout.url),
      again: () => this.#retry(),
    });
    this.#plan.showOffer(billing, this.#catalog, {
      notices,
      subscribe: (choice) => this.#subscribe(choice),
    });
    this.#announce(notices.length > 0 ? notices[0].textContent : "Choose a plan.");
  }

  /** Ask the API until it has Stripe's word; what the browser says does not count. */
  async #confirm() {
    const { signal } = this.#life;
    const started = performance.now();
    let late = false;
    this.#plan.showConfirming(this.#billing, { late });
    this.#announce(`${confirmingTitle(this.#billing)}.`);
    if (this.#confirming === signal) return;
    this.#confirming = signal;
    for (
      let wait = FIRST_WAIT;
      this.#confirming === signal;
      wait = Math.min(wait * 1.5, LONGEST_WAIT)
    ) {
      await sleep(wait, signal);
      if (signal.aborted) return;
      await this.#loadQuietly();
      if (!late && this.#confirming === signal && performance.now() - started > LATE) {
        late = true;
        this.#plan.showConfirming(this.#billing, { late });
        this.#announce("The confirmation takes longer than usual. Nothing is lost.");
      }
    }
  }

  /** A question that failed in passing is asked again at the next turn. */
  async #loadQuietly() {
    try {
      await this.#show(await this.#get("/billing"));
    } catch (error) {
      if (!error.passing) this.#fail(error, () => {});
    }
  }

  async #awaitFirstInvoice() {
    const { signal } = this.#life;
    for (let look = 0, wait = FIRST_WAIT; look < INVOICE_LOOKS; look += 1, wait *= 1.6) {
      await this.#loadInvoices();
      if (signal.aborted || !this.#invoices.empty) return;
      await sleep(wait, signal);
    }
  }

  /** A choice keeps its key until it has an answer, so that trying again cannot pay twice. */
  async #subscribe(choice) {
    const named = JSON.stringify(choice);
    if (this.#intent?.named !== named) this.#intent = { named, key: crypto.randomUUID() };
    const { key } = this.#intent;
    try {
      const { signal } = this.#life;
      const { url } = await this.#api.post("/subscription/checkout", choice, { key, signal });
      this.#intent = null;
      this.#announce("Opening the payment page.");
      return this.#navigate(url);
    } catch (error) {
      if (!error.passing) this.#intent = null;
      if (error.status === 401 || error.status === 403) this.#fail(error);
      if (error.status === 409) this.refresh();
      throw error;
    }
  }

  /** Leave for `url`, unless the host takes that over; says whether the tab is being left. */
  #navigate(url) {
    const leaving = this.#tell("billing-navigate", { url }, { cancelable: true });
    if (leaving) location.assign(url);
    return leaving;
  }

  #settle(outcome) {
    this.removeAttribute("checkout");
    this.#tell("billing-checkout-settled", { outcome });
  }

  #tell(type, detail, { cancelable = false } = {}) {
    const event = new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true });
    return this.dispatchEvent(event);
  }
}

/** Resolves after `ms`, in a tab that is in view, or when `signal` is aborted. */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      if (!document.hidden || signal.aborted) resolve();
      else document.addEventListener("visibilitychange", done, { once: true });
    };
    setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

customElements.define("billing-tab", BillingTab);
