"""Payment methods: test cards and bank accounts, free or attached to a customer."""

from typing import Any

from infra.local.stripe_sandbox import cards
from infra.local.stripe_sandbox.cards import Card
from infra.local.stripe_sandbox.errors import NoSuchObject, Refused
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.state import Body, token
from infra.local.stripe_sandbox.world import World

NOBODY: Body = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


@operation("GET /v1/payment_methods/{payment_method}")
def retrieve_payment_method(world: World, call: Call) -> Body:
    return usable(world, call.ids["payment_method"])


@operation("POST /v1/payment_methods/{payment_method}", "metadata metadata.*")
def update_payment_method(world: World, call: Call) -> Body:
    method = world.get("payment_method", call.ids["payment_method"])
    metadata = merge_metadata(method["metadata"], call.get("metadata"))
    return world.update(method, "payment_method.updated", metadata=metadata)


@operation("POST /v1/payment_methods/{payment_method}/attach", "customer")
def attach_payment_method(world: World, call: Call) -> Body:
    method = usable(world, call.ids["payment_method"])
    customer = world.get("customer", call.get("customer"), param="customer")
    card = card_of(world, method)
    if card.declined:
        raise card.declined.error(payment_method=method)
    return attach(world, method, customer["id"])


@operation("POST /v1/payment_methods/{payment_method}/detach")
def detach_payment_method(world: World, call: Call) -> Body:
    method = world.get("payment_method", call.ids["payment_method"])
    owner = method["customer"]
    if owner is None:
        raise Refused("The payment method you provided is not attached to a customer.")
    world.keep(method, detached=True)
    world.update(method, customer=None)
    world.emit("payment_method.detached", method, {"customer": owner})
    _forget(world, method["id"], owner)
    return method


@operation("GET /v1/payment_methods", "customer type")
def list_payment_methods(world: World, call: Call) -> Body:
    return _page(world, call, call.get("customer"))


@operation("GET /v1/customers/{customer}/payment_methods", "type")
def list_methods_of_customer(world: World, call: Call) -> Body:
    return _page(world, call, call.ids["customer"])


@operation("GET /v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_method_of_customer(world: World, call: Call) -> Body:
    method = world.get("payment_method", call.ids["payment_method"])
    if method["customer"] != call.ids["customer"]:
        raise NoSuchObject("payment_method", method["id"])
    return method


def _page(world: World, call: Call, customer: str | None) -> Body:
    if customer:
        world.get("customer", customer, param="customer")
    filters = {"customer": customer, "type": call.get("type")}
    return page(world, call, "payment_method", filters)


def new_payment_method(
    world: World,
    card: Card,
    *,
    expiry: tuple[int, int] = (12, 2034),
    details: Body | None = None,
) -> Body:
    """A free payment method. `details` are the payer's: name, email, address."""
    return world.create(
        "payment_method",
        {
            "allow_redisplay": "unspecified",
            "billing_details": NOBODY | (details or {}),
            card.type: _detail(card, expiry),
            "created": world.now,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "type": card.type,
        },
        number=card.number,
        set_up=False,
    )


def _detail(card: Card, expiry: tuple[int, int]) -> Body:
    if card.type == "us_bank_account":
        return {
            "account_holder_type": "company",
            "account_type": "checking",
            "bank_name": card.brand,
            "financial_connections_account": None,
            "fingerprint": token(16),
            "last4": card.last4,
            "networks": {"preferred": "ach", "supported": ["ach"]},
            "routing_number": "110000000",
            "status_details": {},
        }
    if card.type == "sepa_debit":
        return {
            "bank_code": card.brand,
            "branch_code": "",
            "country": card.number[:2],
            "fingerprint": token(16),
            "generated_from": {"charge": None, "setup_attempt": None},
            "last4": card.last4,
        }
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": expiry[0],
        "exp_year": expiry[1],
        "fingerprint": token(16),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def usable(world: World, id: str, param: str = "id") -> Body:
    """A payment method by its id, or a new one by one of Stripe's `pm_card_…` tokens."""
    if id in cards.TOKENS:
        return new_payment_method(world, cards.BY_NUMBER[cards.TOKENS[id]])
    return world.get("payment_method", id, param=param)


def card_of(world: World, method: Body) -> Card:
    return cards.BY_NUMBER[world.hidden(method)["number"]]


def require_attached(method: Body, customer: str, param: str | None = None) -> None:
    if method["customer"] != customer:
        raise Refused(
            f"The customer does not have a payment method with the ID {method['id']}. The payment "
            "method must be attached to the customer.",
            code="resource_missing",
            param=param,
        )


def attach(world: World, method: Body, customer: str) -> Body:
    if method["customer"] == customer:
        return method
    if method["customer"] or world.hidden(method).get("detached"):
        raise Refused(
            "The payment method you provided has already been attached to a customer, or was "
            "detached from one; it may not be used again."
        )
    world.update(method, customer=customer)
    world.emit("payment_method.attached", method)
    return method


def _forget(world: World, method: str, owner: str) -> None:
    """A detached method is nobody's default any more."""
    customer: Any = world.look_up(owner)
    if customer and customer["invoice_settings"]["default_payment_method"] == method:
        settings = customer["invoice_settings"] | {"default_payment_method": None}
        world.update(customer, "customer.updated", invoice_settings=settings)
    for subscription in world.find("subscription", "json_extract(body, '$.customer') = ?", owner):
        if subscription["default_payment_method"] == method:
            world.update(subscription, "customer.subscription.updated", default_payment_method=None)
