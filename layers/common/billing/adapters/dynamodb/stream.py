"""What the tables' streams carry, as the bus tells it: the history, and the ledger's entries."""

from typing import Any, TypedDict

from billing.adapters.dynamodb.items import Item, decode_item
from billing.domain.events import Fact, Told

_OF_ENTRIES = {
    "grant": "credits.granted",
    "transfer": "credits.sent",
    "hold": "credits.held",
    "spend": "credits.spent",
    "return": "credits.returned",
    "clawback": "credits.clawed_back",
}


class Telling(TypedDict):
    """An event as everybody else gets it; `id` is the same when it comes twice."""

    id: str
    account: str
    type: str
    at: str
    by: str
    facts: dict[str, Fact]


def telling(image: Any) -> Telling | None:
    """Return the event of a new row as the stream has it; None for a row without one.

    Raises KeyError for a malformed row.
    """
    return event_of(decode_item(image))


def event_of(row: Item) -> Telling | None:
    """Return a row's event, or None. Raises KeyError for a malformed row."""
    if "event" in row:
        return Telling(
            id=row["sk"],
            account=row["account"],
            type=row["event"],
            at=row["sk"].partition("Z-")[0] + "Z",
            by=row["by"],
            facts=row["facts"],
        )
    if row["sk"] == "ENTRY" and "refusal" not in row:
        type_, facts = _of_entry(row)
        return Telling(
            id=row["id"],
            account=row["account"],
            type=type_,
            at=row["at"],
            by=row["by"],
            facts=facts,
        )
    return None


def _of_entry(row: Item) -> Told:
    names = ("credits", "source", "target", "source_after", "target_after", "reference")
    return _OF_ENTRIES[row["kind"]], {name: row[name] for name in names}
