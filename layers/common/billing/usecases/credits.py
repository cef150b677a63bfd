"""Commands that move credits: each is one transaction of its entry and the wallets it touches.

The wallets are written against what was read, so each entry tells the exact balance after it. Of
many at once on one wallet one wins and the others read again, after waits that differ and grow.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import accounts, keys, ledger
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.ledger import AlreadyRecorded
from billing.adapters.dynamodb.marks import Command
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain import credits
from billing.domain.account import Member, MemberStatus
from billing.domain.credits import Cause, Credits, Entry, Movement, Wallet
from billing.domain.errors import BillingError, Conflict, NotFound
from billing.usecases.accounts import ensure_manager, require_access

_TRIES = 18
_WAIT_SECONDS = 0.02
_WAIT_AT_MOST = 2.5

Decision = Callable[[AccountRows], Movement]


def send_credits(
    account: str,
    manager: Member,
    to: str,
    amount: Credits,
    command: Command,
    *,
    grace: timedelta,
    now: datetime,
) -> Entry:
    """From the manager's wallet to the one of `to`, once for ever for one command.

    Raises Conflict `no_access`, `member_not_active`, `idempotency_key_reused`; NotFound
    `member_not_found`; RuleRefused `own_wallet`, `insufficient_credits`; Unavailable.
    """
    cause = Cause(
        id=command.id,
        account=account,
        by=manager.id,
        now=now,
        fingerprint=command.fingerprint,
    )

    def decide(read: AccountRows) -> Movement:
        rows = ensure_manager(read, manager, now)
        require_access(rows, grace, now)
        return credits.transfer(rows.wallets[manager.id], _receiver(rows, to), amount, cause)

    return _recorded(cause, decide)


def _receiver(rows: AccountRows, person: str) -> Wallet:
    member = rows.members.get(person)
    if member is None:
        raise NotFound("member_not_found", "This account has no such member.")
    wallet = rows.wallets.get(person)
    if member.status is not MemberStatus.ACTIVE or wallet is None:
        raise Conflict("member_not_active", "Credits can be sent to active members only.")
    return wallet


def _recorded(cause: Cause, decide: Decision) -> Entry:
    """The entry that `decide` comes to, or the one that the same command made before: also where
    it would be refused now."""
    for attempt in range(_TRIES):
        rows = accounts.load(cause.account)
        try:
            movement = decide(rows)
        except BillingError:
            if (first := ledger.find(cause.account, cause.id)) is not None:
                return _same(first, cause)
            raise
        write = Transaction()
        ledger.append(write, movement, versions_of(rows, movement))
        try:
            write.commit()
        except AlreadyRecorded:
            first = ledger.find(cause.account, cause.id)
            assert first is not None
            return _same(first, cause)
        except StaleWrite:
            runtime.sleep(min(_WAIT_SECONDS * 2**attempt, _WAIT_AT_MOST) * runtime.jitter())
            continue
        return movement.entries[0]
    raise unavailable()


def versions_of(rows: AccountRows, movement: Movement) -> dict[str, int]:
    return {
        person: rows.version_of(keys.wallet_key(rows.id, person)) for person in movement.wallets
    }


def _same(first: Entry, cause: Cause) -> Entry:
    if first.fingerprint != cause.fingerprint:
        raise Conflict(
            "idempotency_key_reused",
            "This Idempotency-Key was used with another request before. Use a new key.",
        )
    return first
