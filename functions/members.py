"""Who is in the team: inviting, accepting, removing, and how much each may use."""

from billing import runtime, settings
from billing.adapters.dynamodb import wallets
from billing.bodies import Invitation, LimitChoice
from billing.domain.errors import NotAllowed
from billing.http import Api, Request, Response, Who, invalid_query
from billing.usecases.accounts import arrive
from billing.usecases.limits import set_limit
from billing.usecases.members import accept_invitation, invite_member, remove_member
from billing.views import LimitView, MembersView, MemberView, member_view

api = Api()

_GRACE = settings.grace()


@api.route(
    "GET /members",
    Who.MANAGER,
    gives=MembersView,
    query={"limit": "1 to 100, 20 unless told", "cursor": "next_cursor of the page before"},
)
def list_members(request: Request) -> MembersView:
    """Everybody who is or was in the team or invited to it, managers first, then by address"""
    caller, limit, now = request.caller(), request.limit(), runtime.now()
    rows = arrive(caller.account, caller.claims(), now, consistent=False).rows
    listed = rows.team.listed()
    start = _after(request.query("cursor"), [member.id for member in listed])
    page = listed[start : start + limit]
    return {
        "items": [member_view(member, now, rows.wallets.get(member.id)) for member in page],
        "next_cursor": page[-1].id if start + limit < len(listed) else None,
    }


@api.route("POST /members", Who.MANAGER, takes=Invitation, gives=MemberView, status=201)
def invite(request: Request, invited: Invitation) -> MemberView:
    """Invites an address, which takes a slot for 14 days; the same address again renews that"""
    caller, now, name = request.caller(), runtime.now(), invited.name or ""
    member = invite_member(caller.account, caller.subject, invited.email, name, _GRACE, now)
    return member_view(member, now, wallets.find(caller.account, member.id))


@api.route("POST /invitations/accept", Who.MEMBER, gives=MemberView)
def accept(request: Request) -> MemberView:
    """Makes the caller a member, by the verified e-mail of the token"""
    caller, now = request.caller(), runtime.now()
    if not caller.email_verified:
        raise NotAllowed("email_not_verified", "Verify your e-mail address first.")
    member = accept_invitation(caller.account, caller.claims(), now)
    return member_view(member, now, wallets.find(caller.account, member.id))


@api.route("DELETE /members/{id}", Who.MANAGER, status=204)
def remove(request: Request) -> Response:
    """Removes a member or withdraws an invitation, and frees the slot; again changes nothing"""
    caller = request.caller()
    remove_member(caller.account, caller.subject, request.path("id"), runtime.now())
    return Response(204, "", {"cache-control": "no-store"})


@api.route("PUT /members/{id}/limit", Who.MANAGER, takes=LimitChoice, gives=LimitView)
def limit(request: Request, wanted: LimitChoice) -> LimitView:
    """How many credits a member may use in a calendar month (UTC); null for any number"""
    caller, now = request.caller(), runtime.now()
    wallet = set_limit(caller.account, caller.subject, request.path("id"), wanted.limit, now)
    return {"limit": wallet.limit, "used": wallet.used_at(now)}


def _after(cursor: str | None, ids: list[str]) -> int:
    if cursor is None:
        return 0
    if cursor not in ids:
        raise invalid_query("cursor", "must be a next_cursor of this list")
    return ids.index(cursor) + 1
