"""Calls to Stripe. Its errors become ours; every write carries a key derived from the intent."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

import requests
import stripe

from billing import runtime
from billing.adapters.stripe.client import TIMEOUT_SECONDS, client, our_errors, unavailable
from billing.adapters.stripe.events import EVENT_TYPES, StripeEvent
from billing.adapters.stripe.snapshots import (
    ForeignObject,
    costs_more_than_its_price,
    invoice_snapshot,
    noted,
    preview_snapshot,
    subscription_snapshot,
)
from billing.domain.account import Account, Checkout
from billing.domain.catalog import Kind
from billing.domain.errors import NotFound, Unavailable
from billing.domain.invoices import Invoice
from billing.domain.subscription import LIVE, InvoicePreview, Status, Subscription


@dataclass(frozen=True, slots=True)
class CheckoutFacts:
    """A Checkout session as it is now. `checkout` is our reservation's id."""

    session: str
    checkout: str
    kind: str
    open: bool
    complete: bool
    paid: bool
    subscription: str | None
    url: str | None


def create_customer(account: Account) -> str:
    """The account's customer; asked again within a day, the same one. Raises KeySpent."""
    with our_errors():
        customer = client().v1.customers.create(
            {"email": account.customer_email, "metadata": {"account_id": account.id}},
            {"idempotency_key": f"customer-{account.id}-{account.customer_generation}"},
        )
    return customer.id


def find_customer(account: Account, asked_at: datetime) -> str | None:
    """The customer that an earlier try, begun at `asked_at`, made without our hearing of it."""
    since = int((asked_at - timedelta(hours=1)).timestamp())
    with our_errors():
        found = client().v1.customers.list(
            {"email": account.customer_email, "created": {"gte": since}, "limit": 100}
        )
        for customer in found.auto_paging_iter():
            if noted(customer, "account_id") == account.id:
                return customer.id
    return None


def customer_made_for(account: str) -> str | None:
    """The customer of our making whose metadata names `account`, if it is a minute old or more.

    Who restores an earlier table has lost the link to it. (Stripe: search)
    """
    with our_errors():
        found = client().v1.customers.search({"query": f"metadata['account_id']:'{account}'"})
    return found.data[0].id if found.data else None


def live_subscriptions(customer: str) -> list[Subscription]:
    """Everything of our making that the customer is billed for, whatever our rows say."""
    with our_errors():
        listed = client().v1.subscriptions.list({"customer": customer, "limit": 100})
        names = [each.id for each in listed.auto_paging_iter() if Status(each.status) in LIVE]
    found = (subscription(name) for name in names)
    return [each for each in found if each is not None]


def open_checkout(
    account: str, customer: str, checkout: Checkout, *, automatic_tax: bool
) -> CheckoutFacts:
    """A hosted Checkout for the base subscription, asked for under the reservation's id. Raises
    KeySpent."""
    metadata = {
        "account_id": account,
        "kind": str(Kind.SUBSCRIPTION),
        "checkout_id": checkout.id,
    }
    with our_errors():
        session = client().v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "customer": customer,
                "client_reference_id": account,
                "line_items": [{"price": price_id(checkout.price), "quantity": 1}],
                "success_url": with_query(checkout.return_to, "checkout=success"),
                "cancel_url": with_query(checkout.return_to, "checkout=cancelled"),
                "expires_at": int(checkout.expires_at.timestamp()),
                "automatic_tax": {"enabled": automatic_tax},
                "tax_id_collection": {"enabled": True},
                "customer_update": {"address": "auto", "name": "auto"},
                "metadata": metadata,
                "subscription_data": {"metadata": metadata},
            },
            {"idempotency_key": f"checkout-{checkout.id}-{checkout.attempt}"},
        )
    return _checkout_facts(session)


def close_checkout(session: str) -> bool:
    """Whether the session can no longer be paid; False if it has been, just now."""
    with our_errors():
        try:
            client().v1.checkout.sessions.expire(session)
        except stripe.InvalidRequestError:
            return client().v1.checkout.sessions.retrieve(session).status == "expired"
    return True


def checkout_facts(session: str) -> CheckoutFacts:
    with our_errors():
        return _checkout_facts(client().v1.checkout.sessions.retrieve(session))


def subscription(subscription_id: str) -> Subscription | None:
    """As it is now; None for one that is not of our making."""
    expand = [
        "default_payment_method",
        "customer.invoice_settings.default_payment_method",
        "items.data.price.product",
        "schedule.phases.items.price",
        "latest_invoice",
    ]
    with our_errors():
        found = client().v1.subscriptions.retrieve(subscription_id, {"expand": expand})
    try:
        snapshot = subscription_snapshot(found)
    except ForeignObject:
        return None
    if snapshot.renews and costs_more_than_its_price(found):
        return replace(snapshot, preview=_preview(subscription_id))
    return snapshot


