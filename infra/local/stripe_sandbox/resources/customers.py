"""Customers."""

import re

from infra.local.stripe_sandbox.errors import NotSupported
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import lifecycle, payment_methods
from infra.local.stripe_sandbox.state import Body, token
from infra.local.stripe_sandbox.world import World

PLAIN = ("name", "email", "phone", "description", "preferred_locales", "tax_exempt")
ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
FIELDS = """name email phone description preferred_locales[] tax_exempt address address.*
    metadata metadata.* invoice_settings.default_payment_method invoice_settings.footer"""
DEFAULT_METHOD = "invoice_settings[default_payment_method]"


@operation("POST /v1/customers", f"{FIELDS} payment_method invoice_prefix")
def create_customer(world: World, call: Call) -> Body:
    customer = new_customer(world)
    if "payment_method" in call.params:
        method = payment_methods.usable(world, call.get("payment_method"), "payment_method")
        payment_methods.attach(world, method, customer["id"])
    customer |= _changes(world, customer, call)
    customer["invoice_prefix"] = call.get("invoice_prefix", customer["invoice_prefix"])
    world.keep(customer)
    world.emit("customer.created", customer)
    return customer


@operation("GET /v1/customers/{customer}")
def retrieve_customer(world: World, call: Call) -> Body:
    """One that was deleted is still found, as deleted."""
    found = world.look_up(call.ids["customer"])
    if found and found["object"] == "customer" and found.get("deleted"):
        return found
    return world.get("customer", call.ids["customer"])


@operation("POST /v1/customers/{customer}", FIELDS)
def update_customer(world: World, call: Call) -> Body:
    customer = world.get("customer", call.ids["customer"])
    return world.update(customer, "customer.updated", **_changes(world, customer, call))


@operation("DELETE /v1/customers/{customer}")
def delete_customer(world: World, call: Call) -> Body:
    customer = world.get("customer", call.ids["customer"])
    for subscription in lifecycle.live_subscriptions(world, customer["id"]):
        lifecycle.end(world, subscription, "cancellation_requested")
    world.emit("customer.deleted", customer)
    return world.delete(customer)


@operation(
    "POST /v1/customers/{customer}/balance_transactions",
    "amount currency description metadata metadata.*",
)
def adjust_balance(world: World, call: Call) -> Body:
    """Below zero it is in the customer's favor. (billing/customer/balance)"""
    customer = world.get("customer", call.ids["customer"])
    balance = customer["balance"] + call.get("amount")
    world.update(customer, "customer.updated", balance=balance, currency=call.get("currency"))
    nothing = ("checkout_session", "credit_note", "customer_account", "invoice")
    return world.create(
        "customer_balance_transaction",
        dict.fromkeys(nothing)
        | {
            "amount": call.get("amount"),
            "created": world.now,
            "currency": call.get("currency"),
            "customer": customer["id"],
            "description": call.get("description"),
            "ending_balance": balance,
            "livemode": False,
            "metadata": merge_metadata({}, call.get("metadata")),
            "type": "adjustment",
        },
    )


@operation("GET /v1/customers", "email created created.*")
def list_customers(world: World, call: Call) -> Body:
    return page(world, call, "customer", {"email": call.get("email")})


@operation("GET /v1/customers/search", "query limit page")
def search_customers(world: World, call: Call) -> Body:
    """By one key of the metadata only. Stripe finds what is older than a minute. (search)"""
    asked = _BY_METADATA.fullmatch(call.get("query"))
    if asked is None:
        raise NotSupported("searches but for one key of the metadata", param="query")
    older = world.now - _SEARCHABLE_AFTER_SECONDS
    found = [
        each
        for each in world.find("customer", "1 = 1")
        if each["metadata"].get(asked["key"]) == asked["value"] and each["created"] <= older
    ]
    return {
        "object": "search_result",
        "data": found[: call.get("limit", 10)],
        "has_more": False,
        "next_page": None,
        "url": "/v1/customers/search",
    }


_BY_METADATA = re.compile(r"metadata\['(?P<key>[^']+)'\]:'(?P<value>[^'\\]*)'")
_SEARCHABLE_AFTER_SECONDS = 60


def new_customer(world: World, **known: str | None) -> Body:
    """A stored customer of whom nobody was told yet."""
    return world.create(
        "customer",
        {
            "address": None,
            "balance": 0,
            "created": world.now,
            "currency": None,
            "default_source": None,
            "delinquent": False,
            "description": None,
            "email": None,
            "invoice_prefix": token(8).upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": {},
            "name": None,
            "next_invoice_sequence": 1,
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        }
        | known,
    )


def _changes(world: World, customer: Body, call: Call) -> Body:
    changes = {name: call.params[name] for name in PLAIN if name in call.params}
    if "address" in call.params:
        changes["address"] = address(call.get("address")) if call.get("address") else None
    if call.get("invoice_settings.default_payment_method"):
        id = call.get("invoice_settings.default_payment_method")
        method = world.get("payment_method", id, param=DEFAULT_METHOD)
        payment_methods.require_attached(method, customer["id"], DEFAULT_METHOD)
    settings = call.get("invoice_settings", {})
    changes["invoice_settings"] = customer["invoice_settings"] | settings
    changes["metadata"] = merge_metadata(customer["metadata"], call.get("metadata"))
    return changes


def address(given: Body) -> Body:
    return {name: given.get(name) or None for name in ADDRESS}
