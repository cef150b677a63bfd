"""What happened to an account, as it is kept and read."""

import uuid
from dataclasses import replace

from billing.adapters.dynamodb import history
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.events import Event
from billing.domain.times import parse_rfc3339
from tests.simulation.store import Store


def test_history_is_read_newest_first_in_pages(tables: Store) -> None:
    account = uuid.uuid4().hex
    told = [_event(day) for day in (1, 2, 3)]
    for event in told:
        _happened(account, event)
    newest, more = history.page(account, limit=2)
    assert [event for _, event in newest] == [told[2], told[1]]
    assert more
    assert history.page(account, limit=2, before=newest[-1][0])[0][0][1] == told[0]


def test_what_happens_in_one_second_is_all_kept_in_its_order(tables: Store) -> None:
    account = uuid.uuid4().hex
    told = [replace(_event(1), by=f"person {number}") for number in range(5)]
    for event in told:
        _happened(account, event)
    assert [event for _, event in history.page(account, limit=9)[0]] == told[::-1]


def _event(day: int) -> Event:
    at = parse_rfc3339(f"2026-03-{day:02d}T10:00:00Z")
    return Event(
        type="slots.changed", at=at, by="ana", reason="agreed", facts={"from": day, "to": None}
    )


def _happened(account: str, event: Event) -> None:
    write = Transaction()
    history.append(write, account, event)
    write.commit()
