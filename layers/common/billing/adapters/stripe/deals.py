"""What was agreed with Support or Sales: prices of their own, and subscriptions that begin
without a Checkout, with the card on file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from billing.adapters.stripe.changes import payment_needed
from billing.adapters.stripe.client import KeySpent, client, our_errors
from billing.adapters.stripe.endings import end_now
from billing.adapters.stripe.snapshots import noted
from billing.domain.catalog import Cycle, Kind, Price
from billing.domain.errors import Conflict
from billing.domain.subscription import Status

INTERVALS: Mapping[Cycle, tuple[Any, int]] = {
    Cycle.MONTHLY: ("month", 1),
    Cycle.QUARTERLY: ("month", 3),
    Cycle.ANNUAL: ("year", 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the subscription that begins is: `like` is the base, whose customer and card pay."""

    account: str
    kind: Kind
    like: str
    price: str
    quantity: int
    automatic_tax: bool
    notes: Mapping[str, str]


def agreed_price(price: Price) -> str:
    """Stripe's id of the price with this lookup key, which is made if nobody agreed on it before.

    A lookup key is unique at Stripe, so of two that make it at once one finds the other's.
    """
    assert price.cycle is not None
    interval, count = INTERVALS[price.cycle]
    with our_errors():
        if found := _price(price.lookup_key):
            return found
        try:
            return (
                client()
                .v1.prices.create(
                    {
                        "product": price.product,
                        "currency": price.money.currency,
                        "unit_amount": price.money.amount,
                        "recurring": {"interval": interval, "interval_count": count},
                        "lookup_key": price.lookup_key,
                        "metadata": {"kind": str(price.kind)},
                    }
                )
                .id
            )
        except stripe.InvalidRequestError:
            if found := _price(price.lookup_key):
                return found
            raise


def begin(order: Order, command: str) -> str:
    """The subscription that `order` asks for, paid with the card on file; returns its id.

    One of its kind begins at a time: which one it is, counted from the customer's first, is part of
    Stripe's key, so two commands at once make one. An earlier one that still waits for its first
    payment is gone on with, or given up if it is something else.

    Raises PaymentNeeded; KeySpent; Conflict `changed_meanwhile` where another one lives already
    that was not heard of.
    """
    with our_errors():
        base = client().v1.subscriptions.retrieve(order.like)
        so_far = _of_kind(order.kind, str(base.customer))
    for each in so_far:
        if Status(each.status) in (Status.CANCELED, Status.INCOMPLETE_EXPIRED):
            continue
        if _is(each, order):
            return _paid(each)
        if Status(each.status) is not Status.INCOMPLETE:
            raise Conflict("changed_meanwhile", "It was begun meanwhile. Look again.")
        end_now(each.id)
    try:
        return _paid(_create(order, base, f"{order.kind}-{order.account}-{len(so_far)}"))
    except KeySpent:
        with our_errors():
            if len(_of_kind(order.kind, str(base.customer))) > len(so_far):
                raise
        return _paid(_create(order, base, f"{order.kind}-{order.account}-{command}"))


def give_up(kind: Kind, like: str) -> None:
    """Nobody can pay any more for one of its kind that has begun and waits for that."""
    with our_errors():
        base = client().v1.subscriptions.retrieve(like)
        begun = _of_kind(kind, str(base.customer))
    for each in begun:
        if Status(each.status) is Status.INCOMPLETE:
            end_now(each.id)


def _create(order: Order, base: stripe.Subscription, key: str) -> stripe.Subscription:
    metadata = {"account_id": order.account, "kind": str(order.kind), **order.notes}
    wanted: Any = {
        "customer": str(base.customer),
        "items": [{"price": order.price, "quantity": order.quantity}],
        "automatic_tax": {"enabled": order.automatic_tax},
        "metadata": metadata,
        "expand": ["latest_invoice"],
    }
    if base.default_payment_method is not None:
        wanted["default_payment_method"] = str(base.default_payment_method)
    with our_errors():
        return client().v1.subscriptions.create(wanted, {"idempotency_key": key})


def _paid(subscription: stripe.Subscription) -> str:
    if Status(subscription.status) is Status.INCOMPLETE:
        raise payment_needed(subscription)
    return subscription.id


def _is(subscription: stripe.Subscription, order: Order) -> bool:
    item = subscription.items.data[0]
    return (item.price.id, item.quantity) == (order.price, order.quantity)


def _of_kind(kind: Kind, customer: str) -> list[stripe.Subscription]:
    """All that the customer ever had of this kind, also what never came to life."""
    listed = client().v1.subscriptions.list(
        {"customer": customer, "status": "all", "limit": 100, "expand": ["data.latest_invoice"]}
    )
    return [each for each in listed.auto_paging_iter() if noted(each, "kind") == str(kind)]


def _price(lookup_key: str) -> str | None:
    found = client().v1.prices.list({"lookup_keys": [lookup_key], "active": True}).data
    return found[0].id if found else None
