"""Subscriptions and their items: begun, changed, renewed, cancelled."""

import copy
from dataclasses import dataclass
from typing import Any

from infra.local.stripe_sandbox import periods
from infra.local.stripe_sandbox.errors import (
    CardDeclined,
    InvalidRequest,
    NoSuchObject,
    NotSupported,
    Refused,
)
from infra.local.stripe_sandbox.lists import listed, page, page_of
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import (
    billing,
    changes,
    invoices,
    lifecycle,
    payment_methods,
    prices,
)
from infra.local.stripe_sandbox.state import Body, new_id
from infra.local.stripe_sandbox.world import World

SHARED = """metadata metadata.* default_payment_method cancel_at_period_end description
    automatic_tax.enabled collection_method=charge_automatically off_session
    payment_settings.save_default_payment_method=on_subscription|off"""


@dataclass(frozen=True)
class Ordered:
    """What a new item is to be."""

    price: Body
    quantity: int
    metadata: Body


@operation(
    "POST /v1/subscriptions",
    f"""{SHARED} customer currency items[].price items[].quantity items[].metadata.* cancel_at
    billing_mode.type=flexible proration_behavior
    payment_behavior=allow_incomplete|default_incomplete|error_if_incomplete""",
)
def create_subscription(world: World, call: Call) -> Body:
    for name in ("customer", "items"):
        if name not in call.params:
            raise InvalidRequest(
                f"Missing required param: {name}.", code="parameter_missing", param=name
            )
    customer = world.get("customer", call.get("customer"), param="customer")
    method = _method(world, call, customer["id"])
    subscription = begin(
        world,
        customer,
        ordered(world, call.get("items"), "items"),
        currency=call.get("currency"),
        metadata=merge_metadata({}, call.get("metadata")),
        description=call.get("description"),
        method=method,
        automatic_tax=call.get("automatic_tax.enabled", False),
    )
    _apply_cancellation(world, subscription, call)
    settings = subscription["payment_settings"] | call.get("payment_settings", {})
    world.update(subscription, payment_settings=settings)
    invoice = start(world, subscription)
    behavior = call.get("payment_behavior", "allow_incomplete")
    if invoice["status"] == "open" and behavior != "default_incomplete":
        _take_first_payment(world, invoice, behavior)
    return subscription


def _take_first_payment(world: World, invoice: Body, behavior: str) -> None:
    method = invoices.method_for(world, invoice)
    if method is None:
        raise Refused(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )
    if behavior == "allow_incomplete":
        invoices.attempt(world, invoice, method)
        return
    try:
        invoices.pay(world, invoice, method=method)
    except CardDeclined as refusal:
        refusal.effects_stand = False  # the subscription was never made
        raise


@operation("GET /v1/subscriptions/{subscription_exposed_id}")
def retrieve_subscription(world: World, call: Call) -> Body:
    return _named(world, call)


@operation(
    "GET /v1/subscriptions",
    "customer price status collection_method=charge_automatically created created.*",
)
def list_subscriptions(world: World, call: Call) -> Body:
    status = {
        None: [s for s in STATUSES if s not in lifecycle.ENDED],
        "all": None,
        "ended": list(lifecycle.ENDED),
    }
    wanted = status.get(call.get("status"), call.get("status"))
    filters = {"customer": call.get("customer"), "status": wanted}
    filters["items.data[0].price.id"] = call.get("price")
    return page(world, call, "subscription", filters)


STATUSES = [
    "active",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
]


@operation(
    "POST /v1/subscriptions/{subscription_exposed_id}",
    f"""{SHARED} cancel_at proration_behavior cancellation_details.comment
    cancellation_details.feedback items[].id items[].price items[].quantity items[].metadata.*
    payment_behavior=allow_incomplete|error_if_incomplete|pending_if_incomplete proration_date
    billing_cycle_anchor=unchanged""",
)
def update_subscription(world: World, call: Call) -> Body:
    subscription = _named(world, call)
    if subscription["status"] in lifecycle.ENDED:
        raise Refused(
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="resource_missing",
        )
    before = copy.deepcopy(subscription)
    _apply_plain(world, subscription, call)
    if {"items", "cancel_at", "cancel_at_period_end"} & set(call.params):
        changes.require_unscheduled(subscription)
    _apply_cancellation(world, subscription, call)
    if "items" in call.params:
        changes.change_items(world, subscription, call)
    billing.tell_difference(world, subscription, before)
    lifecycle.plan_ahead(world, subscription)
    return subscription


