"""The manager changes the subscription: cycle, card, cancel, keep."""

from billing import runtime, settings
from billing.adapters.dynamodb.marks import Command
from billing.bodies import Cancellation, CycleChoice
from billing.domain.catalog import load_catalog
from billing.http import Api, Request, Who
from billing.usecases import subscription
from billing.usecases.subscription import Goodbye
from billing.views import CancelView, CycleView, LinkView, ResumeView

api = Api()

_PAGE_URL = settings.page_url()
_CATALOG = load_catalog()


@api.route(
    "PUT /subscription/cycle", Who.MANAGER, takes=CycleChoice, gives=CycleView, idempotent=True
)
def change_cycle(request: Request, wanted: CycleChoice) -> CycleView:
    """Another cycle from the next renewal on; the present one takes a pending change back"""
    caller, command = request.caller(), Command(request.command_id(), request.fingerprint())
    return subscription.change_cycle(
        caller.account, caller.subject, command, _CATALOG, wanted.cycle, runtime.now()
    )


@api.route("POST /subscription/card", Who.MANAGER, gives=LinkView, status=201, idempotent=True)
def open_card_page(request: Request) -> LinkView:
    """The hosted page for a new card, which then pays everything, open invoices at once"""
    command = Command(request.command_id(), "")
    return_to = _PAGE_URL or f"{request.origin}/"
    return subscription.open_card_page(request.caller().account, command, return_to, runtime.now())


@api.route("POST /subscription/cancel", Who.MANAGER, takes=Cancellation, gives=CancelView)
def cancel(request: Request, goodbye: Cancellation) -> CancelView:
    """Base, slots and add-on end together with what is paid, and nothing is billed again"""
    caller, why = request.caller(), Goodbye(goodbye.reason, goodbye.comment)
    return subscription.cancel(caller.account, caller.subject, why, runtime.now())


@api.route("POST /subscription/resume", Who.MANAGER, gives=ResumeView)
def resume(request: Request) -> ResumeView:
    """Undoes a cancellation, until it takes effect"""
    caller = request.caller()
    return subscription.resume(caller.account, caller.subject, runtime.now())
