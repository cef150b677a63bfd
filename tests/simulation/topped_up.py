"""What must hold of top-ups when everything has come to rest, read from Stripe's invoices and the
ledger."""

from collections import Counter
from typing import Any

from billing.domain.events import STRIPE
from billing.domain.times import from_epoch
from infra.local.stripe_sandbox.state import Body
from tests.simulation.cloud import Cloud
from tests.simulation.commands import CAPS, TOP_UP_BELOW, People
from tests.simulation.entries import in_store, written
from tests.simulation.expressions import Row
from tests.simulation.oracles import hold
from tests.simulation.store import MAIN, Written
from tests.simulation.table_port import decoded

PRICE = 5_000


class Reversals:
    """Of one history: no package is ordered from the first reversal of one that was paid until the
    manager chooses anew."""

    def __init__(self) -> None:
        self._reversed: set[str] = set()
        self._stopped: set[str] = set()

    def look_at(self, commit: list[Written]) -> None:
        entries = written(commit)
        for each in entries:
            taken = each["kind"] in ("hold", "clawback") and each["by"] == STRIPE
            if taken and each["reference"] not in self._reversed:
                self._reversed.add(each["reference"])
                self._stopped.add(each["source"])
        for row in commit:
            if row.pk.endswith("#HISTORY"):
                event = decoded(row.after)
                if event["event"] == "top_up.changed":
                    self._stopped.discard(event["facts"]["wallet"])
            elif row.table == MAIN and row.sk.startswith("TOP_UP#"):
                ordered = _ordered(row.after) and not _ordered(row.before)
                stopped = row.after["person"]["S"] in self._stopped
                hold("a reversal is no demand", not (ordered and stopped), row.sk)


def _ordered(row: Row | None) -> bool:
    return row is not None and "NULL" not in row["order"]


def top_ups_are_what_was_chosen(cloud: Cloud, people: People) -> None:
    invoices = [each for each in cloud.box.all("invoice") if each["metadata"].get("top_up")]
    entries = sorted(in_store(cloud.store), key=lambda each: int(each["sequence"]))
    chosen = [done for done in people.done if done.command in CAPS and done.answer.status == 200]
    paid = [each for each in invoices if each["status"] == "paid"]
    _granted_once(invoices, entries)
    _within_the_cap(paid, [CAPS[done.command] for done in people.done if done.command in CAPS])
    falls = _falls(entries, people.manager()["sub"]) + len(chosen)
    hold("a fall is answered once", len(paid) <= falls, f"{len(paid)} for {falls} falls")
    declined = [each for each in invoices if each["status"] == "void" and each["attempted"]]
    hold("a declined card stops it", len(declined) <= len(chosen), declined)
    _comes_to_an_end(cloud, people, invoices)


def _granted_once(invoices: list[Body], entries: list[Any]) -> None:
    granted = Counter(each["reference"] for each in entries if each["kind"] == "grant")
    for each in invoices:
        wanted = int(each["status"] == "paid")
        found = granted[each["id"]]
        hold("one grant per payment", found == wanted, f"{each['id']}: {found}, {wanted}")


def _within_the_cap(paid: list[Body], caps: list[int]) -> None:
    months = Counter[str]()
    for each in paid:
        at = from_epoch(each["status_transitions"]["paid_at"])
        months[f"{at:%Y-%m}"] += each["total"]
    cap = max(caps, default=0)
    hold("never more than the cap in a month", max(months.values(), default=0) <= cap, months)


def _falls(entries: list[Any], person: str) -> int:
    """How often the balance came to be below the number."""
    count, balance = 0, 0
    for each in entries:
        before = balance
        balance += each["credits"] * ((each["target"] == person) - (each["source"] == person))
        count += balance < TOP_UP_BELOW <= before
    return count


def _comes_to_an_end(cloud: Cloud, people: People, invoices: list[Body]) -> None:
    """Nothing is under way any more, and a wallet is low only where there is a reason."""
    partition = cloud.store.partition(f"ACCOUNT#{people.account}")
    person = people.manager()["sub"]
    row = partition.get(f"TOP_UP#{person}")
    if row is None:
        return
    top_up, wallet = decoded(row), decoded(partition[f"WALLET#{person}"])
    hold("a top-up comes to its end", top_up["order"] is None, top_up["order"])
    waiting = [each["id"] for each in invoices if each["status"] == "open"]
    hold("no top-up is left to be paid", not waiting, waiting)
    if top_up["below"] and top_up["stopped"] is None and 0 <= wallet["balance"] < TOP_UP_BELOW:
        month = f"{from_epoch(int(cloud.clock())):%Y-%m}"
        charged = top_up["charged"] if top_up["month"] == month else 0
        full = charged + PRICE > top_up["cap"]["amount"]
        hold("a low wallet is topped up", full, f"{wallet['balance']}, {top_up}")
