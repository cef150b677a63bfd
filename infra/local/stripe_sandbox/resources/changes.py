"""Other items for a subscription that runs: prorated and invoiced at once, or from here on."""

import copy
from dataclasses import dataclass
from typing import Any

from infra.local.stripe_sandbox import money, periods
from infra.local.stripe_sandbox.errors import (
    CardDeclined,
    InvalidRequest,
    NoSuchObject,
    NotSupported,
    RateLimited,
    Refused,
)
from infra.local.stripe_sandbox.operations import Call, merge_metadata
from infra.local.stripe_sandbox.resources import billing, invoices, lifecycle, prices
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

PENDING_SECONDS = 23 * 3600
MOST_INVOICES = {60: 10, 86_400: 20}
"""How many new invoices one subscription may have within so many seconds."""
ALLOWED_WHEN_PENDING = {
    "billing_cycle_anchor",
    "expand",
    "items",
    "payment_behavior",
    "proration_behavior",
    "proration_date",
}


@dataclass(frozen=True)
class Change:
    """The items as they will be, and the lines that make up for the period that has begun."""

    items: list[Body]
    anchor: int
    lines: list[Body]


def change_items(world: World, subscription: Body, call: Call) -> None:
    behavior = call.get("proration_behavior", "create_prorations")
    payment = call.get("payment_behavior", "allow_incomplete")
    _require_pendable(call, payment)
    lifecycle.expire_update(world, subscription)
    change = plan(
        world, subscription, call.get("items"), behavior, call.get("proration_date"), "items"
    )
    if behavior == "none" or not change.lines:
        _apply(world, subscription, change)
        return
    _require_few_invoices(world, subscription)
    if payment == "pending_if_incomplete":
        _apply_once_paid(world, subscription, change)
        return
    _apply(world, subscription, change)
    invoice = _bill(world, subscription, change)
    if invoice["status"] == "open" and payment == "error_if_incomplete":
        try:
            invoices.pay(world, invoice)
        except CardDeclined as refusal:
            refusal.effects_stand = False  # the update was never made
            raise
    elif invoice["status"] == "open":
        invoices.charge(world, invoice)


def plan(
    world: World,
    subscription: Body,
    given: list[Body],
    behavior: str,
    date: int | None,
    param: str,
) -> Change:
    """What `given` items would make of the subscription at `date` (now, where there is none)."""
    if behavior == "create_prorations":
        raise NotSupported(
            "proration_behavior=create_prorations, which is also what Stripe does when none is "
            "named; send always_invoice or none",
            param="proration_behavior",
        )
    at = world.now if date is None else date
    known = {item["id"]: item for item in subscription["items"]["data"]}
    changed = {
        item["id"]: item for item in (_changed(world, known, *g, param) for g in enumerate(given))
    }
    items = [copy.deepcopy(changed.get(id, item)) for id, item in known.items()]
    anchor = subscription["billing_cycle_anchor"]
    if not _same_length(known, items):
        anchor = world.now
        if behavior == "none":
            raise NotSupported("another interval with proration_behavior=none")
        _begin_anew(world, items)
    if behavior == "none":
        return Change(items, anchor, [])
    _require_in_period(subscription, at)
    lines = [
        line
        for item in items
        if item != known[item["id"]]
        for line in _prorations(world, subscription, known[item["id"]], item, at)
    ]
    return Change(items, anchor, lines)


def _changed(world: World, known: Body, index: int, given: Body, param: str) -> Body:
    id = given.get("id")
    if id is None:
        raise NotSupported("adding items to a subscription", param=f"{param}[{index}][id]")
    if id not in known:
        raise NoSuchObject("subscription_item", id, param=f"{param}[{index}][id]")
    item = dict(known[id])
    if "price" in given:
        place = f"{param}[{index}][price]"
        item["price"] = world.get("price", given["price"], param=place)
        prices.require_usable(item["price"], place, recurring=True)
    item["quantity"] = prices.quantity(given, f"{param}[{index}]", default=item["quantity"])
    item["metadata"] = merge_metadata(item["metadata"], given.get("metadata"))
    return item


def _same_length(known: Body, items: list[Body]) -> bool:
    """Another interval begins a new cycle now."""
    lengths = {_length(item) for item in items}
    if len(lengths) > 1:
        raise NotSupported("subscriptions whose items have different intervals")
    return lengths == {_length(item) for item in known.values()}


def _length(item: Body) -> tuple[str, int]:
    recurring = item["price"]["recurring"]
    return recurring["interval"], recurring["interval_count"]


