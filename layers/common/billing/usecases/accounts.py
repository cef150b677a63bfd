"""An account begins with the first call of one of its managers; its people are let in here."""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts, keys, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.access import access_at
from billing.domain.account import Account, Member, MemberStatus, Role
from billing.domain.credits import Wallet
from billing.domain.errors import Conflict, NotAllowed


def ensure_manager(rows: AccountRows, manager: Member, now: datetime) -> AccountRows:
    """`rows` with the account, this manager and their wallet on record.

    Nothing is written where both are; where another call wrote them first, that one's stay.
    """
    if rows.account is not None and manager.id in rows.members and manager.id in rows.wallets:
        return rows
    write = Transaction()
    account = rows.account or Account(id=rows.id, email=manager.email, created_at=now)
    if rows.account is None:
        accounts.put_account(write, account, version=0)
        accounts.list_ledger(write, rows.id)
    if manager.id not in rows.members:
        accounts.put_member(write, rows.id, manager, version=0)
    wallet = rows.wallets.get(manager.id) or Wallet(person=manager.id)
    if manager.id not in rows.wallets:
        wallets.put(write, rows.id, wallet, version=0)
    try:
        write.commit()
    except StaleWrite:
        return ensure_manager(accounts.load(rows.id), manager, now)
    made = (
        keys.account_key(rows.id),
        keys.member_key(rows.id, manager.id),
        keys.wallet_key(rows.id, manager.id),
    )
    versions = {key["sk"]: 1 for key in made}
    return replace(
        rows,
        account=account,
        members={manager.id: manager, **rows.members},
        wallets={manager.id: wallet, **rows.wallets},
        versions={**versions, **rows.versions},
    )


def load_for(account: str, subject: str, role: str) -> AccountRows:
    """The account's rows for one of its people, whom a verified token names.

    A member's token works only while the membership is active, however long it lives; so they
    are read as they are at this instant. Raises NotAllowed `membership_inactive`.
    """
    manages = role == Role.MANAGER
    rows = accounts.load(account, consistent=not manages)
    if not manages and rows.team.active(subject) is None:
        raise NotAllowed("membership_inactive", "You are not an active member of this account.")
    return rows


def require_access(rows: AccountRows, grace: timedelta, now: datetime) -> None:
    """For what costs credits or gives them. Raises Conflict `no_access`."""
    if not access_at(now, rows.base, grace).granted:
        raise Conflict("no_access", "Credits can be used while the team has a subscription.")


def as_manager(subject: str, email: str, name: str) -> Member:
    """The manager whom a verified token names."""
    return Member(id=subject, email=email, name=name, role=Role.MANAGER, status=MemberStatus.ACTIVE)
