"""The slots' subscription at Stripe: what there is of it, what more would cost, and buying more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe

from billing.adapters.stripe.changes import refusals
from billing.adapters.stripe.client import client, our_errors
from billing.adapters.stripe.gateway import price_id, subscription
from billing.adapters.stripe.snapshots import noted
from billing.domain.catalog import Kind
from billing.domain.errors import PaymentNeeded
from billing.domain.money import Money
from billing.domain.slots import SlotChange
from billing.domain.subscription import LIVE, Status, Subscription
from billing.domain.times import from_epoch


@dataclass(frozen=True, slots=True)
class Unpaid:
    """What waits for the customer: more slots, or the first ones in a `begun` subscription."""

    invoice: str
    url: str | None
    begun: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """`bought` is the live subscription, and `item` its item's id. `scheduled` says that a schedule
    holds it, which refuses other changes until it is released."""

    bought: Subscription | None = None
    item: str = ""
    scheduled: bool = False
    unpaid: Unpaid | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What is due at once, taxes included, and when the slots renew next."""

    due: Money
    renews_at: datetime


def find(customer: str) -> Found:
    """As it is now, whatever our rows say: also what a try has bought whose answer was lost."""
    with our_errors():
        listed = client().v1.subscriptions.list(
            {"customer": customer, "limit": 100, "expand": ["data.latest_invoice"]}
        )
        ours = [each for each in listed.auto_paging_iter() if noted(each, "kind") == Kind.SLOTS]
    live = next((each for each in ours if each.status in LIVE), None)
    waiting = next((each for each in ours if _waits(each)), None)
    return Found(
        bought=None if live is None else subscription(live.id),
        item="" if live is None else live.items.data[0].id,
        scheduled=live is not None and live.schedule is not None,
        unpaid=None if waiting is None else _unpaid(waiting),
    )


def price_first(customer: str, price: str, wanted: int, *, automatic_tax: bool) -> Price:
    """What `wanted` slots at the lookup key `price` cost where there are none."""
    with our_errors():
        preview = client().v1.invoices.create_preview(
            {
                "customer": customer,
                "automatic_tax": {"enabled": automatic_tax},
                "subscription_details": {"items": [{"price": price_id(price), "quantity": wanted}]},
            }
        )
    ends = max(line.period.end for line in preview.lines.data)
    return Price(Money(preview.amount_due, preview.currency), from_epoch(ends))


def price_more(found: Found, wanted: int, at: datetime) -> Money:
    """What is due at once for `wanted` slots instead of those bought, from `at` on."""
    assert found.bought is not None
    with our_errors(), refusals():
        preview = client().v1.invoices.create_preview(
            {
                "subscription": found.bought.id,
                "subscription_details": {
                    "items": [{"id": found.item, "quantity": wanted}],
                    "proration_behavior": "always_invoice",
                    "proration_date": int(at.timestamp()),
                },
            }
        )
    return Money(preview.amount_due, preview.currency)


def buy_more(found: Found, change: SlotChange) -> None:
    """Charged at once; they count when that is paid, at once or within a day. Raises KeySpent."""
    assert found.bought is not None
    wanted: Any = {
        "items": [{"id": found.item, "quantity": change.wanted}],
        "proration_behavior": "always_invoice",
        "proration_date": int(change.charged_from.timestamp()),
        "payment_behavior": "pending_if_incomplete",
    }
    with our_errors(), refusals():
        client().v1.subscriptions.update(found.bought.id, wanted, {"idempotency_key": _key(change)})


def buy_first(
    account: str, customer: str, base: str, price: str, change: SlotChange, *, automatic_tax: bool
) -> None:
    """A subscription of their own, charged at once to the card that pays `base`. Where the bank
    wants the customer, or the card is declined, it is begun and counts when it is paid.

    Raises PaymentNeeded `card_needed`; KeySpent.
    """
    with our_errors():
        wanted: Any = {
            "customer": customer,
            "items": [{"price": price_id(price), "quantity": change.wanted}],
            "default_payment_method": _card(base),
            "payment_behavior": "allow_incomplete",
            "automatic_tax": {"enabled": automatic_tax},
            "metadata": {"account_id": account, "kind": str(Kind.SLOTS)},
        }
        client().v1.subscriptions.create(wanted, {"idempotency_key": _key(change)})


def withdraw(unpaid: Unpaid) -> None:
    """Nobody can pay it any more. Raises Conflict `changed_meanwhile` if somebody just has."""
    with our_errors(), refusals():
        client().v1.invoices.void_invoice(unpaid.invoice)
        if unpaid.begun is None:
            return
        begun = client().v1.subscriptions.retrieve(unpaid.begun)
        if begun.status == Status.INCOMPLETE:
            client().v1.subscriptions.cancel(begun.id)


def _waits(subject: stripe.Subscription) -> bool:
    """A begun one whose invoice was voided waits for nothing: Stripe ends it within the day."""
    invoice = subject.latest_invoice
    if not isinstance(invoice, stripe.Invoice) or invoice.status != "open":
        return False
    return subject.pending_update is not None or subject.status == Status.INCOMPLETE


def _unpaid(subject: stripe.Subscription) -> Unpaid:
    invoice = subject.latest_invoice
    assert isinstance(invoice, stripe.Invoice)
    assert invoice.id is not None
    begun = subject.id if subject.status == Status.INCOMPLETE else None
    return Unpaid(invoice.id, invoice.hosted_invoice_url, begun)


def _card(base: str) -> str:
    found = client().v1.subscriptions.retrieve(
        base, {"expand": ["customer.invoice_settings.default_payment_method"]}
    )
    method: Any = found.default_payment_method
    if method is None:
        settings = getattr(found.customer, "invoice_settings", None)
        method = settings.default_payment_method if settings is not None else None
    if method is None:
        raise PaymentNeeded("card_needed", "There is no card on file. Enter one first.", None)
    return method if isinstance(method, str) else str(method.id)


def _key(change: SlotChange) -> str:
    return f"slots-{change.id}-{change.attempt}"
