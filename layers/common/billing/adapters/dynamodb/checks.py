"""How far the ledger has been checked, and which accounts are to be."""

from collections.abc import Iterator

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.transaction import Transaction

_FIRST = "!"
_BEYOND = "~"
"""Around every account's id."""


def page(shard: int, *, before: str | None, limit: int) -> list[str]:
    """Accounts of a shard, the last first, those before the one named."""
    items, _ = reading.query_page(
        keys.ledger_partition(shard),
        low=_FIRST,
        high=before or _BEYOND,
        limit=limit,
        where={},
        consistent=True,
    )
    return [item["sk"] for item in items]


def every_account() -> Iterator[str]:
    """Yield every account, a shard after the other."""
    for shard in range(keys.LEDGER_SHARDS):
        last = None
        while found := page(shard, before=last, limit=100):
            yield from found
            last = found[-1]


def load_progress() -> tuple[int, str | None, int]:
    """The shard that was under way, the last account that was checked in it, and the row's
    version."""
    row = reading.get(keys.LEDGER_CHECK)
    return (0, None, 0) if row is None else (row["shard"], row["account"], row["version"])


def put_progress(write: Transaction, shard: int, account: str | None, *, version: int) -> None:
    write.replace({**keys.LEDGER_CHECK, "shard": shard, "account": account}, version=version)
