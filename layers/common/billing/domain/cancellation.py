"""What *Cancel* ends, when, and what is still charged until then: rule 17 of the product.

Each subscription ends with what is paid for it. The base carries the manager's choice to keep the
slots, so whoever finds slots that don't follow the base can put them right, from Stripe alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.catalog import Kind
from billing.domain.charges import Charge, charges_until
from billing.domain.subscription import OVERDUE, Subscription


@dataclass(frozen=True, slots=True)
class Cancellation:
    """When each subscription ends, None for one that there isn't, and every charge until then.

    `kept_slots` is the number of slots that are billed until the plan ends, 0 for none.
    """

    ends_at: datetime
    slots_ends_at: datetime | None
    add_on_ends_at: datetime | None
    charges: tuple[Charge, ...]
    kept_slots: int = 0


def end_beside(base: Subscription, other: Subscription, now: datetime) -> datetime | None:
    """Return when `other` has to end because `base` does; None while the base goes on.

    An end date that somebody set at Stripe lets slots and add-on go on until then. *Cancel* ends
    them with their own paid period, except for slots that the manager keeps. Nothing outlives the
    base, and what isn't paid for ends at once.
    """
    if base.ends_at is None:
        return None
    if base.ends_at <= now or other.status in OVERDUE:
        return now
    kept = other.kind is Kind.SLOTS and base.kept_slots > 0
    if kept or not base.ends_with_period:
        return base.ends_at
    if other.unpaid_invoice is not None:
        return now
    return min(other.period_end, base.ends_at)


def cancellation(
    base: Subscription, others: Iterable[Subscription], now: datetime
) -> Cancellation | None:
    """Return what the end of `base` means for everything that lives; None while it renews."""
    if base.ends_at is None:
        return None
    ends: dict[Kind, datetime] = {}
    charges = charges_until(base, base.ends_at) if base.ends_at > now else []
    kept = 0
    for other in others:
        if other.kind is Kind.SUBSCRIPTION or not other.live:
            continue
        wanted = end_beside(base, other, now)
        assert wanted is not None
        # What was to end sooner by itself still does.
        end = ends[other.kind] = min(wanted, other.ends_at or wanted)
        if other.kind is Kind.SLOTS and base.kept_slots and end > other.period_end:
            kept = min(other.quantity, base.kept_slots)
            other = replace(other, quantity=kept, pending=None)
        charges += charges_until(other, end) if end > now else []
    return Cancellation(
        ends_at=base.ends_at,
        slots_ends_at=ends.get(Kind.SLOTS),
        add_on_ends_at=ends.get(Kind.ADD_ON),
        charges=tuple(sorted(charges, key=lambda each: each.at)),
        kept_slots=kept,
    )


def if_cancelled(
    base: Subscription, others: Iterable[Subscription], now: datetime, *, keep_slots: int = 0
) -> Cancellation:
    """Return what *Cancel* would do to a live `base` now, with so many slots kept."""
    ends_at = now if unpaid(base) else base.period_end
    cancelled = replace(
        base, ends_at=ends_at, ends_with_period=True, pending=None, kept_slots=keep_slots
    )
    released = [_released(each) for each in others]
    found = cancellation(cancelled, released, now)
    assert found is not None
    return found


def slots_to_keep(base: Subscription, slots: Subscription | None) -> int:
    """Return how many slots the manager may keep beyond what is paid for them, 0 if none.

    A lower number that was planned for the renewal is what they keep. Slots that end by themselves,
    aren't paid for or last as long as the plan anyway can't be kept.
    """
    if slots is None or not slots.live or slots.status in OVERDUE or unpaid(base):
        return 0
    own_end = slots.ends_at is not None and not slots.ends_with_base
    if own_end or slots.period_end >= base.period_end:
        return 0
    planned = slots.pending.quantity if slots.pending is not None else slots.quantity
    return min(planned, slots.quantity)


def strays(base: Subscription, other: Subscription, now: datetime) -> bool:
    """Tell whether `other` would end at another time than `base` wants."""
    if not other.live:
        return False
    wanted = end_beside(base, other, now)
    if wanted is None:
        return base.live and other.ends_with_base
    if other.ends_at is None or other.ends_at > wanted:
        return True
    return other.ends_with_base and other.ends_at < wanted


def unpaid(subscription: Subscription) -> bool:
    """Tell whether the present period isn't paid: its invoice is a draft, open or overdue."""
    return subscription.status in OVERDUE or subscription.unpaid_invoice is not None


def _released(other: Subscription) -> Subscription:
    """What an earlier cancellation set is decided anew."""
    return replace(other, ends_at=None, ends_with_base=False) if other.ends_with_base else other