def _begin_anew(world: World, items: list[Body]) -> None:
    for item in items:
        end = periods.end_of_period(world.now, *_length(item), world.now)
        item |= {"current_period_start": world.now, "current_period_end": end}


def _prorations(world: World, subscription: Body, old: Body, new: Body, at: int) -> list[Body]:
    """The unused time of the old given back, the remaining time of the new charged."""
    begins = new["current_period_end"] != old["current_period_end"]
    unused = (at, old["current_period_end"])
    remaining = (new["current_period_start"], new["current_period_end"]) if begins else unused
    return [
        _proration(world, subscription, old, unused, -1),
        _proration(world, subscription, new, remaining, 1, whole=begins),
    ]


def _proration(
    world: World,
    subscription: Body,
    item: Body,
    period: tuple[int, int],
    sign: int,
    *,
    whole: bool = False,
) -> Body:
    currency = subscription["currency"]
    unit = prices.unit_amount(world, item["price"], currency)
    start, end = period
    begun = item["current_period_start"]
    length = end - start if whole else billing.natural_end(subscription, item, begun) - begun
    text = invoices.line_text(world, item["price"], item["quantity"], unit, currency)
    words = "Unused time on" if sign < 0 else "Remaining time on"
    return invoices.new_line(
        world,
        description=text if whole else f"{words} {text} after {invoices.day(start)}",
        amount=sign * money.prorated(unit * item["quantity"], end - start, length),
        currency=currency,
        period=period,
        price=item["price"],
        unit=unit,
        quantity=item["quantity"],
        subscription=subscription,
        item=item["id"],
        proration=not whole,
        metadata=subscription["metadata"] | item["metadata"],
    )


def _apply(world: World, subscription: Body, change: Change) -> None:
    items = subscription["items"] | {"data": change.items}
    world.update(subscription, items=items, billing_cycle_anchor=change.anchor)


def _bill(world: World, subscription: Body, change: Change) -> Body:
    invoice = billing.draft(world, subscription, change.lines, "subscription_update")
    return invoices.finalize(world, invoice)


def _apply_once_paid(world: World, subscription: Body, change: Change) -> None:
    invoice = billing.draft(world, subscription, change.lines, "subscription_update")
    waiting = {"items": change.items, "anchor": change.anchor, "invoice": invoice["id"]}
    world.keep(subscription, pending=waiting)
    invoices.finalize(world, invoice)
    if invoice["status"] == "open":
        invoices.charge(world, invoice)
    if invoice["status"] == "paid":
        return
    expires = min(world.now + PENDING_SECONDS, lifecycle.period_end(subscription) - 1)
    world.update(
        subscription,
        pending_update={
            "billing_cycle_anchor": None,
            "discounts": None,
            "expires_at": expires,
            "metadata": None,
            "subscription_items": change.items,
            "trial_end": None,
            "trial_from_plan": None,
        },
    )
    world.schedule("expire_update", subscription, expires)


def _require_pendable(call: Call, payment: str) -> None:
    extra = set(call.params) - ALLOWED_WHEN_PENDING
    if payment == "pending_if_incomplete" and extra:
        name = min(extra)
        raise InvalidRequest(
            f"When payment_behavior is set to pending_if_incomplete, you cannot pass {name}.",
            param=name,
        )


def _require_in_period(subscription: Body, at: int) -> None:
    for item in subscription["items"]["data"]:
        if not item["current_period_start"] <= at <= item["current_period_end"]:
            raise InvalidRequest(
                "The proration date must be within the current period of the subscription.",
                param="proration_date",
            )


def _require_few_invoices(world: World, subscription: Body) -> None:
    path = "json_extract(body, '$.parent.subscription_details.subscription')"
    for seconds, most in MOST_INVOICES.items():
        since = world.now - seconds
        recent: list[Any] = world.find(
            "invoice",
            f"{path} = ? AND json_extract(body, '$.created') > ?",
            subscription["id"],
            since,
        )
        if len(recent) >= most:
            raise RateLimited(
                f"The subscription {subscription['id']} has had {most} new invoices in the last "
                f"{seconds} seconds, the most that are allowed."
            )


def require_unscheduled(subscription: Body) -> None:
    if subscription["schedule"] is not None:
        raise Refused(
            f"The subscription is managed by the subscription schedule "
            f"`{subscription['schedule']}`, and updating it directly is not allowed. Please "
            "update or release the schedule instead."
        )
