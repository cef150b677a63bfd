"""The team's credits: who has how many, sending them, and what happened to them."""

from billing import runtime, settings
from billing.adapters.dynamodb import accounts
from billing.adapters.dynamodb.marks import Command
from billing.bodies import CreditsSent
from billing.domain.account import Role
from billing.domain.credits import Credits, Wallet
from billing.http import Api, Request, Who
from billing.usecases.accounts import as_manager, ensure_manager, load_for
from billing.usecases.credits import send_credits
from billing.views import (
    EntryView,
    TeamCreditsView,
    credits_view,
    entry_view,
    member_view,
    wallet_view,
)

api = Api()

_GRACE = settings.grace()


@api.route("GET /credits", Who.SIGNED_IN, gives=TeamCreditsView)
def get_credits(request: Request) -> TeamCreditsView:
    """The caller's wallet; for a manager also the account's totals and everybody's credits"""
    caller, now = request.caller(), runtime.now()
    if caller.role != Role.MANAGER:
        rows = load_for(caller.account, caller.subject, caller.role)
        member = rows.team.active(caller.subject)
        assert member is not None
        wallet = rows.wallets.get(member.id, Wallet(person=member.id))
        return {"wallet": wallet_view(wallet), "account": None, "members": None}
    manager = as_manager(caller.subject, caller.email, caller.name)
    rows = ensure_manager(accounts.load(caller.account, consistent=False), manager, now)
    return {
        "wallet": wallet_view(rows.wallets[manager.id]),
        "account": credits_view(rows.wallets, manager.id),
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
        as_manager(caller.subject, caller.email, caller.name),
        sent.to,
        Credits(sent.credits),
        Command(request.command_id(), request.fingerprint()),
        grace=_GRACE,
        now=runtime.now(),
    )
    return entry_view(entry)
