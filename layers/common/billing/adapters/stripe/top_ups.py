"""Top-ups at Stripe: an invoice for one package, charged to the card on file without its owner.

Nothing collects it by itself: it is paid by `pay`, or not at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import stripe

from billing.adapters.stripe.client import client, our_errors
from billing.adapters.stripe.gateway import price_id
from billing.domain.catalog import Kind
from billing.domain.money import Money
from billing.domain.top_ups import TopUpOrder


class Refused(Exception):
    """Stripe does not make, or no longer has, such an invoice, however often it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A top-up's invoice as it is now; `due` is what the card is charged. `tried` says whether it
    was asked, `coming` that the bank answers later."""

    invoice: str
    status: str
    due: Money
    tried: bool
    coming: bool

    @classmethod
    def of(cls, invoice: stripe.Invoice) -> Self:
        """Needs `payments.data.payment.payment_intent` expanded."""
        made = invoice.payments.data if invoice.payments is not None else []
        intents = [each.payment.payment_intent for each in made]
        return cls(
            invoice=str(invoice.id),
            status=str(invoice.status),
            due=Money(invoice.amount_due, invoice.currency),
            tried=invoice.attempted,
            coming=any(
                isinstance(each, stripe.PaymentIntent) and each.status == "processing"
                for each in intents
            ),
        )


def draft_invoice(
    order: TopUpOrder, account: str, person: str, base: str, *, automatic_tax: bool
) -> str:
    """A draft with the package on it, for who pays the subscription `base`; the same for the same
    attempt. What there is of it where that fails charges nobody.

    Raises KeySpent where Stripe keeps the failure; Refused.
    """
    key = f"top-up-{order.id}-{order.attempt}"
    price = price_id(order.price)
    metadata = {
        "account_id": account,
        "kind": str(Kind.PACKAGE),
        "package": order.package,
        "credits": str(order.credits),
        "wallet": person,
        "top_up": order.id,
    }
    with our_errors(), _refusals():
        customer = str(client().v1.subscriptions.retrieve(base).customer)
        invoice = client().v1.invoices.create(
            {
                "customer": customer,
                "currency": order.due.currency,
                "collection_method": "charge_automatically",
                "auto_advance": False,
                "pending_invoice_items_behavior": "exclude",
                "automatic_tax": {"enabled": automatic_tax},
                "metadata": metadata,
            },
            {"idempotency_key": key},
        )
        client().v1.invoice_items.create(
            {"customer": customer, "invoice": str(invoice.id), "pricing": {"price": price}},
            {"idempotency_key": f"{key}-item"},
        )
    return str(invoice.id)


def find(invoice: str) -> Charge:
    """Raises Refused where it is gone."""
    with our_errors(), _refusals():
        return _find(invoice)


def finalize(invoice: str) -> Charge:
    """Its total is fixed from here on, taxes included. Finds one that was finalised before. Raises
    Refused."""
    with our_errors(), _refusals():
        try:
            client().v1.invoices.finalize_invoice(invoice, {"auto_advance": False})
        except stripe.InvalidRequestError:
            if (found := _find(invoice)).status == "draft":
                raise
            return found
        return _find(invoice)


def pay(invoice: str, base: str) -> Charge:
    """Charges the card that pays the subscription `base` now; whether that worked shows in what the
    invoice is afterwards."""
    with our_errors():
        wanted: Any = {"off_session": True}
        method = client().v1.subscriptions.retrieve(base).default_payment_method
        if method is not None:
            wanted["payment_method"] = str(method)
        try:
            client().v1.invoices.pay(invoice, wanted)
        except (stripe.CardError, stripe.InvalidRequestError):
            # Declined, or the bank wants the customer, or no card is there; or paid meanwhile.
            return _find(invoice)
        return _find(invoice)


def give_up(invoice: str) -> Charge:
    """Nobody can pay it any more, unless it has been paid by now."""
    with our_errors():
        try:
            client().v1.invoices.void_invoice(invoice)
        except stripe.InvalidRequestError:
            return _find(invoice)
        return _find(invoice)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except stripe.InvalidRequestError as error:
        raise Refused(error.code or str(error)) from error


def _find(invoice: str) -> Charge:
    expand: Any = {"expand": ["payments.data.payment.payment_intent"]}
    return Charge.of(client().v1.invoices.retrieve(invoice, expand))
