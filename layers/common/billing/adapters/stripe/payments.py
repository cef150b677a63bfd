"""Packages at Stripe: the page on which one is paid, and what became of the payment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe

from billing.adapters.stripe.client import client, our_errors, under_a_key
from billing.adapters.stripe.events import StripeEvent
from billing.adapters.stripe.gateway import price_id, with_query
from billing.adapters.stripe.snapshots import noted
from billing.domain.catalog import Kind
from billing.domain.purchases import Payment

_CONTESTED = ("needs_response", "under_review")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A package, how often, and whose wallet its credits go to; `price` is the lookup key."""

    account: str
    customer: str
    wallet: str
    package: str
    price: str
    quantity: int
    credits: int
    return_to: str
    expires_at: datetime
    automatic_tax: bool


def open_package_page(order: Order, command: str) -> str:
    """Open Stripe's page for paying the order, the same for the same command; return its URL."""
    return under_a_key(f"package-{command}", lambda key: _open(order, key))


def payment_of(purchase: str) -> Payment | None:
    """What became of a purchase's money; None for a session or an invoice that sold no package."""
    with our_errors():
        return _of_invoice(purchase) if purchase.startswith("in_") else _of_session(purchase)


def purchase_of(event: StripeEvent) -> str | None:
    """The purchase whose payment a refund or a dispute is about; None if it was of none."""
    with our_errors():
        intent = _subject(event).payment_intent
        if intent is None:
            return None
        sessions = client().v1.checkout.sessions.list({"payment_intent": _id(intent)}).data
        if sessions:
            return sessions[0].id
        paid: Any = {"payment": {"type": "payment_intent", "payment_intent": _id(intent)}}
        invoices = client().v1.invoice_payments.list(paid).data
    return _id(invoices[0].invoice) if invoices else None


def customer_of(event: StripeEvent) -> str:
    """Whose payment a dispute is about: a dispute itself does not say. Empty if nobody's."""
    with our_errors():
        charge = _subject(event).charge
        found = client().v1.charges.retrieve(_id(charge))
    return _id(found.customer) if found.customer else ""


def _subject(event: StripeEvent) -> Any:
    match event.object_id.split("_")[0]:
        case "ch" | "py":
            return client().v1.charges.retrieve(event.object_id)
        case "re" | "pyr":
            return client().v1.refunds.retrieve(event.object_id)
    return client().v1.disputes.retrieve(event.object_id)


def _of_session(session_id: str) -> Payment | None:
    session = client().v1.checkout.sessions.retrieve(
        session_id, {"expand": ["payment_intent.latest_charge"]}
    )
    if noted(session, "kind") != Kind.PACKAGE:
        return None
    paid = session.payment_status in ("paid", "no_payment_required")
    intent = session.payment_intent
    charge = intent.latest_charge if isinstance(intent, stripe.PaymentIntent) else None
    return _payment(session, paid, session.amount_total or 0, charge)


def _of_invoice(invoice_id: str) -> Payment | None:
    """Only a top-up's: what Checkout made for a package belongs to its session."""
    invoice = client().v1.invoices.retrieve(
        invoice_id, {"expand": ["payments.data.payment.payment_intent"]}
    )
    if not noted(invoice, "top_up"):
        return None
    made = invoice.payments.data if invoice.payments is not None else []
    intents = [each.payment.payment_intent for each in made if each.status == "paid"]
    charge = None
    if intents and isinstance(intents[0], stripe.PaymentIntent) and intents[0].latest_charge:
        # Stripe expands no deeper.
        charge = client().v1.charges.retrieve(_id(intents[0].latest_charge))
    return _payment(invoice, invoice.status == "paid", invoice.amount_paid, charge)


def _payment(subject: Any, paid: bool, amount: int, charge: Any) -> Payment:
    """Of a session or an invoice."""
    refunded = lost = contested = 0
    if isinstance(charge, stripe.Charge):
        refunded = charge.amount_refunded
        if charge.disputed:
            lost, contested = _disputed(charge.id)
    return Payment(
        purchase=subject.id,
        wallet=noted(subject, "wallet"),
        credits=int(noted(subject, "credits")),
        top_up=bool(noted(subject, "top_up")),
        paid=paid,
        amount=amount,
        refunded=refunded,
        lost=lost,
        contested=contested,
    )


def _open(order: Order, key: str) -> str:
    metadata = {
        "account_id": order.account,
        "kind": str(Kind.PACKAGE),
        "package": order.package,
        "credits": str(order.credits),
        "wallet": order.wallet,
    }
    with our_errors():
        session = client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": order.customer,
                "client_reference_id": order.account,
                "line_items": [{"price": price_id(order.price), "quantity": order.quantity}],
                "success_url": with_query(order.return_to, "credits=bought"),
                "cancel_url": with_query(order.return_to, "credits=cancelled"),
                "expires_at": int(order.expires_at.timestamp()),
                "automatic_tax": {"enabled": order.automatic_tax},
                "tax_id_collection": {"enabled": True},
                "customer_update": {"address": "auto", "name": "auto"},
                "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
            },
            {"idempotency_key": key},
        )
    assert session.url is not None
    return session.url


def _disputed(charge: str) -> tuple[int, int]:
    """How much of it is lost for good, and how much is contested."""
    lost = contested = 0
    for dispute in client().v1.disputes.list({"charge": charge, "limit": 100}).auto_paging_iter():
        if dispute.status == "lost":
            lost += dispute.amount
        elif dispute.status in _CONTESTED:
            contested += dispute.amount
    return lost, contested


def _id(subject: Any) -> str:
    return str(subject if isinstance(subject, str) else subject.id)
