"""What a subscription is billed: its lines, period by period, and their invoices."""

from collections.abc import Iterable

from infra.local.stripe_sandbox import money, periods
from infra.local.stripe_sandbox.resources import invoices, prices
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World, difference


def draft(
    world: World,
    subscription: Body,
    lines: list[Body],
    reason: str,
    *,
    period: tuple[int, int] | None = None,
) -> Body:
    invoice = invoices.draft(
        world,
        world.get("customer", subscription["customer"]),
        lines,
        reason,
        currency=subscription["currency"],
        subscription=subscription,
        period=period,
        automatic_tax=subscription["automatic_tax"]["enabled"],
    )
    world.update(subscription, latest_invoice=invoice["id"])
    return invoice


def period_lines(world: World, subscription: Body, items: Iterable[Body]) -> list[Body]:
    """A line for each item's present period; one that ends early is paid in part."""
    found = []
    for item in items:
        start, end = item["current_period_start"], item["current_period_end"]
        unit = prices.unit_amount(world, item["price"], subscription["currency"])
        whole = natural_end(subscription, item, start) - start
        found.append(
            invoices.new_line(
                world,
                description=invoices.line_text(
                    world, item["price"], item["quantity"], unit, subscription["currency"]
                ),
                amount=money.prorated(unit * item["quantity"], end - start, whole),
                currency=subscription["currency"],
                period=(start, end),
                price=item["price"],
                unit=unit,
                quantity=item["quantity"],
                subscription=subscription,
                item=item["id"],
                metadata=subscription["metadata"] | item["metadata"],
            )
        )
    return found


def natural_end(subscription: Body, item: Body, start: int) -> int:
    """Where the item's period from `start` ends, whatever may cut it short."""
    recurring = item["price"]["recurring"]
    interval, count = recurring["interval"], recurring["interval_count"]
    return periods.end_of_period(subscription["billing_cycle_anchor"], interval, count, start)


def tell_difference(world: World, subscription: Body, before: Body) -> None:
    """One event for all that one request or one renewal changed."""
    previous = difference(before, subscription)
    if previous:
        world.emit("customer.subscription.updated", subscription, previous)
