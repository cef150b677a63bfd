"""Opening Stripe's hosted Checkout: for the subscription, and for packages of credits."""

from billing import runtime, settings
from billing.adapters.dynamodb.marks import Command
from billing.bodies import PackageOrder, SubscriptionChoice
from billing.domain.catalog import load_catalog
from billing.http import Api, Request, Who
from billing.usecases.checkout import Choice, open_subscription_checkout
from billing.usecases.packages import PackageChoice, open_package_checkout
from billing.views import LinkView

api = Api()

_AUTOMATIC_TAX = settings.automatic_tax()
_GRACE = settings.grace()
_PAGE_URL = settings.page_url()
_CATALOG = load_catalog()


@api.route(
    "POST /subscription/checkout",
    Who.MANAGER,
    takes=SubscriptionChoice,
    gives=LinkView,
    status=201,
    idempotent=True,
)
def open_checkout(request: Request, wanted: SubscriptionChoice) -> LinkView:
    """The hosted page on which the manager pays for a plan; one may be open per account"""
    caller = request.caller()
    return open_subscription_checkout(
        caller.account,
        caller.claims(),
        Command(request.command_id(), request.fingerprint()),
        Choice(
            price=_CATALOG.subscription_price(wanted.plan, wanted.cycle, wanted.currency),
            return_to=_PAGE_URL or f"{request.origin}/",
            automatic_tax=_AUTOMATIC_TAX,
        ),
        runtime.now(),
    )


@api.route(
    "POST /credits/checkout",
    Who.MANAGER,
    takes=PackageOrder,
    gives=LinkView,
    status=201,
    idempotent=True,
)
def buy_credits(request: Request, wanted: PackageOrder) -> LinkView:
    """The hosted page on which the manager pays for a package; its credits come once it is paid"""
    caller = request.caller()
    return open_package_checkout(
        caller.account,
        caller.claims(),
        Command(request.command_id(), request.fingerprint()),
        PackageChoice(
            package=wanted.package,
            quantity=wanted.quantity,
            return_to=_PAGE_URL or f"{request.origin}/",
            automatic_tax=_AUTOMATIC_TAX,
        ),
        _CATALOG,
        grace=_GRACE,
        now=runtime.now(),
    )
