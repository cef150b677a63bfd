import { draw, h } from "./dom.js";
import { failure, radio } from "./pieces.js";
import { count, month, shortDay } from "./words.js";

/** The series of a chart, by the field of the API: what a manager's credits do, and a member's. */
export const OF_THE_TEAM = { bought: "Bought", sent: "Sent", spent: "Spent" };
export const OF_A_MEMBER = { sent: "Received", spent: "Spent" };

const RANGES = {
  month: { name: "12 months", periods: 12, title: month },
  day: { name: "30 days", periods: 30, title: shortDay },
};
const HEIGHT = 100;
const GROUP = 10;
const GAP = 2;
/** So that one credit beside thousands can still be seen. */
const LEAST_HEIGHT = 1.5;

/** Credits over time, as bars and as a table; nothing where nothing happened. */
export class Usage {
  element = h("div", { class: "usage-chart", hidden: true });
  #series;
  #fetch;
  #by = "month";
  #latest = null;
  #asked = 0;

  /** `fetch({by, from, to})` → the API's periods, of which those without a movement are left out. */
  constructor(series, fetch) {
    this.#series = series;
    this.#fetch = fetch;
  }

  /** `latest` is the time of the newest entry, which no clock of the page's has to agree with. */
  async load(latest) {
    this.#latest = latest;
    if (latest === null) return this.hide();
    const asked = (this.#asked += 1);
    const periods = periodsUntil(new Date(latest), this.#by);
    const window = { by: this.#by, from: startOf(periods[0]), to: startAfter(periods.at(-1)) };
    const items = await this.#fetch(window);
    if (asked === this.#asked) this.#show(periods, new Map(items.map((each) => [each.period, each])));
  }

  hide() {
    this.element.hidden = true;
  }

  showFailure(problem, retry) {
    this.element.hidden = false;
    this.element.replaceChildren(failure(problem, retry));
  }

  async #choose({ range }) {
    this.#by = range;
    try {
      await this.load(this.#latest);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === undefined) throw error;
      this.showFailure(error, () => this.#choose({ range }));
    }
  }

  #show(periods, sums) {
    const series = Object.entries(this.#series);
    const rows = periods.map((period) => ({ period, ...sums.get(period) }));
    const range = RANGES[this.#by];
    const held = this.element.contains(this.element.getRootNode().activeElement);
    const open = this.element.querySelector("details")?.open ?? false;
    this.element.hidden = false;
    this.element.replaceChildren(
      h("h3", {}, "Over time"),
      this.#ranges(),
      legend(series, rows),
      figure(series, rows, range),
      table(series, rows, range, open),
    );
    if (held) this.element.querySelector("input:checked").focus();
  }

  #ranges() {
    const options = Object.entries(RANGES).map(([by, { name }]) =>
      radio("range", by, by === this.#by, (change) => this.#choose(change), name),
    );
    return h(
      "fieldset",
      {},
      h("legend", { class: "spoken" }, "Range"),
      h("div", { class: "segments" }, options),
    );
  }
}

/** Each period in UTC up to the one of `latest` or of today, oldest first, as the API names them. */
function periodsUntil(latest, by) {
  const last = new Date(Math.max(latest, Date.now()));
  const { periods } = RANGES[by];
  return Array.from({ length: periods }, (_, index) => {
    const back = periods - 1 - index;
    const [year, ofYear, ofMonth] = [last.getUTCFullYear(), last.getUTCMonth(), last.getUTCDate()];
    if (by === "day") return iso(Date.UTC(year, ofYear, ofMonth - back)).slice(0, 10);
    return iso(Date.UTC(year, ofYear - back)).slice(0, 7);
  });
}

function iso(time) {
  return new Date(time).toISOString();
}

function startOf(period) {
  return `${period.padEnd(10, "-01")}T00:00:00Z`;
}

function startAfter(period) {
  const start = new Date(startOf(period));
  if (period.length === 7) start.setUTCMonth(start.getUTCMonth() + 1);
  else start.setUTCDate(start.getUTCDate() + 1);
  return `${iso(start).slice(0, 10)}T00:00:00Z`;
}

function sum(rows, name) {
  return rows.reduce((total, row) => total + (row[name] ?? 0), 0);
}

/** What each colour means, with the sums that the bars are parts of. */
function legend(series, rows) {
  const entry = ([name, word]) =>
    h(
      "li",
      {},
      h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
      `${word} `,
      h("strong", {}, count(sum(rows, name))),
    );
  return h("ul", { class: "legend" }, series.map(entry));
}

function figure(series, rows, { name, title }) {
  const most = Math.max(1, ...rows.flatMap((row) => series.map(([field]) => row[field] ?? 0)));
  const said = series.map(([field, word]) => `${word} ${count(sum(rows, field))}`).join(", ");
  const drawing = draw(
    "svg",
    {
      role: "img",
      "aria-label": `Credits in the last ${name}: ${said}. The table below has each period.`,
      viewBox: `0 0 ${rows.length * GROUP} ${HEIGHT}`,
      preserveAspectRatio: "none",
    },
    rows.map((row, index) => bars(series, row, { index, most, title })),
  );
  return h(
    "div",
    { class: "plot" },
    h("p", { class: "fine most", "aria-hidden": "true" }, count(most)),
    drawing,
    h(
      "p",
      { class: "fine axis", "aria-hidden": "true" },
      h("span", {}, title(rows[0].period)),
      h("span", {}, title(rows.at(-1).period)),
    ),
  );
}

function bars(series, row, { index, most, title }) {
  const width = (GROUP - GAP) / series.length;
  const left = index * GROUP + GAP / 2;
  const drawn = series.flatMap(([name], place) => {
    const number = row[name] ?? 0;
    const height = Math.max(LEAST_HEIGHT, (number / most) * HEIGHT);
    const box = { x: left + place * width, y: HEIGHT - height, width, height };
    return number > 0 ? [draw("rect", { class: name, ...box })] : [];
  });
  const told = series.map(([name, word]) => `${word.toLowerCase()} ${count(row[name] ?? 0)}`);
  return draw(
    "g",
    {},
    draw("title", {}, `${title(row.period)}: ${told.join(", ")}`),
    draw("rect", { class: "ground", x: index * GROUP, y: 0, width: GROUP, height: HEIGHT }),
    drawn,
  );
}

/** The same in figures, for whoever cannot see the bars or wants to know exactly. */
function table(series, rows, { name, title }, open) {
  const moved = rows.filter((row) => series.some(([field]) => row[field] > 0));
  const heads = ["Period", ...series.map(([, word]) => word)];
  const line = (row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, title(row.period)),
      series.map(([field]) => h("td", {}, count(row[field] ?? 0))),
    );
  return h(
    "details",
    { open },
    h("summary", {}, "Show as a table"),
    h(
      "table",
      { class: "plain" },
      h("caption", { class: "spoken" }, `Credits in the last ${name}`),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, moved.reverse().map(line)),
    ),
  );
}
