"""The balances that a log shows: those that entries carry, and those that follow from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.domain.credits import Entry, Wallet, effects

_Place = tuple[int, str]
"""A line of the list, and which of its balances."""


@dataclass(slots=True)
class _Chain:
    """One wallet's lines, from the oldest on. `balance` is the one after the last line, None while
    it is unknown; `unproven` are the lines since the last balance that is certain."""

    balance: int | None
    unproven: dict[_Place, int] = field(default_factory=dict)

    def add(self, place: _Place, change: int, certain: int | None) -> Iterator[tuple[_Place, int]]:
        """Yield what is known by this line: its own balance, and those that it proves."""
        after = None if self.balance is None else self.balance + change
        if certain is not None:
            if after == certain:
                yield from self.unproven.items()
            self.unproven.clear()
            yield place, certain
            after = certain
        elif after is not None:
            self.unproven[place] = after
        self.balance = after


def with_balances(
    entries: Sequence[Entry],
    begun_with: Mapping[str, int],
    wallets: Mapping[str, Wallet],
    complete_until: datetime,
    *,
    owner: str | None = None,
) -> list[Entry]:
    """Return `entries`, newest first, with the balances that can be worked out.

    `entries` are in the order in which they took effect: all of the account, or all of `owner`,
    whose balances alone are worked out then. `begun_with` are the balances before the first of
    them, where known. `wallets` may be older or newer than the list: a wallet's balance is the one
    after the entry that has its sequence. The list comes from an index that lags its table, so a
    line may be missing: a balance is worked out only between two that are certain and agree, or
    for a line from before `complete_until`. All others are None.
    """
    chains = {person: _Chain(balance) for person, balance in begun_with.items()}
    found: dict[_Place, int] = {}
    oldest_first = entries[::-1]
    for number, entry in enumerate(oldest_first):
        for side, person, recorded in _sides(entry, owner):
            chain = chains.setdefault(person, _Chain(None))
            change = effects(entry, person).get("balance", 0)
            certain = _certain(entry, recorded, wallets.get(person))
            found.update(chain.add((number, side), change, certain))
    for chain in chains.values():
        for place, after in chain.unproven.items():
            if oldest_first[place[0]].at < complete_until:
                found[place] = after
    return [_told(entry, number, found) for number, entry in enumerate(oldest_first)][::-1]


def _sides(entry: Entry, owner: str | None) -> list[tuple[str, str, int | None]]:
    sides = (
        ("source_after", entry.source, entry.source_after),
        ("target_after", entry.target, entry.target_after),
    )
    return [
        (side, person, recorded)
        for side, person, recorded in sides
        if person is not None and owner in (None, person)
    ]


def _certain(entry: Entry, recorded: int | None, wallet: Wallet | None) -> int | None:
    if recorded is None and wallet is not None and wallet.sequence == entry.sequence:
        return wallet.balance
    return recorded


def _told(entry: Entry, number: int, found: Mapping[_Place, int]) -> Entry:
    return replace(
        entry,
        source_after=found.get((number, "source_after"), entry.source_after),
        target_after=found.get((number, "target_after"), entry.target_after),
    )
