import { askForSettings } from "./choose-settings.js";
import { h } from "./dom.js";
import { packagesIn } from "./packages.js";
import { button, failure, press } from "./pieces.js";
import { isOn, news, rule } from "./top-up.js";
import { count } from "./words.js";

/** What is said once a package was under way, by the status then. */
const OUTCOMES = {
  active: "Credits were bought.",
  waiting: "Nothing more is bought this month.",
  stopped: "Automatic top-up has stopped.",
};

/** What a manager has set for their own wallet: being told when it runs low, automatic top-up. */
export class CreditSettings {
  element = h("div", { class: "settings", hidden: true });
  #said = h("div", { class: "said" });
  #news = h("div", { class: "requests" });
  #problem = h("div", { role: "alert" });
  #change = button("Alerts and top-up", () => this.#ask());
  #service;
  #billing = null;
  #catalog = null;
  #settings = null;
  #told = null;
  #asked = 0;

  constructor(service) {
    this.#service = service;
  }

  get shown() {
    return this.#settings !== null;
  }

  /** Whether a package is being bought. */
  get underWay() {
    return this.#settings?.top_up.status === "under_way";
  }

  /** Nothing of another account remains. */
  clear() {
    this.#asked += 1;
    this.#billing = this.#catalog = this.#settings = this.#told = null;
    this.element.hidden = true;
  }

  /** What the account has is known before what is set for it. */
  show(billing) {
    this.#billing = billing;
  }

  /**
   * Ask the API; an answer that comes late replaces nothing newer. What was bought meanwhile has
   * changed the balance, too.
   */
  async load() {
    const asked = (this.#asked += 1);
    const { wallet, top_up } = await this.#service.get("/credits");
    if (top_up.package) this.#catalog ??= await this.#service.catalog();
    if (asked !== this.#asked) return;
    const before = this.#settings?.top_up ?? top_up;
    this.#keep({ alert_below: wallet.alert_below, top_up });
    if (JSON.stringify(before) !== JSON.stringify(top_up)) this.#service.awaitTopUp();
    const outcome = before.status === "under_way" && OUTCOMES[top_up.status];
    if (outcome) this.#service.announce(outcome);
  }

  showFailure(problem, retry) {
    this.#settings = this.#told = null;
    this.element.hidden = false;
    this.element.replaceChildren(failure(problem, retry));
  }

  #keep(settings) {
    this.#asked += 1;
    this.#settings = { ...this.#settings, ...settings };
    this.#fill();
    if (this.underWay) this.#service.awaitTopUp();
  }

  /** What has not changed is left alone, and with it the focus. */
  #fill() {
    const { alert_below: below, top_up: topUp } = this.#settings;
    const told = JSON.stringify(this.#settings);
    if (told === this.#told) return;
    if (this.#told === null) this.#layOut();
    this.#told = told;
    this.#problem.replaceChildren();
    this.#said.replaceChildren(h("p", {}, alertWords(below)), h("p", {}, this.#ruleOf(topUp)));
    this.#news.replaceChildren(news(topUp, this.#leaveButton()) ?? "");
  }

  #layOut() {
    const actions = h("div", { class: "actions" }, this.#change);
    this.element.replaceChildren(this.#said, actions, this.#news, this.#problem);
    this.element.hidden = false;
  }

  #ruleOf(topUp) {
    if (!isOn(topUp)) return "No credits are bought by themselves.";
    const offers = packagesIn(this.#catalog, topUp.monthly_cap.currency);
    return rule(topUp, offers.find(({ id }) => id === topUp.package));
  }

  /** The packages are asked for first; the dialog has all that there is to choose. */
  #ask() {
    const failed = "The packages could not be loaded";
    const words = { busy: "Loading…", failed, place: this.#problem };
    return press(this.#change, words, async () => {
      this.#catalog ??= await this.#service.catalog();
      askForSettings(this.#service, {
        catalog: this.#catalog,
        billing: this.#billing,
        settings: this.#settings,
        keep: (settings) => this.#keep(settings),
        home: this.#change,
      });
    });
  }

  /** One that has stopped is still spoken of, until it is switched on again or forgotten. */
  #leaveButton() {
    const words = { busy: "Saving…", failed: "This was not saved", place: this.#problem };
    const leave = async () => {
      const off = await this.#service.order("PUT", "/settings/top-up", { below: null });
      this.#keep({ top_up: off });
      this.#change.focus();
      this.#service.announce("Automatic top-up stays off.");
    };
    return button("Leave it off", (event) => press(event.currentTarget, words, leave));
  }
}

function alertWords(below) {
  if (below === null) return "You are not told when your credits run low.";
  const few = below === 1 ? "no credits are" : `fewer than ${count(below)} credits are`;
  return `You are told when ${few} left.`;
}
