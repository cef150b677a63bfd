"""What the account has: the Billing tab in one call, what is for sale, what other services ask."""

from datetime import datetime

from billing import runtime, settings
from billing.adapters.dynamodb import accounts, invoices, keys, reading
from billing.adapters.dynamodb.accounts import AccountRows
from billing.domain.access import Access, access_at
from billing.domain.account import Checkout, CheckoutStatus, MemberStatus, Role
from billing.domain.catalog import Kind, Product, load_catalog
from billing.domain.members import Team
from billing.domain.subscription import Status, Subscription
from billing.domain.times import rfc3339
from billing.http import Api, Request, Who
from billing.usecases.accounts import as_manager, ensure_manager, load_for
from billing.views import (
    AccessView,
    BillingView,
    CatalogView,
    EntitlementsView,
    HealthView,
    OpenCheckout,
    OpenInvoice,
    PriceView,
    ProductView,
    SlotsView,
    SubscriptionView,
    member_view,
)

api = Api()

_GRACE = settings.grace()
_SUPPORT_EMAIL = settings.support_email()
_SUPPORT_URL = settings.support_url()
_CATALOG = load_catalog()


@api.route("GET /billing", Who.MANAGER, gives=BillingView)
def get_billing(request: Request) -> BillingView:
    """The whole Billing tab; a manager's first call makes the account"""
    caller, now = request.caller(), runtime.now()
    manager = as_manager(caller.subject, caller.email, caller.name)
    rows = ensure_manager(accounts.load(caller.account, consistent=False), manager, now)
    access = access_at(now, rows.base, _GRACE)
    return {
        "account": {"id": rows.id},
        "subscription": {
            **_subscription(rows.base, _open_checkout(rows.checkout, now)),
            "open_invoice": _open_invoice(rows),
        },
        "access": _access(access),
        "slots": _slots(rows.team, rows.subscriptions.get(Kind.SLOTS), now),
        "members": [member_view(member, now) for member in rows.team.listed()],
        "credits": {"total": 0, "spent": 0, "held": 0, "remaining": 0, "mine": 0},
        "add_ons": {"data_unlimited": {"status": "none"}},
        "support": {"email": _SUPPORT_EMAIL, "url": _SUPPORT_URL},
    }


@api.route("GET /catalog", Who.SIGNED_IN, gives=CatalogView)
def get_catalog(request: Request) -> CatalogView:
    """Everything for sale, with its prices"""
    caller = request.caller()
    load_for(caller.account, caller.subject, caller.role)
    return {
        "currencies": list(_CATALOG.currencies),
        "plans": [_product(plan) for plan in _CATALOG.of(Kind.SUBSCRIPTION)],
        "slot": _product(_CATALOG.of(Kind.SLOTS)[0]),
        "packages": [
            {**_product(package), "credits": package.credits}
            for package in _CATALOG.of(Kind.PACKAGE)
        ],
        "add_ons": [_product(add_on) for add_on in _CATALOG.of(Kind.ADD_ON)],
    }


@api.route("GET /entitlements", Who.SIGNED_IN, gives=EntitlementsView)
def get_entitlements(request: Request) -> EntitlementsView:
    """What the caller may use, for the other services"""
    caller, now = request.caller(), runtime.now()
    rows = load_for(caller.account, caller.subject, caller.role)
    access = access_at(now, rows.base, _GRACE)
    member = None if caller.role == Role.MANAGER else rows.team.active(caller.subject)
    return {
        "access": access.state,
        "until": rfc3339(access.until) if access.until else None,
        # A manager needs none.
        "slot": access.granted and (member is None or rows.team.has_slot(member, now)),
        "data_unlimited": False,
        "credits_available": 0,
    }


@api.route("GET /health", Who.ANYONE, gives=HealthView)
def get_health(request: Request) -> HealthView:
    """200 when the table answers"""
    reading.get(keys.HEALTH, consistent=False)
    return {"status": "ok"}


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


def _subscription(base: Subscription | None, checkout: OpenCheckout | None) -> SubscriptionView:
    if base is None:
        return {
            "status": _pending(checkout) or "none",
            "plan": None,
            "cycle": None,
            "price": None,
            "renews_at": None,
            "ends_at": None,
            "next_charge": None,
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
        "next_charge": {**base.next_charge.view(), "at": renews_at} if renews_at else None,
        "pending_cycle": base.pending_cycle,
        "card": base.card,
        "checkout": None if base.live else checkout,
        "open_invoice": None,
    }


def _open_invoice(rows: AccountRows) -> OpenInvoice | None:
    """What an overdue account has to pay: one more query, for those accounts only."""
    if rows.base is None or rows.base.status is not Status.PAST_DUE:
        return None
    found, _ = invoices.page(rows.id, limit=1, where={"status": "open", "kind": "subscription"})
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


def _slots(team: Team, bought: Subscription | None, now: datetime) -> SlotsView:
    """`price` is of one slot: theirs if they have any, else the catalog's."""
    live = bought is not None and bought.live
    price = bought.price if bought and live else _CATALOG.of(Kind.SLOTS)[0].prices[0].money
    holders = team.holders(now)
    return {
        "purchased": team.purchased,
        "occupied": len(holders),
        "invited": sum(member.status is MemberStatus.INVITED for member in holders),
        "free": team.free(now),
        "pending_purchased": team.slots.pending_purchased,
        "price": price.view(),
        "renews_at": rfc3339(bought.period_end) if bought and bought.renews else None,
    }


def _product(product: Product) -> ProductView:
    prices: list[PriceView] = [
        {**price.money.view(), "cycle": price.cycle} for price in product.prices
    ]
    return {
        "id": product.id,
        "name": product.name,
        "description": product.description,
        "prices": prices,
    }
