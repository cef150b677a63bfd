import { h } from "./dom.js";
import { blameFor, field, wholeNumber } from "./fields.js";
import { badge, gauge, toneOf } from "./pieces.js";
import { count, credits } from "./words.js";

/** In a list: how much a member may use in a month and has used; nothing without a limit. */
export function limitNote(member) {
  if (member.limit == null) return null;
  const [words, tone] = standing(member);
  return [
    h("span", { class: "fine" }, lead(member)),
    tone === "good" ? null : badge([words, tone]),
  ];
}

/** The same for oneself, as a bar. */
export function limitGauge(wallet) {
  if (wallet.limit == null) return null;
  return gauge(h("strong", {}, lead(wallet)), standing(wallet), wallet.used, wallet.limit);
}

function lead({ limit, used }) {
  return `${count(used)} of ${credits(limit)} used this month`;
}

function standing({ limit, used }) {
  const tone = toneOf(used, limit);
  return [tone === "bad" ? "Limit reached" : `${count(limit - used)} left this month`, tone];
}

/** Ask how many credits a member may use in a month. */
export function askForLimit(service, member, home) {
  const who = member.name || member.email;
  const present = member.limit ?? null;
  const used = member.used ?? 0;
  const input = wholeNumber({
    id: "limit",
    min: 0,
    value: present,
    autofocus: true,
    oninput: () => look(),
  });
  const summary = h("p", { class: "summary", "aria-live": "polite" });

  function wanted() {
    return input.value === "" ? null : input.valueAsNumber;
  }

  function look() {
    summary.textContent = input.checkValidity() ? whatItMeans(who, used, wanted()) : input.validationMessage;
  }

  async function act() {
    const limit = wanted();
    if (limit === present) return;
    const path = `/members/${encodeURIComponent(member.id)}/limit`;
    const { limit: now } = await service.order("PUT", path, { limit });
    const many = now === null ? "has no limit" : `can use ${credits(now)} a month`;
    await service.changed(`${who} ${many}.`);
  }

  const hint = `Leave it empty for no limit. ${credits(used)} used this month; months are in UTC.`;
  const asked = service.ask({
    title: `Limit for ${who}`,
    content: [field("Credits to use in a month, at most", input, hint), summary],
    submit: "Save",
    busy: "Saving…",
    failed: "The limit was not changed",
    blame: (error) => blameFor(error, { limit: input }),
    act,
    home,
  });
  look();
  return asked;
}

function whatItMeans(who, used, limit) {
  if (limit === null) return `${who} can use all that is in their wallet.`;
  const left = limit - used;
  if (left > 0) return `${who} can use ${credits(left)} more this month.`;
  return `${who} can use no more this month: ${credits(used)} ${used === 1 ? "is" : "are"} used already.`;
}
