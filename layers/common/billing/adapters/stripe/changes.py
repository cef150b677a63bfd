"""Change what Stripe bills: schedules, prices, cards, open invoices.

Each of these may be repeated by its nature: it sets something to a value, or Stripe refuses it the
second time. So they carry no key of ours: under the same key cancel, keep, cancel would get the
first answer again and cancel nothing, and a failure would be repeated for a day.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import stripe

from billing.adapters.stripe.client import client, our_errors, under_a_key
from billing.adapters.stripe.gateway import with_query
from billing.adapters.stripe.snapshots import noted
from billing.domain.catalog import Cycle
from billing.domain.errors import Conflict, PaymentNeeded

ENDED = ("canceled", "incomplete_expired")


def plan_change(
    subscription_id: str, cycle: Cycle, *, price: str | None, quantity: int | None
) -> None:
    """From the next period on the subscription has this price (Stripe's id) and quantity, or
    those it has; `cycle` is the length of that period. Replaces what was planned before.

    A try that was cut off left a schedule without a second phase; it is found and completed.
    """
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id)
        item = current.items.data[0]
        schedule = _schedule_of(current)
        began = schedule.current_phase
        start = began.start_date if began is not None else item.current_period_start
        quantity_now = item.quantity or 1
        now: Any = {
            "items": [{"price": item.price.id, "quantity": quantity_now}],
            "start_date": start,
            "end_date": item.current_period_end,
            "proration_behavior": "none",
        }
        then: Any = {
            "items": [{"price": price or item.price.id, "quantity": quantity or quantity_now}],
            "duration": {"interval": "month", "interval_count": cycle.months},
            "proration_behavior": "none",
        }
        client().v1.subscription_schedules.update(
            schedule.id,
            {"end_behavior": "release", "phases": [now, then]},
        )


def change_now(subscription_id: str, *, price: str, quantity: int) -> None:
    """From now on the subscription has this price (Stripe's id) and quantity. What that costs for
    the time paid for already is charged at once, and nothing changes before it is paid.

    Asked for again it is charged once: what is there already stays, and what still waits for its
    payment leads to the same page. Raises PaymentNeeded.
    """
    expand: list[Any] = ["latest_invoice"]
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id, {"expand": expand})
        item = current.items.data[0]
        if (item.price.id, item.quantity) == (price, quantity):
            return
        if not _awaits(current, price, quantity):
            current = client().v1.subscriptions.update(
                subscription_id,
                {
                    "items": [{"id": item.id, "price": price, "quantity": quantity}],
                    "proration_behavior": "always_invoice",
                    "payment_behavior": "pending_if_incomplete",
                    "expand": expand,
                },
            )
    if current.pending_update is not None:
        raise payment_needed(current)


def note(subscription_id: str, notes: dict[str, str]) -> None:
    """What those who read Stripe's dashboard should know of it."""
    with our_errors(), refusals():
        client().v1.subscriptions.update(subscription_id, {"metadata": notes})


def release_plan(subscription_id: str) -> None:
    """Whatever was planned for the next period no longer is."""
    with our_errors(), refusals():
        schedule = client().v1.subscriptions.retrieve(subscription_id).schedule
        if schedule is not None:
            name = schedule if isinstance(schedule, str) else schedule.id
            client().v1.subscription_schedules.release(name)


def open_card_page(
    account: str, customer: str, currency: str, return_to: str, expires_at: datetime, command: str
) -> str:
    """Open Stripe's page for a new card, the same for the same command; return its URL."""
    metadata = {"account_id": account, "kind": "card"}

    def open_page(key: str) -> str:
        with our_errors():
            session = client().v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "customer": customer,
                    "currency": currency,
                    "success_url": with_query(return_to, "card=saved"),
                    "cancel_url": with_query(return_to, "card=cancelled"),
                    "expires_at": int(expires_at.timestamp()),
                    "metadata": metadata,
                    "setup_intent_data": {"metadata": metadata},
                },
                {"idempotency_key": key},
            )
        assert session.url is not None
        return session.url

    return under_a_key(f"card-{command}", open_page)


