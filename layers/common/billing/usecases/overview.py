"""What the Billing tab shows of an account, to its manager and to an operator who helps them."""

from datetime import datetime, timedelta
from functools import reduce
from typing import TypedDict

from billing.adapters.dynamodb import invoices
from billing.adapters.dynamodb.accounts import AccountRows
from billing.charge_views import (
    CancellationView,
    ChargeView,
    NextChargeView,
    cancellation_view,
    charges_view,
    next_charge_view,
)
from billing.domain.access import Access, access_at, unlimited_at
from billing.domain.account import Checkout, CheckoutStatus, MemberStatus
from billing.domain.cancellation import cancellation
from billing.domain.catalog import Cycle, Kind, load_catalog
from billing.domain.charges import due_next, per_month
from billing.domain.money import Money, MoneyView
from billing.domain.subscription import Status, Subscription
from billing.domain.times import rfc3339
from billing.views import (
    AccessView,
    AddOnView,
    BillingView,
    OpenCheckout,
    OpenInvoice,
    OverdueView,
    SlotsView,
    SubscriptionView,
    SupportView,
    credits_view,
    member_view,
    plan_name,
)

_CATALOG = load_catalog()


def show_billing(
    rows: AccountRows,
    now: datetime,
    *,
    person: str | None,
    grace: timedelta,
    support: SupportView,
) -> BillingView:
    """The whole tab as `person` sees it, or an operator; `support` is where the page sends
    questions."""
    access = access_at(now, rows.base, grace)
    return {
        "account": {"id": rows.id, "me": person},
        "subscription": {
            **_subscription(rows, _open_checkout(rows.checkout, now), now),
            "open_invoice": _open_invoice(rows, Kind.SUBSCRIPTION),
        },
        "access": _access(access),
        "slots": {**show_slots(rows, now), "overdue": _overdue(rows, Kind.SLOTS, grace)},
        "members": [
            member_view(member, now, rows.wallets.get(member.id)) for member in rows.team.listed()
        ],
        "credits": credits_view(rows.wallets, person),
        "add_ons": {"data_unlimited": show_add_on(rows, now, grace)},
        "support": support,
    }


def _open_checkout(checkout: Checkout | None, now: datetime) -> OpenCheckout | None:
    match checkout:
        case Checkout(status=CheckoutStatus.OPEN) if checkout.blocks(now):
            status = "open"
        case Checkout(status=CheckoutStatus.COMPLETED, paid=False):
            status = "completing"
        case _:
            return None
    price = _CATALOG.price(checkout.price)
    if price is None:
        return None
    return {
        "status": status,
        "plan": price.product,
        "cycle": price.cycle,
        "currency": price.money.currency,
        "url": checkout.url,
        "expires_at": rfc3339(checkout.expires_at),
    }


def _subscription(
    rows: AccountRows, checkout: OpenCheckout | None, now: datetime
) -> SubscriptionView:
    base, bought = rows.base, list(rows.subscriptions.values())
    if base is None:
        return {
            "status": _pending(checkout) or "none",
            "plan": None,
            "cycle": None,
            "price": None,
            "renews_at": None,
            "ends_at": None,
            "next_charge": None,
            "monthly_total": None,
            "charges": None,
            "cancellation": None,
            "pending_plan": None,
            "pending_cycle": None,
            "card": None,
            "checkout": checkout,
            "open_invoice": None,
        }
    price = base.price * base.quantity
    renews_at = rfc3339(base.period_end) if base.renews else None
    return {
        "status": (not base.live and _pending(checkout)) or base.status,
        "plan": {"id": base.plan, "name": base.plan_name},
        "cycle": base.cycle,
        "price": price.view(),
        "renews_at": renews_at,
        "ends_at": rfc3339(base.ends_at) if base.ends_at else None,
        **_to_pay(base, bought, now),
        "pending_plan": plan_name(base.pending_plan, _CATALOG) if base.pending_plan else None,
        "pending_cycle": base.pending_cycle,
        "card": base.card,
        "checkout": None if base.live else checkout,
        "open_invoice": None,
    }


