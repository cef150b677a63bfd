"""Payment intents and charges: what becomes of money that is asked of a payment method."""

from typing import Any

from infra.local.stripe_sandbox.cards import (
    AUTHENTICATION_NEEDED,
    NOT_AUTHENTICATED,
    Authentication,
    Card,
    Decline,
)
from infra.local.stripe_sandbox.errors import Refused
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import payment_methods
from infra.local.stripe_sandbox.state import Body, new_id, token
from infra.local.stripe_sandbox.world import BASE, World

SETTLING_DAYS = 4
DAY = 86_400


@operation("GET /v1/payment_intents/{intent}")
def retrieve_intent(world: World, call: Call) -> Body:
    return world.get("payment_intent", call.ids["intent"])


@operation("POST /v1/payment_intents/{intent}", "metadata metadata.* description")
def update_intent(world: World, call: Call) -> Body:
    intent = world.get("payment_intent", call.ids["intent"])
    metadata = merge_metadata(intent["metadata"], call.get("metadata"))
    description = call.get("description", intent["description"])
    return world.update(intent, metadata=metadata, description=description)


@operation("GET /v1/payment_intents", "customer created created.*")
def list_intents(world: World, call: Call) -> Body:
    return page(world, call, "payment_intent", {"customer": call.get("customer")})


@operation("GET /v1/charges/{charge}")
def retrieve_charge(world: World, call: Call) -> Body:
    return world.get("charge", call.ids["charge"])


@operation("GET /v1/charges", "customer payment_intent created created.*")
def list_charges(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("customer", "payment_intent")}
    return page(world, call, "charge", filters)


def new_intent(
    world: World,
    amount: int,
    currency: str,
    customer: str | None,
    *,
    metadata: Body | None = None,
    description: str | None = None,
    setup_future_usage: str | None = None,
    types: list[str] | None = None,
    **owner: str,
) -> Body:
    """`owner` is what the payment is for: `session=` or `invoice=`."""
    id = new_id("payment_intent")
    intent = world.create(
        "payment_intent",
        {
            "id": id,
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic",
            "client_secret": f"{id}_secret_{token(25)}",
            "confirmation_method": "automatic",
            "created": world.now,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "description": description,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": metadata or {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": types or ["card"],
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": setup_future_usage,
            "shipping": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
        },
        **owner,
    )
    world.emit("payment_intent.created", intent)
    return intent


def attempt(
    world: World,
    intent: Body,
    method: Body,
    *,
    authenticated: bool | None = None,
) -> Body:
    """Try to pay `intent` with `method`; its status afterwards says what happened.

    `authenticated` is the bank's answer about the customer, None before it was asked.
    """
    card = payment_methods.card_of(world, method)
    world.update(intent, payment_method=method["id"])
    decline = judge(world, card, method, authenticated)
    if authenticated is False:
        return _fail(world, intent, method, NOT_AUTHENTICATED, charged=False)
    if decline is AUTHENTICATION_NEEDED:
        return ask_the_bank(world, intent)
    if decline is not None:
        return _fail(world, intent, method, decline)
    if card.settles:
        return _settle_later(world, intent, method)
    if authenticated:
        world.keep(method, set_up=True)
    charge = _charge(world, intent, method, "succeeded")
    return _succeed(world, intent, charge)


def judge(world: World, card: Card, method: Body, authenticated: bool | None) -> Decline | None:
    """Why the bank refuses, or None; AUTHENTICATION_NEEDED when it wants the customer first."""
    wanted = {
        Authentication.NEVER: False,
        Authentication.UNLESS_SET_UP: not world.hidden(method)["set_up"],
        Authentication.ALWAYS: True,
    }[card.authentication]
    if wanted and authenticated is None:
        return AUTHENTICATION_NEEDED
    if card.declined_later and method["customer"]:
        return card.declined_later
    return card.declined


def ask_the_bank(world: World, intent: Body) -> Body:
    """The intent waits for the customer at the bank's page."""
    url = f"{BASE}/bank/{intent['id']}"
    world.update(
        intent,
        status="requires_action",
        next_action={
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": None, "url": url},
        },
    )
    world.emit(f"{intent['object']}.requires_action", intent)
    return intent


