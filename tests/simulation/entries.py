"""The ledger's entries among its rows: a command that was refused leaves one in its entry's place,
and that moves nothing."""

from typing import Any

from billing import settings
from tests.simulation.expressions import Row
from tests.simulation.store import Store, Written
from tests.simulation.table_port import decoded

LEDGER = settings.ledger_table_name()


def is_entry(row: Row) -> bool:
    return "refusal" not in row


def written(commit: list[Written]) -> list[Any]:
    return [decoded(row.after) for row in commit if row.table == LEDGER and is_entry(row.after)]


def in_store(store: Store) -> list[Any]:
    return [decoded(row) for row in store.rows(LEDGER).values() if is_entry(row)]
