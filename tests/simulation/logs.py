"""What must hold of the credit log: its order is that of effect, and its balances follow."""

from typing import Any

from tests.simulation.cloud import Cloud
from tests.simulation.commands import People
from tests.simulation.entries import LEDGER, is_entry, written
from tests.simulation.oracles import hold
from tests.simulation.store import MAIN, Written
from tests.simulation.table_port import decoded

_SIGNS = {"hold": -1, "clawback": -1, "spend": 0, "grant": 1, "return": 1}


def entries_come_after_what_they_follow(commit: list[Written]) -> None:
    """The order of a log is by time and sequence: neither goes back in a wallet."""
    entries = written(commit)
    for row in commit:
        if row.table != MAIN or not row.sk.startswith("WALLET#") or row.before is None:
            continue
        before, after = decoded(row.before), decoded(row.after)
        last = (before["at"] or "", before["sequence"])
        for entry in entries:
            if after["person"] in (entry["source"], entry["target"]):
                at = (entry["at"], entry["sequence"])
                right = last[0] <= at[0] and last[1] < at[1]
                hold("the log's order is the order of effect", right, f"{last}, {at}")
                last = at
        if last != (before["at"] or "", before["sequence"]):
            hold("a wallet knows its last entry", last == (after["at"], after["sequence"]), after)


def logs_follow(cloud: Cloud, people: People) -> None:
    """In each wallet's log, as the API shows it, a balance is the one before it and the line."""
    partition = cloud.store.partition(f"ACCOUNT#{people.account}")
    effect = _order_of_effect(cloud, people.account)
    for sk in partition:
        if not sk.startswith("WALLET#"):
            continue
        person = sk.removeprefix("WALLET#")
        lines = _log(cloud, people, person)[::-1]
        since = [each["id"] for each in lines if each["id"] in effect]
        right = since == sorted(since, key=effect.__getitem__)
        hold("the log's order is the order of effect", right, since)
        balance = 0
        for each in lines:
            balance += _sign(each, person) * each["credits"]
            shown = each["balance_after"]
            hold("a balance follows from the line before", shown in (None, balance), (each, lines))


def _sign(line: Any, person: str) -> int:
    if line["kind"] == "transfer":
        return 1 if line["to"] == person else -1
    return _SIGNS[line["kind"]]


def _order_of_effect(cloud: Cloud, account: str) -> dict[str, tuple[int, int]]:
    """By entry of this history: its commit, and its place in that."""
    return {
        row.after["id"]["S"]: (row.commit, place)
        for place, row in enumerate(cloud.store.log)
        if row.table == LEDGER and is_entry(row.after) and row.after["account"]["S"] == account
    }


def _log(cloud: Cloud, people: People, person: str) -> list[Any]:
    lines: list[Any] = []
    query = {"member": person, "limit": "100"}
    while True:
        answers: list[Any] = []
        asked = dict(query)
        cloud.play([lambda: answers.append(_page(cloud, people, asked))])  # noqa: B023
        hold("the log answers", answers[0].status == 200, answers[0])
        lines += answers[0].body["items"]
        if answers[0].body["next_cursor"] is None:
            return lines
        query["cursor"] = answers[0].body["next_cursor"]


def _page(cloud: Cloud, people: People, query: dict[str, str]) -> Any:
    return cloud.call("GET /credits/log", people.manager(), query=query)
