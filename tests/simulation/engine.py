"""Who uses credits: holding them, and telling what became of what was held.

The product has no route for it yet. These two go the way of every other: a key that names the
command, a problem document for what is refused.
"""

from datetime import timedelta

from billing import runtime, settings
from billing.adapters.dynamodb.marks import Command
from billing.domain.credits import Credits
from billing.http import Api, Request, Who
from billing.usecases.holds import hold_credits, settle_hold
from billing.views import EntryView, entry_view

api = Api()

HOLD = "POST /holds"
SETTLE = "POST /holds/{id}/outcomes"
_GRACE: timedelta = settings.grace()


@api.route(HOLD, Who.SIGNED_IN, status=201, idempotent=True)
def hold(request: Request) -> EntryView:
    asked = request.json()
    entry = hold_credits(
        request.caller().account,
        asked["person"],
        Credits(asked["credits"]),
        Command(request.command_id(), request.fingerprint()),
        reference="contacts",
        grace=_GRACE,
        now=runtime.now(),
    )
    return entry_view(entry)


@api.route(SETTLE, Who.SIGNED_IN, status=201, idempotent=True)
def settle(request: Request) -> EntryView:
    entry = settle_hold(
        request.caller().account,
        request.path("id"),
        Command(request.command_id(), request.fingerprint()),
        **request.json(),
        by="engine",
        now=runtime.now(),
    )
    return entry_view(entry)