def _preview(subscription_id: str) -> InvoicePreview | None:
    """The next invoice; None where Stripe can't work it out, such as taxes without an address."""
    with our_errors():
        try:
            invoice = client().v1.invoices.create_preview({"subscription": subscription_id})
        except stripe.InvalidRequestError:
            return None
    return preview_snapshot(invoice, runtime.now())


def invoice(invoice_id: str) -> Invoice | None:
    """As it is now; None for a draft, or one that is gone."""
    with our_errors():
        try:
            return invoice_snapshot(client().v1.invoices.retrieve(invoice_id))
        except NotFound:
            return None


def invoices_of(customer: str) -> Iterator[str]:
    """The ids that our rows have of every invoice of the customer, drafts apart, newest first."""
    with our_errors():
        listed = client().v1.invoices.list({"customer": customer, "limit": 100})
        for each in listed.auto_paging_iter():
            if each.status != "draft":
                yield f"{each.created:010d}-{each.id}"


def paid_purchases(customer: str) -> Iterator[str]:
    """What the customer has paid for packages: Checkout sessions, and invoices of top-ups."""
    with our_errors():
        sessions = client().v1.checkout.sessions.list(
            {"customer": customer, "status": "complete", "limit": 100}
        )
        for session in sessions.auto_paging_iter():
            if noted(session, "kind") == Kind.PACKAGE and session.payment_status == "paid":
                yield session.id
        listed = client().v1.invoices.list({"customer": customer, "status": "paid", "limit": 100})
        for invoice in listed.auto_paging_iter():
            if noted(invoice, "top_up"):
                yield str(invoice.id)


def invoice_pdf(invoice_id: str) -> bytes:
    """The document as it is now. Its address at Stripe expires, so it is asked for each time."""
    with our_errors():
        address = client().v1.invoices.retrieve(invoice_id).invoice_pdf
    if not address:
        raise NotFound("invoice_without_pdf", "Stripe has no PDF of this invoice.")
    try:
        answer = requests.get(address, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise unavailable() from error
    return answer.content


def account_named_by(customer: str) -> str:
    """The account that we made this customer for; empty if not of our making, or deleted."""
    with our_errors():
        found = client().v1.customers.retrieve(customer)
    return "" if getattr(found, "deleted", False) else noted(found, "account_id")


def customer_email(customer: str) -> str | None:
    """Where Stripe sends the customer's receipts, empty if nowhere; None for a deleted customer."""
    with our_errors():
        found = client().v1.customers.retrieve(customer)
    return None if getattr(found, "deleted", False) else found.email or ""


def set_customer_email(customer: str, email: str) -> None:
    """Send the customer's receipts to `email` from now on. It may be repeated, so it has no key of
    ours. Raises NotFound. (Stripe: api/customers/update, field email)"""
    with our_errors():
        client().v1.customers.update(customer, {"email": email})


def customer_deleted(customer: str) -> bool:
    with our_errors():
        return bool(getattr(client().v1.customers.retrieve(customer), "deleted", False))


def events_since(moment: datetime) -> Iterator[StripeEvent]:
    """The events of the types we handle that Stripe made from `moment` on, newest first."""
    with our_errors():
        page = client().v1.events.list({"created": {"gte": int(moment.timestamp())}, "limit": 100})
        for event in page.auto_paging_iter():
            if event.type in EVENT_TYPES:
                yield StripeEvent.of(event.to_dict())


@lru_cache(maxsize=64)
def price_id(lookup_key: str) -> str:
    """Raises Unavailable until the catalog has been applied."""
    with our_errors():
        found = client().v1.prices.list({"lookup_keys": [lookup_key], "active": True}).data
    if not found:
        raise Unavailable("catalog_not_applied", "This price is not for sale yet.", 60)
    return found[0].id


def with_query(address: str, query: str) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{query}"


def _checkout_facts(session: stripe.checkout.Session) -> CheckoutFacts:
    bought = session.subscription
    return CheckoutFacts(
        session=session.id,
        checkout=noted(session, "checkout_id"),
        kind=noted(session, "kind"),
        open=session.status == "open",
        complete=session.status == "complete",
        paid=session.payment_status in ("paid", "no_payment_required"),
        subscription=bought.id if isinstance(bought, stripe.Subscription) else bought,
        url=session.url,
    )
