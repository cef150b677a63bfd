"""Who holds a slot: invitations, memberships and how they end.

Every decision returns the rows that it changes; whoever commits them writes SLOTS with them.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from billing.domain.account import Member, MemberStatus, Role
from billing.domain.errors import Conflict, NotFound
from billing.domain.slots import Slots

INVITATION_LASTS = timedelta(days=14)

_RELEASED_AT_ONCE = 30
"""A transaction holds 100 writes: each released one is a row, an event, and perhaps a sign-in."""


@dataclass(frozen=True, slots=True)
class Team:
    """What a decision about a membership rests on. Slots are paid for until `slots_end`."""

    account: str
    members: Mapping[str, Member] = field(default_factory=dict)
    slots: Slots = field(default_factory=Slots)
    purchased: int = 0
    slots_end: datetime | None = None

    def paid(self, now: datetime) -> int:
        """How many slots are paid for; none from the second at which they end."""
        return 0 if self.slots_end is not None and now >= self.slots_end else self.purchased

    def holders(self, now: datetime) -> list[Member]:
        """Who holds a slot: active members before invitations, the earlier before the later."""
        holding = [
            member
            for member in self.members.values()
            if counted(member) and not lapsed(member, now)
        ]
        return sorted(
            holding,
            key=lambda member: (
                member.status is not MemberStatus.ACTIVE,
                member.invited_at or now,
                member.id,
            ),
        )

    def free(self, now: datetime) -> int:
        """How many more could be invited."""
        return max(0, replace(self.slots, occupied=len(self.holders(now))).room(self.paid(now)))

    def has_slot(self, member: Member, now: datetime) -> bool:
        """Whether one that is paid for is theirs, also where fewer are paid for than occupied."""
        return member in self.holders(now)[: self.paid(now)]

    def listed(self) -> list[Member]:
        """Everybody who ever was, managers first."""
        return sorted(
            self.members.values(),
            key=lambda member: (member.role is not Role.MANAGER, member.email, member.id),
        )

    def active(self, subject: str) -> Member | None:
        """The member whose token names `subject`."""
        return next(
            (
                member
                for member in self.members.values()
                if member.role is Role.MEMBER
                and member.status is MemberStatus.ACTIVE
                and member.subject == subject
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What a command comes to: `member` is whom it was about, `written` the rows it changes and
    `slots` goes with them. Nothing is written where there is nothing to change."""

    member: Member
    written: tuple[Member, ...]
    slots: Slots


def member_id(account: str, email: str) -> str:
    """The same for the same address, so that inviting again finds the same row and wallet."""
    return hashlib.sha256(f"{account}\n{email}".encode()).hexdigest()[:32]


def counted(member: Member) -> bool:
    """Whether SLOTS counts it."""
    holds = (MemberStatus.INVITED, MemberStatus.ACTIVE)
    return member.role is Role.MEMBER and member.status in holds


def lapsed(member: Member, now: datetime) -> bool:
    """Whether it is an invitation that nobody can accept any longer."""
    invited = member.status is MemberStatus.INVITED
    return invited and member.expires_at is not None and now >= member.expires_at


def invite(team: Team, email: str, name: str, now: datetime) -> Change:
    """Invite the normalized `email`: new, again, or somebody who was in the team before.

    Who waits for a slot gets it at once. What expired is released first. Raises Conflict
    `already_member`, `no_free_slot`.
    """
    present = person_at(team, email)
    if present is not None and present.status is MemberStatus.ACTIVE:
        if present.role is Role.MANAGER:
            raise Conflict("already_member", "A manager has an account without a slot.")
        raise Conflict("already_member", "This person is a member already.")
    # Theirs first: it is written in any case.
    expired = sorted(_lapsed(team, now), key=lambda each: each is not present)
    released = expired[:_RELEASED_AT_ONCE]
    occupied = team.slots.occupied - len(released)
    if present is None or present in released or not counted(present):
        if replace(team.slots, occupied=occupied).room(team.paid(now)) < 1:
            raise Conflict("no_free_slot", "Every slot is in use. Buy one, or remove somebody.")
        occupied += 1
    invited = _invited(team, present, email, name, now)
    others = [
        replace(each, status=MemberStatus.EXPIRED) for each in released if each is not present
    ]
    return Change(invited, (invited, *others), replace(team.slots, occupied=occupied))


