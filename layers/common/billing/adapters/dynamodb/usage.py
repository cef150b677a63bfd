"""Sums of a month that is over, kept where reading its entries again would take long."""

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.credits import EntryKind

Days = dict[str, dict[EntryKind, int]]
"""How many credits moved, by day, such as `2026-11-23`."""

_BEYOND = "~"
_MOST = 13
"""Months of which a year has a part."""


def load(account: str, person: str | None, *, first: str, last: str) -> dict[str, Days]:
    """By month, of those from `first` to `last`, such as `2026-11`, that are kept."""
    items, _ = reading.query_page(
        keys.usage_partition(account),
        low=keys.usage_key(account, person, first)["sk"],
        high=keys.usage_key(account, person, last)["sk"] + _BEYOND,
        limit=_MOST,
        where={},
    )
    return {item["month"]: _days(item["days"]) for item in items}


def insert(write: Transaction, account: str, person: str | None, month: str, days: Days) -> None:
    """Fails as StaleWrite where they are kept already."""
    key = keys.usage_key(account, person, month)
    row = {**key, "month": month, "days": days}
    write.insert(row, otherwise=StaleWrite(f"{key['pk']} {key['sk']}"))


def _days(found: dict[str, dict[str, int]]) -> Days:
    return {
        day: {EntryKind(kind): count for kind, count in kinds.items()}
        for day, kinds in found.items()
    }
