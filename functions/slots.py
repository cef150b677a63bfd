"""The manager changes how many slots the team pays for, after a look at what that costs."""

from billing import runtime, settings
from billing.adapters.dynamodb.marks import Command
from billing.bodies import SlotsChoice, SlotsOrder
from billing.domain.catalog import load_catalog
from billing.http import Api, Request, Who
from billing.usecases.slot_prices import Terms, preview_slots
from billing.usecases.slots import Order, change_slots
from billing.views import SlotsPreview, SlotsView

api = Api()

_TERMS = Terms(catalog=load_catalog(), automatic_tax=settings.automatic_tax())


@api.route("POST /slots/preview", Who.MANAGER, takes=SlotsChoice, gives=SlotsPreview)
def preview(request: Request, choice: SlotsChoice) -> SlotsPreview:
    """What a number of slots costs today and from the slots' renewal on; changes nothing"""
    return preview_slots(request.caller().account, choice.purchased, _TERMS, runtime.now())


@api.route("PUT /slots", Who.MANAGER, takes=SlotsOrder, gives=SlotsView, idempotent=True)
def change(request: Request, wanted: SlotsOrder) -> SlotsView:
    """More at once, prorated; fewer from the slots' renewal on; the present number undoes that"""
    caller = request.caller()
    order = Order(
        account=caller.account, by=caller.subject, wanted=wanted.purchased, quote=wanted.quote
    )
    command = Command(request.command_id(), request.fingerprint())
    return change_slots(order, command, _TERMS, runtime.now())