def person_at(team: Team, email: str) -> Member | None:
    """Return to whom an address belongs: an active person before an invitation before others."""
    found = [each for each in team.members.values() if normalized_email(each.email) == email]
    return min(found, key=_rank, default=None)


_RANK = (MemberStatus.ACTIVE, MemberStatus.INVITED, MemberStatus.WAITING)


def _rank(member: Member) -> tuple[int, str]:
    ranked = _RANK.index(member.status) if member.status in _RANK else len(_RANK)
    return ranked, member.id


def _invited(team: Team, present: Member | None, email: str, name: str, now: datetime) -> Member:
    waits = present is not None and present.status is MemberStatus.WAITING
    made = present or Member(
        id=_free_id(team, email),
        email=email,
        name="",
        role=Role.MEMBER,
        status=MemberStatus.INVITED,
    )
    return replace(
        made,
        email=email,
        name=name or made.name,
        role=Role.MEMBER,
        status=MemberStatus.ACTIVE if waits else MemberStatus.INVITED,
        invited_at=now,
        expires_at=None if waits else now + INVITATION_LASTS,
    )


def _free_id(team: Team, email: str) -> str:
    """Whoever has left this address for another one keeps the id that was made of it."""
    name = email
    while member_id(team.account, name) in team.members:
        name += "+"
    return member_id(team.account, name)


def expire(team: Team, now: datetime) -> Change | None:
    """Frees the slots of invitations that ran out, of many some; None where there are none."""
    released = _lapsed(team, now)[:_RELEASED_AT_ONCE]
    if not released:
        return None
    expired = [replace(each, status=MemberStatus.EXPIRED) for each in released]
    occupied = team.slots.occupied - len(expired)
    return Change(expired[0], tuple(expired), replace(team.slots, occupied=occupied))


def remove(team: Team, member: str, by: str) -> Change:
    """End a membership or withdraw an invitation; nothing changes where it has ended.

    `by` is the subject of who asks: managers take each other off, and nobody themselves. Raises
    NotFound `member_not_found`, Conflict `manager_stays`.
    """
    present = team.members.get(member)
    if present is None:
        raise NotFound("member_not_found", "This account has no such member.")
    if present.role is Role.MANAGER and by in (present.id, present.subject):
        raise Conflict("manager_stays", "Another manager, or Support, can take you off the team.")
    if present.status not in _ENDS:
        return Change(present, (), team.slots)
    invited = present.status is MemberStatus.INVITED and present.subject is None
    ended = replace(present, status=MemberStatus.WITHDRAWN if invited else MemberStatus.REMOVED)
    return Change(
        ended, (ended,), replace(team.slots, occupied=team.slots.occupied - counted(present))
    )


_ENDS = (MemberStatus.INVITED, MemberStatus.ACTIVE, MemberStatus.WAITING)


def normalized_email(text: str) -> str:
    """One spelling per address: composed, lower case, an encoded domain in its own letters."""
    local, at, domain = text.strip().rpartition("@")
    labels = [_decoded(label) for label in domain.lower().split(".")]
    return unicodedata.normalize("NFC", f"{local}{at}{'.'.join(labels)}".lower())


def well_formed_email(text: str) -> bool:
    """Whether mail could go to `text`; 254 bytes at most (RFC 5321)."""
    local, _, domain = text.rpartition("@")
    labels = domain.split(".")
    return (
        text.isprintable()
        and len(text.encode()) <= 254
        and 1 <= len(local) <= 64
        and not set(local) & _NOT_IN_LOCAL
        and len(labels) > 1
        and all(map(_well_formed_label, labels))
    )


_NOT_IN_LOCAL = set(' "(),:;<>@[\\]')


def _well_formed_label(label: str) -> bool:
    plain = all(not each.isascii() or each.isalnum() or each == "-" for each in label)
    return 1 <= len(label) <= 63 and plain and "-" not in (label[0], label[-1])


def _decoded(label: str) -> str:
    """Not through Python's `idna`, which maps ß to ss: another domain's owner would be let in."""
    try:
        decoded = label[4:].encode("ascii").decode("punycode") if label[:4] == "xn--" else ""
    except UnicodeError:
        return label
    return label if decoded.isascii() else decoded


def _lapsed(team: Team, now: datetime) -> list[Member]:
    return [each for each in team.members.values() if lapsed(each, now)]
