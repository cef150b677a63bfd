"""Commands that change who is a member.

Each writes the member's row, their wallet's and SLOTS together, against SLOTS as it was before the
members were read, so that of two commands on one account the slower reads and decides again.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import accounts, history, keys, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain import members
from billing.domain.access import access_at
from billing.domain.account import Member, MemberStatus
from billing.domain.catalog import Kind
from billing.domain.credits import Wallet
from billing.domain.errors import Conflict
from billing.domain.events import SCHEDULE, Event, of_member
from billing.domain.members import Change, Team

_TRIES = 10
_WAIT_SECONDS = 0.05

Decision = Callable[[Team, AccountRows, Transaction], Change | None]
"""None where there is nothing to decide. It may add to the transaction what else it rests on."""


def invite_member(
    account: str, by: str, email: str, name: str, grace: timedelta, now: datetime
) -> Member:
    """`by` is the manager's subject.

    Raises Conflict `no_access`, `already_member`, `no_free_slot`; Unavailable.
    """

    def decide(team: Team, rows: AccountRows, write: Transaction) -> Change:
        if not access_at(now, rows.base, grace).granted:
            raise Conflict("no_access", "Slots can be used while the team has a subscription.")
        for kind in (Kind.SUBSCRIPTION, Kind.SLOTS):
            key = keys.subscription_key(account, kind)
            write.unchanged(key, version=rows.version_of(key))
        return members.invite(team, email, name, now)

    return _changed(account, by, now, decide)


def accept_invitation(account: str, subject: str, email: str, name: str, now: datetime) -> Member:
    """`email` is the token's, and verified. Raises NotFound `invitation_not_found`, Conflict
    `invitation_expired`, `already_accepted`, `already_member`; Unavailable."""

    def decide(team: Team, rows: AccountRows, write: Transaction) -> Change:
        return members.accept(team, subject, email, name, now)

    return _changed(account, subject, now, decide)


def remove_member(account: str, by: str, member: str, now: datetime) -> Member:
    """`by` is the manager's subject.

    Raises NotFound `member_not_found`, Conflict `manager_stays`; Unavailable.
    """
    return _changed(account, by, now, lambda team, *_: members.remove(team, member))


def expire_invitations(account: str, now: datetime) -> None:
    """Every one that ran out. Raises Unavailable."""
    while _committed(account, SCHEDULE, now, lambda team, *_: members.expire(team, now)):
        pass


def _changed(account: str, by: str, now: datetime, decide: Decision) -> Member:
    change = _committed(account, by, now, decide)
    assert change is not None
    return change.member


def _committed(account: str, by: str, now: datetime, decide: Decision) -> Change | None:
    for _ in range(_TRIES):
        slots, version = accounts.load_slots(account)
        rows = accounts.load(account)
        write = Transaction()
        change = decide(replace(rows.team, slots=slots), rows, write)
        if change is None or not change.written:
            return change
        for member in change.written:
            key = keys.member_key(account, member.id)
            accounts.put_member(write, account, member, version=rows.version_of(key))
            _open_or_close_wallet(write, rows, member)
            type_, facts = of_member(member)
            who = SCHEDULE if member.status is MemberStatus.EXPIRED else by
            history.append(write, account, Event(type=type_, at=now, by=who, facts=facts))
        accounts.put_slots(write, account, change.slots, version=version)
        try:
            write.commit()
        except StaleWrite:
            runtime.sleep(_WAIT_SECONDS * runtime.jitter())
            continue
        return change
    raise unavailable()


def _open_or_close_wallet(write: Transaction, rows: AccountRows, member: Member) -> None:
    """Credits are sent to open wallets only, so a transfer and a removal meet at this row. What
    is in a closed one stays there until its owner comes back."""
    present = rows.wallets.get(member.id)
    active = member.status is MemberStatus.ACTIVE
    if active if present is None else present.open is not active:
        wallet = replace(present or Wallet(person=member.id), open=active)
        version = rows.version_of(keys.wallet_key(rows.id, member.id))
        wallets.put(write, rows.id, wallet, version=version)
