"""Top-ups at Stripe: an invoice for one package, charged to the card on file without its owner.

Nothing collects it by itself: it is paid by `pay`, or not at all.
"""

from dataclasses import dataclass
from typing import Any, Self

import stripe

from billing.adapters.stripe.client import client, our_errors
from billing.adapters.stripe.gateway import price_id
from billing.domain.catalog import Kind
from billing.domain.money import Money
from billing.domain.top_ups import TopUpOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A top-up's invoice as it is now. `tried` says whether the card was asked, `coming` that the
    bank answers later."""

    invoice: str
    status: str
    total: Money
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
            total=Money(invoice.total, invoice.currency),
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
    attempt. Raises KeySpent where Stripe keeps a failure: what there is of it charges nobody.
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
    with our_errors():
        payer = client().v1.subscriptions.retrieve(base)
        wanted: Any = {
            "customer": str(payer.customer),
            "currency": order.due.currency,
            "collection_method": "charge_automatically",
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "automatic_tax": {"enabled": automatic_tax},
            "metadata": metadata,
        }
        if payer.default_payment_method is not None:
            wanted["default_payment_method"] = str(payer.default_payment_method)
        invoice = str(client().v1.invoices.create(wanted, {"idempotency_key": key}).id)
        client().v1.invoice_items.create(
            {"customer": str(payer.customer), "invoice": invoice, "pricing": {"price": price}},
            {"idempotency_key": f"{key}-item"},
        )
    return invoice


def find(invoice: str) -> Charge:
    with our_errors():
        return _find(invoice)


def finalize(invoice: str) -> Charge:
    """Its total is fixed from here on, taxes included. Finds one that was finalised before."""
    with our_errors():
        try:
            client().v1.invoices.finalize_invoice(invoice, {"auto_advance": False})
        except stripe.InvalidRequestError:
            if (found := _find(invoice)).status == "draft":
                raise
            return found
        return _find(invoice)


def pay(invoice: str) -> Charge:
    """Charges the card on file; whether that worked shows in what the invoice is afterwards."""
    with our_errors():
        try:
            client().v1.invoices.pay(invoice, {"off_session": True})
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


def _find(invoice: str) -> Charge:
    expand: Any = {"expand": ["payments.data.payment.payment_intent"]}
    return Charge.of(client().v1.invoices.retrieve(invoice, expand))
