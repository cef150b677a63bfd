"""How many slots are paid for, and what changes that: rules 5 and 6 of the product.

More are charged at once; fewer are due from the slots' renewal on. One change is under way at a
time: it is reserved in SLOTS before Stripe is asked, so that two of them meet there.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.account import Member
from billing.domain.errors import Conflict, TooMany
from billing.domain.money import Money
from billing.domain.subscription import Subscription
from billing.domain.times import from_epoch

MOST_SLOTS = 1000
"""That may be bought from the page; more is agreed with Support."""

QUOTE_LASTS = timedelta(minutes=30)

PAID_CHANGES_AT_MOST = 20
PAID_CHANGES_WITHIN = timedelta(days=1)
"""Stripe makes no more invoices than this for one subscription."""

_ASKING_TAKES_AT_MOST = timedelta(minutes=15)
_PAYING_TAKES_AT_MOST = timedelta(hours=24)
"""Stripe gives up an unpaid change after 23 hours."""

_ANSWERED_WITHIN = timedelta(seconds=40)
"""A request has ended by then, whatever became of it: the gateway waits 30 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChange:
    """An order of `wanted` slots where `present` were paid for; `id` is the command's.

    `charged_from` is the instant from which more slots are charged, the same however often Stripe
    is asked; `due` what was quoted, None without a quote. `attempt` counts the keys that Stripe
    spent on a failure. `unpaid` is set once Stripe was asked and the customer has to act.
    """

    id: str
    by: str
    present: int
    wanted: int
    reserved_at: datetime
    charged_from: datetime
    due: Money | None = None
    attempt: int = 0
    unpaid: bool = False

    @property
    def given_up_at(self) -> datetime:
        """From then on it cannot come any more, and what Stripe says holds."""
        lasts = _PAYING_TAKES_AT_MOST if self.unpaid else _ASKING_TAKES_AT_MOST
        return self.reserved_at + lasts

    def stands(self, now: datetime) -> bool:
        return now < self.given_up_at

    def being_asked(self, now: datetime) -> bool:
        """Whether the request that reserved it may still be at work."""
        return not self.unpaid and now < self.reserved_at + _ANSWERED_WITHIN


@dataclass(frozen=True, slots=True)
class Purchased:
    """How many slots are paid for, and how many will be from their renewal on."""

    now: int
    planned: int

    @property
    def pending(self) -> int | None:
        return self.planned if self.planned != self.now else None

    def achieves(self, change: SlotChange) -> bool:
        return self.planned == change.wanted


@dataclass(frozen=True, slots=True)
class Slots:
    """One for each invitation and each active member; an invitation that expired is counted until
    something releases it. `pending_purchased` is a lower number from the slots' renewal on, from
    the moment it is ordered. `paid_changes` are the latest ones' times, the earliest first.
    """

    occupied: int = 0
    pending_purchased: int | None = None
    change: SlotChange | None = None
    paid_changes: tuple[datetime, ...] = ()

    def room(self, purchased: int) -> int:
        """Less than nothing where more are occupied than paid for."""
        limit = purchased if self.pending_purchased is None else self.pending_purchased
        return min(limit, purchased) - self.occupied

    def following(self, paid: Purchased, now: datetime) -> "Slots":
        """Once Stripe says `paid`: what an order under way has reserved stays, until it is
        fulfilled or given up."""
        change = self.change
        if change is None or paid.achieves(change) or not change.stands(now):
            return replace(self, change=None, pending_purchased=paid.pending)
        return replace(self, pending_purchased=paid.pending) if change.unpaid else self


def purchased(bought: Subscription | None) -> Purchased:
    """What `bought` says, the slots' subscription. Its end with the base is no change of slots."""
    if bought is None or not bought.live:
        return Purchased(0, 0)
    ends = bought.ends_at is not None and bought.ends_at <= bought.period_end
    if ends and not bought.ends_with_base:
        return Purchased(bought.quantity, 0)
    planned = bought.pending.quantity if bought.pending is not None else bought.quantity
    return Purchased(bought.quantity, min(planned, bought.quantity))


def require_room(wanted: int, holders: Sequence[Member]) -> None:
    """Raises Conflict `slots_in_use` with who occupies them where `wanted` are too few."""
    if wanted < len(holders):
        people = [
            {"id": each.id, "email": each.email, "name": each.name, "status": str(each.status)}
            for each in holders
        ]
        raise Conflict(
            "slots_in_use",
            f"{len(holders)} slots are in use. For fewer, remove somebody or withdraw an "
            "invitation first.",
            {"members": people},
        )


def one_more_paid_change(paid: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    """`paid` with one at `now`. Raises TooMany `too_many_slot_changes`."""
    recent = tuple(each for each in paid if each > now - PAID_CHANGES_WITHIN)
    if len(recent) >= PAID_CHANGES_AT_MOST:
        again = recent[-PAID_CHANGES_AT_MOST] + PAID_CHANGES_WITHIN
        raise TooMany(
            "too_many_slot_changes",
            f"Slots can be added {PAID_CHANGES_AT_MOST} times a day. Add the rest tomorrow, or "
            "ask Support.",
            max(1, int((again - now).total_seconds())),
        )
    return (*recent, now)


def prorated(bought: Subscription, wanted: int, at: datetime) -> Money:
    """What more slots cost from `at` to the end of the period, by the second, as Stripe counts:
    the unused time of those there are is given back, that of those wanted is charged."""
    whole = int((bought.period_end - bought.period_start).total_seconds())
    left = int((bought.period_end - at).total_seconds())
    charged, returned = (
        _rounded(bought.price.amount * count * left, whole) for count in (wanted, bought.quantity)
    )
    return Money(charged - returned, bought.price.currency)


def _rounded(amount: int, by: int) -> int:
    return (2 * amount + by) // (2 * by)


@dataclass(frozen=True, slots=True)
class Quote:
    """What more slots cost from `at` on, and of which state that was true.

    It is handed to the client and comes back as `text`. Nothing is believed of it: the sum is
    asked of Stripe again, and it is `due` or the quote is stale.
    """

    subscription: str
    present: int
    wanted: int
    at: datetime
    due: Money

    @property
    def text(self) -> str:
        parts = (self.subscription, self.present, self.wanted, int(self.at.timestamp()))
        written = json.dumps([*parts, self.due.amount, self.due.currency], separators=(",", ":"))
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> "Quote | None":
        """None for what is no quote of ours."""
        try:
            padded = text.encode() + b"=" * (-len(text) % 4)
            subscription, present, wanted, at, amount, currency = json.loads(
                base64.urlsafe_b64decode(padded)
            )
            if not isinstance(subscription, str) or type(present) is not int:
                return None
            if type(wanted) is not int or type(at) is not int:
                return None
            return cls(subscription, present, wanted, from_epoch(at), Money(amount, currency))
        except (binascii.Error, ValueError, TypeError, OverflowError, OSError, RecursionError):
            return None

    def fresh(self, now: datetime) -> bool:
        """A later beginning than now would make it cheaper."""
        return now - QUOTE_LASTS < self.at <= now
