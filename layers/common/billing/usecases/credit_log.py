"""The credit log: pages of the ledger as somebody may see them, and sums over time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from billing.adapters.dynamodb import ledger
from billing.adapters.dynamodb.accounts import AccountRows
from billing.domain.account import Role
from billing.domain.credits import Entry, EntryKind, with_balances
from billing.domain.times import rfc3339

_LOOKED_AT = 10_000
_BEHIND = 1000
_CLOCKS_DIFFER = timedelta(days=1)

Sums = dict[str, dict[EntryKind, int]]
"""By period, such as `2026-11-23` or `2026-11`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which entries: those of `person`, of one kind, from `since` to just before `until`, after
    the one at `cursor`. None and empty mean all."""

    person: str | None = None
    kind: EntryKind | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None

    def includes(self, entry: Entry) -> bool:
        return (self.kind is None or entry.kind is self.kind) and (
            self.person is None or self.person in (entry.source, entry.target)
        )


def read_log(
    rows: AccountRows, shown: Shown, *, limit: int, now: datetime
) -> tuple[list[Entry], str | None]:
    """Up to `limit` entries, newest first, and the cursor of the next page if there is one. Where
    few of many entries match, a page may be short and still not be the last."""
    narrow = shown.kind is None and _owner(rows, shown.person) == shown.person
    wanted = limit + 1 + (shown.cursor is not None)  # the entry at the cursor is read again
    listed = _listed(rows, shown, now, page=min(wanted, 1000) if narrow else 200)
    seen: list[Entry] = []
    found: list[Entry] = []
    following = None
    for entry in listed:
        if len(found) == limit or len(seen) == _LOOKED_AT:
            following = ledger.position(seen[-1])
            listed = chain([entry], islice(listed, _BEHIND))
            break
        seen.append(entry)
        if shown.includes(entry):
            found.append(entry)
    if any(_unsure(entry) for entry in found):
        complete = {entry.id: entry for entry in with_balances([*seen, *listed])}
        found = [complete[entry.id] for entry in found]
    return found, following


def sum_up(
    account: str, person: str | None, *, since: datetime, until: datetime, monthly: bool
) -> Sums:
    """How many credits moved in each period in which any did."""
    sums: Sums = {}
    for day, kind, count in ledger.amounts(account, person=person, since=since, before=until):
        period = sums.setdefault(day[:7] if monthly else day, {})
        period[kind] = period.get(kind, 0) + count
    return sums


def _listed(rows: AccountRows, shown: Shown, now: datetime, *, page: int) -> Iterator[Entry]:
    assert rows.account is not None
    until = now + _CLOCKS_DIFFER if shown.until is None else min(shown.until, now + _CLOCKS_DIFFER)
    since = rows.account.created_at - _CLOCKS_DIFFER
    before: str | datetime = until
    if shown.cursor is not None:
        before = min(shown.cursor, rfc3339(until))
    return ledger.newest_first(
        rows.id,
        person=_owner(rows, shown.person),
        since=since if shown.since is None else max(since, shown.since),
        before=before,
        page=page,
    )


def _owner(rows: AccountRows, person: str | None) -> str | None:
    """Whose own list has all their entries. Not a manager's: what they sent is the receiver's."""
    member = rows.members.get(person or "")
    return None if member is None or member.role is Role.MANAGER else member.id


def _unsure(entry: Entry) -> bool:
    return entry.source_after is None and entry.target_after is None
