"""The credit log: pages of the ledger as somebody may see them, and sums over time."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from billing.adapters.dynamodb import ledger, usage
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.adapters.dynamodb.usage import Days
from billing.domain.account import Role
from billing.domain.balances import with_balances
from billing.domain.credits import Entry, EntryKind
from billing.domain.errors import Unavailable
from billing.domain.times import next_month, rfc3339, this_month

_LOOKED_AT = 10_000
_BEHIND = 1000
_MANY = 1000
"""Entries of a month that are not read again once it is over."""
_CLOCKS_DIFFER = timedelta(days=1)
_INDEX_LAGS = timedelta(minutes=1)
"""A list of entries may miss one that is younger."""

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
            listed = chain([entry], listed)
            break
        seen.append(entry)
        if shown.includes(entry):
            found.append(entry)
    if any(_unsure(entry) for entry in found):
        behind = list(islice(listed, _BEHIND))
        known = {} if next(listed, None) else _beginning(rows, shown, [*seen, *behind])
        told = with_balances(
            [*seen, *behind],
            known,
            rows.wallets,
            now - _INDEX_LAGS,
            owner=_owner(rows, shown.person),
        )
        complete = {entry.id: entry for entry in told}
        found = [complete[entry.id] for entry in found]
    return found, following


def sum_up(
    account: str,
    person: str | None,
    *,
    since: datetime,
    until: datetime,
    monthly: bool,
    now: datetime,
) -> Sums:
    """How many credits moved in each period in which any did. Of a month that is over, and had
    many entries, it is kept: so the entries of a long year are read once."""
    kept = usage.load(account, person, first=f"{since:%Y-%m}", last=f"{until:%Y-%m}")
    sums: Sums = {}
    for start, end in _months(since, until):
        whole = (start, end) == (this_month(start), next_month(start))
        days = kept.get(f"{start:%Y-%m}") if whole else None
        if days is None:
            days, count = _summed(account, person, start, end)
            if whole and count > _MANY and end + _CLOCKS_DIFFER <= now:
                _keep(account, person, f"{start:%Y-%m}", days)
        for day, kinds in days.items():
            period = sums.setdefault(day[:7] if monthly else day, {})
            for kind, credits in kinds.items():
                period[kind] = period.get(kind, 0) + credits
    return sums


def _months(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From `since` to just before `until`, a month or a part of one at a time."""
    while since < until:
        end = min(next_month(since), until)
        yield since, end
        since = end


def _summed(
    account: str, person: str | None, since: datetime, before: datetime
) -> tuple[Days, int]:
    """With the number of entries."""
    days: Days = {}
    number = 0
    for day, kind, count in ledger.amounts(account, person=person, since=since, before=before):
        kinds = days.setdefault(day, {})
        kinds[kind] = kinds.get(kind, 0) + count
        number += 1
    return days, number


def _keep(account: str, person: str | None, month: str, days: Days) -> None:
    write = Transaction()
    usage.insert(write, account, person, month, days)
    # Somebody else kept the same, or nobody does yet.
    with suppress(StaleWrite, Unavailable):
        write.commit()


def _listed(rows: AccountRows, shown: Shown, now: datetime, *, page: int) -> Iterator[Entry]:
    until = now + _CLOCKS_DIFFER if shown.until is None else min(shown.until, now + _CLOCKS_DIFFER)
    since = _first_moment(rows)
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


def _first_moment(rows: AccountRows) -> datetime:
    """Before every entry."""
    assert rows.account is not None
    return rows.account.created_at - _CLOCKS_DIFFER


def _beginning(rows: AccountRows, shown: Shown, entries: list[Entry]) -> dict[str, int]:
    """Of whose wallets the list that ends with `entries` has everything: these began with
    nothing."""
    if shown.since is not None and shown.since > _first_moment(rows):
        return {}
    owner = _owner(rows, shown.person)
    if owner is not None:
        return {owner: 0}
    people = {person for entry in entries for person in (entry.source, entry.target)}
    return dict.fromkeys(filter(None, people), 0)


def _owner(rows: AccountRows, person: str | None) -> str | None:
    """Whose own list has all their entries. Not a manager's: what they sent is the receiver's."""
    member = rows.members.get(person or "")
    return None if member is None or member.role is Role.MANAGER else member.id


def _unsure(entry: Entry) -> bool:
    return entry.source_after is None and entry.target_after is None
