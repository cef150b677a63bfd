"""What happened to an account: its history, and what the bus tells everybody else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from billing.domain.account import Member, MemberStatus, Role
from billing.domain.catalog import Kind
from billing.domain.credits import Wallet
from billing.domain.invoices import Invoice, InvoiceStatus
from billing.domain.subscription import OVERDUE, Status, Subscription
from billing.domain.times import rfc3339

STRIPE = "stripe"
"""Who did it, where Stripe did: a renewal, a failed payment."""

SCHEDULE = "schedule"
"""Who did it, where nobody did and time passed."""

Fact = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`type` is a thing and what became of it, `slots.changed`; `by` the subject of who did it,
    or STRIPE or SCHEDULE. `reason` is what an operator gave, `facts` what else there is to tell:
    ids, names of the catalog, credits, times and amounts as text or integers.
    """

    type: str
    at: datetime
    by: str
    reason: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


Told = tuple[str, dict[str, Fact]]
"""An event's type and facts."""

_PAID = (Status.ACTIVE, Status.TRIALING)
_OF_INVOICES = {
    InvoiceStatus.DRAFT: "invoice.drafted",
    InvoiceStatus.OPEN: "invoice.issued",
    InvoiceStatus.PAID: "invoice.paid",
    InvoiceStatus.VOID: "invoice.voided",
    InvoiceStatus.UNCOLLECTIBLE: "invoice.written_off",
}
_OF_MEMBERS = {
    MemberStatus.INVITED: "member.invited",
    MemberStatus.ACTIVE: "member.joined",
    MemberStatus.EXPIRED: "member.invitation_expired",
    MemberStatus.WITHDRAWN: "member.invitation_withdrawn",
    MemberStatus.REMOVED: "member.removed",
    MemberStatus.WAITING: "member.role_changed",
}


def of_member(before: Member | None, member: Member) -> Told | None:
    """What a membership's new row tells: an id, never an address. A manager's first call begins
    the account, and tells nothing of its own."""
    facts: dict[str, Fact] = {"member": member.id}
    if member.role is Role.MANAGER and before in (None, member):
        return None
    if before is not None and before.role is not member.role:
        return "member.role_changed", {**facts, "role": member.role}
    if before is not None and before.status is member.status is MemberStatus.ACTIVE:
        return "member.contact_changed", facts
    if member.status is MemberStatus.INVITED and member.expires_at is not None:
        facts["expires_at"] = rfc3339(member.expires_at)
    return _OF_MEMBERS[member.status], facts


def of_low_wallet(wallet: Wallet, at: datetime) -> Event:
    """Its owner is to be told."""
    facts: dict[str, Fact] = {
        "wallet": wallet.person,
        "balance": wallet.balance,
        "below": wallet.alert_below,
    }
    return Event(type="credits.low", at=at, by=wallet.person, facts=facts)


def of_fall(wallet: Wallet, at: datetime) -> Event:
    """A package is to be bought for it."""
    facts: dict[str, Fact] = {"wallet": wallet.person, "balance": wallet.balance}
    return Event(type="top_up.due", at=at, by=wallet.person, facts=facts)


def of_invoice(before: Invoice | None, after: Invoice) -> Told | None:
    """What became of an invoice, where its status is another one."""
    if before is not None and before.status is after.status:
        return None
    return _OF_INVOICES[after.status], {
        "invoice": after.id,
        "number": after.number,
        "kind": after.kind,
        "amount": after.total.amount,
        "currency": after.total.currency,
    }


def of_subscription(before: Subscription | None, after: Subscription) -> list[Told]:
    """What became of a subscription from one snapshot to the next, whoever brought it about.

    Types begin with what is subscribed to: `subscription.renewed`, `slots.changed`. What came and
    went between the two snapshots is not told.
    """
    if before is None or before.id != after.id:
        told = [("started", {**_contents(after), "renews_at": rfc3339(after.period_end)})]
    else:
        told = [
            *_paid(before, after),
            *_changed(before, after),
            *_planned(before, after),
            *_ended(before, after),
        ]
    return [(f"{after.kind}.{what}", {"subscription": after.id, **facts}) for what, facts in told]


def _contents(snapshot: Subscription) -> dict[str, Fact]:
    price = snapshot.price * snapshot.quantity
    return {
        "plan": snapshot.plan,
        "cycle": snapshot.cycle,
        "quantity": snapshot.quantity,
        "amount": price.amount,
        "currency": price.currency,
    }


def _paid(before: Subscription, after: Subscription) -> Iterator[Told]:
    if after.status in OVERDUE and before.status not in OVERDUE:
        yield "payment_failed", {**_contents(after), "due_at": rfc3339(after.period_start)}
    elif before.status in OVERDUE and after.status in _PAID:
        yield "payment_recovered", {**_contents(after), "renews_at": rfc3339(after.period_end)}
    elif after.period_start > before.period_start and after.status in _PAID:
        yield "renewed", {**_contents(after), "renews_at": rfc3339(after.period_end)}


def _changed(before: Subscription, after: Subscription) -> Iterator[Told]:
    if before.plan != after.plan:
        yield "plan_changed", {"from": before.plan, "to": after.plan}
    if before.cycle != after.cycle:
        yield "cycle_changed", {"from": before.cycle, "to": after.cycle}
    if before.quantity != after.quantity:
        yield "changed", {"from": before.quantity, "to": after.quantity}
    if before.card != after.card and after.kind is Kind.SUBSCRIPTION:
        yield "card_changed", {}


def _planned(before: Subscription, after: Subscription) -> Iterator[Told]:
    """A plan that is gone with its period has come true, or ended with the subscription."""
    if after.pending is not None and after.pending != before.pending:
        yield (
            "change_planned",
            {
                "plan": after.pending.plan,
                "cycle": after.pending.cycle,
                "quantity": after.pending.quantity,
                "amount": after.next_price.amount,
                "currency": after.next_price.currency,
                "at": rfc3339(after.period_end),
            },
        )
    same_period = before.period_start == after.period_start
    if after.pending is None and before.pending is not None and same_period and after.live:
        yield "change_withdrawn", {}


def _ended(before: Subscription, after: Subscription) -> Iterator[Told]:
    if before.live and not after.live:
        yield "ended", {"at": rfc3339(after.ends_at) if after.ends_at else None}
    elif after.live and (after.ends_at, after.kept_slots) != (before.ends_at, before.kept_slots):
        if after.ends_at is None:
            yield "kept", {"renews_at": rfc3339(after.period_end)}
        else:
            yield "cancelled", {"ends_at": rfc3339(after.ends_at)}
