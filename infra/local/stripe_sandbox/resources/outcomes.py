"""What happens outside of Stripe: the bank's answers, told to whatever the payment is for."""

from infra.local.stripe_sandbox.errors import NoSuchObject, Refused
from infra.local.stripe_sandbox.resources import checkout, invoices, payments
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World


def intent(world: World, id: str) -> Body:
    """A payment or setup intent by its id."""
    found = world.look_up(id)
    if found is None or found["object"] not in ("payment_intent", "setup_intent"):
        raise NoSuchObject("payment_intent", id)
    return found


def settle(world: World, intent: Body, *, succeed: bool) -> Body:
    """A debit that was processing succeeds or fails."""
    payments.settle(world, intent, succeed=succeed)
    session, invoice = _owners(world, intent)
    if session:
        checkout.settled(world, session, intent)
    elif invoice:
        invoices.follow(world, invoice, intent)
    return intent


def answer_bank(world: World, intent: Body, *, approved: bool) -> Body:
    """The customer did or did not pass the bank's page.

    Raises CardDeclined, whose traces stay, when the payment fails.
    """
    if intent["status"] != "requires_action":
        raise Refused(f"The intent {intent['id']} does not wait for the bank.")
    session, invoice = _owners(world, intent)
    if session and session["status"] == "open":
        return checkout.authenticated(world, session, approved=approved)
    method = world.get("payment_method", intent["payment_method"])
    if invoice:
        invoices.pay(world, invoice, method=method, authenticated=approved)
        return intent
    return payments.attempt(world, intent, method, authenticated=approved)


def _owners(world: World, intent: Body) -> tuple[Body | None, Body | None]:
    known = world.hidden(intent)
    session, invoice = known.get("session"), known.get("invoice")
    return session and world.look_up(session), invoice and world.look_up(invoice)
