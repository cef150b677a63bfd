"""What an acknowledged answer says is true when it is said: at that moment, or since its request
began. What later events repair must not have been wrong in between."""

from typing import Any

from tests.simulation.cloud import Cloud
from tests.simulation.commands import Done, People
from tests.simulation.entries import LEDGER
from tests.simulation.oracles import hold
from tests.simulation.store import MAIN
from tests.simulation.table_port import decoded

_THERE = "what an answer says is true when it is said"


def true_when_said(people: People, done: Done, since: int) -> None:
    """`since` is how many rows had been written when the request was sent."""
    if done.answer.status not in (200, 201):
        return
    what, body = done.command.split()[0], done.answer.body
    if what in ("send", "hold", "settle"):
        _is_in_the_ledger(people, body)
    elif what in ("invite", "accept"):
        said = {"status": body["status"], "email": body["email"]}
        _was_so(people, f"MEMBER#{body['id']}", said, since)
    elif what == "slots" and body["purchased"]:
        _was_so(people, "SUBSCRIPTION#slots", {"quantity": body["purchased"]}, since)
    elif what == "cancel":
        _was_so(people, "SUBSCRIPTION#subscription", {"ends_at": body["ends_at"]}, since)
    elif what == "alert":
        _was_so(people, f"WALLET#{people.manager()['sub']}", {"alert_below": body["below"]}, since)


def _is_in_the_ledger(people: People, body: Any) -> None:
    key = f"ENTRY#{people.account}#{body['id']}"
    row = people.cloud.store.partition(key, LEDGER).get("ENTRY")
    hold(_THERE, row is not None and decoded(row)["credits"] == body["credits"], body)


def _was_so(people: People, sk: str, said: dict[str, Any], since: int) -> None:
    found = [
        {name: row[name] or None for name in said}
        for row in _since(people.cloud, f"ACCOUNT#{people.account}", sk, since)
    ]
    wanted = {name: value or None for name, value in said.items()}
    hold(_THERE, wanted in found, f"{sk}: {wanted}, {found}")


def _since(cloud: Cloud, pk: str, sk: str, since: int) -> list[Any]:
    """The row as it was then, and as it was written after that."""
    log = [row for row in cloud.store.log[since:] if (row.table, row.pk, row.sk) == (MAIN, pk, sk)]
    now = cloud.store.row(pk, sk)
    before = log[0].before if log else now
    return [decoded(row) for row in (before, *(each.after for each in log)) if row is not None]
