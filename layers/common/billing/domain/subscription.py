"""A subscription as Stripe last told it, and whether it lives."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from billing.domain.catalog import Cycle, Kind
from billing.domain.money import Money


class Status(StrEnum):
    """Stripe's own statuses of a subscription."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    CANCELED = "canceled"
    PAUSED = "paused"


LIVE = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.UNPAID, Status.PAUSED})
"""Statuses in which Stripe still bills or may bill again; an account has one such base at most."""

OVERDUE = frozenset({Status.PAST_DUE, Status.UNPAID})
"""Statuses in which the present period is not paid."""


class Card(TypedDict):
    """What may be shown of a card."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class Pending:
    """What the next period will be, where that differs; `price` is that of one unit, `plan` the
    catalog's product id."""

    cycle: Cycle
    quantity: int
    price: Money
    plan: str


@dataclass(frozen=True, slots=True)
class UnpaidInvoice:
    """A renewal's invoice until it is paid; `total` in minor units, with taxes."""

    id: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePreview:
    """The next invoice as Stripe worked it out at `made_at`, in minor units of its currency.

    `total` is `subtotal` less `discount` plus `tax`. `balance` is the customer's: below zero it
    pays for part of the total, above zero it is charged with it.
    """

    subtotal: int
    discount: int
    tax: int
    total: int
    balance: int
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Stripe's subscription at one moment.

    `plan` is the catalog's product id. `ends_at` is when it will end or has ended, None while it
    renews. `period_end` is the last paid second, where the next charge is due, and where what is
    pending takes effect.
    `ends_with_period` says that it was canceled for the end of its present period, rather than for
    a date; `kept_slots` how many slots a canceled base keeps until it ends. `ends_with_base` tells
    slots and add-ons that the end of the base ends from those that end by themselves.
    `anchor` is where its periods are counted from. `unpaid_invoice` is that of the present period,
    until it is paid. `preview` is Stripe's next invoice, where more than the price counts.
    """

    id: str
    kind: Kind
    status: Status
    plan: str
    plan_name: str
    cycle: Cycle
    price: Money
    quantity: int
    created: datetime
    period_start: datetime
    period_end: datetime
    ends_at: datetime | None
    card: Card | None
    pending: Pending | None = None
    ends_with_base: bool = False
    ends_with_period: bool = False
    kept_slots: int = 0
    anchor: datetime
    unpaid_invoice: UnpaidInvoice | None = None
    preview: InvoicePreview | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def pending_cycle(self) -> Cycle | None:
        """The cycle from the next period on, where it will be another one."""
        return self.pending.cycle if self.pending and self.pending.cycle is not self.cycle else None

    @property
    def pending_plan(self) -> str | None:
        """The plan from the next period on, where it will be another one."""
        return self.pending.plan if self.pending and self.pending.plan != self.plan else None

    @property
    def next_price(self) -> Money:
        """What a whole next period costs, without taxes and discounts."""
        coming = self.pending
        return coming.price * coming.quantity if coming else self.price * self.quantity

    @property
    def renews(self) -> bool:
        """Whether another period is to come; while one is unpaid, that decides first."""
        if self.status not in (Status.ACTIVE, Status.TRIALING):
            return False
        return self.ends_at is None or self.ends_at > self.period_end


def supersedes(candidate: Subscription, present: Subscription | None) -> bool:
    """Whether a fresh snapshot replaces what is on record.

    The subscription on record is always refreshed. Another one takes its place only if it lives
    and the present one does not, so that news of an old subscription never displaces the current
    one and one that never came to life is never adopted.
    """
    if present is None:
        return candidate.live
    if candidate.id == present.id:
        return True
    return candidate.live and not present.live


def rivals(candidate: Subscription, present: Subscription | None) -> bool:
    """Whether both are live: the account pays twice, and a person must look."""
    return present is not None and candidate.id != present.id and candidate.live and present.live