@operation(
    "DELETE /v1/subscriptions/{subscription_exposed_id}",
    """invoice_now=false prorate=false cancellation_details.comment
    cancellation_details.feedback""",
)
def cancel_subscription(world: World, call: Call) -> Body:
    subscription = _named(world, call)
    if subscription["status"] in lifecycle.ENDED:
        raise NoSuchObject("subscription", subscription["id"])
    _apply_details(world, subscription, call)
    return lifecycle.end(world, subscription, "cancellation_requested")


@operation("GET /v1/subscription_items", "subscription")
def list_items(world: World, call: Call) -> Body:
    if "subscription" not in call.params:
        raise InvalidRequest(
            "Missing required param: subscription.", code="parameter_missing", param="subscription"
        )
    subscription = world.get("subscription", call.get("subscription"), param="subscription")
    return page_of(call, subscription["items"]["data"])


@operation("GET /v1/subscription_items/{item}")
def retrieve_item(world: World, call: Call) -> Body:
    for subscription in world.find("subscription", "body LIKE ?", f"%{call.ids['item']}%"):
        for item in subscription["items"]["data"]:
            if item["id"] == call.ids["item"]:
                found: Body = item
                return found
    raise NoSuchObject("subscription_item", call.ids["item"])


def begin(
    world: World,
    customer: Body,
    ordered: list[Ordered],
    *,
    currency: str | None = None,
    metadata: Body | None = None,
    description: str | None = None,
    method: str | None = None,
    automatic_tax: bool = False,
) -> Body:
    """A stored subscription that waits for its first invoice; nobody was told yet."""
    id = new_id("subscription")
    recurring = shared_recurring(ordered)
    end = periods.end_of_period(world.now, *recurring, world.now)
    items = [_item(world, id, order, (world.now, end)) for order in ordered]
    nothing = """application application_fee_percent billing_cycle_anchor_config
        billing_thresholds cancel_at canceled_at customer_account days_until_due default_source
        ended_at latest_invoice next_pending_invoice_item_invoice on_behalf_of pause_collection
        pending_invoice_item_interval pending_setup_intent pending_update schedule test_clock
        transfer_data trial_end trial_start"""
    return world.create(
        "subscription",
        dict.fromkeys(nothing.split())
        | {
            "id": id,
            "automatic_tax": {
                "disabled_reason": None,
                "enabled": automatic_tax,
                "liability": {"type": "self"} if automatic_tax else None,
            },
            "billing_cycle_anchor": world.now,
            "billing_mode": {
                "flexible": {"proration_discounts": "included"},
                "type": "flexible",
                "updated_at": world.now,
            },
            "billing_schedules": [],
            "cancel_at_period_end": False,
            "cancellation_details": {"comment": None, "feedback": None, "reason": None},
            "collection_method": "charge_automatically",
            "created": world.now,
            "currency": currency or ordered[0].price["currency"],
            "customer": customer["id"],
            "default_payment_method": method,
            "default_tax_rates": [],
            "description": description,
            "discounts": [],
            "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
            "items": listed(items, f"/v1/subscription_items?subscription={id}"),
            "livemode": False,
            "metadata": metadata or {},
            "payment_settings": {
                "payment_method_options": None,
                "payment_method_types": None,
                "save_default_payment_method": "off",
            },
            "start_date": world.now,
            "status": "incomplete",
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        },
    )


def start(world: World, subscription: Body, intent: Body | None = None) -> Body:
    """Tell of it and bill the first period; `intent` has paid for that or is about to."""
    lines = billing.period_lines(world, subscription, subscription["items"]["data"])
    invoice = billing.draft(world, subscription, lines, "subscription_create")
    world.emit("customer.subscription.created", subscription)
    lifecycle.plan_ahead(world, subscription)
    return invoices.finalize(world, invoice, intent)


