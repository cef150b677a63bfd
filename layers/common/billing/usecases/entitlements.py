"""What one person may use, for the other services: asked often, so read by key."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts, wallets
from billing.adapters.dynamodb.accounts import AccountRows, SignIn
from billing.domain.access import Access, access_at, unlimited_at
from billing.domain.account import MemberStatus, Role
from billing.domain.catalog import Kind
from billing.domain.credits import Wallet
from billing.domain.people import LET_IN, Claims, not_active
from billing.usecases.accounts import arrive


@dataclass(frozen=True, slots=True)
class Entitlement:
    """`slot` says whether they may work in the team; a manager needs none."""

    access: Access
    slot: bool
    data_unlimited: bool
    credits_available: int


def entitlement_of(account: str, claims: Claims, grace: timedelta, now: datetime) -> Entitlement:
    """Read three things, whatever the size of the team: sign-in, wallet, and what is paid for.

    Everybody is read where the claims are new, and where fewer slots are paid for than occupied:
    then who was invited first has one. Raises NotAllowed `membership_inactive`; Unavailable.
    """
    known = accounts.sign_in(account, claims.subject)
    if known is None or not _agrees(known, claims):
        person = arrive(account, claims, now).person
        known = SignIn(person.id, person.role, person.status, person.email)
    if known.status not in LET_IN:
        raise not_active()
    paid = accounts.load_paid(account)
    access = access_at(now, paid.base, grace)
    wallet = wallets.find(account, known.person)
    slot = access.granted and _has_slot(paid, known, now)
    add_on = paid.subscriptions.get(Kind.ADD_ON)
    return Entitlement(
        access=access,
        slot=slot,
        data_unlimited=unlimited_at(now, access, add_on, grace),
        credits_available=_usable(wallet) if access.granted else 0,
    )


def _agrees(known: SignIn, claims: Claims) -> bool:
    return known.role is claims.role and claims.email in ("", known.email)


def _has_slot(paid: AccountRows, known: SignIn, now: datetime) -> bool:
    if known.role is Role.MANAGER or known.status is not MemberStatus.ACTIVE:
        return known.role is Role.MANAGER
    if paid.slots.occupied <= paid.team.paid(now):
        return True
    team = accounts.load(paid.id).team
    return team.has_slot(team.members[known.person], now)


def _usable(wallet: Wallet | None) -> int:
    return wallet.available if wallet is not None and wallet.open else 0
