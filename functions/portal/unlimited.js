import { h } from "./dom.js";
import { badge, button, dayOf, section } from "./pieces.js";
import { askFor, sentNotice } from "./requests.js";
import { CYCLES, money } from "./words.js";

const ACTIVE = "active";

/** The section "DataUnlimited": what it is, and the way to the people who sell it. */
export class UnlimitedSection {
  #parts = section("unlimited", "DataUnlimited");
  #service;
  #active = false;
  #addOn = null;
  #sent = null;

  constructor(service) {
    this.#service = service;
    this.hide();
  }

  get element() {
    return this.#parts.element;
  }

  hide() {
    this.element.hidden = true;
  }

  show({ add_ons: { data_unlimited: addOn } }) {
    this.#active = addOn.status === ACTIVE;
    this.#addOn = addOn;
    this.element.hidden = false;
    this.#fill();
  }

  /** Requests, newest first, as the API has them. */
  showRequests(requests) {
    this.#sent = requests.find(({ topic }) => topic === "data_unlimited") ?? null;
    if (!this.element.hidden) this.#fill();
  }

  #fill() {
    const text = this.#active
      ? "Your team takes contacts without a price per contact: downloads cost no credits."
      : "A database of 35 million verified contacts, without a price per contact: downloads cost no credits.";
    const sold = "Sold by our sales team, who agree the price with you. Billed as a subscription.";
    this.#parts.fill(
      [this.#active && badge(["Active", "good"])],
      h("p", {}, text),
      this.#active && this.#addOn.price && terms(this.#addOn),
      !this.#active && h("p", { class: "muted" }, sold),
      !this.#active && this.#sent && sentNotice("for DataUnlimited", this.#sent),
      !this.#active && !this.#sent && this.#askButton(),
    );
  }

  #askButton() {
    const ask = () =>
      askFor(this.#service, {
        topic: "data_unlimited",
        title: "Ask sales about DataUnlimited",
        content: h("p", {}, "They get your request with your address, and answer by e-mail."),
        home: this.#parts.heading,
      });
    return h("div", { class: "actions" }, button("Ask sales", ask));
  }
}

function terms({ price, cycle, renews_at: renews, ends_at: ends }) {
  const cost = `${money(price, { round: true })} ${CYCLES[cycle].per}`;
  const then = ends ? [", ends on ", dayOf(ends)] : renews && [", renews on ", dayOf(renews)];
  return h("p", { class: "muted" }, cost, then, ".");
}