def _item(world: World, subscription: str, order: Ordered, period: tuple[int, int]) -> Body:
    return {
        "id": new_id("subscription_item"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": world.now,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": order.metadata,
        "price": order.price,
        "quantity": order.quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def shared_recurring(ordered: list[Ordered]) -> tuple[str, int]:
    found = {
        (order.price["recurring"]["interval"], order.price["recurring"]["interval_count"])
        for order in ordered
    }
    if len(found) > 1:
        raise NotSupported("subscriptions whose items have different intervals")
    return found.pop()


def ordered(world: World, given: list[Body], param: str) -> list[Ordered]:
    found = []
    for index, each in enumerate(given):
        place = f"{param}[{index}][price]"
        if "price" not in each:
            raise InvalidRequest(
                f"Missing required param: {place}.", code="parameter_missing", param=place
            )
        price = world.get("price", each["price"], param=place)
        prices.require_usable(price, place, recurring=True)
        metadata = merge_metadata({}, each.get("metadata"))
        quantity = prices.quantity(each, f"{param}[{index}]")
        found.append(Ordered(price, quantity, metadata))
    return found


def _named(world: World, call: Call) -> Body:
    return world.get("subscription", call.ids["subscription_exposed_id"])


def _method(world: World, call: Call, customer: str) -> str | None:
    id: str | None = call.get("default_payment_method")
    if id:
        method = world.get("payment_method", id, param="default_payment_method")
        payment_methods.require_attached(method, customer, "default_payment_method")
    return id


def _apply_plain(world: World, subscription: Body, call: Call) -> None:
    metadata = merge_metadata(subscription["metadata"], call.get("metadata"))
    changed: Body = {"metadata": metadata}
    if "default_payment_method" in call.params:
        changed["default_payment_method"] = _method(world, call, subscription["customer"])
    if "description" in call.params:
        changed["description"] = call.params["description"] or None
    if "automatic_tax" in call.params:
        enabled = call.get("automatic_tax.enabled")
        liability = {"type": "self"} if enabled else None
        changed["automatic_tax"] = subscription["automatic_tax"] | {
            "enabled": enabled,
            "liability": liability,
        }
    if "payment_settings" in call.params:
        given = call.get("payment_settings")
        changed["payment_settings"] = subscription["payment_settings"] | given
    world.update(subscription, **changed)
    _apply_details(world, subscription, call)


def _apply_details(world: World, subscription: Body, call: Call) -> None:
    given = call.get("cancellation_details", {})
    details = {name: value or None for name, value in given.items()}
    merged = subscription["cancellation_details"] | details
    world.update(subscription, cancellation_details=merged)


def _apply_cancellation(world: World, subscription: Body, call: Call) -> None:
    """Stripe keeps two flags: `cancel_at_period_end` sets `cancel_at` too, the reverse not."""
    given: Any = call.params.get("cancel_at")
    flag = call.get("cancel_at_period_end")
    if flag and given:
        raise InvalidRequest(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            code="parameters_exclusive",
        )
    if flag is True:
        _cancel_at(world, subscription, lifecycle.period_end(subscription), at_period_end=True)
    elif isinstance(given, int):
        _require_later(world, subscription, given, call.get("proration_behavior"))
        _cancel_at(world, subscription, given, at_period_end=False)
    elif given in ("min_period_end", "max_period_end"):
        _cancel_at(world, subscription, lifecycle.period_end(subscription), at_period_end=False)
    elif given is not None and given != "":
        raise NotSupported(f"cancel_at={given}")
    elif given == "" or (flag is False and subscription["cancel_at_period_end"]):
        _keep_going(world, subscription)


def _require_later(world: World, subscription: Body, at: int, prorations: str | None) -> None:
    if at <= world.now:
        raise InvalidRequest("The cancel_at timestamp must be in the future.", param="cancel_at")
    if at < lifecycle.period_end(subscription) and prorations != "none":
        raise NotSupported("cancel_at inside the present period without proration_behavior=none")


def _cancel_at(world: World, subscription: Body, at: int, *, at_period_end: bool) -> None:
    details = subscription["cancellation_details"] | {"reason": "cancellation_requested"}
    world.update(
        subscription,
        cancel_at=at,
        cancel_at_period_end=at_period_end,
        canceled_at=world.now,
        cancellation_details=details,
    )


def _keep_going(world: World, subscription: Body) -> None:
    world.update(
        subscription,
        cancel_at=None,
        cancel_at_period_end=False,
        canceled_at=None,
        cancellation_details={"comment": None, "feedback": None, "reason": None},
    )
