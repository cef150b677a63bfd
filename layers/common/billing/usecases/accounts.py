"""An account begins with the first call of one of its managers; its people are let in here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import Transaction, unavailable
from billing.domain import people
from billing.domain.access import access_at
from billing.domain.account import Account, Member, Role
from billing.domain.errors import Conflict
from billing.domain.members import Change, Team
from billing.domain.people import Claims
from billing.usecases.members import committed

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Present:
    """An account's rows, and whose token it is."""

    rows: AccountRows
    person: Member


def arrive(account: str, claims: Claims, now: datetime, *, consistent: bool = True) -> Present:
    """Read the account for one of its people, as their token says they are.

    What the claims say of role and address is taken over first; a manager of an account that
    doesn't exist yet makes it. Nothing is written where all is so already. A member's token works
    only while the membership is active, so they are read as they are at this instant.

    Raises NotAllowed `membership_inactive`; Unavailable.
    """
    consistent = consistent or claims.role is Role.MEMBER
    for _ in range(_TRIES):
        rows = accounts.load(account, consistent=consistent)
        change = people.arrived(rows.team, claims)
        if change is None and not _begins(rows, claims):
            present = people.person_of(rows.team, claims.subject)
            assert present is not None
            return Present(rows, present)
        _take_over(account, claims, now)
        consistent = True
    raise unavailable()


def _begins(rows: AccountRows, claims: Claims) -> bool:
    """Whether something of a manager's account is not there yet, whatever became of the rest."""
    present = people.person_of(rows.team, claims.subject)
    wallet = present is not None and present.id in rows.wallets
    return claims.role is Role.MANAGER and (rows.account is None or not wallet)


def _take_over(account: str, claims: Claims, now: datetime) -> None:
    def decide(team: Team, rows: AccountRows, write: Transaction) -> Change | None:
        change = people.arrived(team, claims)
        if claims.role is Role.MANAGER and rows.account is None:
            _begin(write, account, claims, now)
        if change is None and _begins(rows, claims):
            present = people.person_of(team, claims.subject)
            assert present is not None
            return Change(present, (present,), team.slots)
        return change

    committed(account, claims.subject, now, decide, of_one=True)


def _begin(write: Transaction, account: str, claims: Claims, now: datetime) -> None:
    begun = Account(id=account, email=claims.email, created_at=now)
    accounts.put_account(write, begun, version=0)
    accounts.list_ledger(write, account)


def require_access(rows: AccountRows, grace: timedelta, now: datetime) -> None:
    """For what costs credits or gives them. Raises Conflict `no_access`."""
    if not access_at(now, rows.base, grace).granted:
        raise Conflict("no_access", "Credits can be used while the team has a subscription.")
