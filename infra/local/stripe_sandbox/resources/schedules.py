"""Subscription schedules: what a subscription is to become, phase by phase."""

import copy
from typing import Any

from infra.local.stripe_sandbox import periods
from infra.local.stripe_sandbox.errors import InvalidRequest, NotSupported, Refused
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import lifecycle, prices
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

PHASES = """end_behavior=release|cancel metadata metadata.* phases[].items[].price
    phases[].items[].quantity phases[].items[].metadata.* phases[].start_date phases[].end_date
    phases[].duration.interval phases[].duration.interval_count
    phases[].proration_behavior=none"""


@operation("POST /v1/subscription_schedules", "from_subscription")
def create_schedule(world: World, call: Call) -> Body:
    if "from_subscription" not in call.params:
        raise NotSupported("subscription schedules but from_subscription")
    param = "from_subscription"
    subscription = world.get("subscription", call.get(param), param=param)
    if subscription["status"] in (*lifecycle.ENDED, "incomplete"):
        raise Refused(
            f"You cannot create a schedule from a subscription that is {subscription['status']}."
        )
    if subscription["schedule"] is not None:
        raise Refused(
            f"The subscription is already attached to schedule {subscription['schedule']}."
        )
    if subscription["cancel_at"] is not None:
        raise Refused("You cannot migrate a subscription that is set to cancel to a schedule.")
    schedule = world.create("subscription_schedule", _body(world, subscription))
    world.update(subscription, "customer.subscription.updated", schedule=schedule["id"])
    _plan(world, schedule, subscription)
    world.emit("subscription_schedule.created", schedule)
    return schedule


@operation("GET /v1/subscription_schedules/{schedule}")
def retrieve_schedule(world: World, call: Call) -> Body:
    return world.get("subscription_schedule", call.ids["schedule"])


@operation("GET /v1/subscription_schedules", "customer created created.*")
def list_schedules(world: World, call: Call) -> Body:
    return page(world, call, "subscription_schedule", {"customer": call.get("customer")})


@operation(
    "POST /v1/subscription_schedules/{schedule}",
    f"{PHASES} proration_behavior=none",
)
def update_schedule(world: World, call: Call) -> Body:
    schedule, subscription = _active(world, call)
    changes: Body = {"metadata": merge_metadata(schedule["metadata"], call.get("metadata"))}
    changes["end_behavior"] = call.get("end_behavior", schedule["end_behavior"])
    if "phases" in call.params:
        changes["phases"] = _phases(world, schedule, subscription, call.get("phases"))
        changes["current_phase"] = _span(changes["phases"][0])
        _require_unchanged(subscription, changes["phases"][0])
    world.update(schedule, "subscription_schedule.updated", **changes)
    _plan(world, schedule, subscription)
    return schedule


@operation("POST /v1/subscription_schedules/{schedule}/release", "preserve_cancel_date=true|false")
def release_schedule(world: World, call: Call) -> Body:
    schedule, subscription = _active(world, call)
    _release(world, schedule, subscription)
    lifecycle.plan_ahead(world, subscription)
    return schedule


@operation("POST /v1/subscription_schedules/{schedule}/cancel", "invoice_now=false prorate=false")
def cancel_schedule(world: World, call: Call) -> Body:
    schedule, subscription = _active(world, call)
    lifecycle.end(world, subscription, "cancellation_requested")
    return schedule


def enter_phase(world: World, subscription: Body) -> None:
    """At the end of a phase: take on the next one, or end the schedule as it wants to end."""
    if subscription["schedule"] is None:
        return
    schedule = world.get("subscription_schedule", subscription["schedule"])
    if schedule["current_phase"]["end_date"] > world.now:
        return
    upcoming = [phase for phase in schedule["phases"] if phase["end_date"] > world.now]
    if upcoming:
        _take_on(world, subscription, upcoming[0])
        world.update(schedule, "subscription_schedule.updated", current_phase=_span(upcoming[0]))
        world.keep(subscription, phase_end=upcoming[0]["end_date"])
    elif schedule["end_behavior"] == "cancel":
        world.update(schedule, status="completed", completed_at=world.now, current_phase=None)
        world.emit("subscription_schedule.completed", schedule)
        world.update(subscription, schedule=None)
        lifecycle.end(world, subscription, "cancellation_requested")
    else:
        _release(world, schedule, subscription, tell=False)


