/* The page speaks English: numbers and dates follow the reader's English, not another language. */
const LOCALE = navigator.languages.find((language) => /^en\b/i.test(language)) ?? "en";

/* Stripe's minor units, not CLDR's habits: Intl would write HUF and RSD without their digits. */
const NO_MINOR_UNIT = new Set(
  "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(" "),
);
const THREE_DIGITS = new Set("bhd jod kwd omr tnd".split(" "));

function minorDigits(currency) {
  if (NO_MINOR_UNIT.has(currency)) return 0;
  return THREE_DIGITS.has(currency) ? 3 : 2;
}

/** `{amount, currency}` in minor units as people write it; `round` drops zeros after the point. */
export function money({ amount, currency }, { round = false } = {}) {
  const digits = minorDigits(currency.toLowerCase());
  return new Intl.NumberFormat(LOCALE, {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    trailingZeroDisplay: round ? "stripIfInteger" : "auto",
  }).format(amount / 10 ** digits);
}

/** The same as people type it: `200.00`. */
export function typed({ amount, currency }) {
  const digits = minorDigits(currency.toLowerCase());
  return (amount / 10 ** digits).toFixed(digits);
}

/** What somebody typed, in minor units; NaN where it is no sum in this currency. */
export function minorUnits(text, currency) {
  const digits = minorDigits(currency.toLowerCase());
  const sum = /^(?<whole>\d+|\d{1,3}(?:,\d{3})+)(?:\.(?<part>\d+))?$/.exec(text.trim());
  const { whole, part = "" } = sum?.groups ?? {};
  if (!whole || part.length > digits) return Number.NaN;
  return Number(whole.replaceAll(",", "") + part.padEnd(digits, "0"));
}

/** A whole number as people write it. */
export function count(number) {
  return new Intl.NumberFormat(LOCALE).format(number);
}

export function credits(number) {
  return number === 1 ? "1 credit" : `${count(number)} credits`;
}

/** The day in UTC, so that "renews on" is the same day for everyone in the team. */
export function day(instant) {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: "long", timeZone: "UTC" }).format(
    new Date(instant),
  );
}

/** The instant in UTC to the minute, for titles. */
export function minute(instant) {
  const format = { dateStyle: "long", timeStyle: "short", timeZone: "UTC" };
  return `${new Intl.DateTimeFormat(LOCALE, format).format(new Date(instant))} UTC`;
}

/** The day in UTC, for a table. */
export function shortDay(instant) {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" }).format(
    new Date(instant),
  );
}

export function timeOfDay(instant) {
  return new Intl.DateTimeFormat(LOCALE, { timeStyle: "short", timeZone: "UTC" }).format(
    new Date(instant),
  );
}

/** `2027-01` as people write it. */
export function month(period) {
  const format = { month: "short", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat(LOCALE, format).format(new Date(`${period}-01`));
}

export function cardExpiry({ exp_month: month, exp_year: year }) {
  return `${String(month).padStart(2, "0")}/${year}`;
}

const BRANDS = {
  amex: "American Express",
  diners: "Diners Club",
  discover: "Discover",
  jcb: "JCB",
  mastercard: "Mastercard",
  unionpay: "UnionPay",
  visa: "Visa",
};

export function cardBrand(brand) {
  return BRANDS[brand] ?? "Card";
}

/** In the order in which they are offered. */
export const CYCLES = {
  monthly: { name: "Monthly", months: 1, per: "per month", every: "every month" },
  quarterly: { name: "Quarterly", months: 3, per: "per quarter", every: "every 3 months" },
  annual: { name: "Annual", months: 12, per: "per year", every: "every year" },
};

/** Word and tone of a subscription's status; the colour only repeats the word. */
export const SUBSCRIPTION_STATUS = {
  active: ["Active", "good"],
  trialing: ["Trial", "good"],
  pending: ["Waiting for confirmation", "waiting"],
  incomplete: ["Payment incomplete", "warning"],
  past_due: ["Payment overdue", "warning"],
  unpaid: ["Unpaid", "bad"],
  paused: ["Paused", "neutral"],
  canceled: ["Ended", "neutral"],
};

export const MEMBER_STATUS = {
  active: ["Active", "good"],
  invited: ["Invited", "waiting"],
  expired: ["Invitation expired", "neutral"],
  withdrawn: ["Invitation withdrawn", "neutral"],
  removed: ["Removed", "neutral"],
  waiting: ["No slot", "warning"],
};

export const INVOICE_STATUS = {
  paid: ["Paid", "good"],
  open: ["Unpaid", "warning"],
  draft: ["Draft", "neutral"],
  void: ["Void", "neutral"],
  uncollectible: ["Written off", "neutral"],
};

export const INVOICE_KIND = {
  subscription: "Subscription",
  slots: "Slots",
  add_on: "DataUnlimited",
  package: "Credits",
  other: "Other",
};

/** What an entry of the ledger did. */
export const ENTRY_KIND = {
  grant: "Bought",
  transfer: "Sent",
  hold: "Set aside",
  spend: "Spent",
  return: "Returned",
  clawback: "Taken back",
};

/** What a charge is for, or what changes it. */
export const PARTS = {
  subscription: "Plan",
  slots: "Slots",
  add_on: "DataUnlimited",
  discount: "Discount",
  tax: "Tax",
  balance: "Account balance",
};
