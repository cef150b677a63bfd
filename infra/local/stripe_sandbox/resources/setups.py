"""Setup intents: a card kept for later, with nothing charged."""

from infra.local.stripe_sandbox.cards import (
    AUTHENTICATION_NEEDED,
    NOT_AUTHENTICATED,
    Decline,
)
from infra.local.stripe_sandbox.errors import CardDeclined
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, operation
from infra.local.stripe_sandbox.resources import payment_methods, payments
from infra.local.stripe_sandbox.state import Body, new_id, token
from infra.local.stripe_sandbox.world import World


@operation("GET /v1/setup_intents/{intent}")
def retrieve_setup(world: World, call: Call) -> Body:
    return world.get("setup_intent", call.ids["intent"])


@operation("GET /v1/setup_intents", "customer payment_method created created.*")
def list_setups(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("customer", "payment_method")}
    return page(world, call, "setup_intent", filters)


def new_setup(world: World, customer: str | None, metadata: Body, description: str | None) -> Body:
    id = new_id("setup_intent")
    setup = world.create(
        "setup_intent",
        {
            "id": id,
            "application": None,
            "automatic_payment_methods": None,
            "cancellation_reason": None,
            "client_secret": f"{id}_secret_{token(25)}",
            "created": world.now,
            "customer": customer,
            "customer_account": None,
            "description": description,
            "flow_directions": None,
            "last_setup_error": None,
            "latest_attempt": None,
            "livemode": False,
            "mandate": None,
            "metadata": metadata,
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "single_use_mandate": None,
            "status": "requires_payment_method",
            "usage": "off_session",
        },
    )
    world.emit("setup_intent.created", setup)
    return setup


def attempt(world: World, setup: Body, method: Body, *, authenticated: bool | None = None) -> Body:
    """Try to keep `method`; the status of `setup` afterwards says what happened."""
    card = payment_methods.card_of(world, method)
    world.update(setup, payment_method=method["id"])
    decline = payments.judge(world, card, method, authenticated)
    if authenticated is False:
        decline = NOT_AUTHENTICATED
    if decline is AUTHENTICATION_NEEDED:
        return payments.ask_the_bank(world, setup)
    if decline is not None:
        return _fail(world, setup, method, decline)
    if authenticated:
        world.keep(method, set_up=True)
    if setup["customer"]:
        payment_methods.attach(world, method, setup["customer"])
    world.update(setup, status="succeeded", next_action=None, last_setup_error=None)
    world.emit("setup_intent.succeeded", setup)
    return setup


def declined(setup: Body) -> CardDeclined:
    error = setup["last_setup_error"]
    decline = Decline(error["code"], error["message"], error.get("decline_code"))
    return decline.error(setup_intent=dict(setup))


def _fail(world: World, setup: Body, method: Body, decline: Decline) -> Body:
    world.update(
        setup,
        status="requires_payment_method",
        last_setup_error=decline.error(payment_method=dict(method)).body["error"],
        payment_method=None,
        next_action=None,
    )
    world.emit("setup_intent.setup_failed", setup)
    return setup