def apply_card(session_id: str, subscription_ids: list[str]) -> None:
    """The card of a completed page pays from now on, and what is open is tried with it at once; but
    not a top-up, of which is asked first whether it may still be charged."""
    with our_errors():
        session = client().v1.checkout.sessions.retrieve(session_id, {"expand": ["setup_intent"]})
        intent = session.setup_intent
        if not isinstance(intent, stripe.SetupIntent) or intent.status != "succeeded":
            return
        method, customer = id_of(intent.payment_method), id_of(session.customer)
        client().v1.customers.update(
            customer, {"invoice_settings": {"default_payment_method": method}}
        )
        for subscription_id in subscription_ids:
            _pay_with(subscription_id, method)
        unpaid = client().v1.invoices.list({"customer": customer, "status": "open"})
        for invoice in unpaid.auto_paging_iter():
            if not noted(invoice, "top_up"):
                _try_to_pay(invoice, method)


def pay_invoice(invoice_id: str) -> None:
    """Charge the card on file, unless the invoice was paid or voided meanwhile.

    Raises PaymentNeeded where the customer must act, the card says no or there is none, with the
    page on which to pay.
    """
    with our_errors():
        try:
            paid = client().v1.invoices.pay(invoice_id, {"off_session": False})
        except stripe.InvalidRequestError as error:
            present = client().v1.invoices.retrieve(invoice_id)
            if present.status != "open":
                return
            raise PaymentNeeded(
                "card_needed",
                "There is no card to charge. Pay on the invoice's page, or enter a card.",
                present.hosted_invoice_url,
            ) from error
        except stripe.CardError as error:
            url = client().v1.invoices.retrieve(invoice_id).hosted_invoice_url
            raise PaymentNeeded(
                error.code or "card_declined", error.user_message or "The card was declined.", url
            ) from error
        if paid.status != "paid":
            raise PaymentNeeded(
                "action_needed", "The bank wants you to confirm.", paid.hosted_invoice_url
            )


def payment_needed(subscription: stripe.Subscription) -> PaymentNeeded:
    """The first payment of this, or of what was changed last, is not there; needs
    `latest_invoice` expanded."""
    invoice = subscription.latest_invoice
    url = invoice.hosted_invoice_url if isinstance(invoice, stripe.Invoice) else None
    return PaymentNeeded(
        "action_needed",
        "The card was not charged: the customer pays on the page of this invoice, or enters "
        "another card. Until then nothing changes.",
        url,
    )


def _awaits(subscription: stripe.Subscription, price: str, quantity: int) -> bool:
    """Whether exactly this waits for its payment."""
    update = subscription.pending_update
    items = (update.subscription_items or []) if update is not None else []
    return [(item.price.id, item.quantity) for item in items] == [(price, quantity)]


def _schedule_of(subscription: stripe.Subscription) -> stripe.SubscriptionSchedule:
    schedules = client().v1.subscription_schedules
    present = subscription.schedule
    if present is not None:
        return schedules.retrieve(id_of(present))
    return schedules.create({"from_subscription": subscription.id})


def _pay_with(subscription_id: str, method: str) -> None:
    subscriptions = client().v1.subscriptions
    try:
        subscriptions.update(subscription_id, {"default_payment_method": method})
    except stripe.InvalidRequestError:
        # The row may be behind: what has ended takes no card, and another event tells of it.
        if subscriptions.retrieve(subscription_id).status not in ENDED:
            raise


def _try_to_pay(invoice: stripe.Invoice, method: str) -> None:
    assert invoice.id is not None
    try:
        client().v1.invoices.pay(invoice.id, {"payment_method": method})
    except (stripe.CardError, stripe.InvalidRequestError):
        # It stays open and Stripe goes on trying; the page offers to pay it.
        return


def id_of(subject: Any) -> str:
    return str(subject if isinstance(subject, str) else subject.id)


@contextmanager
def refusals() -> Iterator[None]:
    """Stripe refuses what no longer fits: somebody else changed the subscription meanwhile."""
    try:
        yield
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            raise
        raise Conflict(
            "changed_meanwhile", "The subscription was changed meanwhile. Look again."
        ) from error
