"""Setting credits aside, and settling what became of them: spent, or returned."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts, holds, ledger
from billing.adapters.dynamodb.marks import Command, key_reused
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain import credits
from billing.domain.credits import Cause, Credits, Entry, Hold, Movement, Wallet
from billing.domain.errors import NotFound
from billing.usecases.accounts import require_access
from billing.usecases.credits import recorded


def hold_credits(
    account: str,
    person: str,
    amount: Credits,
    command: Command,
    *,
    reference: str,
    grace: timedelta,
    now: datetime,
) -> Entry:
    """Sets credits of the person's own wallet aside, once for one command; the entry names the
    hold.

    Raises Conflict `no_access`, `member_not_active`, `idempotency_key_reused`; RuleRefused
    `insufficient_credits`, `limit_reached`; Unavailable.
    """
    month = ""
    rows = accounts.load(account)
    cause = Cause(
        id=command.id,
        account=account,
        by=person,
        now=now,
        reference=reference,
        fingerprint=command.fingerprint,
    )

    def decide(held: Mapping[str, Wallet]) -> Movement:
        nonlocal month
        require_access(rows, grace, now)
        moved = credits.hold(held.get(person, Wallet(person=person)), amount, cause)
        month = moved.wallets[person].used_month
        return moved

    def also(write: Transaction) -> None:
        made = Hold(id=command.id, person=person, credits=amount, left=amount, month=month)
        holds.put(write, account, made, version=0)

    return recorded(cause, rows, (person,), decide, also)


def settle_hold(
    account: str,
    hold_id: str,
    command: Command,
    *,
    spent: int = 0,
    returned: int = 0,
    by: str,
    now: datetime,
) -> Entry:
    """So many of the held credits are spent, and so many the wallet's again; at least one is.

    What was held is settled also without access, and when its owner has left the team. Raises
    NotFound `hold_not_found`; Conflict `hold_exceeded`, `idempotency_key_reused`; Unavailable.
    """
    whole = Cause(
        id=command.id,
        account=account,
        by=by,
        now=now,
        reference=hold_id,
        fingerprint=command.fingerprint,
    )
    spending = replace(whole, id=f"{command.id}-spend")
    returning = replace(whole, id=f"{command.id}-return")
    parts = ((spending, spent), (returning, returned))
    others = [each.id for each, count in parts if not count]
    present, version = _hold(account, hold_id)

    def decide(held: Mapping[str, Wallet]) -> Movement:
        nonlocal present, version
        present, version = _hold(account, hold_id)
        # Read after the hold: what settles it later makes its row another one.
        if any(ledger.find(account, name) is not None for name in others):
            raise key_reused()
        present.settled(spent + returned)
        moved = Movement((), {present.person: held[present.person]})
        if spent:
            moved = moved.then(
                credits.spend(moved.wallets[present.person], Credits(spent), spending)
            )
        if returned:
            moved = moved.then(
                credits.release(
                    moved.wallets[present.person], present, Credits(returned), returning
                )
            )
        return moved

    def also(write: Transaction) -> None:
        holds.put(write, account, present.settled(spent + returned), version=version)

    return recorded(
        spending if spent else returning,
        accounts.load(account),
        (present.person,),
        decide,
        also,
        names=(spending.id, returning.id),
    )


def _hold(account: str, hold_id: str) -> tuple[Hold, int]:
    present, version = holds.load(account, hold_id)
    if present is None:
        raise NotFound("hold_not_found", "This account has no such hold.")
    return present, version
