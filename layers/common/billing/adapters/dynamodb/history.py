"""An account's history: one row for each event, committed with what it tells of.

The table's stream carries these rows to the bus, so nothing happens untold and nothing is told
that did not happen.
"""

from datetime import datetime

from billing import runtime
from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.events import Event
from billing.domain.times import parse_rfc3339, rfc3339

_FIRST = "0"
_BEYOND = ":"
"""Sorts after every digit."""


def append(write: Transaction, account: str, event: Event) -> None:
    """Adds `event` to what `write` commits. Its id tells the order within a second, too, as far
    as clocks agree."""
    microseconds = int(runtime.wall_time() * 1_000_000)
    name = f"{rfc3339(event.at)}-{microseconds:016d}-{runtime.unique()[:12]}"
    row = {
        **keys.history_key(account, name),
        "account": account,
        "event": event.type,
        "by": event.by,
        "reason": event.reason,
        "facts": dict(event.facts),
    }
    write.insert(row, otherwise=RuntimeError(f"{name} is taken"))


def page(
    account: str, *, limit: int, before: str | None = None
) -> tuple[list[tuple[str, Event]], bool]:
    """Up to `limit` events with their ids, newest first, older than the id `before`; and whether
    there are more."""
    items, more = reading.query_page(
        keys.history_partition(account),
        low=_FIRST,
        high=before or _BEYOND,
        limit=limit,
        where={},
    )
    return [(item["sk"], _event(item)) for item in items], more


def rows(account: str, since: datetime, before: datetime) -> list[Item]:
    """Return the rows from `since` to just before `before`, oldest first, as the stream has them.

    Both are whole seconds.
    """
    return reading.query_rows(
        keys.history_partition(account), low=rfc3339(since), high=rfc3339(before)
    )


def _event(item: Item) -> Event:
    return Event(
        type=item["event"],
        at=parse_rfc3339(item["sk"].partition("Z-")[0] + "Z"),
        by=item["by"],
        reason=item["reason"],
        facts=item["facts"],
    )