def items_at(world: World, subscription: Body, schedule: Body, at: int) -> list[Body]:
    """The subscription's items as its schedule wants them at `at`; none if it ends by then."""
    for phase in schedule["phases"]:
        if phase["start_date"] <= at < phase["end_date"]:
            return _merged(world, subscription["items"]["data"], phase)
    ended = schedule["end_behavior"] == "cancel"
    return [] if ended else copy.deepcopy(subscription["items"]["data"])


def anchor_after(subscription: Body, items: list[Body], at: int) -> int:
    """Items of another length begin a new cycle where they begin."""
    same = _length(items[0]) == _length(subscription["items"]["data"][0])
    anchor: int = subscription["billing_cycle_anchor"]
    return anchor if same else at


def _take_on(world: World, subscription: Body, phase: Body) -> None:
    items = _merged(world, subscription["items"]["data"], phase)
    world.update(
        subscription,
        billing_cycle_anchor=anchor_after(subscription, items, phase["start_date"]),
        items=subscription["items"] | {"data": items},
    )


def _merged(world: World, items: list[Body], phase: Body) -> list[Body]:
    return [
        item | {"price": world.get("price", planned["price"]), "quantity": planned["quantity"]}
        for item, planned in zip(items, phase["items"], strict=True)
    ]


def _length(item: Body) -> tuple[str, int]:
    recurring = item["price"]["recurring"]
    return recurring["interval"], recurring["interval_count"]


def _active(world: World, call: Call) -> tuple[Body, Body]:
    schedule = world.get("subscription_schedule", call.ids["schedule"])
    if schedule["status"] != "active":
        raise Refused(f"You cannot change a subscription schedule that is {schedule['status']}.")
    return schedule, world.get("subscription", schedule["subscription"])


def _release(world: World, schedule: Body, subscription: Body, *, tell: bool = True) -> None:
    world.update(
        schedule,
        status="released",
        released_at=world.now,
        released_subscription=subscription["id"],
        subscription=None,
        current_phase=None,
    )
    world.emit("subscription_schedule.released", schedule)
    world.keep(subscription, phase_end=None)
    event = "customer.subscription.updated" if tell else None
    world.update(subscription, event, schedule=None)


def _plan(world: World, schedule: Body, subscription: Body) -> None:
    world.keep(subscription, phase_end=schedule["current_phase"]["end_date"])
    lifecycle.plan_ahead(world, subscription)


def _body(world: World, subscription: Body) -> Body:
    items = [
        _item(item["price"]["id"], item["quantity"], item["metadata"])
        for item in subscription["items"]["data"]
    ]
    start = subscription["items"]["data"][0]["current_period_start"]
    phase = _phase(subscription, items, start, lifecycle.period_end(subscription))
    nothing = """application canceled_at completed_at customer_account released_at
        released_subscription test_clock"""
    return {
        **dict.fromkeys(nothing.split()),
        "billing_mode": {"flexible": subscription["billing_mode"]["flexible"], "type": "flexible"},
        "created": world.now,
        "current_phase": _span(phase),
        "customer": subscription["customer"],
        "default_settings": {
            "application_fee_percent": None,
            "automatic_tax": {
                "disabled_reason": None,
                "enabled": subscription["automatic_tax"]["enabled"],
                "liability": subscription["automatic_tax"]["liability"],
            },
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": subscription["default_payment_method"],
            "description": None,
            "invoice_settings": {
                "account_tax_ids": None,
                "days_until_due": None,
                "issuer": {"type": "self"},
            },
            "on_behalf_of": None,
            "transfer_data": None,
        },
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "phases": [phase],
        "status": "active",
        "subscription": subscription["id"],
    }


