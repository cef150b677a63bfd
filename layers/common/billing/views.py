"""What answers look like: the contract's shapes, without pydantic.

Money in minor units, times RFC 3339 in UTC, absent values null.
"""

from datetime import datetime
from typing import TypedDict

from billing.domain.account import Member, MemberStatus
from billing.domain.members import lapsed
from billing.domain.money import MoneyView
from billing.domain.subscription import Card
from billing.domain.times import rfc3339


class ChargeView(TypedDict):
    """A charge to come; without taxes and discounts, which Stripe adds when it is made."""

    amount: int
    currency: str
    at: str


class PlanName(TypedDict):
    id: str
    name: str


class OpenCheckout(TypedDict):
    """`open`: it can still be paid at `url`; `completing`: paid, and waiting for the money."""

    status: str
    plan: str
    cycle: str | None
    currency: str
    url: str | None
    expires_at: str


class OpenInvoice(TypedDict):
    """The unpaid renewal; `url` is the page on which to pay it."""

    id: str
    number: str
    amount_due: MoneyView
    url: str | None


class SubscriptionView(TypedDict):
    """`status` is Stripe's, or `none`, or `pending` while a payment is being confirmed."""

    status: str
    plan: PlanName | None
    cycle: str | None
    price: MoneyView | None
    renews_at: str | None
    ends_at: str | None
    next_charge: ChargeView | None
    pending_cycle: str | None
    card: Card | None
    checkout: OpenCheckout | None
    open_invoice: OpenInvoice | None


class AccessView(TypedDict):
    state: str
    until: str | None


class SlotsView(TypedDict):
    """`occupied` are the invitations, of which there are `invited`, and the active members."""

    purchased: int
    occupied: int
    invited: int
    free: int
    pending_purchased: int | None
    price: MoneyView | None
    renews_at: str | None


class MemberView(TypedDict):
    """`status` is invited, active, expired, withdrawn or removed; `expires_at` an invitation's."""

    id: str
    email: str
    name: str
    role: str
    status: str
    credits: int
    invited_at: str | None
    expires_at: str | None


def member_view(member: Member, now: datetime) -> MemberView:
    return {
        "id": member.id,
        "email": member.email,
        "name": member.name,
        "role": member.role,
        "status": MemberStatus.EXPIRED if lapsed(member, now) else member.status,
        "credits": 0,
        "invited_at": rfc3339(member.invited_at) if member.invited_at else None,
        "expires_at": rfc3339(member.expires_at) if member.expires_at else None,
    }


class MembersView(TypedDict):
    """`next_cursor` asks for the page after this one; null on the last."""

    items: list[MemberView]
    next_cursor: str | None


class CreditsView(TypedDict):
    total: int
    spent: int
    held: int
    remaining: int
    mine: int


class AddOnView(TypedDict):
    """`status` is active or none; the rest is null unless it is active."""

    status: str
    cycle: str | None
    price: MoneyView | None
    renews_at: str | None
    ends_at: str | None


class AddOnsView(TypedDict):
    data_unlimited: AddOnView


class SupportView(TypedDict):
    email: str
    url: str


class AccountView(TypedDict):
    id: str


class BillingView(TypedDict):
    """The whole tab in one answer."""

    account: AccountView
    subscription: SubscriptionView
    access: AccessView
    slots: SlotsView
    members: list[MemberView]
    credits: CreditsView
    add_ons: AddOnsView
    support: SupportView


class PriceView(TypedDict):
    amount: int
    currency: str
    cycle: str | None


class ProductView(TypedDict):
    id: str
    name: str
    description: str
    prices: list[PriceView]


class PackageView(TypedDict):
    id: str
    name: str
    description: str
    credits: int
    prices: list[PriceView]


class CatalogView(TypedDict):
    currencies: list[str]
    plans: list[ProductView]
    slot: ProductView
    packages: list[PackageView]
    add_ons: list[ProductView]


class EntitlementsView(TypedDict):
    access: str
    until: str | None
    slot: bool
    data_unlimited: bool
    credits_available: int


class InvoiceLineView(TypedDict):
    description: str
    quantity: int
    total: MoneyView


class InvoiceView(TypedDict):
    id: str
    number: str
    at: str
    kind: str
    status: str
    total: MoneyView
    amount_due: MoneyView
    lines: list[InvoiceLineView]


class InvoicesView(TypedDict):
    """`next_cursor` asks for the page after this one; null on the last."""

    items: list[InvoiceView]
    next_cursor: str | None


class SupportRequestView(TypedDict):
    id: str
    topic: str
    message: str
    at: str
    status: str


class SupportRequestsView(TypedDict):
    """`next_cursor` asks for the page after this one; null on the last."""

    items: list[SupportRequestView]
    next_cursor: str | None


class HappenedView(TypedDict):
    """One line of an account's history. `by` is who did it, by the subject of their token, or
    `stripe` or `schedule`; `reason` is an operator's."""

    id: str
    at: str
    type: str
    by: str
    reason: str
    facts: dict[str, str | int | None]


class HistoryView(TypedDict):
    """`next_cursor` asks for the page after this one; null on the last."""

    items: list[HappenedView]
    next_cursor: str | None


class LinkView(TypedDict):
    url: str
    expires_at: str


class CycleView(TypedDict):
    cycle: str
    pending_cycle: str | None
    effective_at: str | None


class CancelView(TypedDict):
    ends_at: str


class ResumeView(TypedDict):
    renews_at: str


class PaymentView(TypedDict):
    status: str


class HealthView(TypedDict):
    status: str


class ReceivedView(TypedDict):
    received: bool
