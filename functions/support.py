"""The operator's back office: what Support and Sales see of an account and do for it."""

import re

from aws_lambda_powertools import Logger

from billing import runtime, settings
from billing.adapters.dynamodb import accounts, history
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import Command
from billing.bodies import OperatorsAct, PlanDecision, SlotsDeal, UnlimitedDecision
from billing.domain.catalog import load_catalog
from billing.domain.deals import Terms
from billing.domain.errors import NotFound
from billing.domain.times import rfc3339
from billing.http import Api, Request, Response, Who
from billing.usecases import deals, plans
from billing.usecases.acts import Act
from billing.usecases.deals import Selling
from billing.usecases.members import remove_member
from billing.usecases.overview import show_billing
from billing.views import (
    AddOnView,
    BillingView,
    HistoryView,
    PlanChangeView,
    SlotsView,
    SupportView,
)

api = Api()
logger = Logger()

_GRACE = settings.grace()
_SUPPORT: SupportView = {"email": settings.support_email(), "url": settings.support_url()}
_CATALOG = load_catalog()
_SELLING = Selling(catalog=_CATALOG, automatic_tax=settings.automatic_tax(), grace=_GRACE)
_EVENT_ID = re.compile(r"[0-9TZ:-]{20}-[A-Za-z0-9-]{1,64}")


@api.route("GET /support/accounts/{account_id}", Who.OPERATOR, gives=BillingView)
def get_account(request: Request) -> BillingView:
    """The account as its manager sees it"""
    operator = request.operator()
    rows = _rows(operator.account)
    logger.info("seen", extra={"account": operator.account, "operator": operator.subject})
    return show_billing(rows, runtime.now(), person=None, grace=_GRACE, support=_SUPPORT)


@api.route(
    "GET /support/accounts/{account_id}/history",
    Who.OPERATOR,
    gives=HistoryView,
    query={"limit": "1 to 100, 20 unless told", "cursor": "next_cursor of the page before"},
)
def get_history(request: Request) -> HistoryView:
    """What happened to the account, who did it and why, newest first"""
    cursor = request.cursor(_EVENT_ID)
    rows = _rows(request.operator().account)
    found, more = history.page(rows.id, limit=request.limit(), before=cursor)
    return {
        "items": [
            {
                "id": name,
                "at": rfc3339(event.at),
                "type": event.type,
                "by": event.by,
                "reason": event.reason,
                "facts": dict(event.facts),
            }
            for name, event in found
        ],
        "next_cursor": found[-1][0] if more else None,
    }


@api.route(
    "PUT /support/accounts/{account_id}/plan",
    Who.OPERATOR,
    takes=PlanDecision,
    gives=PlanChangeView,
    idempotent=True,
)
def set_plan(request: Request, decided: PlanDecision) -> PlanChangeView:
    """A dearer plan at once, a cheaper one or another cycle from the renewal on"""
    return plans.change_plan(_act(request, decided), decided.plan, decided.cycle, _CATALOG)


@api.route(
    "PUT /support/accounts/{account_id}/slots-deal",
    Who.OPERATOR,
    takes=SlotsDeal,
    gives=SlotsView,
    idempotent=True,
)
def agree_on_slots(request: Request, deal: SlotsDeal) -> SlotsView:
    """Slots for a year at an agreed price, instead of the monthly ones"""
    return deals.agree_on_slots(_act(request, deal), deal.purchased, deal.price, _SELLING)


@api.route(
    "PUT /support/accounts/{account_id}/data-unlimited",
    Who.OPERATOR,
    takes=UnlimitedDecision,
    gives=AddOnView,
    idempotent=True,
)
def set_data_unlimited(request: Request, decided: UnlimitedDecision) -> AddOnView:
    """DataUnlimited on, billed to the card on file; or off, when what is paid has ended"""
    act = _act(request, decided)
    if not decided.active:
        return deals.switch_off_unlimited(act, _SELLING)
    return deals.switch_on_unlimited(act, Terms(decided.cycle, decided.price), _SELLING)


@api.route(
    "DELETE /support/accounts/{account_id}/members/{id}",
    Who.OPERATOR,
    takes=OperatorsAct,
    status=204,
)
def take_off(request: Request, decided: OperatorsAct) -> Response:
    """Take somebody off the team, a manager too; mails and top-ups stop, their credits rest"""
    operator = request.operator()
    account, person = _rows(operator.account).id, request.path("id")
    remove_member(account, operator.subject, person, runtime.now(), decided.reason)
    return Response(204, "", {"cache-control": "no-store"})


def _act(request: Request, decided: OperatorsAct) -> Act:
    operator = request.operator()
    return Act(
        account=_rows(operator.account).id,
        command=Command(request.operators_command_id(), request.fingerprint()),
        by=operator.subject,
        at=runtime.now(),
        reason=decided.reason,
    )


def _rows(account: str) -> AccountRows:
    """Raises NotFound: operators make no accounts."""
    rows = accounts.load(account)
    if rows.account is None:
        raise NotFound("account_not_found", "There is no such account.")
    return rows
