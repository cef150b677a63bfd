"""How many credits a member may use in a calendar month."""

from dataclasses import replace
from datetime import datetime

from billing import runtime
from billing.adapters.dynamodb import accounts, history, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain.account import MemberStatus, Role
from billing.domain.credits import Wallet
from billing.domain.errors import Conflict, NotFound, RuleRefused
from billing.domain.events import Event, Fact

_TRIES = 5
_WAIT_SECONDS = 0.05


def set_limit(account: str, by: str, member: str, limit: int | None, now: datetime) -> Wallet:
    """From here on the member uses `limit` at most, what is used this month included; None for
    any number. `by` is the manager's subject.

    Raises NotFound `member_not_found`; Conflict `member_not_active`; RuleRefused
    `managers_have_no_limit`; Unavailable.
    """
    for _ in range(_TRIES):
        rows = accounts.load(account)
        present = _wallet(rows, member)
        if present.limit == limit:
            return present
        write = Transaction()
        wallets.set_limit(write, account, member, limit)
        facts: dict[str, Fact] = {"member": member, "limit": limit}
        history.append(write, account, Event(type="limit.changed", at=now, by=by, facts=facts))
        try:
            write.commit()
        except StaleWrite:
            runtime.sleep(_WAIT_SECONDS * runtime.jitter())
            continue
        return replace(present, limit=limit)
    raise unavailable()


def _wallet(rows: AccountRows, person: str) -> Wallet:
    """An active member's: the commit that removes them closes it."""
    member = rows.members.get(person)
    if member is None:
        raise NotFound("member_not_found", "This account has no such member.")
    if member.role is Role.MANAGER:
        raise RuleRefused("managers_have_no_limit", "Managers use as many credits as they have.")
    wallet = rows.wallets.get(person)
    if member.status is not MemberStatus.ACTIVE or wallet is None or not wallet.open:
        raise Conflict("member_not_active", "Only active members have a limit.")
    return wallet
