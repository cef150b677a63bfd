"""Stripe's objects as our values."""

from datetime import datetime
from typing import Any

import stripe

from billing.domain.catalog import Cycle, Kind
from billing.domain.invoices import Invoice, InvoiceLine, InvoiceStatus
from billing.domain.money import Money
from billing.domain.subscription import (
    Card,
    InvoicePreview,
    Pending,
    Status,
    Subscription,
    UnpaidInvoice,
)
from billing.domain.times import from_epoch

KEPT_SLOTS = "kept_slots"
"""In the metadata of a canceled base: how many slots the manager keeps until it ends."""

_CYCLES = {("month", 1): Cycle.MONTHLY, ("month", 3): Cycle.QUARTERLY, ("year", 1): Cycle.ANNUAL}


class ForeignObject(Exception):
    """An object at Stripe that this product did not make."""


def subscription_snapshot(subscription: stripe.Subscription) -> Subscription:
    """Needs `default_payment_method`, `customer.invoice_settings.default_payment_method`,
    `items.data.price.product`, `schedule.phases.items.price` and `latest_invoice` expanded.

    Raises ForeignObject for one without our metadata or of another shape than we make.
    """
    kind = _kind(subscription)
    items = subscription.items.data
    if len(items) != 1 or items[0].price.recurring is None or items[0].price.unit_amount is None:
        raise ForeignObject(f"{subscription.id} is not one item per unit")
    item = items[0]
    price = item.price
    recurring = price.recurring
    assert recurring is not None
    assert price.unit_amount is not None
    cycle = _cycle(price)
    if cycle is None:
        raise ForeignObject(f"{price.id} is of no cycle that is sold")
    product = price.product
    if not isinstance(product, stripe.Product):
        raise ForeignObject(f"{price.id} has no product")
    return Subscription(
        id=subscription.id,
        kind=kind,
        status=Status(subscription.status),
        plan=product.id,
        plan_name=product.name or product.id,
        cycle=cycle,
        price=Money(price.unit_amount, price.currency),
        quantity=item.quantity or 1,
        created=from_epoch(subscription.created),
        period_start=from_epoch(item.current_period_start),
        period_end=from_epoch(item.current_period_end),
        ends_at=_ends_at(subscription, item.current_period_end),
        card=_card(subscription),
        pending=_pending(subscription, item),
        ends_with_base=noted(subscription, "ends_with") == "base",
        ends_with_period=subscription.cancel_at_period_end,
        kept_slots=_count(noted(subscription, KEPT_SLOTS)),
        anchor=from_epoch(subscription.billing_cycle_anchor),
        unpaid_invoice=_unpaid_invoice(subscription),
    )


def invoice_snapshot(invoice: stripe.Invoice) -> Invoice | None:
    """None for a draft: nothing is charged yet and it has no number."""
    if invoice.status is None or invoice.status == "draft" or invoice.id is None:
        return None
    return Invoice(
        stripe_id=invoice.id,
        number=invoice.number or "",
        at=from_epoch(invoice.created),
        kind=_invoice_kind(invoice),
        status=InvoiceStatus(invoice.status),
        total=Money(invoice.total, invoice.currency),
        amount_due=Money(invoice.amount_remaining, invoice.currency),
        lines=tuple(
            InvoiceLine(
                line.description or "", line.quantity or 1, Money(_charged(line), invoice.currency)
            )
            for line in invoice.lines.data
        ),
        hosted_url=invoice.hosted_invoice_url,
    )


def costs_more_than_its_price(subscription: stripe.Subscription) -> bool:
    """Tell whether taxes, discounts or a balance count in its next invoice."""
    items = subscription.items.data
    customer = subscription.customer
    return bool(
        subscription.automatic_tax.enabled
        or subscription.default_tax_rates
        or subscription.discounts
        or any(item.tax_rates or item.discounts for item in items)
        or getattr(customer, "balance", 0)
        or getattr(customer, "discount", None)
    )


