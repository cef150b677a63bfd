"""What the account has: the Billing tab in one call, what is for sale, what other services ask."""

from billing import runtime, settings
from billing.adapters.dynamodb import keys, reading
from billing.domain.catalog import Kind, Product, load_catalog
from billing.domain.times import rfc3339
from billing.http import Api, Request, Who
from billing.usecases.accounts import arrive
from billing.usecases.entitlements import entitlement_of
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
    here = arrive(caller.account, caller.claims(), now, consistent=False)
    return show_billing(here.rows, now, person=here.person.id, grace=_GRACE, support=_SUPPORT)


@api.route("GET /catalog", Who.SIGNED_IN, gives=CatalogView)
def get_catalog(request: Request) -> CatalogView:
    """Everything for sale, with its prices"""
    caller = request.caller()
    arrive(caller.account, caller.claims(), runtime.now(), consistent=False)
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
    arrive(caller.account, caller.claims(), runtime.now(), consistent=False)
    return {"items": _packages(), "next_cursor": None}


@api.route("GET /entitlements", Who.SIGNED_IN, gives=EntitlementsView)
def get_entitlements(request: Request) -> EntitlementsView:
    """What the caller may use, for the other services"""
    caller = request.caller()
    found = entitlement_of(caller.account, caller.claims(), _GRACE, runtime.now())
    until = found.access.until
    return {
        "access": found.access.state,
        "until": rfc3339(until) if until else None,
        "slot": found.slot,
        "data_unlimited": found.data_unlimited,
        "credits_available": found.credits_available,
    }


@api.route("GET /health", Who.ANYONE, gives=HealthView, head=True)
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