def settle(world: World, intent: Body, *, succeed: bool) -> Body:
    """The bank's late answer to a debit."""
    if intent["status"] != "processing":
        raise Refused(
            f"The payment intent {intent['id']} is {intent['status']}: only one that is "
            "processing can be settled."
        )
    world.unschedule(intent, "settle")
    charge = world.get("charge", intent["latest_charge"])
    if succeed:
        world.update(charge, status="succeeded", paid=True, amount_captured=charge["amount"])
        return _succeed(world, intent, charge)
    card = payment_methods.card_of(world, world.get("payment_method", intent["payment_method"]))
    known = card.settles if isinstance(card.settles, Decline) else None
    decline = known or Decline(
        "payment_intent_payment_attempt_failed", "The bank account could not be debited."
    )
    world.update(
        charge,
        status="failed",
        paid=False,
        failure_code=decline.code,
        failure_message=decline.message,
    )
    method = world.get("payment_method", intent["payment_method"])
    return _fail(world, intent, method, decline, charge=charge)


def settles_by_itself(world: World, intent: Body) -> bool:
    """Whether a debit left alone succeeds: the test account says so."""
    method = world.get("payment_method", intent["payment_method"])
    return payment_methods.card_of(world, method).settles is True


def cancel(world: World, intent: Body, reason: str) -> None:
    if intent["status"] not in ("succeeded", "canceled", "processing"):
        world.update(
            intent,
            status="canceled",
            canceled_at=world.now,
            cancellation_reason=reason,
            next_action=None,
        )
        world.emit("payment_intent.canceled", intent)


def declined(world: World, intent: Body) -> Exception:
    """The 402 for the intent's last failure."""
    error = dict(intent["last_payment_error"])
    decline = Decline(error.pop("code"), error.pop("message"), error.pop("decline_code", None))
    del error["type"]
    error.pop("doc_url", None)
    return decline.error(**error, payment_intent=dict(intent))


def _succeed(world: World, intent: Body, charge: Body) -> Body:
    world.emit("charge.succeeded", charge)
    world.update(
        intent,
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
        processing=None,
    )
    world.emit("payment_intent.succeeded", intent)
    return intent


def _fail(
    world: World,
    intent: Body,
    method: Body,
    decline: Decline,
    *,
    charge: Body | None = None,
    charged: bool = True,
) -> Body:
    if charge is None and charged:
        charge = _charge(world, intent, method, "failed", decline)
    if charge:
        world.emit("charge.failed", charge)
    error: Body = decline.error(payment_method=dict(method)).body["error"]
    world.update(
        intent,
        status="requires_payment_method",
        latest_charge=charge["id"] if charge else intent["latest_charge"],
        last_payment_error=error | ({"charge": charge["id"]} if charge else {}),
        payment_method=None,
        next_action=None,
        processing=None,
    )
    world.emit("payment_intent.payment_failed", intent)
    return intent


def _settle_later(world: World, intent: Body, method: Body) -> Body:
    charge = _charge(world, intent, method, "pending")
    world.emit("charge.pending", charge)
    world.update(
        intent,
        status="processing",
        latest_charge=charge["id"],
        next_action=None,
        last_payment_error=None,
    )
    world.emit("payment_intent.processing", intent)
    world.schedule("settle", intent, world.now + SETTLING_DAYS * DAY)
    return intent


def _charge(
    world: World, intent: Body, method: Body, status: str, decline: Decline | None = None
) -> Body:
    ok = status == "succeeded"
    return world.create(
        "charge",
        {
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if ok else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "SANDBOX",
            "captured": status != "failed",
            "created": world.now,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": decline.message if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "on_behalf_of": None,
            "outcome": _outcome(decline),
            "paid": ok,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _payment_method_details(method),
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": status,
            "transfer_data": None,
            "transfer_group": None,
        },
    )


def _outcome(decline: Decline | None) -> Body:
    return {
        "advice_code": "try_again_later" if decline else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline.decline_code or decline.code if decline else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": decline.message if decline else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def _payment_method_details(method: Body) -> Body:
    kind = method["type"]
    known: Any = method[kind]
    if kind == "card":
        shared = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
        card = {name: known[name] for name in (*shared, "last4", "regulated_status", "wallet")}
        more: Body = {"installments": None, "mandate": None, "three_d_secure": None}
        return {"type": kind, kind: card | more | {"network": known["brand"]}}
    if kind == "sepa_debit":
        names = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        return {"type": kind, kind: {name: known[name] for name in names} | {"mandate": None}}
    names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4")
    detail = {name: known[name] for name in (*names, "routing_number")}
    return {"type": kind, kind: detail | {"payment_reference": None}}