def preview_snapshot(invoice: stripe.Invoice, made_at: datetime) -> InvoicePreview:
    discounts = invoice.total_discount_amounts or []
    taxes = invoice.total_taxes or []
    discount = sum(each.amount for each in discounts)
    tax = sum(each.amount for each in taxes if each.tax_behavior == "exclusive")
    return InvoicePreview(
        subtotal=invoice.total + discount - tax,
        discount=discount,
        tax=tax,
        total=invoice.total,
        balance=invoice.starting_balance,
        made_at=made_at,
    )


def _charged(line: stripe.InvoiceLineItem) -> int:
    """With what is taken off it and the taxes that are added, so that lines sum to the total."""
    off = sum(each.amount for each in line.pretax_credit_amounts or [])
    taxes = line.taxes or []
    return line.amount - off + sum(t.amount for t in taxes if t.tax_behavior == "exclusive")


def noted(subject: Any, name: str) -> str:
    """What an object's metadata says under `name`; empty if nothing."""
    metadata = subject.metadata
    return str(metadata[name]) if metadata and name in metadata else ""


def _kind(subscription: stripe.Subscription) -> Kind:
    try:
        return Kind(noted(subscription, "kind"))
    except ValueError as error:
        raise ForeignObject(f"{subscription.id} is not of our making") from error


def _invoice_kind(invoice: stripe.Invoice) -> str:
    parent = invoice.parent
    details = parent.subscription_details if parent else None
    return (details and noted(details, "kind")) or noted(invoice, "kind") or "other"


def _cycle(price: stripe.Price) -> Cycle | None:
    recurring = price.recurring
    return _CYCLES.get((recurring.interval, recurring.interval_count)) if recurring else None


def _pending(subscription: stripe.Subscription, item: stripe.SubscriptionItem) -> Pending | None:
    """What the schedule's phase from the end of the period on makes different."""
    schedule = subscription.schedule
    if not isinstance(schedule, stripe.SubscriptionSchedule):
        return None
    for phase in schedule.phases:
        if phase.start_date != item.current_period_end or len(phase.items) != 1:
            continue
        price, quantity = phase.items[0].price, phase.items[0].quantity
        cycle = _cycle(price) if isinstance(price, stripe.Price) else None
        if cycle is None or not isinstance(price, stripe.Price) or price.unit_amount is None:
            continue
        if (price.id, quantity) != (item.price.id, item.quantity):
            product = price.product
            return Pending(
                cycle,
                quantity or 1,
                Money(price.unit_amount, price.currency),
                product if isinstance(product, str) else product.id,
            )
    return None


def _unpaid_invoice(subscription: stripe.Subscription) -> UnpaidInvoice | None:
    """Return the invoice of a renewal that isn't paid yet; Stripe finalizes and charges it an hour
    after the renewal. (billing/invoices/subscription)"""
    invoice = subscription.latest_invoice
    if not isinstance(invoice, stripe.Invoice) or invoice.billing_reason != "subscription_cycle":
        return None
    if invoice.status not in ("draft", "open") or invoice.total <= 0 or invoice.id is None:
        return None
    return UnpaidInvoice(invoice.id, invoice.total)


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _ends_at(subscription: stripe.Subscription, period_end: int) -> datetime | None:
    """A cancellation can be told by either flag, or have happened."""
    if subscription.ended_at is not None:
        return from_epoch(subscription.ended_at)
    if subscription.cancel_at is not None:
        return from_epoch(subscription.cancel_at)
    return from_epoch(period_end) if subscription.cancel_at_period_end else None


def _card(subscription: stripe.Subscription) -> Card | None:
    method = subscription.default_payment_method
    customer = subscription.customer
    # Stripe leaves out what an object of another kind has not: a bank debit has no `card`, a
    # deleted customer no settings.
    settings = getattr(customer, "invoice_settings", None)
    if method is None and settings is not None:
        method = settings.default_payment_method
    card = getattr(method, "card", None)
    if card is None:
        return None
    return Card(
        brand=card.brand, last4=card.last4, exp_month=card.exp_month, exp_year=card.exp_year
    )
