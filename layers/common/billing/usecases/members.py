"""Commands that change who is a member.

Each writes the member's row, their wallet's and SLOTS together, against SLOTS as it was before the
members were read, so that of two commands on one account the slower reads and decides again.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import accounts, history, keys, top_ups, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain import members, people
from billing.domain.access import access_at
from billing.domain.account import Member, MemberStatus, Role
from billing.domain.catalog import Kind
from billing.domain.credits import Wallet
from billing.domain.errors import Conflict
from billing.domain.events import SCHEDULE, Event, of_member
from billing.domain.members import Change, Team
from billing.domain.people import Claims
from billing.domain.top_ups import switched_off
from billing.usecases.rate_limits import limit_invitations

_TRIES = 10
_WAIT_SECONDS = 0.05

Decision = Callable[[Team, AccountRows, Transaction], Change | None]
"""None where there is nothing to decide. It may add to the transaction what else it rests on."""


def invite_member(
    account: str, by: str, email: str, name: str, grace: timedelta, now: datetime
) -> Member:
    """`by` is the manager's subject.

    Raises Conflict `no_access`, `already_member`, `no_free_slot`; TooMany
    `invitation_sent_too_often`, `too_many_invitations`; Unavailable.
    """

    def decide(team: Team, rows: AccountRows, write: Transaction) -> Change:
        if not access_at(now, rows.base, grace).granted:
            raise Conflict("no_access", "Slots can be used while the team has a subscription.")
        for kind in (Kind.SUBSCRIPTION, Kind.SLOTS):
            key = keys.subscription_key(account, kind)
            write.unchanged(key, version=rows.version_of(key))
        change = members.invite(team, email, name, now)
        if change.member.status is MemberStatus.INVITED:
            limit_invitations(write, account, email, team.paid(now), now)
        return change

    return _changed(account, by, now, decide)


def accept_invitation(account: str, claims: Claims, now: datetime) -> Member:
    """Raises NotFound `invitation_not_found`, Conflict `invitation_expired`, `already_accepted`,
    `already_member`; Unavailable."""

    def decide(team: Team, *_: object) -> Change:
        change = people.accepted(team, claims, now)
        if change is not None:
            return change
        present = people.person_of(team, claims.subject)
        assert present is not None
        return Change(present, (), team.slots)

    return _changed(account, claims.subject, now, decide)


def remove_member(account: str, by: str, member: str, now: datetime, reason: str = "") -> Member:
    """`by` is the subject of the manager, or of the operator who gives a `reason`.

    Raises NotFound `member_not_found`, Conflict `manager_stays`; Unavailable.
    """
    return _changed(account, by, now, lambda team, *_: members.remove(team, member, by), reason)


def expire_invitations(account: str, now: datetime) -> None:
    """Every one that ran out. Raises Unavailable."""
    while committed(account, SCHEDULE, now, lambda team, *_: members.expire(team, now)):
        pass


def _changed(account: str, by: str, now: datetime, decide: Decision, reason: str = "") -> Member:
    change = committed(account, by, now, decide, reason)
    assert change is not None
    return change.member


def committed(
    account: str,
    by: str,
    now: datetime,
    decide: Decision,
    reason: str = "",
    *,
    of_one: bool = False,
) -> Change | None:
    """Commit what `decide` makes of the team as it is, with wallets, SLOTS and history.

    SLOTS is written also where it stays the same, so that two changes of a team meet there; not for
    a change `of_one` person, who meet at their own row.
    """
    for _ in range(_TRIES):
        slots, version = accounts.load_slots(account)
        rows = accounts.load(account)
        write = Transaction()
        change = decide(replace(rows.team, slots=slots), rows, write)
        if change is None or not change.written:
            return change
        for member in change.written:
            _put_member(write, rows, member)
            told = of_member(rows.members.get(member.id), member)
            if told is not None:
                who = SCHEDULE if member.status is MemberStatus.EXPIRED else by
                event = Event(type=told[0], at=now, by=who, reason=reason, facts=told[1])
                history.append(write, account, event)
        _put_receipts(write, rows, change)
        if of_one and change.slots == slots:
            write.unchanged(keys.slots_key(account), version=version)
        else:
            accounts.put_slots(write, account, change.slots, version=version)
        try:
            write.commit()
        except StaleWrite:
            runtime.sleep(_WAIT_SECONDS * runtime.jitter())
            continue
        return change
    raise unavailable()


def _put_receipts(write: Transaction, rows: AccountRows, change: Change) -> None:
    """Managers who come, go or change write ACCOUNT, too: so any two of them meet there, and its
    mail goes to one who manages."""
    account = rows.account
    known = [rows.members.get(each.id) for each in change.written]
    managers = [each for each in (*known, *change.written) if each and each.role is Role.MANAGER]
    if account is None or not managers:
        return
    after = {**rows.members, **{each.id: each for each in change.written}}
    email = people.receipts_to(account.email, rows.members.values(), after.values())
    version = rows.version_of(keys.account_key(rows.id))
    accounts.put_account(write, replace(account, email=email), version=version)


def _put_member(write: Transaction, rows: AccountRows, member: Member) -> None:
    key = keys.member_key(rows.id, member.id)
    accounts.put_member(write, rows.id, member, version=rows.version_of(key))
    if member.subject is not None and member.linked:
        accounts.put_sign_in(write, rows.id, member)
    _put_wallet(write, rows, member)


def _put_wallet(write: Transaction, rows: AccountRows, member: Member) -> None:
    """Credits are sent to open wallets only, so a transfer and a removal meet at this row. What
    is in a closed one stays there until its owner comes back. What only managers have, alerts and
    top-ups, ends with their role; a limit, which only members have, too."""
    present, active = rows.wallets.get(member.id), member.status is MemberStatus.ACTIVE
    wallet = present or Wallet(person=member.id, open=active)
    wanted = replace(wallet, open=active)
    if member.role is Role.MANAGER:
        wanted = replace(wanted, limit=None)
    if member.role is Role.MEMBER or not active:
        wanted = replace(switched_off(wanted), alert_below=0, alerted=False)
        _end_top_up(write, rows, member.id)
    if wanted != wallet or (present is None and active):
        version = rows.version_of(keys.wallet_key(rows.id, member.id))
        wallets.put(write, rows.id, wanted, version=version)


def _end_top_up(write: Transaction, rows: AccountRows, person: str) -> None:
    present = rows.top_ups.get(person)
    if present is not None and present != present.switched_off():
        version = rows.version_of(keys.top_up_key(rows.id, person))
        top_ups.put(write, rows.id, present.switched_off(), version=version)
