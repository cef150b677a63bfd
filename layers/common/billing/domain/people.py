"""Who a token names: one person a sign-in, whatever their role and address become (rule 20).

The claims of a verified token are the truth about a person. Every decision returns the rows it
changes; whoever commits them writes SLOTS with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Member, MemberStatus, Role
from billing.domain.errors import Conflict, NotAllowed, NotFound
from billing.domain.members import (
    Change,
    Team,
    counted,
    lapsed,
    member_id,
    normalized_email,
    person_at,
    well_formed_email,
)
from billing.domain.text import composed, disguises

_NAME_LENGTH = 100
LET_IN = (MemberStatus.ACTIVE, MemberStatus.WAITING)
"""Who waits for a slot sees their own credits, and uses nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says of its bearer. `email` is normalized, and empty unless it is
    verified and mail could go to it."""

    subject: str
    role: Role
    email: str
    name: str


def claims_of(subject: str, role: Role, email: str, name: str, *, verified: bool) -> Claims:
    address = normalized_email(email)
    usable = verified and well_formed_email(address)
    return Claims(
        subject=subject, role=role, email=address if usable else "", name=shown_name(name)
    )


def shown_name(text: str) -> str:
    """Return a name as it is shown, without what could disguise it."""
    return composed("".join(each for each in text if not disguises(each)))[:_NAME_LENGTH]


def person_of(team: Team, subject: str) -> Member | None:
    """Return whose sign-in `subject` is; a manager's row of an earlier version is named by it."""
    present = team.members.get(subject)
    if present is not None and present.subject in (None, subject):
        return present
    return next((each for each in team.members.values() if each.subject == subject), None)


def arrived(team: Team, claims: Claims) -> Change | None:
    """Take over what the token says; None where it is so already.

    Raises NotAllowed `membership_inactive` for a member whom nobody knows, or who is in no more.
    """
    present = person_of(team, claims.subject)
    if claims.role is Role.MANAGER:
        wanted = _as_manager(team, present, claims)
    elif present is not None and present.status in LET_IN:
        wanted = _as_member(present)
    else:
        raise not_active()
    wanted = replace(
        wanted,
        subject=claims.subject,
        linked=True,
        # An address that isn't verified changes nothing; a name that a manager gave stays.
        email=claims.email or wanted.email,
        name=_name(wanted, claims),
    )
    if wanted == present:
        return None
    return _with_address(team, wanted)


def receipts_to(email: str, before: Iterable[Member], after: Iterable[Member]) -> str:
    """Return where an account's mail goes that went to `email`, once its people are as in `after`.

    It follows the active manager whose address it was; once they manage no more, or it was
    nobody's, another active manager gets it. Without one it stays.
    """
    owner = next((each.id for each in before if _manages(each) and each.email == email), "")
    managers = {each.id: each.email for each in after if _manages(each) and each.email}
    if owner in managers:
        return managers[owner]
    if email in managers.values():
        return email
    return next(iter(managers.values()), email)


def _manages(member: Member) -> bool:
    return member.role is Role.MANAGER and member.status is MemberStatus.ACTIVE


def accepted(team: Team, claims: Claims, now: datetime) -> Change | None:
    """Let the bearer in by their invitation; None if they are in already.

    It is the invitation of their verified address, or of one they had in the team. It holds its
    slot, so there is always room. Who has been in the team before gets their own row and wallet
    back, whatever the address; somebody else's stay theirs. Raises NotFound
    `invitation_not_found`, Conflict `invitation_expired`, `already_accepted`, `already_member`.
    """
    present, invited = person_of(team, claims.subject), person_at(team, claims.email)
    active = present is not None and present.status is MemberStatus.ACTIVE
    if present is not None and active and present.role is Role.MEMBER:
        if invited is None or invited is present:
            return None
        if invited.status is not MemberStatus.INVITED:
            raise Conflict("already_member", "You are a member already, by another address.")
    if invited is None and not active:
        invited = present
    elif invited is present and active:
        invited = None
    invited = _open(invited, now)
    joining = present or _own_row(team, invited, claims)
    joined = replace(
        joining,
        role=Role.MEMBER,
        status=MemberStatus.ACTIVE,
        email=claims.email,
        name=joining.name or claims.name,
        subject=claims.subject,
        linked=True,
        expires_at=None,
        invited_at=invited.invited_at,
    )
    return _with_address(team, joined)


def _open(invited: Member | None, now: datetime) -> Member:
    match invited:
        case Member(status=MemberStatus.INVITED) if not lapsed(invited, now):
            return invited
        case Member(status=MemberStatus.INVITED | MemberStatus.EXPIRED):
            raise Conflict("invitation_expired", "This invitation expired. Ask for a new one.")
        case Member(status=MemberStatus.ACTIVE):
            raise Conflict("already_accepted", "Another sign-in has accepted this invitation.")
    raise NotFound("invitation_not_found", "Nobody has invited this address.")


def _own_row(team: Team, invited: Member, claims: Claims) -> Member:
    """The invitation's, unless it is the row of somebody else who had this address before them."""
    if invited.subject in (None, claims.subject):
        return invited
    return replace(invited, id=member_id(team.account, claims.subject))


def _as_manager(team: Team, present: Member | None, claims: Claims) -> Member:
    if present is None and claims.email:
        by_address = person_at(team, claims.email)
        if by_address is not None and by_address.subject is None:
            present = by_address
    if present is None or (present.role is Role.MANAGER and present.subject is None):
        made = Member(
            id=claims.subject,
            email="",
            name="",
            role=Role.MANAGER,
            status=MemberStatus.ACTIVE,
        )
        present = team.members.get(claims.subject, made)
    return replace(present, role=Role.MANAGER, status=MemberStatus.ACTIVE, expires_at=None)


def _as_member(present: Member) -> Member:
    """Who managed and does no more has no slot until a manager gives them one."""
    if present.role is Role.MEMBER:
        return present
    return replace(present, role=Role.MEMBER, status=MemberStatus.WAITING)


def _name(member: Member, claims: Claims) -> str:
    if member.role is Role.MANAGER and claims.name:
        return claims.name
    return member.name or claims.name


def _with_address(team: Team, wanted: Member) -> Change:
    """`wanted` as written. Once they are in, an invitation of their address is withdrawn."""
    others = [
        _given_up(each)
        for each in team.members.values()
        if wanted.status is MemberStatus.ACTIVE
        and each.id != wanted.id
        and each.status is MemberStatus.INVITED
        and normalized_email(each.email) == wanted.email
    ]
    written = (wanted, *others)
    return Change(wanted, written, replace(team.slots, occupied=_occupied(team, written)))


def _given_up(invited: Member) -> Member:
    """Back to what they were before, if they had been in the team."""
    been = invited.subject is not None
    status = MemberStatus.REMOVED if been else MemberStatus.WITHDRAWN
    return replace(invited, status=status, expires_at=None)


def _occupied(team: Team, written: Iterable[Member]) -> int:
    """How many hold a slot once these are written."""
    changed = team.slots.occupied
    for each in written:
        before = team.members.get(each.id)
        changed += counted(each) - (before is not None and counted(before))
    return changed


def not_active() -> NotAllowed:
    return NotAllowed("membership_inactive", "You are not an active member of this account.")
