"""Invoices as the account's history shows them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain.money import Money


class InvoiceStatus(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    description: str
    quantity: int
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """Something charged to the card. `kind` is a catalog Kind, or `other` for what was charged
    at Stripe by hand.

    `hosted_url` is where Stripe lets the customer pay it; it is shown only while it is open.
    """

    stripe_id: str
    number: str
    at: datetime
    kind: str
    status: InvoiceStatus
    total: Money
    amount_due: Money
    lines: tuple[InvoiceLine, ...]
    hosted_url: str | None

    @property
    def id(self) -> str:
        """Our id: sorts by time and names the row, so that one read finds it."""
        return f"{int(self.at.timestamp()):010d}-{self.stripe_id}"
