"""The ledger's table: entries, found by their id, and listed by account and by person.

The id is the entry's key, and derived from the command or the payment: so the entry is its own mark
against being written twice, for ever. Two indexes list them, a
month of an account or of a person at a time, so that no partition grows without end. A command that
was refused leaves a row in its entry's place, which no index lists, for as long as marks are kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing import settings
from billing.adapters.dynamodb import history, marks, reading, refusals, wallets
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.credits import Cause, Credits, Entry, EntryKind, Movement, Wallet
from billing.domain.errors import Refusal
from billing.domain.events import of_fall, of_low_wallet
from billing.domain.times import parse_rfc3339, rfc3339

TABLE = settings.ledger_table_name()
_PAGE = 200


class AlreadyRecorded(StaleWrite):
    """An entry of this id is in the ledger, or its command was refused."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What stands in the place of an entry that will not be."""

    fingerprint: str
    refusal: Refusal


def append(write: Transaction, movement: Movement, versions: dict[str, int]) -> None:
    """Adds `movement` to what `write` commits; `versions` are of the wallets' rows as they were
    read, by person. Fails as AlreadyRecorded, or else as StaleWrite."""
    for entry in movement.entries:
        write.insert(_row(entry), otherwise=AlreadyRecorded(entry.id), table=TABLE)
    account = movement.entries[0].account
    for person, wallet in movement.wallets.items():
        wallets.put(write, account, wallet, version=versions[person])
    at = movement.entries[0].at
    for person in movement.alerts:
        history.append(write, account, of_low_wallet(movement.wallets[person], at))
    for person in movement.falls:
        history.append(write, account, of_fall(movement.wallets[person], at))


def append_blind(write: Transaction, movement: Movement, before: Mapping[str, Wallet]) -> None:
    """Add `movement` to what `write` commits, whatever movements of lower sequences come between.

    For a wallet so busy that it never stays as it was read. Fails as AlreadyRecorded, or as
    StaleWrite where an entry of a higher sequence came first, a wallet was closed, or there are
    fewer credits than are taken.
    """
    for entry in movement.entries:
        write.insert(_row(entry), otherwise=AlreadyRecorded(entry.id), table=TABLE)
    account = movement.entries[0].account
    behind = movement.entries[0].sequence
    for person, wallet in movement.wallets.items():
        wallets.add(write, account, before[person], wallet, behind=behind)


def refuse(write: Transaction, cause: Cause, names: tuple[str, ...], refusal: Refusal) -> None:
    """From now on no entry of these ids is written. Fails as AlreadyRecorded."""
    for name in names:
        row = {
            **_key(cause.account, name),
            "fingerprint": cause.fingerprint,
            "refusal": refusals.to_text(refusal),
            "ttl": marks.ends_after(cause.now),
        }
        write.insert(row, otherwise=AlreadyRecorded(name), table=TABLE)


def find(account: str, entry_id: str) -> Entry | None:
    found = outcome(account, entry_id)
    return found if isinstance(found, Entry) else None


def outcome(account: str, entry_id: str) -> Entry | Refused | None:
    """What became of the command or payment that gives the entry its id."""
    item = reading.get(_key(account, entry_id), table=TABLE)
    if item is not None and "refusal" in item:
        return Refused(item["fingerprint"], refusals.from_text(item["refusal"]))
    return None if item is None else _entry(item)


def newest_first(
    account: str,
    *,
    person: str | None = None,
    since: datetime,
    before: datetime | str,
    page: int = _PAGE,
) -> Iterator[Entry]:
    """The account's entries, or those that `person` owns, from `since` to just before `before`,
    which is a time or the position of an entry. Read as they are asked for, in pages."""
    high = before if isinstance(before, str) else rfc3339(before)
    return map(_entry, _items(account, person, rfc3339(since), high, page))


def rows(account: str, since: datetime, before: datetime) -> list[Item]:
    """Return the rows from `since` to just before `before`, oldest first, as the stream has them.

    The index is eventually consistent: the newest entries may be missing for a moment.
    """
    found = _items(account, None, rfc3339(since), rfc3339(before), _PAGE)
    return list(found)[::-1]


def amounts(
    account: str, *, person: str | None = None, since: datetime, before: datetime
) -> Iterator[tuple[str, EntryKind, int]]:
    """On which day, what and how many: all that sums need of the same entries. `before` is not
    beyond the month of `since`."""
    items = _of_month(
        account,
        person,
        f"{since:%Y-%m}",
        low=rfc3339(since),
        high=rfc3339(before),
        only=("kind", "credits"),
    )
    for item in items:
        yield item["position"][:10], EntryKind(item["kind"]), item["credits"]


def _items(account: str, person: str | None, low: str, high: str, page: int) -> Iterator[Item]:
    for month in _months(high[:7], low[:7]):
        yield from _of_month(account, person, month, low=low, high=high, page=page)


def _of_month(account: str, person: str | None, month: str, **how: Any) -> Iterator[Item]:
    index, partition = "by_account", account
    if person is not None:
        index, partition = "by_owner", f"{account}#{person}"
    return reading.query_index(TABLE, index, f"{partition}#{month}", **how)


def position(entry: Entry) -> str:
    """Return the entry's sort key in every list: its time, then its sequence, which is the order
    in which entries took effect."""
    return f"{rfc3339(entry.at)}-{entry.sequence:016d}-{entry.id}"


def _months(last: str, first: str) -> Iterator[str]:
    """Such as `2026-11`, from the last back to the first."""
    year, month = int(last[:4]), int(last[5:])
    while (text := f"{year:04d}-{month:02d}") >= first:
        yield text
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)


def _key(account: str, entry_id: str) -> Key:
    return {"pk": f"ENTRY#{account}#{entry_id}", "sk": "ENTRY"}


def _row(entry: Entry) -> Item:
    month = f"{entry.at:%Y-%m}"
    return {
        **_key(entry.account, entry.id),
        "by_account": f"{entry.account}#{month}",
        "by_owner": f"{entry.account}#{entry.owner}#{month}",
        "position": position(entry),
        "id": entry.id,
        "account": entry.account,
        "at": rfc3339(entry.at),
        "sequence": entry.sequence,
        "kind": entry.kind,
        "credits": entry.credits,
        "source": entry.source,
        "target": entry.target,
        "by": entry.by,
        "reference": entry.reference,
        "fingerprint": entry.fingerprint,
        "source_after": entry.source_after,
        "target_after": entry.target_after,
        "undoes": entry.undoes,
    }


def _entry(item: Item) -> Entry:
    return Entry(
        id=item["id"],
        account=item["account"],
        at=parse_rfc3339(item["at"]),
        sequence=item["sequence"],
        kind=EntryKind(item["kind"]),
        credits=Credits(item["credits"]),
        source=item["source"],
        target=item["target"],
        by=item["by"],
        reference=item["reference"],
        fingerprint=item["fingerprint"],
        source_after=item["source_after"],
        target_after=item["target_after"],
        undoes=None if item["undoes"] is None else EntryKind(item["undoes"]),
    )
