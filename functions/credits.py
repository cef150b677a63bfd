"""The team's credits: who has how many, sending them, and what happened to them."""

import re
from datetime import timedelta

from billing import runtime, settings
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import Command
from billing.bodies import AlertChoice, CreditsSent, TopUpTerms
from billing.domain.account import Role
from billing.domain.catalog import load_catalog
from billing.domain.credits import Credits, Entry, EntryKind, Wallet
from billing.domain.errors import NotAllowed, NotFound
from billing.domain.money import Money
from billing.domain.top_ups import may_buy
from billing.http import Api, Request, Response, Who, invalid_query
from billing.log_views import log_csv, named_for_managers, named_for_member, own_view
from billing.usecases.accounts import Present, arrive
from billing.usecases.credit_log import Shown, read_log, sum_up
from billing.usecases.credit_settings import TopUpChoice, end_top_up, set_alert, set_top_up
from billing.usecases.credits import send_credits
from billing.views import (
    AlertView,
    EntryView,
    LogView,
    TeamCreditsView,
    TopUpView,
    UsageView,
    credits_view,
    entry_view,
    member_view,
    top_up_view,
    usage_view,
    wallet_view,
)

api = Api()

_CATALOG = load_catalog()
_GRACE = settings.grace()
_CSV_AT_ONCE = 5000
"""A megabyte: an answer of Lambda's has six at most."""
_POSITION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ-\d{16}-[A-Za-z0-9_-]{1,200}", re.ASCII)


@api.route("GET /credits", Who.SIGNED_IN, gives=TeamCreditsView)
def get_credits(request: Request) -> TeamCreditsView:
    """The caller's wallet; for a manager also the account's totals and everybody's credits"""
    here, now = _here(request), runtime.now()
    rows, person = here.rows, here.person.id
    if here.person.role is Role.MEMBER:
        wallet = rows.wallets.get(person, Wallet(person=person))
        return {
            "wallet": wallet_view(wallet, now),
            "top_up": None,
            "account": None,
            "members": None,
        }
    return {
        "wallet": wallet_view(rows.wallets[person], now),
        "top_up": top_up_view(
            rows.wallets[person],
            rows.top_ups.get(person),
            now,
            buys=may_buy(rows.base, _GRACE, now),
        ),
        "account": credits_view(rows.wallets, person),
        "members": [
            member_view(member, now, rows.wallets.get(member.id)) for member in rows.team.listed()
        ],
    }


@api.route(
    "POST /credits/transfers",
    Who.MANAGER,
    takes=CreditsSent,
    gives=EntryView,
    status=201,
    idempotent=True,
)
def send(request: Request, sent: CreditsSent) -> EntryView:
    """Sends credits to a member of the team; it cannot be undone"""
    caller = request.caller()
    entry = send_credits(
        caller.account,
        caller.claims(),
        sent.to,
        Credits(sent.credits),
        Command(request.command_id(), request.fingerprint()),
        grace=_GRACE,
        now=runtime.now(),
    )
    return entry_view(entry)


@api.route("PUT /settings/alerts", Who.MANAGER, takes=AlertChoice, gives=AlertView)
def choose_alert(request: Request, wanted: AlertChoice) -> AlertView:
    """Below how many credits in their wallet the manager is told, once each time; null for never"""
    caller = request.caller()
    set_alert(caller.account, caller.claims(), wanted.below or 0, runtime.now())
    return {"below": wanted.below}


@api.route("PUT /settings/top-up", Who.MANAGER, takes=TopUpTerms, gives=TopUpView)
def choose_top_up(request: Request, wanted: TopUpTerms) -> TopUpView:
    """Below how many credits in the manager's wallet a package is bought with the card on file, and
    for how much a month at most; `{"below": null}` for never"""
    caller, now = request.caller(), runtime.now()
    manager = caller.claims()
    if wanted.below is None or wanted.package is None or wanted.monthly_cap is None:
        wallet, top_up = end_top_up(caller.account, manager, now)
    else:
        cap = Money(wanted.monthly_cap.amount, wanted.monthly_cap.currency)
        choice = TopUpChoice(below=wanted.below, package=wanted.package, cap=cap)
        wallet, top_up = set_top_up(
            caller.account, manager, choice, _CATALOG, grace=_GRACE, now=now
        )
    return top_up_view(wallet, top_up, now)


