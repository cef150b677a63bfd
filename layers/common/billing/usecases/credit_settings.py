"""What a manager chooses for their own wallet: when to be told, and when to be topped up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import history, keys, top_ups, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain.catalog import Catalog
from billing.domain.credits import Wallet
from billing.domain.errors import Conflict, FieldError, RuleRefused
from billing.domain.events import Event, Fact, of_fall
from billing.domain.money import Money
from billing.domain.people import Claims
from billing.domain.top_ups import TopUp, require_sensible, switched_off, switched_on
from billing.usecases.accounts import arrive, require_access

_TRIES = 8
_WAIT_SECONDS = 0.1

Chosen = tuple[Wallet, TopUp]
Choose = Callable[[AccountRows, Wallet, TopUp], tuple[Wallet, TopUp, Event]]
"""The wallet and its top-up as they are to be, and what tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpChoice:
    """Below how many credits which package is bought, and for how much a month at most."""

    below: int
    package: str
    cap: Money


def set_alert(account: str, claims: Claims, below: int, now: datetime) -> None:
    """From here on the manager is told once each time their wallet falls below so many; 0 for
    never. What is below already is not told. Raises Unavailable."""

    def choose(_: AccountRows, wallet: Wallet, top_up: TopUp) -> tuple[Wallet, TopUp, Event]:
        wanted = replace(wallet, alert_below=below)
        facts: dict[str, Fact] = {"wallet": wallet.person, "below": below}
        told = Event(type="alerts.changed", at=now, by=wallet.person, facts=facts)
        return replace(wanted, alerted=wanted.low), top_up, told

    _chosen(account, claims, choose, now)


def set_top_up(
    account: str,
    claims: Claims,
    choice: TopUpChoice,
    catalog: Catalog,
    *,
    grace: timedelta,
    now: datetime,
) -> Chosen:
    """From here on a fall of the manager's wallet is answered with a package; being that low
    already is a fall.

    Raises Conflict `no_access`, `subscription_ending`; RuleRefused `unknown_package`,
    `unknown_currency`, `cap_too_low`, `package_too_small`; Unavailable.
    """

    def choose(rows: AccountRows, wallet: Wallet, top_up: TopUp) -> tuple[Wallet, TopUp, Event]:
        require_access(rows, grace, now)
        _require_possible(rows, choice, catalog)
        wanted = top_up.chosen(choice.below, choice.package, choice.cap)
        facts: dict[str, Fact] = {
            "wallet": wallet.person,
            "below": choice.below,
            "package": choice.package,
            "amount": choice.cap.amount,
            "currency": choice.cap.currency,
        }
        told = Event(type="top_up.changed", at=now, by=wallet.person, facts=facts)
        watched = switched_on(wallet, choice.below, runtime.unique(), now)
        if wanted != top_up and watched.look_at is not None:
            # What waited for the next month may fit the new cap.
            watched = replace(watched, look_at=now)
        return watched, wanted, told

    return _chosen(account, claims, choose, now)


def end_top_up(account: str, claims: Claims, now: datetime) -> Chosen:
    """No fall is answered any more; what is under way goes on. Raises Unavailable."""

    def choose(_: AccountRows, wallet: Wallet, top_up: TopUp) -> tuple[Wallet, TopUp, Event]:
        facts: dict[str, Fact] = {"wallet": wallet.person, "below": 0}
        told = Event(type="top_up.changed", at=now, by=wallet.person, facts=facts)
        return switched_off(wallet), top_up.switched_off(), told

    return _chosen(account, claims, choose, now)


def _require_possible(rows: AccountRows, choice: TopUpChoice, catalog: Catalog) -> None:
    assert rows.base is not None
    if rows.base.ends_at is not None:
        raise Conflict(
            "subscription_ending", "The subscription is cancelled: nothing is charged any more."
        )
    currency = rows.base.price.currency
    if choice.cap.currency != currency:
        raise RuleRefused(
            "unknown_currency",
            f"The subscription is paid in {currency}, and so are packages.",
            (FieldError("monthly_cap", f"must be in {currency}"),),
        )
    product, price = catalog.package_price(choice.package, currency)
    require_sensible(choice.below, choice.cap, product, price)


def _chosen(account: str, claims: Claims, choose: Choose, now: datetime) -> Chosen:
    for _ in range(_TRIES):
        here = arrive(account, claims, now)
        rows, person = here.rows, here.person.id
        wallet = rows.wallets[person]
        top_up = rows.top_ups.get(person, TopUp(person=person))
        wanted, topped, told = choose(rows, wallet, top_up)
        if (wanted, topped) == (wallet, top_up):
            return wallet, top_up
        write = Transaction()
        version = rows.version_of(keys.wallet_key(account, person))
        wallets.put(write, account, wanted, version=version)
        if topped != top_up:
            version = rows.version_of(keys.top_up_key(account, person))
            top_ups.put(write, account, topped, version=version)
        history.append(write, account, told)
        if wanted.look_at is not None and wanted.look_at != wallet.look_at:
            history.append(write, account, of_fall(wanted, now))
        try:
            write.commit()
        except StaleWrite:
            runtime.sleep(_WAIT_SECONDS * runtime.jitter())
            continue
        return wanted, topped
    raise unavailable()
