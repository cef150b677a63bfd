"""What answers look like: the contract's shapes, without pydantic.

Money in minor units, times RFC 3339 in UTC, absent values null.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from billing.charge_views import CancellationView, ChargeView, NextChargeView
from billing.domain.account import Member, MemberStatus
from billing.domain.catalog import Catalog
from billing.domain.credits import Entry, EntryKind, Wallet
from billing.domain.members import lapsed
from billing.domain.money import MoneyView
from billing.domain.subscription import Card
from billing.domain.times import rfc3339
from billing.domain.top_ups import TopUp, month_of


class PlanName(TypedDict):
    id: str
    name: str


def plan_name(plan: str, catalog: Catalog) -> PlanName:
    """The id again for a plan that is no longer sold."""
    sold = catalog.named(plan)
    return {"id": plan, "name": sold.name if sold is not None else plan}


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
    """`status` is Stripe's, or `none`, or `pending` while a payment is being confirmed.

    `next_charge` and `monthly_total` count base, slots and add-on. `charges` is all that will still
    be billed, where an end is set; `cancellation` what canceling would do, where none is.
    """

    status: str
    plan: PlanName | None
    cycle: str | None
    price: MoneyView | None
    renews_at: str | None
    ends_at: str | None
    next_charge: NextChargeView | None
    monthly_total: MoneyView | None
    charges: list[ChargeView] | None
    cancellation: CancellationView | None
    pending_plan: PlanName | None
    pending_cycle: str | None
    card: Card | None
    checkout: OpenCheckout | None
    open_invoice: OpenInvoice | None


class AccessView(TypedDict):
    state: str
    until: str | None


class OverdueView(TypedDict):
    """A renewal that could not be charged: what it is for ends at `until` unless `invoice`, null
    until it is on record, is paid."""

    until: str
    invoice: OpenInvoice | None


class SlotsView(TypedDict):
    """`occupied` are the invitations, of which there are `invited`, and the active members.
    `price` is of one slot per `cycle`, which is monthly unless Support made it annual. `ends_at` is
    when they end or have ended with the plan's cancellation.
    """

    purchased: int
    occupied: int
    invited: int
    free: int
    pending_purchased: int | None
    cycle: str
    price: MoneyView | None
    renews_at: str | None
    ends_at: str | None
    overdue: OverdueView | None


class SlotsPreview(TypedDict):
    """`due_now` with taxes, as it is charged; `from_next_renewal` per month and without them, from
    `effective_at` on. `quote` comes back with the order."""

    purchased: int
    due_now: MoneyView
    from_next_renewal: MoneyView
    effective_at: str | None
    quote: str


class MemberView(TypedDict):
    """`status` is invited, active, waiting (managed before, and has no slot), expired, withdrawn or
    removed; `expires_at` an invitation's. `email` is empty where none is verified.
    `used` are the credits held or spent this month, of at most `limit` where it is not null."""

    id: str
    email: str
    name: str
    role: str
    status: str
    credits: int
    limit: int | None
    used: int
    invited_at: str | None
    expires_at: str | None


def member_view(member: Member, now: datetime, wallet: Wallet | None) -> MemberView:
    return {
        "id": member.id,
        "email": member.email,
        "name": member.name,
        "role": member.role,
        "status": MemberStatus.EXPIRED if lapsed(member, now) else member.status,
        "credits": 0 if wallet is None else wallet.available,
        "limit": None if wallet is None else wallet.limit,
        "used": 0 if wallet is None else wallet.used_at(now),
        "invited_at": rfc3339(member.invited_at) if member.invited_at else None,
        "expires_at": rfc3339(member.expires_at) if member.expires_at else None,
    }


class MembersView(TypedDict):
    """`next_cursor` asks for the page after this one; null on the last."""

    items: list[MemberView]
    next_cursor: str | None


class CreditsView(TypedDict):
    """Of the whole account: `total` was bought and not taken back again; it is `spent`, `held` and
    `remaining` less the `debt`. `mine` is what the caller can use."""

    total: int
    spent: int
    held: int
    remaining: int
    debt: int
    mine: int


def credits_view(wallets: Mapping[str, Wallet], person: str | None) -> CreditsView:
    """As `person` sees it, or an operator."""
    mine = wallets.get(person or "")
    return {
        "total": sum(each.granted - each.clawed_back for each in wallets.values()),
        "spent": sum(each.spent for each in wallets.values()),
        "held": sum(each.held for each in wallets.values()),
        "remaining": sum(each.available for each in wallets.values()),
        "debt": sum(each.debt for each in wallets.values()),
        "mine": 0 if mine is None else mine.available,
    }


class WalletView(TypedDict):
    """`available` can be used now, `held` is set aside, `received` is all that ever came in, bought
    or sent by a manager; `debt` is paid off first by what comes next. Its owner is told once when
    it falls below `alert_below`. `used` are the credits held or spent this month, of at most
    `limit` where it is not null."""

    available: int
    held: int
    received: int
    spent: int
    sent: int
    debt: int
    alert_below: int | None
    limit: int | None
    used: int


def wallet_view(wallet: Wallet, now: datetime) -> WalletView:
    return {
        "available": wallet.available,
        "held": wallet.held,
        "received": wallet.granted + wallet.received,
        "spent": wallet.spent,
        "sent": wallet.sent,
        "debt": wallet.debt,
        "alert_below": wallet.alert_below or None,
        "limit": wallet.limit,
        "used": wallet.used_at(now),
    }


class LimitView(TypedDict):
    """As a member's."""

    limit: int | None
    used: int


