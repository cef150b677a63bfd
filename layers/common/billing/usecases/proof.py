"""Proving the ledger: every wallet is the sum of its entries, account by account."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from billing import runtime
from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, checks, ledger
from billing.adapters.dynamodb.keys import LEDGER_SHARDS
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.credits import Wallet, effects

_logger = Logger(child=True)

_LOOKS = 4
_WAIT_SECONDS = 2.0
"""Between looks: an index is behind its table for a moment, and credits go on moving."""

_PAGE = 100
_SAVED_EVERY = 25
_CLOCKS_DIFFER = timedelta(days=1)
_NUMBERS = ("balance", "held", "granted", "received", "sent", "spent", "clawed_back")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A wallet whose `number`, such as its balance, is `kept` but by its entries `summed`."""

    account: str
    person: str
    number: str
    kept: int
    summed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How many accounts were checked, and what was found; for how many that failed."""

    accounts: int = 0
    failed: int = 0
    mismatches: tuple[Mismatch, ...] = ()


def check_account(account: str, now: datetime) -> list[Mismatch]:
    """What does not agree, also after it was looked at again."""
    found: list[Mismatch] = []
    for look in range(_LOOKS):
        if look:
            runtime.sleep(_WAIT_SECONDS)
        rows = accounts.load(account)
        if rows.account is None:
            return []
        summed: dict[str, dict[str, int]] = {}
        since = rows.account.created_at - _CLOCKS_DIFFER
        for entry in ledger.newest_first(
            account, since=since, before=now + _CLOCKS_DIFFER, page=1000
        ):
            for person in filter(None, {entry.source, entry.target}):
                sums = summed.setdefault(person, dict.fromkeys(_NUMBERS, 0))
                for number, change in effects(entry, person).items():
                    sums[number] += change
        found = list(_differences(account, rows.wallets, summed))
        if not found:
            return []
    return found


def check_some(now: datetime, time_left: Callable[[], bool]) -> Checked:
    """Goes on where the last run was cut off. What does not agree, and an account that cannot be
    checked, is told to a person."""
    shard, last, version = checks.load_progress()
    reached = (shard, last)
    done = Checked()
    for place in _places_from(shard, last):
        if not time_left():
            break
        done = _checked(done, place[1], now)
        reached = place
        if (done.accounts + done.failed) % _SAVED_EVERY == 0:
            version = _saved(*reached, version)
    else:
        reached = (0, None)
    _saved(*reached, version)
    return done


def _checked(before: Checked, account: str, now: datetime) -> Checked:
    try:
        found = check_account(account, now)
    except Exception:
        # Whatever it is, the accounts behind it are checked as well.
        _logger.exception("not checked", extra={"account": account})
        alert("an account's ledger cannot be checked", account=account)
        return replace(before, failed=before.failed + 1)
    for each in found:
        alert("a wallet is not the sum of its entries", account=account, wallet=each.person)
    return replace(before, accounts=before.accounts + 1, mismatches=(*before.mismatches, *found))


def _saved(shard: int, account: str | None, version: int) -> int:
    """The row's version from then on."""
    write = Transaction()
    checks.put_progress(write, shard, account, version=version)
    try:
        write.commit()
    except StaleWrite:
        # Another run at the same time has gone as far.
        return version
    return version + 1


def _places_from(shard: int, last: str | None) -> Iterator[tuple[int, str]]:
    """Every account behind the `last` that was checked, with its shard."""
    for each in range(shard, LEDGER_SHARDS):
        while page := checks.page(each, before=last, limit=_PAGE):
            for account in page:
                yield each, account
            last = page[-1]
        last = None


def _differences(
    account: str, wallets: dict[str, Wallet], summed: dict[str, dict[str, int]]
) -> Iterator[Mismatch]:
    for person in wallets.keys() | summed.keys():
        wallet = wallets.get(person, Wallet(person=person))
        sums = summed.get(person, {})
        for number in _NUMBERS:
            kept, by_entries = getattr(wallet, number), sums.get(number, 0)
            if kept != by_entries:
                yield Mismatch(account, person, number, kept, by_entries)
