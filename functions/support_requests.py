"""What the team asks Support and Sales for."""

import re

from billing import runtime
from billing.adapters.dynamodb import support_requests
from billing.bodies import NewSupportRequest
from billing.domain.support_requests import SupportRequest
from billing.domain.times import rfc3339
from billing.http import Api, Request, Who
from billing.usecases.accounts import arrive
from billing.usecases.support_requests import record_support_request
from billing.views import SupportRequestsView, SupportRequestView

api = Api()

_ID = re.compile(r"\d{4}-\d\d-\d\d-\d\d", re.ASCII)


@api.route(
    "POST /support-requests",
    Who.MANAGER,
    takes=NewSupportRequest,
    gives=SupportRequestView,
    status=201,
)
def ask(request: Request, asked: NewSupportRequest) -> SupportRequestView:
    """Sends a request to Support or Sales; the same again on one day is one request"""
    caller, now = request.caller(), runtime.now()
    arrive(caller.account, caller.claims(), now, consistent=False)
    message = asked.message or ""
    return _view(record_support_request(caller.account, caller.subject, asked.topic, message, now))


@api.route(
    "GET /support-requests",
    Who.MANAGER,
    gives=SupportRequestsView,
    query={"limit": "1 to 100, 20 unless told", "cursor": "next_cursor of the page before"},
)
def list_support_requests(request: Request) -> SupportRequestsView:
    """What was asked for, newest first"""
    cursor = request.cursor(_ID)
    found, more = support_requests.page(
        request.caller().account, limit=request.limit(), before=cursor
    )
    return {
        "items": [_view(each) for each in found],
        "next_cursor": found[-1].id if more else None,
    }


def _view(request: SupportRequest) -> SupportRequestView:
    return {
        "id": request.id,
        "topic": request.topic,
        "message": request.message,
        "at": rfc3339(request.at),
        "status": "sent",
    }
