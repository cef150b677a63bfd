"""What a subscription is still going to be charged, and when: rules 17 and 21 of the product."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from billing.domain.catalog import Kind
from billing.domain.money import Money
from billing.domain.subscription import InvoicePreview, Subscription
from billing.domain.times import end_of_period


@dataclass(frozen=True, slots=True)
class Charge:
    """An invoice that Stripe will make for `kind` at `at`.

    Taxes and discounts count as they do in Stripe's latest preview, where there is one.
    """

    kind: Kind
    at: datetime
    money: Money


def next_charge(subscription: Subscription) -> Charge | None:
    """Return the next renewal's charge; None where the subscription doesn't renew."""
    if not subscription.renews:
        return None
    return next(_charges(subscription), None)


def charges_until(subscription: Subscription, end: datetime) -> list[Charge]:
    """List every renewal before `end`, the earliest first.

    The last period is charged in part if `end` cuts it short, as Stripe does for `cancel_at`.
    """
    charges = []
    for charge in _charges(subscription, end):
        if charge.at >= end:
            break
        charges.append(charge)
    return charges


def per_month(subscription: Subscription) -> Money:
    """Return what the coming periods cost per month, rounded to the nearest minor unit.

    Taxes and discounts count where Stripe's preview tells them.
    """
    coming, preview = subscription.pending, subscription.preview
    cycle = coming.cycle if coming else subscription.cycle
    money = subscription.next_price
    amount = preview.total if preview is not None else money.amount
    return Money(_share(amount, 1, cycle.months), money.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCharge:
    """All that falls due on the day `at` is on, in UTC.

    `parts` are minor units by what they are for: kinds of subscriptions, `discount`, `tax` and
    `balance`; they sum to `money`. `estimated_at` is when Stripe worked out the oldest of them,
    None where prices alone decide.
    """

    at: datetime
    money: Money
    parts: dict[str, int] = field(default_factory=dict)
    estimated_at: datetime | None


def due_next(subscriptions: Iterable[Subscription]) -> NextCharge | None:
    """Return what is charged next for everything that renews; None where nothing does."""
    ordered = sorted(subscriptions, key=lambda each: list(Kind).index(each.kind))
    due = [(each, charge) for each in ordered if (charge := next_charge(each)) is not None]
    if not due:
        return None
    first = min((charge for _, charge in due), key=lambda charge: charge.at)
    same_day = [(each, charge) for each, charge in due if charge.at.date() == first.at.date()]
    parts: dict[str, int] = {}
    adjustments = {"discount": 0, "tax": 0, "balance": 0}
    previews = []
    for each, charge in same_day:
        if each.preview is None or each.unpaid_invoice is not None:
            parts[each.kind] = charge.money.amount
            continue
        previews.append(each.preview)
        parts[each.kind] = each.preview.subtotal
        adjustments["discount"] -= each.preview.discount
        adjustments["tax"] += each.preview.tax
    total = sum(parts.values()) + sum(adjustments.values())
    if previews:
        # One balance for all: what is in the customer's favor pays no more than there is to pay.
        adjustments["balance"] = max(previews[0].balance, -total)
    parts |= {name: amount for name, amount in adjustments.items() if amount}
    return NextCharge(
        at=first.at,
        money=Money(sum(parts.values()), first.money.currency),
        parts=parts,
        estimated_at=min((each.made_at for each in previews), default=None),
    )


def _charges(subscription: Subscription, end: datetime | None = None) -> Iterator[Charge]:
    """Yield the renewals of a subscription that runs to `end`, or to its own end, or for ever.

    The present one comes first while it isn't paid. A change planned for the renewal begins a new
    series of periods if it changes their length.
    """
    if subscription.unpaid_invoice is not None:
        asked = Money(subscription.unpaid_invoice.total, subscription.price.currency)
        yield Charge(subscription.kind, subscription.period_start, asked)
    end = end or subscription.ends_at
    coming = subscription.pending
    cycle = coming.cycle if coming else subscription.cycle
    start = subscription.period_end
    anchor = subscription.anchor if cycle is subscription.cycle else start
    money = subscription.next_price
    while end is None or start < end:
        whole = end_of_period(anchor, cycle.months, start)
        amount = _adjusted(money.amount, subscription.preview)
        if end is not None and end < whole:
            parts = (int((each - start).total_seconds()) for each in (end, whole))
            amount = _share(amount, *parts)
        yield Charge(subscription.kind, start, Money(amount, money.currency))
        start = whole


def _adjusted(amount: int, preview: InvoicePreview | None) -> int:
    if preview is None or preview.subtotal <= 0:
        return amount
    return _share(amount, preview.total, preview.subtotal)


def _share(amount: int, part: int, whole: int) -> int:
    """Return `part` of `whole` of an amount, halves rounded up, as Stripe prorates."""
    return (2 * amount * part + whole) // (2 * whole)