@api.route(
    "GET /credits/log",
    Who.SIGNED_IN,
    gives=LogView,
    media=("text/csv",),
    choices={"kind": tuple(EntryKind)},
    query={
        "from": "RFC 3339 time of the earliest",
        "to": "RFC 3339 time that all are before",
        "member": "the id of one person; a member sees their own in any case",
        "kind": "entries of one kind",
        "limit": "1 to 100, 20 unless told; CSV comes 5,000 at a time",
        "cursor": "next_cursor of the page before; with CSV it is the header x-next-cursor",
    },
)
def read_credit_log(request: Request) -> LogView | Response:
    """Every movement, newest first; as CSV with `Accept: text/csv`"""
    rows, own = _people(request)
    csv = "text/csv" in request.header("accept")
    since, until = request.period()
    shown = Shown(
        person=_person(request, rows, own),
        kind=_kind(request),
        since=since,
        until=until,
        cursor=request.cursor(_POSITION),
    )
    limit = request.limit()
    found, following = read_log(
        rows, shown, limit=_CSV_AT_ONCE if csv else limit, now=runtime.now()
    )
    if csv:
        return _csv(_views(found, shown, own), rows, own, shown, following)
    return {"items": _views(found, shown, own), "next_cursor": following}


@api.route(
    "GET /credits/usage",
    Who.SIGNED_IN,
    gives=UsageView,
    choices={"by": ("day", "month")},
    query={
        "from": "RFC 3339 time of the first period; 30 days ago unless told",
        "to": "RFC 3339 time that all are before; now unless told",
        "by": "day or month; day unless told",
    },
)
def get_usage(request: Request) -> UsageView:
    """How many credits were bought, sent, spent and returned in each day or month, at most 366
    days"""
    rows, own = _people(request)
    now = runtime.now()
    until = request.moment("to") or now + timedelta(seconds=1)
    since = request.moment("from") or until - timedelta(days=30)
    if not timedelta() < until - since <= timedelta(days=366):
        raise invalid_query("from", "must be before `to`, by 366 days at most")
    by = request.query("by") or "day"
    if by not in ("day", "month"):
        raise invalid_query("by", "must be day or month")
    sums = sum_up(rows.id, own, since=since, until=until, monthly=by == "month", now=now)
    return {"items": [usage_view(period, sums[period]) for period in sorted(sums)]}


def _people(request: Request) -> tuple[AccountRows, str | None]:
    """The account as the caller may read it, and the one person whose entries a member sees."""
    here = _here(request)
    return here.rows, None if here.person.role is Role.MANAGER else here.person.id


def _here(request: Request) -> Present:
    caller = request.caller()
    return arrive(caller.account, caller.claims(), runtime.now(), consistent=False)


def _person(request: Request, rows: AccountRows, own: str | None) -> str | None:
    asked = request.query("member")
    if own is not None:
        if asked not in (None, own):
            raise NotAllowed("own_log_only", "Members see their own credits only.")
        return own
    if asked is not None and asked not in rows.members:
        raise NotFound("member_not_found", "This account has no such member.")
    return asked


def _views(found: list[Entry], shown: Shown, own: str | None) -> list[EntryView]:
    views = [entry_view(entry, shown.person) for entry in found]
    return views if own is None else [own_view(each, own) for each in views]


def _csv(
    lines: list[EntryView],
    rows: AccountRows,
    own: str | None,
    shown: Shown,
    following: str | None,
) -> Response:
    headers = {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="credits.csv"',
        "cache-control": "no-store",
    }
    if following is not None:
        headers["x-next-cursor"] = following
    emails = {member.id: member.email for member in rows.members.values()}
    name_of = named_for_managers(emails) if own is None else named_for_member(own)
    text = log_csv(lines, name_of, own=own, first=shown.cursor is None)
    return Response(200, text, headers)


def _kind(request: Request) -> EntryKind | None:
    value = request.one_of("kind", tuple(EntryKind))
    return None if value is None else EntryKind(value)
