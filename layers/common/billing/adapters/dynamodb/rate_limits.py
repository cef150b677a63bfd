"""Counters of what is limited. Each commits with what it counts, against what was read."""

from datetime import datetime, timedelta

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.rate_limits import Tally
from billing.domain.times import parse_rfc3339, rfc3339

_KEPT = timedelta(days=2)


def load_tally(key: Key) -> tuple[Tally, int]:
    """With the row's version; 0 where nothing was counted yet."""
    item = reading.get(key)
    return (Tally(), 0) if item is None else (Tally(item["window"], item["count"]), item["version"])


def put_tally(write: Transaction, key: Key, tally: Tally, now: datetime, *, version: int) -> None:
    row = {**key, "window": tally.window, "count": tally.count, "ttl": _until(now)}
    write.replace(row, version=version)


def load_pages(account: str) -> tuple[tuple[datetime, ...], int]:
    """Until when pages of Checkout are open, and the row's version."""
    item = reading.get(keys.pages_key(account))
    return ((), 0) if item is None else (tuple(map(parse_rfc3339, item["open"])), item["version"])


def put_pages(
    write: Transaction,
    account: str,
    open_until: tuple[datetime, ...],
    now: datetime,
    *,
    version: int,
) -> None:
    ends = [rfc3339(each) for each in open_until]
    write.replace({**keys.pages_key(account), "open": ends, "ttl": _until(now)}, version=version)


def _until(now: datetime) -> int:
    return int((now + _KEPT).timestamp())