class AlertView(TypedDict):
    below: int | None


class StoppedView(TypedDict):
    """`because`: `declined`, `no_access`, `not_sold`, `refused` or `reversed`."""

    because: str
    at: str


class TopUpView(TypedDict):
    """`charged` is this month's, in UTC, with what is under way. `status`: `off`, `active`,
    `under_way` (the card is being charged), `waiting` (the cap is reached, until `resumes_at`),
    `paused` (the subscription is set to end, or has ended: nothing is bought unless it renews) or
    `stopped`."""

    below: int | None
    package: str | None
    monthly_cap: MoneyView | None
    charged: MoneyView | None
    status: str
    stopped: StoppedView | None
    resumes_at: str | None


def top_up_view(
    wallet: Wallet, top_up: TopUp | None, now: datetime, *, buys: bool = True
) -> TopUpView:
    """`buys` is whether the account's subscription allows it now."""
    if top_up is None or top_up.cap is None or top_up.below == 0:
        return _NO_TOP_UP
    status, stopped = "active", None
    if top_up.stopped is not None and top_up.stopped_at is not None:
        status = "stopped"
        stopped = StoppedView(because=top_up.stopped, at=rfc3339(top_up.stopped_at))
    elif top_up.order is not None:
        status = "under_way"
    elif not buys:
        status = "paused"
    elif wallet.look_at is not None and wallet.look_at <= now:
        status = "under_way"
    elif wallet.look_at is not None:
        status = "waiting"
    charged = top_up.charged_in(month_of(now))
    return {
        "below": top_up.below,
        "package": top_up.package,
        "monthly_cap": top_up.cap.view(),
        "charged": {"amount": charged, "currency": top_up.cap.currency},
        "status": status,
        "stopped": stopped,
        "resumes_at": rfc3339(wallet.look_at) if wallet.look_at and status == "waiting" else None,
    }


_NO_TOP_UP: TopUpView = {
    "below": None,
    "package": None,
    "monthly_cap": None,
    "charged": None,
    "status": "off",
    "stopped": None,
    "resumes_at": None,
}


class TeamCreditsView(TypedDict):
    """`account`, `members` and `top_up`, of their own wallet, are a manager's to see, null for
    others."""

    wallet: WalletView
    top_up: TopUpView | None
    account: CreditsView | None
    members: list[MemberView] | None


EntryView = TypedDict(
    "EntryView",
    {
        "id": str,
        "at": str,
        "kind": str,
        "credits": int,
        "from": str | None,
        "to": str | None,
        "by": str,
        "balance_after": int | None,
        "reference": str,
    },
)


def entry_view(entry: Entry, person: str | None = None) -> EntryView:
    """`from`, `to` and `by` are ids; `by` may be `stripe` or `schedule`. `balance_after` is of
    `person`'s wallet, or of the one that gave, or of the receiver's."""
    return {
        "id": entry.id,
        "at": rfc3339(entry.at),
        "kind": entry.kind,
        "credits": entry.credits,
        "from": entry.source,
        "to": entry.target,
        "by": entry.by,
        "balance_after": entry.balance_after(person),
        "reference": entry.reference,
    }


class LogView(TypedDict):
    """`next_cursor` asks for the page after this one; null on the last."""

    items: list[EntryView]
    next_cursor: str | None


class PeriodView(TypedDict):
    """`period` is a day or a month, in UTC."""

    period: str
    bought: int
    sent: int
    spent: int
    returned: int
    clawed_back: int


class UsageView(TypedDict):
    """The periods in which anything happened, oldest first."""

    items: list[PeriodView]


def usage_view(period: str, sums: Mapping[EntryKind, int]) -> PeriodView:
    return {
        "period": period,
        "bought": sums.get(EntryKind.GRANT, 0),
        "sent": sums.get(EntryKind.TRANSFER, 0),
        "spent": sums.get(EntryKind.SPEND, 0),
        "returned": sums.get(EntryKind.RETURN, 0),
        "clawed_back": sums.get(EntryKind.CLAWBACK, 0),
    }


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
    """`me` is the caller's id among the members; null for an operator."""

    id: str
    me: str | None


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


class PackagesView(TypedDict):
    """`next_cursor` is null: there are never more than one answer holds."""

    items: list[PackageView]
    next_cursor: str | None


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


class PlanChangeView(TypedDict):
    """What is pending comes at `effective_at`, the renewal."""

    plan: PlanName
    cycle: str
    pending_plan: PlanName | None
    pending_cycle: str | None
    effective_at: str | None


class PaymentView(TypedDict):
    status: str


class HealthView(TypedDict):
    status: str


class ReceivedView(TypedDict):
    received: bool