def _phase(subscription: Body, items: list[Body], start: int, end: int) -> Body:
    nothing = """application_fee_percent billing_cycle_anchor billing_thresholds collection_method
        default_payment_method description invoice_settings on_behalf_of transfer_data trial_end"""
    return {
        **dict.fromkeys(nothing.split()),
        "add_invoice_items": [],
        "currency": subscription["currency"],
        "default_tax_rates": [],
        "discounts": [],
        "end_date": end,
        "items": items,
        "metadata": {},
        "proration_behavior": "none",
        "start_date": start,
    }


def _item(price: str, quantity: int, metadata: Body) -> Body:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": metadata,
        "price": price,
        "quantity": quantity,
        "tax_rates": [],
    }


def _span(phase: Body) -> Body:
    return {"start_date": phase["start_date"], "end_date": phase["end_date"]}


def _phases(world: World, schedule: Body, subscription: Body, given: list[Body]) -> list[Body]:
    """Phases follow each other without a gap, the first being the one that has begun."""
    found: list[Body] = []
    start: Any = schedule["current_phase"]["start_date"]
    for index, phase in enumerate(given):
        name = f"phases[{index}]"
        begins = phase.get("start_date", start)
        if begins != start:
            raise InvalidRequest(
                "The phases of a schedule follow each other without a gap, from the start of the "
                f"present one: {name} must start at {start}.",
                param=f"{name}[start_date]",
            )
        items = _items(world, subscription, phase["items"], name)
        end = _end(world, phase, items, start, name)
        found.append(_phase(subscription, items, start, end))
        start = end
    return found


def _items(world: World, subscription: Body, given: list[Body], name: str) -> list[Body]:
    if len(given) != len(subscription["items"]["data"]):
        raise NotSupported("phases with more or fewer items than the subscription has")
    items = []
    for index, item in enumerate(given):
        param = f"{name}[items][{index}][price]"
        if "price" not in item:
            raise InvalidRequest(
                f"Missing required param: {param}.", code="parameter_missing", param=param
            )
        price = world.get("price", item["price"], param=param)
        prices.require_usable(price, param, recurring=True)
        metadata = merge_metadata({}, item.get("metadata"))
        quantity = prices.quantity(item, f"{name}[items][{index}]")
        items.append(_item(price["id"], quantity, metadata))
    return items


def _end(world: World, phase: Body, items: list[Body], start: int, name: str) -> int:
    end = phase.get("end_date")
    if end is not None and "duration" in phase:
        raise InvalidRequest(
            f"You may only specify one of {name}[end_date] and {name}[duration].",
            code="parameters_exclusive",
        )
    if end == "now":
        raise NotSupported("phases that end now", param=f"{name}[end_date]")
    if end is None:
        price = world.get("price", items[0]["price"])
        length: Body = phase.get("duration") or price["recurring"]
        count = length.get("interval_count", 1)
        end = periods.boundary(start, length["interval"], count, 1)
    if end <= max(start, world.now):
        raise InvalidRequest(
            "A phase must end after it starts, in the future.", param=f"{name}[end_date]"
        )
    return int(end)


def _require_unchanged(subscription: Body, phase: Body) -> None:
    """The present phase is what the subscription is; changing that is an update of its own."""
    now = [(i["price"]["id"], i["quantity"]) for i in subscription["items"]["data"]]
    if [(item["price"], item["quantity"]) for item in phase["items"]] != now:
        raise NotSupported("changes of the present phase by a schedule")
    period = subscription["items"]["data"][0]["current_period_end"]
    if phase["end_date"] < period:
        raise NotSupported("phases that end within a billing period")