class _ToPay(TypedDict):
    next_charge: NextChargeView | None
    monthly_total: MoneyView | None
    charges: list[ChargeView] | None
    cancellation: CancellationView | None


def _to_pay(base: Subscription, bought: list[Subscription], now: datetime) -> _ToPay:
    due, others = due_next(bought), [each for each in bought if each is not base]
    monthly = [per_month(each) for each in bought if each.renews]
    ends = cancellation(base, others, now) if base.live else None
    goes_on = base.live and base.ends_at is None
    return {
        "next_charge": None if due is None else next_charge_view(due),
        "monthly_total": reduce(Money.__add__, monthly).view() if monthly else None,
        "charges": None if ends is None else charges_view(ends.charges),
        "cancellation": cancellation_view(base, others, now) if goes_on else None,
    }


def _overdue(rows: AccountRows, kind: Kind, grace: timedelta) -> OverdueView | None:
    bought = rows.subscriptions.get(kind)
    if bought is None or bought.status is not Status.PAST_DUE:
        return None
    until = access_at(bought.period_start, bought, grace).until
    assert until is not None
    return {"until": rfc3339(until), "invoice": _open_invoice(rows, kind)}


def _open_invoice(rows: AccountRows, kind: Kind) -> OpenInvoice | None:
    """What an overdue account has to pay: one more query, for those accounts only."""
    bought = rows.subscriptions.get(kind)
    if bought is None or bought.status is not Status.PAST_DUE:
        return None
    found, _ = invoices.page(rows.id, limit=1, where={"status": "open", "kind": str(kind)})
    for invoice in found:
        return {
            "id": invoice.id,
            "number": invoice.number,
            "amount_due": invoice.amount_due.view(),
            "url": invoice.hosted_url,
        }
    return None


def _pending(checkout: OpenCheckout | None) -> str:
    return "pending" if checkout is not None and checkout["status"] == "completing" else ""


def _access(access: Access) -> AccessView:
    return {"state": access.state, "until": rfc3339(access.until) if access.until else None}


def show_slots(rows: AccountRows, now: datetime) -> SlotsView:
    """`price` is of one slot per `cycle`: theirs if they have any, else the catalog's. Without
    `overdue`."""
    team, bought = rows.team, rows.subscriptions.get(Kind.SLOTS)
    live = bought is not None and bought.live
    price = bought.price if bought and live else _slot_price(rows)
    holders = team.holders(now)
    return {
        "purchased": team.paid(now),
        "occupied": len(holders),
        "invited": sum(member.status is MemberStatus.INVITED for member in holders),
        "free": team.free(now),
        "pending_purchased": team.slots.pending_purchased,
        "cycle": bought.cycle if bought and live else Cycle.MONTHLY,
        "price": price.view(),
        "renews_at": rfc3339(bought.period_end) if bought and bought.renews else None,
        "ends_at": rfc3339(bought.ends_at) if bought and bought.ends_at else None,
        "overdue": None,
    }


def _slot_price(rows: AccountRows) -> Money:
    """In the currency in which they pay, where slots are sold in it."""
    prices = [price.money for price in _CATALOG.of(Kind.SLOTS)[0].prices]
    wanted = rows.base.price.currency if rows.base is not None else ""
    return next((price for price in prices if price.currency == wanted), prices[0])


def show_add_on(rows: AccountRows, now: datetime, grace: timedelta) -> AddOnView:
    access, bought = access_at(now, rows.base, grace), rows.subscriptions.get(Kind.ADD_ON)
    if bought is None or not unlimited_at(now, access, bought, grace):
        return {
            "status": "none",
            "cycle": None,
            "price": None,
            "renews_at": None,
            "ends_at": None,
        }
    return {
        "status": "active",
        "cycle": bought.cycle,
        "price": bought.price.view(),
        "renews_at": rfc3339(bought.period_end) if bought.renews else None,
        "ends_at": rfc3339(bought.ends_at) if bought.ends_at else None,
    }
