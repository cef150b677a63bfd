"""Recording what Stripe says.

An event only points at an object. The row is read, the object fetched after it, and the snapshot
written against the row as it was read: of two writers the one that fetched earlier fails and
fetches again, so late, repeated and reordered events end in the same rows. The mark against doing
it again commits with the effect.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from aws_lambda_powertools import Logger

from billing import runtime
from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, invoices, keys, marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import changes, gateway, payments
from billing.adapters.stripe.events import StripeEvent
from billing.adapters.stripe.gateway import CheckoutFacts
from billing.domain.account import Checkout, CheckoutStatus
from billing.domain.catalog import Kind
from billing.domain.events import STRIPE
from billing.domain.invoices import Invoice, InvoiceStatus
from billing.domain.subscription import Subscription
from billing.usecases.purchases import record_purchase
from billing.usecases.snapshots import put_invoice, put_snapshot
from billing.usecases.subscription import follow_base

logger = Logger(child=True)

_TRIES = 5
_BILLED_BY_PERIOD = (Kind.SUBSCRIPTION, Kind.SLOTS, Kind.ADD_ON)

Effect = Callable[[StripeEvent, str, Transaction], None]
"""Adds to the transaction what an event means for an account."""


class UnknownCustomer(Exception):
    """A customer of our making that no row names yet: come back later."""


def record_event(event: StripeEvent, effect: Effect, now: datetime) -> None:
    """Applies `effect` once for `event`, or only notes that it came, for what is not ours.

    Raises UnknownCustomer and Unavailable, after which the event must come again.
    """
    if marks.stripe_event_done(event.id):
        return
    account = _account_of(event)
    for _ in range(_TRIES):
        write = Transaction()
        marks.mark_stripe_event(write, event.id, now)
        if account is None:
            logger.info("not of our making", extra={"event": event.id, "type": event.type})
        else:
            effect(event, account, write)
        try:
            write.commit()
        except StaleWrite:
            continue
        except marks.AlreadyDone:
            pass
        return
    raise unavailable()


def record_checkout(event: StripeEvent, account: str, write: Transaction) -> None:
    """A session's outcome, and the subscription that it bought, together."""
    rows = accounts.load(account)
    facts = gateway.checkout_facts(event.object_id)
    if facts.kind == "card" and facts.complete:
        live = [each.id for each in rows.subscriptions.values() if each.live]
        changes.apply_card(event.object_id, live)
        refresh_subscriptions(event, account, write)
    if facts.kind == Kind.PACKAGE:
        record_purchase(event.object_id, account, write)
    if facts.kind != Kind.SUBSCRIPTION:
        return
    checkout = rows.checkout
    version = rows.version_of(keys.checkout_key(account))
    if checkout is not None and checkout.id == facts.checkout:
        accounts.put_checkout(write, account, _after(checkout, facts, event), version=version)
    elif checkout is not None and facts.session in checkout.replaces:
        outcome = _after_replaced(checkout, facts, event)
        accounts.put_checkout(write, account, outcome, version=version)
    if facts.subscription is not None:
        _replace_snapshot(rows, gateway.subscription(facts.subscription), write)


def record_subscription(event: StripeEvent, account: str, write: Transaction) -> None:
    """And what follows from it: a cancellation, or its taking back, that was cut off after the
    base is completed here, and slots that came to life after it end with it."""
    rows = accounts.load(account)
    fetched = gateway.subscription(event.object_id)
    _replace_snapshot(rows, fetched, write)
    if fetched is None or rows.base is None:
        return
    if fetched.id == rows.base.id:
        for other in rows.subscriptions.values():
            if other.kind is not Kind.SUBSCRIPTION:
                follow_base(other, fetched, runtime.now())
    elif fetched.kind is not Kind.SUBSCRIPTION and (base := gateway.subscription(rows.base.id)):
        # Its row may not know yet that it is kept.
        follow_base(fetched, base, runtime.now())


def refresh_subscriptions(event: StripeEvent, account: str, write: Transaction) -> None:
    """The card, and what is planned for the next period, are part of each snapshot."""
    rows = accounts.load(account)
    for present in rows.subscriptions.values():
        _replace_snapshot(rows, gateway.subscription(present.id), write)


