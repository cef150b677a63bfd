"""`create_preview`: an invoice that a change, or the next renewal, would make."""

import copy

from infra.local.stripe_sandbox import periods
from infra.local.stripe_sandbox.errors import NoSuchObject, NothingUpcoming, NotSupported
from infra.local.stripe_sandbox.operations import Call, operation
from infra.local.stripe_sandbox.resources import (
    billing,
    changes,
    invoices,
    lifecycle,
    prices,
    schedules,
    subscriptions,
)
from infra.local.stripe_sandbox.state import Body, token
from infra.local.stripe_sandbox.world import World

DETAILS = "subscription_details"


@operation(
    "POST /v1/invoices/create_preview",
    f"""customer subscription preview_mode=next automatic_tax.enabled {DETAILS}.items[].id
    {DETAILS}.items[].price {DETAILS}.items[].quantity {DETAILS}.proration_behavior
    {DETAILS}.proration_date""",
)
def create_preview(world: World, call: Call) -> Body:
    if "subscription" not in call.params:
        return _first(world, call)
    subscription = world.get("subscription", call.get("subscription"), param="subscription")
    if call.get("customer", subscription["customer"]) != subscription["customer"]:
        raise NoSuchObject("subscription", subscription["id"], param="subscription")
    if subscription["status"] in lifecycle.ENDED:
        raise _nothing_upcoming(subscription)
    given = call.get(f"{DETAILS}.items")
    if given is None:
        return _renewal(world, subscription)
    changes.require_unscheduled(subscription)
    behavior = call.get(f"{DETAILS}.proration_behavior", "create_prorations")
    date = call.get(f"{DETAILS}.proration_date")
    change = changes.plan(world, subscription, given, behavior, date, f"{DETAILS}[items]")
    if behavior == "always_invoice":
        return _preview(world, subscription, change.lines, "subscription_update", date)
    return _renewal(world, subscription | {"items": _listed(subscription, change.items)})


def _first(world: World, call: Call) -> Body:
    """The first invoice of a subscription that nobody has made yet."""
    given = call.get(f"{DETAILS}.items")
    if given is None or "customer" not in call.params:
        raise NotSupported("previews but of one subscription", param="subscription")
    wanted = subscriptions.ordered(world, given, f"{DETAILS}[items]")
    recurring = subscriptions.shared_recurring(wanted)
    period = (world.now, periods.end_of_period(world.now, *recurring, world.now))
    currency = wanted[0].price["currency"]
    lines = []
    for each in wanted:
        unit = prices.unit_amount(world, each.price, currency)
        lines.append(
            invoices.new_line(
                world,
                description=invoices.line_text(world, each.price, each.quantity, unit, currency),
                amount=unit * each.quantity,
                currency=currency,
                period=period,
                price=each.price,
                unit=unit,
                quantity=each.quantity,
            )
        )
    customer = world.get("customer", call.get("customer"), param="customer")
    tax = call.get("automatic_tax.enabled", False)
    invoice = invoices.body(
        world, customer, lines, "upcoming", currency=currency, automatic_tax=tax
    )
    return _upcoming(world, invoice, customer)


def _renewal(world: World, subscription: Body) -> Body:
    """The invoice of the period that comes next."""
    start = lifecycle.period_end(subscription)
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= start:
        raise _nothing_upcoming(subscription)
    items = copy.deepcopy(subscription["items"]["data"])
    anchor = subscription["billing_cycle_anchor"]
    if subscription["schedule"]:
        schedule = world.get("subscription_schedule", subscription["schedule"])
        planned = schedules.items_at(world, subscription, schedule, start)
        if not planned:
            raise _nothing_upcoming(subscription)
        anchor = schedules.anchor_after(subscription, planned, start)
        items = planned
    upcoming = subscription | {"billing_cycle_anchor": anchor}
    for item in items:
        whole = billing.natural_end(upcoming, item, start)
        end = min(whole, subscription["cancel_at"] or whole)
        item |= {"current_period_start": start, "current_period_end": end}
    lines = billing.period_lines(world, upcoming, items)
    return _preview(world, subscription, lines, "upcoming", None, created=start)


def _preview(
    world: World,
    subscription: Body,
    lines: list[Body],
    reason: str,
    date: int | None,
    *,
    created: int | None = None,
) -> Body:
    customer = world.get("customer", subscription["customer"])
    invoice = invoices.body(
        world,
        customer,
        lines,
        reason,
        currency=subscription["currency"],
        subscription=subscription,
        automatic_tax=subscription["automatic_tax"]["enabled"],
    )
    if date is not None:
        invoice["parent"]["subscription_details"]["subscription_proration_date"] = date
    return _upcoming(world, invoice, customer, created)


def _upcoming(world: World, invoice: Body, customer: Body, created: int | None = None) -> Body:
    id = f"upcoming_in_1{token(23)}"
    for line in invoice["lines"]["data"]:
        line |= {"invoice": id, "id": f"il_tmp_1{token(23)}"}
    due = max(0, invoice["total"] + customer["balance"])
    invoice["lines"]["url"] = f"/v1/invoices/{id}/lines"
    return invoice | {
        "id": id,
        "object": "invoice",
        "amount_due": due,
        "amount_remaining": due,
        "created": created or world.now,
        "ending_balance": min(0, invoice["total"] + customer["balance"]),
        "next_payment_attempt": created or world.now,
        "starting_balance": customer["balance"],
    }


def _listed(subscription: Body, items: list[Body]) -> Body:
    listed: Body = subscription["items"]
    return listed | {"data": items}


def _nothing_upcoming(subscription: Body) -> NothingUpcoming:
    return NothingUpcoming(
        f"No upcoming invoices for subscription: {subscription['id']}",
        code="invoice_upcoming_none",
    )
