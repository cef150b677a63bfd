"""Credits: wallets, and the entries by which alone they change.

Every movement is decided here and returns the entry with the wallets as they are after it. An entry
is never changed or deleted; a wallet is the sum of its entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from billing.domain.errors import Conflict, RuleRefused

_AT_MOST = 10**12


class Credits(int):
    """A number of credits that moves: whole and at least 1. Raises ValueError for any other."""

    def __new__(cls, count: int) -> Self:
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _AT_MOST:
            raise ValueError(f"credits that move are a whole number from 1, not {count!r}")
        return super().__new__(cls, count)


class EntryKind(StrEnum):
    """`return` undoes a hold, or a clawback whose refund failed."""

    GRANT = "grant"
    TRANSFER = "transfer"
    HOLD = "hold"
    SPEND = "spend"
    RETURN = "return"
    CLAWBACK = "clawback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """A person's credits. `balance` is below 0 by what is owed: credits that were clawed back
    after they had been used. It is the first thing that any credits to come pay off.

    `open` says whether credits can be sent to it and used from it: the membership is active.
    `alerted` says whether its owner has been told that the balance is below `alert_below`, 0 for
    never. `fell` names the entry by which it fell below `top_up_below`, 0 for no top-up, for as
    long as it is that low; `look_at` is when somebody has to see to that. `sequence` and `at` are
    those of the last entry. They order a wallet's entries as they took effect: none has an earlier
    time or a lower sequence than an entry that committed before it.

    `used` is what was held for use in the month `used_month` (`2026-11`), less what was returned of
    that; at most `limit` may be, where there is one.
    """

    person: str
    open: bool = True
    balance: int = 0
    held: int = 0
    granted: int = 0
    received: int = 0
    sent: int = 0
    spent: int = 0
    clawed_back: int = 0
    alert_below: int = 0
    alerted: bool = False
    top_up_below: int = 0
    fell: str | None = None
    look_at: datetime | None = None
    sequence: int = 0
    at: datetime | None = None
    limit: int | None = None
    used: int = 0
    used_month: str = ""

    @property
    def low(self) -> bool:
        return self.balance < self.alert_below

    def watched(self, name: str, now: datetime) -> "Wallet":
        """With what its balance gives rise to; `name` is the fall's if it has just fallen."""
        told = replace(self, alerted=self.low)
        if self.top_up_below == 0 or self.balance >= self.top_up_below:
            return replace(told, fell=None, look_at=None)
        return told if self.fell is not None else replace(told, fell=name, look_at=now)

    @property
    def available(self) -> int:
        return max(0, self.balance)

    @property
    def debt(self) -> int:
        return max(0, -self.balance)

    def used_at(self, now: datetime) -> int:
        """In the month of `now`. A month that has begun by another machine's clock is not left."""
        return self.used if self.used_month >= _month(now) else 0

    def using(self, count: int, now: datetime) -> Self:
        """Raises RuleRefused `limit_reached`."""
        used = self.used_at(now)
        if self.limit is not None and used + count > self.limit:
            left = max(0, self.limit - used)
            raise RuleRefused("limit_reached", f"You can use {left} more credits this month.")
        return replace(self, used=used + count, used_month=max(self.used_month, _month(now)))

    def not_using(self, count: int, month: str) -> Self:
        """So many of those held in `month` are returned: of another month's nothing is to be had
        back."""
        return replace(self, used=self.used - count) if self.used_month == month else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger: `credits` went from the wallet `source` to the wallet `target`,
    either of which may be none, and left them with these balances. They are None where the entry
    was written without having read the wallets as they were just before it.

    `by` is who did it, `reference` what it was about: a Checkout session, a download.
    `undoes` is what a return undoes.
    """

    id: str
    account: str
    at: datetime
    sequence: int
    kind: EntryKind
    credits: Credits
    source: str | None
    target: str | None
    by: str
    reference: str
    fingerprint: str
    source_after: int | None = None
    target_after: int | None = None
    undoes: EntryKind | None = None

    @property
    def owner(self) -> str:
        """Whose entry it is: the receiver's, or else the giver's."""
        return self.target or self.source or ""

    def balance_after(self, person: str | None = None) -> int | None:
        """Of `person`, or of the one who gave, or else of the one who received."""
        if person is not None and person == self.target:
            return self.target_after
        return self.target_after if self.source is None else self.source_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why credits move. `id` names the entry, and is the same whenever the same cause comes
    again; `fingerprint` tells another request under that id."""

    id: str
    account: str
    by: str
    now: datetime
    reference: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """Entries that are one cause's, and the wallets after them, by person; `alerts` are the people
    whose wallets have just become low, `falls` those for whom a top-up is due."""

    entries: tuple[Entry, ...]
    wallets: Mapping[str, Wallet]
    alerts: tuple[str, ...] = ()
    falls: tuple[str, ...] = ()

    def then(self, later: "Movement") -> "Movement":
        """Both, where `later` was decided on these wallets."""
        return Movement(
            self.entries + later.entries,
            {**self.wallets, **later.wallets},
            self.alerts + later.alerts,
            self.falls + later.falls,
        )

    def numbered(self, tick: int) -> "Movement":
        """Return the movement with sequences from `tick` on, or from those it has if higher.

        Others may commit between reading and writing it, so it has neither balances nor alerts.
        The next movement that was read and written in one piece finds who is low.
        """
        ahead = max(0, tick - self.entries[0].sequence)
        entries = (
            replace(each, sequence=each.sequence + ahead, source_after=None, target_after=None)
            for each in self.entries
        )
        wallets = {
            person: replace(wallet, sequence=wallet.sequence + ahead)
            for person, wallet in self.wallets.items()
        }
        return Movement(tuple(entries), wallets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Credits of `person` that are set aside until it is known what becomes of them; of these
    `left` have been neither spent nor returned. They count as used in `month`. Its id is its
    entry's."""

    id: str
    person: str
    credits: int
    left: int
    month: str

    def settled(self, count: int) -> "Hold":
        """Raises Conflict `hold_exceeded`."""
        if count > self.left:
            raise Conflict("hold_exceeded", f"Only {self.left} of these credits are still held.")
        return replace(self, left=self.left - count)


_GIVER: dict[EntryKind, dict[str, int]] = {
    EntryKind.TRANSFER: {"balance": -1, "sent": 1},
    EntryKind.HOLD: {"balance": -1, "held": 1},
    EntryKind.SPEND: {"held": -1, "spent": 1},
    EntryKind.CLAWBACK: {"balance": -1, "clawed_back": 1},
}
_RECEIVER: dict[EntryKind, dict[str, int]] = {
    EntryKind.GRANT: {"balance": 1, "granted": 1},
    EntryKind.TRANSFER: {"balance": 1, "received": 1},
    EntryKind.RETURN: {"balance": 1},
}
_UNDONE = {EntryKind.HOLD: "held", EntryKind.CLAWBACK: "clawed_back"}


def grant(wallet: Wallet, credits: Credits, cause: Cause) -> Movement:
    """Credits that were paid for, or given by the operator. Recorded, never refused."""
    return _moved(EntryKind.GRANT, credits, None, wallet, cause)


def transfer(source: Wallet, target: Wallet, credits: Credits, cause: Cause) -> Movement:
    """Raises RuleRefused `own_wallet`, `insufficient_credits`; Conflict `member_not_active`."""
    if source.person == target.person:
        raise RuleRefused("own_wallet", "These credits are in your wallet already.")
    if not target.open:
        raise Conflict("member_not_active", "Credits can be sent to active members only.")
    if not source.open:
        raise Conflict("member_not_active", "Credits can be sent by active members only.")
    _require(source, credits)
    return _moved(EntryKind.TRANSFER, credits, source, target, cause)


def hold(wallet: Wallet, credits: Credits, cause: Cause) -> Movement:
    """Sets credits aside for use, until they are spent or returned; they count as used from now
    on. Raises Conflict `member_not_active`; RuleRefused `insufficient_credits`, `limit_reached`."""
    if not wallet.open:
        raise Conflict("member_not_active", "Credits are used by active members only.")
    _require(wallet, credits)
    return set_aside(wallet.using(credits, _time(cause, wallet)), credits, cause)


def set_aside(wallet: Wallet, credits: Credits, cause: Cause) -> Movement:
    """As a dispute does with what is there: no limit is asked, and nothing counts as used."""
    return _moved(EntryKind.HOLD, credits, wallet, None, cause)


def spend(wallet: Wallet, credits: Credits, cause: Cause) -> Movement:
    """Of what is held."""
    return _moved(EntryKind.SPEND, credits, wallet, None, cause)


def give_back(wallet: Wallet, credits: Credits, cause: Cause, *, undoes: EntryKind) -> Movement:
    """What was set aside, or clawed back, is the wallet's again."""
    return _moved(EntryKind.RETURN, credits, None, wallet, cause, undoes)


def release(wallet: Wallet, held: Hold, credits: Credits, cause: Cause) -> Movement:
    """What was held for use, and was not used."""
    unused = wallet.not_using(credits, held.month)
    return give_back(unused, credits, cause, undoes=EntryKind.HOLD)


def claw_back(wallet: Wallet, credits: Credits, cause: Cause) -> Movement:
    """Recorded, never refused: what is not there any more is owed."""
    return _moved(EntryKind.CLAWBACK, credits, wallet, None, cause)


def effects(entry: Entry, person: str) -> dict[str, int]:
    """By how much `entry` changes each number of the wallet of `person`."""
    found: dict[str, int] = {}
    if person == entry.source:
        found = {name: sign * entry.credits for name, sign in _GIVER[entry.kind].items()}
    elif person == entry.target:
        found = {name: sign * entry.credits for name, sign in _RECEIVER[entry.kind].items()}
        if entry.undoes is not None:
            found[_UNDONE[entry.undoes]] = -entry.credits
    return found


def _require(wallet: Wallet, credits: Credits) -> None:
    if wallet.balance < credits:
        raise RuleRefused(
            "insufficient_credits", f"There are {wallet.available} credits in this wallet."
        )


def _time(cause: Cause, *wallets: Wallet) -> datetime:
    """The clocks of two machines differ; the log must not: nothing is earlier than what it
    follows."""
    return max([cause.now, *(wallet.at for wallet in wallets if wallet.at is not None)])


def _month(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def _moved(
    kind: EntryKind,
    credits: Credits,
    source: Wallet | None,
    target: Wallet | None,
    cause: Cause,
    undoes: EntryKind | None = None,
) -> Movement:
    wallets = [wallet for wallet in (source, target) if wallet is not None]
    entry = Entry(
        id=cause.id,
        account=cause.account,
        at=_time(cause, *wallets),
        sequence=max(wallet.sequence for wallet in wallets) + 1,
        kind=kind,
        credits=credits,
        source=None if source is None else source.person,
        target=None if target is None else target.person,
        by=cause.by,
        reference=cause.reference,
        fingerprint=cause.fingerprint,
        undoes=undoes,
    )
    after = {wallet.person: _after(wallet, entry) for wallet in wallets}
    told = replace(
        entry,
        source_after=None if source is None else after[source.person].balance,
        target_after=None if target is None else after[target.person].balance,
    )
    alerts = tuple(each.person for each in wallets if became_low(each, after[each.person]))
    falls = tuple(each.person for each in wallets if has_fallen(each, after[each.person]))
    return Movement((told,), after, alerts, falls)


def became_low(before: Wallet, after: Wallet) -> bool:
    return after.alerted and not before.alerted


def has_fallen(before: Wallet, after: Wallet) -> bool:
    return after.fell is not None and after.fell != before.fell


def _after(wallet: Wallet, entry: Entry) -> Wallet:
    """Raises ValueError where more would be spent or returned than was held or clawed back."""
    changed: dict[str, Any] = {
        name: getattr(wallet, name) + change
        for name, change in effects(entry, wallet.person).items()
    }
    after = replace(wallet, **changed, sequence=entry.sequence, at=entry.at)
    after = after.watched(entry.id, entry.at)
    if after.held < 0 or after.clawed_back < 0:
        raise ValueError(f"{entry.kind} of {entry.credits} is more than there is to undo")
    return after