def record_customer(event: StripeEvent, account: str, write: Transaction) -> None:
    """The card, and the address of receipts: one that isn't the account's is due to be changed."""
    rows = accounts.load(account)
    present = rows.account
    refresh_subscriptions(event, account, write)
    if present is None or present.customer != event.customer:
        return
    email = gateway.customer_email(event.customer)
    if email is not None and email != present.customer_email:
        version = rows.version_of(keys.account_key(account))
        accounts.put_account(write, replace(present, customer_email=email), version=version)


def record_invoice(event: StripeEvent, account: str, write: Transaction) -> None:
    """The event's time of creation, which never changes, names the row to read before fetching."""
    row_id = f"{event.object_created:010d}-{event.object_id}"
    before, version = invoices.load(account, row_id)
    invoice = gateway.invoice(event.object_id)
    if invoice is not None:
        at = runtime.now()
        put_invoice(write, account, before, invoice, version=version, by=STRIPE, at=at)
        if invoice.status is InvoiceStatus.PAID and invoice.kind in _BILLED_BY_PERIOD:
            _period_is_paid(account, invoice, write)
        if invoice.kind == Kind.PACKAGE and invoice.status is InvoiceStatus.PAID:
            record_purchase(event.object_id, account, write)


def alert_invoice(event: StripeEvent, account: str, write: Transaction) -> None:
    """Stripe could not finalise an invoice: nothing is charged until a person mends it."""
    alert("an invoice could not be finalised", invoice=event.object_id)
    record_invoice(event, account, write)


def unlink_customer(event: StripeEvent, account: str, write: Transaction) -> None:
    """A customer deleted at Stripe: the next Checkout makes a new one."""
    rows = accounts.load(account)
    if rows.account is None or rows.account.customer != event.customer:
        return
    if not gateway.customer_deleted(event.customer):
        return
    unlinked = replace(
        rows.account,
        customer=None,
        customer_requested_at=None,
        customer_generation=rows.account.customer_generation + 1,
    )
    version = rows.version_of(keys.account_key(account))
    accounts.put_account(write, unlinked, version=version)
    if rows.checkout is not None:
        closed = replace(rows.checkout, status=CheckoutStatus.CLOSED)
        version = rows.version_of(keys.checkout_key(account))
        accounts.put_checkout(write, account, closed, version=version)


def _account_of(event: StripeEvent) -> str | None:
    """Whose the event is: by the link that we wrote, never by what the event says."""
    if not event.concerns_a_customer:
        return None
    customer = event.customer or payments.customer_of(event)
    account = accounts.account_of(customer) if customer else None
    if account is None and customer and gateway.account_named_by(customer):
        raise UnknownCustomer(customer)
    return account


def _replace_snapshot(rows: AccountRows, fetched: Subscription | None, write: Transaction) -> None:
    if fetched is not None:
        put_snapshot(write, rows, fetched, by=STRIPE, at=runtime.now())


def _period_is_paid(account: str, invoice: Invoice, write: Transaction) -> None:
    """Stripe tells of a renewal before it is charged, and of its payment by the invoice alone."""
    rows = accounts.load(account)
    for present in rows.subscriptions.values():
        unpaid = present.unpaid_invoice
        if unpaid is not None and unpaid.id == invoice.stripe_id:
            _replace_snapshot(rows, gateway.subscription(present.id), write)


def _after_replaced(checkout: Checkout, facts: CheckoutFacts, event: StripeEvent) -> Checkout:
    """What the outcome of a page that it was to replace means for a reservation."""
    left = tuple(session for session in checkout.replaces if session != facts.session)
    if facts.open:
        return checkout
    if facts.paid:
        return replace(checkout, status=CheckoutStatus.CLOSED, replaces=left)
    if not facts.complete or event.type == "checkout.session.async_payment_failed":
        return replace(checkout, replaces=left)
    return replace(checkout, status=CheckoutStatus.CLOSED)


def _after(checkout: Checkout, facts: CheckoutFacts, event: StripeEvent) -> Checkout:
    """A complete session stays `unpaid` at Stripe when its late payment fails: only that event
    tells, so what it closed is opened again by nothing but money."""
    if facts.open:
        return checkout
    if facts.paid:
        return replace(checkout, status=CheckoutStatus.COMPLETED, paid=True)
    failed = event.type == "checkout.session.async_payment_failed"
    if not facts.complete or failed or checkout.status is CheckoutStatus.CLOSED:
        return replace(checkout, status=CheckoutStatus.CLOSED)
    return replace(checkout, status=CheckoutStatus.COMPLETED)
