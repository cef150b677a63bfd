import { Api, search } from "./api.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { forgetCredits, purchaseNotice, purchaseOf } from "./buy-credits.js";
import { LogSection } from "./credit-log.js";
import { CreditSettings } from "./credit-settings.js";
import { CreditsSection, standing } from "./credits.js";
import { InvoiceSection } from "./invoices.js";
import { cardBefore } from "./card.js";
import { cardNotice, joining, notYours, offerNotices, signedOut, welcome } from "./messages.js";
import { OwnCredits } from "./own-credits.js";
import { PlanSection, confirmingTitle } from "./plan.js";
import { situation } from "./situation.js";
import { sleep } from "./sleep.js";
import { TeamSection } from "./team.js";
import { UnlimitedSection } from "./unlimited.js";
import { OF_THE_TEAM, Usage } from "./usage.js";

const STYLES = new URL("billing-tab.css", import.meta.url).href;

/** When a wait for Stripe's confirmation is called long, and how its questions thin out (ms). */
const LATE = 60_000;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 10_000;
/** A tab that comes back into view after this long asks again (ms). */
const STALE = 15_000;
/** How often something that Stripe must report first is looked for. */
const LOOKS = 6;

/**
 * The Billing tab as one element, for any page that can hand it a token.
 *
 * Attributes: `api-base`, the API's address (the page's own by default); `checkout`, `success` or
 * `cancelled`, how the browser came back from Checkout, and `card`, `saved` or `cancelled`, how it
 * came back from entering a card, and `credits`, `bought` or `cancelled`, from buying a package
 * (removed once they are dealt with).
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
  #intents = new Map();
  #newCard = null;
  #buying = null;
  #own = null;
  #toppingUp = null;
  #voice = h("p", { class: "spoken", role: "status" });
  #tab = h("div", { class: "tab" });
  /** What the sections need of the tab. */
  #service = {
    get: (path) => this.#get(path),
    order: (method, path, body) => this.#order(method, path, body),
    catalog: async () => (this.#catalog ??= await this.#get("/catalog")),
    proceed: (url) => this.#navigate(url),
    announce: (text) => this.#announce(text),
    changed: (text) => this.#follow(text),
    awaitTopUp: () => this.#awaitTopUp(),
    requested: (text) => this.#loadRequests(text),
    pay: (invoice) => this.#pay(invoice),
    ask: (question) =>
      openDialog(this.shadowRoot, { ...question, proceed: (url) => this.#navigate(url) }),
    showInvoices: () => this.#invoices.focus(),
  };
  #plan = new PlanSection(this.#service);
  #team = new TeamSection(this.#service);
  #movements = {
    fetchPage: (query) => this.#get(`/credits/log${search(query)}`),
    fetchCsv: (query) => this.#getCsv(`/credits/log${search(query)}`),
    fetchUsage: async (query) => (await this.#get(`/credits/usage${search(query)}`)).items,
    announce: (text) => this.#announce(text),
  };
  #usage = new Usage(OF_THE_TEAM, this.#movements.fetchUsage);
  #settings = new CreditSettings(this.#service);
  #credits = new CreditsSection(this.#service, this.#settings, this.#usage);
  #log = new LogSection(this.#movements);
  #unlimited = new UnlimitedSection(this.#service);
  #invoices = new InvoiceSection({
    fetchPage: (cursor) =>
      this.#get(cursor ? `/invoices?cursor=${encodeURIComponent(cursor)}` : "/invoices"),
    fetchDocument: (id) => this.#get(`/invoices/${encodeURIComponent(id)}/pdf`),
    pay: (invoice) => this.#pay(invoice),
    proceed: (url) => this.#navigate(url),
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
    if (this.#own) return this.#loadOwn();
    const others = [this.#loadInvoices(), this.#loadRequests()];
    if (this.#log.failed) others.push(this.#loadMovements());
    if (this.#settings.shown) others.push(this.#loadSettings());
    await this.#loadPlan();
    await Promise.all(others);
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
    this.#billing = this.#catalog = this.#confirming = this.#newCard = null;
    this.#buying = this.#own = null;
    this.#intents.clear();
    this.#closeDialogs();
    this.#listen(this.#life.signal);
    this.#layOut();
    this.#plan.showLoading();
    this.#team.showLoading();
    this.#credits.showLoading();
    this.#settings.clear();
    this.#log.hide();
    this.#usage.hide();
    this.#unlimited.hide();
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
    const credits = [this.#credits, this.#log];
    const sections = [this.#plan, this.#team, ...credits, this.#unlimited, this.#invoices];
    this.#tab.replaceChildren(...sections.map(({ element }) => element));
  }

  /** What is answered after a new beginning belongs to the one before, and is dropped. */
  async #ask(request) {
    const { signal } = this.#life;
    try {
      return await request({ signal });
    } finally {
      signal.throwIfAborted();
    }
  }

  #get(path) {
    return this.#ask((life) => this.#api.get(path, life));
  }

  #getCsv(path) {
    return this.#ask((life) => this.#api.getCsv(path, life));
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
      this.#fail(error, (problem) => {
        this.#plan.showFailure(problem, () => this.#retry());
        for (const each of [this.#team, this.#credits, this.#log, this.#unlimited]) each.hide();
      });
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

  /** The log, and the chart up to its newest entry. */
  async #loadMovements() {
    const retry = () => this.#loadMovements();
    try {
      await this.#log.load();
    } catch (error) {
      return this.#fail(error, (problem) => this.#log.showFailure(problem, retry));
    }
    try {
      await this.#usage.load(this.#log.newest);
    } catch (error) {
      this.#fail(error, (problem) => this.#usage.showFailure(problem, retry));
    }
  }

  async #loadSettings() {
    try {
      await this.#settings.load();
    } catch (error) {
      if (error.passing && this.#settings.shown) return;
      const retry = () => this.#loadSettings();
      this.#fail(error, (problem) => this.#settings.showFailure(problem, retry));
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
    else if (error.status === 403) this.#turnAway(error);
    else show(error);
    if (error.status === 401) this.#tell("billing-signed-out");
  }

  #closeDialogs() {
    for (const dialog of this.shadowRoot.querySelectorAll("dialog")) dialog.close();
  }

  #leave(content) {
    this.#life.abort();
    this.#closeDialogs();
    this.#tab.replaceChildren(content);
  }

  /** A member has their own credits to see, unless they are still to join. */
  async #turnAway(problem) {
    this.#own = null;
    this.#leave(notYours(problem));
    this.#life = new AbortController();
    const { signal } = this.#life;
    const standing = await this.#get("/entitlements").catch((error) => error);
    if (signal.aborted) return;
    if (standing.code === "membership_inactive") this.#tab.append(joining(() => this.#join()));
    else if (problem.code === "manager_only") this.#showOwn();
  }

  async #join() {
    const { signal } = this.#life;
    await this.#api.order("POST", "/invitations/accept", undefined, { signal });
    if (!signal.aborted) this.#showOwn();
  }

  #showOwn() {
    this.#listen(this.#life.signal);
    this.#own = new OwnCredits({ ...this.#movements, get: (path) => this.#get(path) });
    this.#tab.append(...this.#own.elements);
    this.#announce("Loading your credits.");
    this.#loadOwn();
  }

  async #loadOwn() {
    this.#loadedAt = performance.now();
    const own = this.#own;
    try {
      await own.load();
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      if (error.passing && own.shown) return;
      this.#fail(error, (problem) => own.showFailure(problem, () => this.#loadOwn()));
    }
  }

  async #show(billing) {
    const before = this.#billing;
    const returned = this.getAttribute("checkout");
    const now = situation(billing, returned === "success");
    if (now === "offer") await this.#service.catalog();
    this.#loadedAt = performance.now();
    this.#failed = false;
    if (before && JSON.stringify(billing) === JSON.stringify(before)) return;
    this.#billing = billing;
    this.#team.show(billing);
    this.#credits.show(billing);
    this.#unlimited.show(billing);
    this.#showMovements(before, billing);
    this.#showStanding(now, before === null);
    this.#followPurchase(billing);
  }

  #showStanding(now, first) {
    const billing = this.#billing;
    const returned = this.getAttribute("checkout");
    if (now === "confirming") return void this.#confirm();
    const waited = this.#confirming !== null;
    this.#confirming = null;
    const entered = this.getAttribute("card");
    if (entered) this.#newCard = { entered, before: cardBefore() ?? billing.subscription.card };
    if (now === "current") this.#showCurrent(waited, returned, first);
    else this.#showOffer(waited, returned);
    if (returned || entered) this.#settle(entered ? "card" : now);
    if (entered === "saved") this.#look(() => this.#cardChanged, this.#life.signal);
  }

  /** The log is asked for when the numbers tell that there is something new in it. */
  #showMovements(before, billing) {
    this.#log.people = billing.members;
    if (this.#credits.element.hidden) return void this.#log.hide();
    if (before && !this.#log.element.hidden && standing(before) === standing(billing)) return;
    if (this.#log.element.hidden) this.#log.showLoading();
    this.#loadMovements();
    this.#loadSettings();
  }

  /** Credits that were bought are there when the balance says so, not when the browser is back. */
  #followPurchase({ credits }) {
    const returned = this.getAttribute("credits");
    if (!returned) return void this.#forgetUnknown();
    const standing = purchaseOf(returned, credits);
    if (standing === this.#buying) return;
    this.#buying = standing;
    this.#tellPurchase(purchaseNotice(standing, credits));
    if (standing === "waiting") return void this.#awaitCredits();
    if (standing === "come") this.#loadInvoices();
    forgetCredits();
    this.#settle("credits");
  }

  /** Something has moved since: what is there is shown, and needs no promise. */
  #forgetUnknown() {
    if (this.#buying !== "unknown") return;
    this.#buying = null;
    this.#credits.tell("");
  }

  #tellPurchase(news) {
    this.#credits.tell(news);
    this.#announce(`${news.querySelector(".notice-title").textContent}.`);
  }

  #awaitCredits() {
    const late = () =>
      this.#tellPurchase(purchaseNotice("waiting", this.#billing.credits, { late: true }));
    return this.#askUntil(() => this.#buying !== "waiting", late);
  }

  get #cardChanged() {
    const { card } = this.#billing.subscription;
    return JSON.stringify(card) !== JSON.stringify(this.#newCard?.before);
  }

  #showCurrent(waited, returned, first) {
    const { status, plan } = this.#billing.subscription;
    const welcomed = status === "active" && (waited || returned === "success");
    const notices = [
      welcomed && welcome(),
      this.#newCard && cardNotice(this.#newCard.entered, this.#cardChanged),
    ].filter(Boolean);
    this.#plan.showCurrent(this.#billing, notices);
    const [news] = notices;
    if (news) this.#announce(`${news.querySelector(".notice-title").textContent}.`);
    else if (first) this.#announce(`Your plan: ${plan?.name ?? ""}.`);
    if (welcomed) this.#awaitFirstInvoice();
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
    this.#plan.showConfirming(this.#billing, { late: false });
    this.#announce(`${confirmingTitle(this.#billing)}.`);
    if (this.#confirming === signal) return;
    this.#confirming = signal;
    await this.#askUntil(
      () => this.#confirming !== signal,
      () => {
        this.#plan.showConfirming(this.#billing, { late: true });
        this.#announce("The confirmation takes longer than usual. Nothing is lost.");
      },
    );
  }

  /** Ask ever more seldom until `seen()`; `late()` is called once if that takes long. */
  async #askUntil(seen, late) {
    const { signal } = this.#life;
    const started = performance.now();
    let told = false;
    for (let wait = FIRST_WAIT; !seen(); wait = Math.min(wait * 1.5, LONGEST_WAIT)) {
      await sleep(wait, signal);
      if (signal.aborted) return;
      await this.#loadQuietly();
      if (!told && !seen() && performance.now() - started > LATE) {
        told = true;
        late();
      }
    }
  }

  /** A package that is being bought is there when the wallet says so. */
  async #awaitTopUp() {
    const { signal } = this.#life;
    if (this.#toppingUp === signal) return;
    this.#toppingUp = signal;
    await this.#loadQuietly();
    await this.#look(() => !this.#settings.underWay, signal);
    if (this.#toppingUp === signal) this.#toppingUp = null;
  }

  /** A question that failed in passing is asked again at the next turn. */
  async #loadQuietly() {
    try {
      if (this.#settings.underWay) await this.#settings.load();
      await this.#show(await this.#get("/billing"));
    } catch (error) {
      if (!error.passing) this.#fail(error, () => {});
    }
  }

  async #awaitFirstInvoice() {
    const { signal } = this.#life;
    for (let look = 0, wait = FIRST_WAIT; look < LOOKS; look += 1, wait *= 1.6) {
      await this.#loadInvoices();
      if (signal.aborted || !this.#invoices.empty) return;
      await sleep(wait, signal);
    }
  }

  async #subscribe(choice) {
    const { url } = await this.#order("POST", "/subscription/checkout", choice);
    this.#announce("Opening the payment page.");
    return this.#navigate(url);
  }

  /** An order keeps its key until it has an answer, so that trying again cannot pay twice. */
  async #order(method, path, body) {
    const route = `${method} ${path}`;
    const named = JSON.stringify(body ?? null);
    const { signal } = this.#life;
    if (this.#intents.get(route)?.named !== named) {
      this.#intents.set(route, { named, key: crypto.randomUUID() });
    }
    const { key } = this.#intents.get(route);
    try {
      const answer = await this.#api.order(method, path, body, { key, signal });
      this.#intents.delete(route);
      return answer;
    } catch (error) {
      if (!error.passing) this.#intents.delete(route);
      if (error.status === 401 || error.status === 403) this.#fail(error);
      if (error.status === 409 || error.code === "insufficient_credits") this.refresh();
      throw error;
    }
  }

  async #pay({ id, number }) {
    const { status } = await this.#order("POST", `/invoices/${encodeURIComponent(id)}/pay`);
    const paid = status === "paid";
    await this.#follow(`Invoice ${number} is ${paid ? "paid. Thank you" : "being paid"}.`);
  }

  /** What was asked of Support; the tab is whole without it. */
  async #loadRequests(text = null) {
    if (text) this.#announce(text);
    try {
      const { items } = await this.#get("/support-requests");
      this.#plan.showRequests(items);
      this.#unlimited.showRequests(items);
    } catch (error) {
      this.#fail(error, () => {});
    }
  }

  /** Say what was done, and show it: at once, or when Stripe has reported it. */
  async #follow(text) {
    const { signal } = this.#life;
    const before = this.#billing;
    await Promise.all([this.#loadQuietly(), this.#loadInvoices()]);
    this.#announce(text);
    this.#look(() => this.#billing !== before, signal);
  }

  async #look(seen, signal) {
    for (let look = 0, wait = FIRST_WAIT; look < LOOKS && !seen(); look += 1, wait *= 1.6) {
      await sleep(wait, signal);
      if (signal.aborted) return;
      await this.#loadQuietly();
    }
    await this.#loadInvoices();
  }

  /** Leave for `url`, unless the host takes that over; says whether the tab is being left. */
  #navigate(url) {
    const leaving = this.#tell("billing-navigate", { url }, { cancelable: true });
    if (leaving) location.assign(url);
    return leaving;
  }

  #settle(outcome) {
    for (const name of ["checkout", "card", "credits"]) this.removeAttribute(name);
    this.#tell("billing-checkout-settled", { outcome });
  }

  #tell(type, detail, { cancelable = false } = {}) {
    const event = new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true });
    return this.dispatchEvent(event);
  }
}

customElements.define("billing-tab", BillingTab);
