"""Answering a wallet's fall with a package that is charged to the card on file.

The fall becomes an order, counted against the month's cap, in one transaction; the invoice that may
be paid for it is decided in another; only then is the card charged. Whoever goes on after a crash,
or at the same time, finds the same order and the same invoice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, history, keys, top_ups, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import top_ups as charges
from billing.adapters.stripe.client import KeySpent
from billing.adapters.stripe.top_ups import Charge, Refused
from billing.domain.catalog import Catalog, Price, Product
from billing.domain.credits import Wallet, became_low
from billing.domain.errors import RuleRefused, Unavailable
from billing.domain.events import SCHEDULE, Event, Told, of_low_wallet
from billing.domain.top_ups import (
    Because,
    Hindrance,
    TopUp,
    TopUpOrder,
    begun,
    hindered,
    may_buy,
    stopped,
)
from billing.usecases.purchases import record_purchase

_TRIES = 8
_WAIT_SECONDS = 0.1
_ROUNDS = 2
"""One that is not wanted any more is ended, and then what is wanted now is begun."""

_LONG = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What does not depend on the wallet."""

    catalog: Catalog
    grace: timedelta
    automatic_tax: bool


def see_to_wallet(account: str, person: str, terms: Terms, now: datetime) -> None:
    """Answers the wallet's fall, and brings a top-up that is under way to its end: paid, given up,
    or waiting for a bank that answers later. Raises Unavailable."""
    for _ in range(_ROUNDS):
        rows = _looked(account, person, terms, now)
        top_up = rows.top_ups.get(person)
        if top_up is None or top_up.order is None:
            return
        order = top_up.order
        try:
            end = _attempted(rows, top_up, order, terms, now)
        except Refused as refused:
            alert("a top-up is refused", account=account, wallet=person, why=str(refused))
            end = Because.REFUSED
        except Unavailable:
            if order.began_at < now - _LONG:
                alert("a top-up does not come to its end", account=account, wallet=person)
            raise
        if end is None:
            return
        _end(account, person, order, end, now)


def _attempted(
    rows: AccountRows, top_up: TopUp, order: TopUpOrder, terms: Terms, now: datetime
) -> Hindrance | Because | None:
    """Charges what is under way, if it may be; why it is over without that, or None where it was
    charged or will be. Raises Refused, Unavailable."""
    invoice = order.invoice
    if invoice is None:
        why = top_up.hindrance(order.due, access=may_buy(rows.base, terms.grace, now))
        if why is not None:
            return why
        invoice = _invoice(rows, top_up.person, order, terms)
    return None if invoice is None else _charged(rows, top_up.person, invoice, terms, now)


def _charged(
    rows: AccountRows, person: str, invoice: str, terms: Terms, now: datetime
) -> Hindrance | Because | None:
    assert rows.base is not None
    charge, why = charges.find(invoice), None
    if charge.status == "draft":
        charge = charges.finalize(invoice)
    if charge.status == "open" and not charge.tried:
        why = _hindrance(rows.id, person, charge, terms, now)
        if why is None:
            charge = charges.pay(invoice, rows.base.id)
    if charge.status == "open" and not charge.coming:
        charge = charges.give_up(invoice)
    if charge.status == "paid":
        _record(rows.id, invoice)
    if charge.status in ("paid", "open"):
        return None
    return why or (Because.DECLINED if charge.tried else Because.REFUSED)


