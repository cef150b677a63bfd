"""What is held, used and told of each wallet, counted from the entries alone after every commit."""

from typing import Any

from billing.domain.events import STRIPE
from tests.simulation.cloud import Cloud
from tests.simulation.entries import in_store, written
from tests.simulation.oracles import hold
from tests.simulation.store import MAIN, Written
from tests.simulation.table_port import decoded

_NOTHING: dict[str, Any] = {"balance": 0, "alert_below": 0, "limit": None}


class Meter:
    """Of one history; what was before it is believed."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._used: dict[str, tuple[str, int]] = {}
        self._months: dict[str, str] = {}
        self._low: dict[str, bool] = {}

    def look_at(self, commit: list[Written]) -> None:
        entries = written(commit)
        told = [decoded(row.after) for row in commit if row.pk.endswith("#HISTORY")]
        for row in commit:
            if row.table == MAIN and row.sk.startswith("WALLET#"):
                before = _NOTHING if row.before is None else decoded(row.before)
                after = decoded(row.after)
                self._count_uses(before, after, entries, row.pk)
                self._count_alerts(before, after, entries, told)
                _limits_are_told(before, after, told)
        for entry in entries:
            if _settles(entry):
                self._settled(entry["account"], entry["reference"])

    def _count_uses(self, before: Any, after: Any, entries: list[Any], pk: str) -> None:
        """A month goes on until a hold of a later one comes."""
        person, limit = after["person"], before["limit"]
        known = (before.get("used_month", ""), before.get("used", 0))
        month, used = self._used.get(person, known)
        for each in entries:
            if each["kind"] == "hold" and each["source"] == person and _for_use(each):
                if each["at"][:7] > month:
                    month, used = each["at"][:7], 0
                used += each["credits"]
                self._months[each["id"]] = month
                within = limit is None or used <= limit
                hold("nobody uses more in a month than their limit", within, f"{used} of {limit}")
            elif each["kind"] == "return" and each["target"] == person and _settles(each):
                held_in = self._month_of(pk, each["reference"])
                used -= each["credits"] if held_in == month else 0
        found = (after["used_month"], after["used"])
        hold("what is used is counted", found == (month, used), f"{found}, {month} {used}")
        self._used[person] = month, used

    def _month_of(self, pk: str, name: str) -> str:
        if name not in self._months:
            row = self._cloud.store.row(f"{pk}#HOLDS", name)
            assert row is not None
            self._months[name] = row["month"]["S"]
        return self._months[name]

    def _count_alerts(self, before: Any, after: Any, entries: list[Any], told: list[Any]) -> None:
        """One for each entry after which less is left than its owner wants, and before which it
        was not so. What was added unread tells no balance, and alerts nobody."""
        person, below = after["person"], after["alert_below"]
        low = self._low.get(person, before["balance"] < before["alert_below"])
        falls = 0
        if below != before["alert_below"]:
            low = after["balance"] < below
        for each in entries:
            balance = each[f"{_side(each, person)}_after"] if _side(each, person) else None
            if balance is not None:
                falls += balance < below and not low
                low = balance < below
        alerts = [
            each
            for each in told
            if each["event"] == "credits.low" and each["facts"]["wallet"] == person
        ]
        hold("a low balance is told once", len(alerts) == falls, f"{person}: {falls}, {alerts}")
        self._low[person] = low

    def _settled(self, account: str, name: str) -> None:
        entries = in_store(self._cloud.store)
        held = next(each["credits"] for each in entries if each["id"] == name)
        done = sum(
            each["credits"] for each in entries if each["reference"] == name and _settles(each)
        )
        hold("a hold never settles for more than it held", done <= held, f"{done} of {held}")
        row = self._cloud.store.row(f"ACCOUNT#{account}#HOLDS", name)
        left = None if row is None else int(row["left"]["N"])
        hold("a hold's row says what is left of it", left == held - done, f"{left}, {held}, {done}")


def _for_use(entry: Any) -> bool:
    """A dispute's are Stripe's doing."""
    return bool(entry["by"] != STRIPE)


def _settles(entry: Any) -> bool:
    undone = entry["kind"] == "return" and entry["undoes"] == "hold"
    return (entry["kind"] == "spend" or undone) and _for_use(entry)


def _side(entry: Any, person: str) -> str:
    return next((side for side in ("source", "target") if entry[side] == person), "")


def _limits_are_told(before: Any, after: Any, told: list[Any]) -> None:
    changes = [each["facts"] for each in told if each["event"] == "limit.changed"]
    wanted = [{"member": after["person"], "limit": after["limit"]}]
    if before["limit"] == after["limit"]:
        wanted = changes if changes == wanted else []
    hold("a limit that changes is told", changes == wanted, f"{changes}, {wanted}")
