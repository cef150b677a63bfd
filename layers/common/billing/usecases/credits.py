"""Commands that move credits: each is one transaction of its entry and the wallets it touches.

The wallets are written against what was read, so each entry has the exact balance after it. A
command that was overtaken writes blindly the next time: it takes a sequence by the clock and
commits on condition that no entry of a higher one has, and that the credits are there. So the order
of the sequences is the order of effect, and the log works the balance out from it.

Progress: every try looks at the wallets and then writes. The write fails only if another write to
one of them committed after the look began: an exact one because the version changed, a blind one
because of a higher sequence, a later time, other settings or too few credits; its own sequence is
above the one it saw. So under any schedule at least one of the waiting commands commits in each
round in which each of them looks and then writes: had none committed, no condition would have
failed. And most commit at once, as a blind write fails only if a later one overtakes it on its way.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import ledger, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.ledger import AlreadyRecorded, Refused
from billing.adapters.dynamodb.marks import Command, key_reused
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain import credits
from billing.domain.account import MemberStatus
from billing.domain.credits import Cause, Credits, Entry, Movement, Wallet
from billing.domain.errors import Conflict, NotFound, Refusal, RuleRefused
from billing.domain.people import Claims
from billing.usecases.accounts import arrive, require_access

_TRIES = 40
_EXACT_TRIES = 1
_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 0.5
_COMMIT_TRIES = 20
"""Other transactions on the same wallet are in the way for longer than on other rows."""

Decision = Callable[[Mapping[str, Wallet]], Movement]
Addition = Callable[[Transaction], None]
"""What else commits with a movement."""


def send_credits(
    account: str,
    claims: Claims,
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
    here = arrive(account, claims, now)
    rows, manager = here.rows, here.person
    cause = Cause(
        id=command.id, account=account, by=manager.id, now=now, fingerprint=command.fingerprint
    )

    def decide(held: Mapping[str, Wallet]) -> Movement:
        require_access(rows, grace, now)
        target = _receiver(rows, held, to)
        return credits.transfer(held[manager.id], target, amount, cause)

    return recorded(cause, rows, (manager.id, to), decide)


def _receiver(rows: AccountRows, held: Mapping[str, Wallet], person: str) -> Wallet:
    member = rows.members.get(person)
    if member is None:
        raise NotFound("member_not_found", "This account has no such member.")
    if member.status is not MemberStatus.ACTIVE or person not in held:
        raise Conflict("member_not_active", "Credits can be sent to active members only.")
    return held[person]


def recorded(
    cause: Cause,
    rows: AccountRows,
    people: tuple[str, ...],
    decide: Decision,
    also: Addition | None = None,
    *,
    names: tuple[str, ...] = (),
) -> Entry:
    """The entry that `decide` comes to, or what the same command came to before: also where it
    would be refused now. A refusal is final: it stands in the entry's place, so an earlier try
    that is still at work takes no effect after it. `names` are the ids of entries that the command
    may make, unless it is the one of `cause`. Tried again, it decides on the wallets of `people` as
    they are then.
    """
    names = names or (cause.id,)
    held, versions = rows.wallets, rows.wallet_versions
    for attempt in range(_TRIES):
        try:
            movement = decide(held)
        except (NotFound, Conflict, RuleRefused) as refusal:
            return _refused(cause, names, refusal)
        write = Transaction()
        if attempt < _EXACT_TRIES:
            ledger.append(write, movement, versions)
        else:
            movement = movement.numbered(runtime.tick())
            ledger.append_blind(write, movement, held)
        if also is not None:
            also(write)
        try:
            write.commit(tries=_COMMIT_TRIES)
        except AlreadyRecorded:
            return _first(cause, names)
        except StaleWrite:
            runtime.sleep(_backoff(attempt))
            held, versions = wallets.load(cause.account, people)
            continue
        return movement.entries[0]
    raise unavailable()


def _backoff(attempt: int) -> float:
    """Return seconds, with full jitter."""
    return runtime.jitter() * min(_WAIT_SECONDS * 2.0**attempt, _LONGEST_WAIT_SECONDS)


def _refused(cause: Cause, names: tuple[str, ...], refusal: Refusal) -> Entry:
    """Raises `refusal`, which from now on is the command's; or returns what it came to before."""
    write = Transaction()
    ledger.refuse(write, cause, names, refusal)
    try:
        write.commit()
    except AlreadyRecorded:
        return _first(cause, names)
    raise refusal


def _first(cause: Cause, names: tuple[str, ...]) -> Entry:
    """What the command came to first. Raises what it was refused with, or Conflict
    `idempotency_key_reused`."""
    found = (ledger.outcome(cause.account, name) for name in names)
    first = next(each for each in found if each is not None)
    if first.fingerprint != cause.fingerprint:
        raise key_reused()
    if isinstance(first, Refused):
        raise first.refusal
    return first