def _looked(account: str, person: str, terms: Terms, now: datetime) -> AccountRows:
    """The rows, after what the wallet's balance gives rise to is on record."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        wallet, top_up = rows.wallets[person], rows.top_ups.get(person) or TopUp(person=person)
        if wallet.look_at is None or wallet.look_at > now:
            return rows
        seen, told = wallet.watched(runtime.unique(), now), None
        if seen.fell is None or seen.fell == top_up.answered:
            seen = replace(seen, look_at=None)
        elif top_up.order is not None:
            # Of an earlier fall: this one waits for it.
            return rows
        else:
            sold = _sold(rows, top_up, terms.catalog)
            access = may_buy(rows.base, terms.grace, now)
            top_up, seen, told = begun(top_up, seen, sold, access=access, now=now)
        write = Transaction()
        _put(write, rows, top_up, seen, told, now)
        if became_low(wallet, seen):
            history.append(write, account, of_low_wallet(seen, now))
        if _committed(write):
            return accounts.load(account)
    raise unavailable()


def _sold(rows: AccountRows, top_up: TopUp, catalog: Catalog) -> tuple[Product, Price] | None:
    """The package in the currency of the subscription, which the cap has to be in."""
    if rows.base is None or top_up.cap is None:
        return None
    if rows.base.price.currency != top_up.cap.currency:
        return None
    try:
        return catalog.package_price(top_up.package, top_up.cap.currency)
    except RuleRefused:
        return None


def _invoice(rows: AccountRows, person: str, order: TopUpOrder, terms: Terms) -> str | None:
    """The invoice that may be paid for the order: of several that were drafted, the one on record;
    None where somebody else brought the order to its end meanwhile. Raises KeySpent."""
    assert rows.base is not None
    try:
        drafted = charges.draft_invoice(
            order, rows.id, person, rows.base.id, automatic_tax=terms.automatic_tax
        )
    except KeySpent:
        _edited(rows.id, person, lambda top_up: top_up.trying_again(order))
        raise
    top_up = _edited(rows.id, person, lambda top_up: top_up.decided(order, drafted))
    return None if top_up.order is None else top_up.order.invoice


def _hindrance(
    account: str, person: str, charge: Charge, terms: Terms, now: datetime
) -> Hindrance | None:
    """Why the invoice must not be paid, as things are just before that; with None its sum, which
    has taxes, is counted."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        top_up = rows.top_ups[person]
        if top_up.order is None or top_up.order.invoice != charge.invoice:
            return Hindrance.NOT_WANTED
        why = top_up.hindrance(charge.due, access=may_buy(rows.base, terms.grace, now))
        counted = top_up.counting(charge.due)
        if why is not None or counted == top_up:
            return why
        if _changed(rows, counted):
            return None
    raise unavailable()


def _edited(account: str, person: str, edit: Callable[[TopUp], TopUp]) -> TopUp:
    for _ in range(_TRIES):
        rows = accounts.load(account)
        present = rows.top_ups[person]
        wanted = edit(present)
        if wanted == present:
            return present
        if _changed(rows, wanted):
            return wanted
    raise unavailable()


def _record(account: str, invoice: str) -> None:
    for _ in range(_TRIES):
        write = Transaction()
        record_purchase(invoice, account, write)
        if write.empty or _committed(write):
            return
    raise unavailable()


def _end(
    account: str, person: str, order: TopUpOrder, end: Hindrance | Because, now: datetime
) -> None:
    """It is over, and nothing was charged for it."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        wallet, top_up = rows.wallets[person], rows.top_ups[person]
        if top_up.order is None or top_up.order.attempt != order.attempt:
            return
        if isinstance(end, Hindrance):
            top_up, wallet, told = hindered(top_up, wallet, end, now)
        else:
            top_up, wallet, told = stopped(top_up, wallet, end, now)
        write = Transaction()
        _put(write, rows, top_up, wallet, told, now)
        if _committed(write):
            return
    raise unavailable()


def _put(
    write: Transaction,
    rows: AccountRows,
    top_up: TopUp,
    wallet: Wallet,
    told: Told | None,
    now: datetime,
) -> None:
    if top_up != rows.top_ups.get(top_up.person, TopUp(person=top_up.person)):
        _put_top_up(write, rows, top_up)
    version = rows.version_of(keys.wallet_key(rows.id, wallet.person))
    wallets.put(write, rows.id, wallet, version=version)
    if told is not None:
        type_, facts = told
        history.append(write, rows.id, Event(type=type_, at=now, by=SCHEDULE, facts=facts))


def _put_top_up(write: Transaction, rows: AccountRows, top_up: TopUp) -> None:
    version = rows.version_of(keys.top_up_key(rows.id, top_up.person))
    top_ups.put(write, rows.id, top_up, version=version)


def _changed(rows: AccountRows, top_up: TopUp) -> bool:
    write = Transaction()
    _put_top_up(write, rows, top_up)
    return _committed(write)


def _committed(write: Transaction) -> bool:
    try:
        write.commit()
    except StaleWrite:
        runtime.sleep(_WAIT_SECONDS * runtime.jitter())
        return False
    return True
