"""The manager changes the subscription: plan, cycle, card, cancel, keep."""

from billing import runtime, settings
from billing.adapters.dynamodb.marks import Command
from billing.bodies import Cancellation, CycleChoice, PlanChoice
from billing.charge_views import CancelView, ResumeView
from billing.domain.catalog import load_catalog
from billing.http import Api, Request, Who
from billing.usecases import plans, subscription
from billing.usecases.acts import Act
from billing.usecases.subscription import Goodbye
from billing.views import CycleView, LinkView, PlanChangeView

api = Api()

_PAGE_URL = settings.page_url()
_SELF_SERVICE = settings.plan_changes() == "self_service"
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


@api.route("PUT /subscription/plan", Who.MANAGER, takes=PlanChoice, gives=PlanChangeView)
def change_plan(request: Request, wanted: PlanChoice) -> PlanChangeView:
    """Asks Support for another plan; where the manager may change it, needs an Idempotency-Key"""
    caller, now = request.caller(), runtime.now()
    if not _SELF_SERVICE:
        return plans.ask_for_plan(caller.account, caller.subject, wanted.plan, _CATALOG, now)
    command = Command(request.command_id(), request.fingerprint())
    act = Act(account=caller.account, command=command, by=caller.subject, at=now)
    return plans.change_plan(act, wanted.plan, None, _CATALOG)


@api.route("POST /subscription/card", Who.MANAGER, gives=LinkView, status=201, idempotent=True)
def open_card_page(request: Request) -> LinkView:
    """The hosted page for a new card, which then pays everything, open invoices at once"""
    command = Command(request.command_id(), request.fingerprint("card"))
    return_to = _PAGE_URL or f"{request.origin}/"
    return subscription.open_card_page(request.caller().account, command, return_to, runtime.now())


@api.route("POST /subscription/cancel", Who.MANAGER, takes=Cancellation, gives=CancelView)
def cancel(request: Request, goodbye: Cancellation) -> CancelView:
    """End base, slots and add-on with what is paid for each; bills only what the answer names"""
    caller = request.caller()
    why = Goodbye(goodbye.reason, goodbye.comment, goodbye.keep_slots)
    return subscription.cancel(caller.account, caller.subject, why, runtime.now())


@api.route("POST /subscription/resume", Who.MANAGER, gives=ResumeView)
def resume(request: Request) -> ResumeView:
    """Undo a cancellation, for all that has not ended yet"""
    caller = request.caller()
    return subscription.resume(caller.account, caller.subject, runtime.now())
