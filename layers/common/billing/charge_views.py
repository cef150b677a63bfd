"""What answers say about charges to come and about the end of what is paid for."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from billing.domain.cancellation import Cancellation, cancellation, if_cancelled, slots_to_keep
from billing.domain.catalog import Kind
from billing.domain.charges import Charge, NextCharge
from billing.domain.money import MoneyView
from billing.domain.subscription import Subscription
from billing.domain.times import rfc3339


class ChargePart(TypedDict):
    """`kind` is what is charged, or `discount`, `tax` or `balance`; minor units, of either sign."""

    kind: str
    amount: int


class NextChargeView(TypedDict):
    """All that falls due on one day; `items` sum to `amount`. Where taxes, discounts or a balance
    count, Stripe worked it out at `estimated_at`."""

    amount: int
    currency: str
    at: str
    items: list[ChargePart]
    estimated_at: str | None


# A field named `for` needs the functional form.
ChargeView = TypedDict("ChargeView", {"at": str, "amount": int, "currency": str, "for": str})
ChargeView.__doc__ = "A charge to come; taxes and discounts as in Stripe's latest preview."


class CancelView(TypedDict):
    """When each ends, null where there is none; `charges` is all that will still be billed."""

    ends_at: str
    slots_ends_at: str | None
    add_on_ends_at: str | None
    charges: list[ChargeView]


class KeptSlotsView(TypedDict):
    """Slots that would go on until the plan ends: how many, what they cost per `cycle`, and each
    charge."""

    purchased: int
    price: MoneyView
    cycle: str
    until: str
    charges: list[ChargeView]


class CancellationView(CancelView):
    """What canceling now would do; `keep_slots` is the choice that there is besides."""

    keep_slots: KeptSlotsView | None


class ResumeView(TypedDict):
    """What had ended before the cancellation was undone has to be bought again."""

    renews_at: str
    slots_ended_at: str | None
    add_on_ended_at: str | None


def next_charge_view(charge: NextCharge) -> NextChargeView:
    return {
        **charge.money.view(),
        "at": rfc3339(charge.at),
        "items": [{"kind": kind, "amount": amount} for kind, amount in charge.parts.items()],
        "estimated_at": rfc3339(charge.estimated_at) if charge.estimated_at else None,
    }


def charges_view(charges: Iterable[Charge]) -> list[ChargeView]:
    return [
        {"at": rfc3339(each.at), **each.money.view(), "for": str(each.kind)} for each in charges
    ]


def cancel_view(base: Subscription, others: Iterable[Subscription], now: datetime) -> CancelView:
    """Show what has been canceled: `base` and `others` as Stripe has them now."""
    others = list(others)
    found = cancellation(base, others, now)
    assert found is not None
    ended = {each.kind: each.ends_at for each in others if not each.live}
    return {
        **_ends(found),
        "slots_ends_at": _optional(found.slots_ends_at or ended.get(Kind.SLOTS)),
        "add_on_ends_at": _optional(found.add_on_ends_at or ended.get(Kind.ADD_ON)),
    }


def cancellation_view(
    base: Subscription, others: Iterable[Subscription], now: datetime
) -> CancellationView:
    """Show what *Cancel* would do now."""
    others = list(others)
    return {
        **_ends(if_cancelled(base, others, now)),
        "keep_slots": _kept_slots(base, others, now),
    }


def resume_view(base: Subscription, others: Iterable[Subscription]) -> ResumeView:
    ended = {
        each.kind: each.ends_at
        for each in others
        if not each.live and each.ends_with_base and each.ends_at and each.ends_at >= base.created
    }
    return {
        "renews_at": rfc3339(base.period_end),
        "slots_ended_at": _optional(ended.get(Kind.SLOTS)),
        "add_on_ended_at": _optional(ended.get(Kind.ADD_ON)),
    }


def _ends(found: Cancellation) -> CancelView:
    return {
        "ends_at": rfc3339(found.ends_at),
        "slots_ends_at": _optional(found.slots_ends_at),
        "add_on_ends_at": _optional(found.add_on_ends_at),
        "charges": charges_view(found.charges),
    }


def _kept_slots(
    base: Subscription, others: list[Subscription], now: datetime
) -> KeptSlotsView | None:
    slots = next((each for each in others if each.kind is Kind.SLOTS), None)
    count = slots_to_keep(base, slots)
    if slots is None or not count:
        return None
    found = if_cancelled(base, others, now, keep_slots=count)
    return {
        "purchased": count,
        "price": (slots.price * count).view(),
        "cycle": slots.cycle,
        "until": rfc3339(found.ends_at),
        "charges": charges_view(each for each in found.charges if each.kind is Kind.SLOTS),
    }


def _optional(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
