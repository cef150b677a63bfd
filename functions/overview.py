"""What the account has: the Billing tab in one call, what is for sale, what other services ask."""

from billing import runtime, settings
from billing.adapters.dynamodb import accounts, keys, reading
from billing.domain.access import access_at, unlimited_at
from billing.domain.account import Role
from billing.domain.catalog import Kind, Product, load_catalog
from billing.domain.times import rfc3339
from billing.http import Api, Request, Who
from billing.usecases.accounts import as_manager, ensure_manager, load_for
from billing.usecases.overview import show_billing
from billing.views import (
    BillingView,
    CatalogView,
    EntitlementsView,
    HealthView,
    PackagesView,
    PackageView,
    PriceView,
    ProductView,
    SupportView,
)

api = Api()

_GRACE = settings.grace()
_SUPPORT: SupportView = {"email": settings.support_email(), "url": settings.support_url()}
_CATALOG = load_catalog()


@api.route("GET /billing", Who.MANAGER, gives=BillingView)
def get_billing(request: Request) -> BillingView:
    """The whole Billing tab; a manager's first call makes the account"""
    caller, now = request.caller(), runtime.now()
    manager = as_manager(caller.subject, caller.email, caller.name)
    rows = ensure_manager(accounts.load(caller.account, consistent=False), manager, now)
    return show_billing(rows, now, person=caller.subject, grace=_GRACE, support=_SUPPORT)


@api.route("GET /catalog", Who.SIGNED_IN, gives=CatalogView)
def get_catalog(request: Request) -> CatalogView:
    """Everything for sale, with its prices"""
    caller = request.caller()
    load_for(caller.account, caller.subject, caller.role)
    return {
        "currencies": list(_CATALOG.currencies),
        "plans": [_product(plan) for plan in _CATALOG.of(Kind.SUBSCRIPTION)],
        "slot": _product(_CATALOG.of(Kind.SLOTS)[0]),
        "packages": _packages(),
        "add_ons": [_product(add_on) for add_on in _CATALOG.of(Kind.ADD_ON)],
    }


@api.route("GET /credits/packages", Who.SIGNED_IN, gives=PackagesView)
def get_packages(request: Request) -> PackagesView:
    """The packages of credits for sale, with their prices"""
    caller = request.caller()
    load_for(caller.account, caller.subject, caller.role)
    return {"items": _packages(), "next_cursor": None}


@api.route("GET /entitlements", Who.SIGNED_IN, gives=EntitlementsView)
def get_entitlements(request: Request) -> EntitlementsView:
    """What the caller may use, for the other services"""
    caller, now = request.caller(), runtime.now()
    rows = load_for(caller.account, caller.subject, caller.role)
    access = access_at(now, rows.base, _GRACE)
    member = None if caller.role == Role.MANAGER else rows.team.active(caller.subject)
    wallet = rows.wallets.get(caller.subject if member is None else member.id)
    return {
        "access": access.state,
        "until": rfc3339(access.until) if access.until else None,
        # A manager needs none.
        "slot": access.granted and (member is None or rows.team.has_slot(member, now)),
        "data_unlimited": unlimited_at(now, access, rows.subscriptions.get(Kind.ADD_ON), _GRACE),
        "credits_available": 0 if wallet is None or not access.granted else wallet.available,
    }


@api.route("GET /health", Who.ANYONE, gives=HealthView)
def get_health(request: Request) -> HealthView:
    """200 when the table answers"""
    reading.get(keys.HEALTH, consistent=False)
    return {"status": "ok"}


def _packages() -> list[PackageView]:
    return [
        {**_product(package), "credits": package.credits} for package in _CATALOG.of(Kind.PACKAGE)
    ]


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
