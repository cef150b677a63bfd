import { LogSection } from "./credit-log.js";
import { WalletSection } from "./credits.js";
import { failure } from "./pieces.js";
import { OF_A_MEMBER, Usage } from "./usage.js";
import { credits } from "./words.js";

/** A member's page: their own wallet and log, and nothing of billing. */
export class OwnCredits {
  #get;
  #announce;
  #usage;
  #wallet;
  #log;
  #seen = false;

  constructor({ get, ...movements }) {
    this.#get = get;
    this.#announce = movements.announce;
    this.#usage = new Usage(OF_A_MEMBER, movements.fetchUsage);
    this.#wallet = new WalletSection(this.#usage);
    this.#log = new LogSection(movements);
  }

  get elements() {
    return [this.#wallet.element, this.#log.element];
  }

  get shown() {
    return this.#seen;
  }

  async load() {
    const [{ wallet }, { access }] = await Promise.all([
      this.#get("/credits"),
      this.#get("/entitlements"),
    ]);
    this.#wallet.show(wallet, access);
    this.#log.element.hidden = false;
    await this.#log.load();
    await this.#usage.load(this.#log.newest);
    if (!this.#seen) this.#announce(`You have ${credits(wallet.available)}.`);
    this.#seen = true;
  }

  showFailure(problem, retry) {
    this.#log.hide();
    this.#wallet.showFailure(failure(problem, retry));
  }
}
