"""Answering a wallet's fall with a package that is charged to the card on file.

The fall becomes an order, counted against the month's cap, in one transaction; the invoice that may
be paid for it is decided in another; only then is the card charged. Whoever goes on after a crash,
or at the same time, finds the same order and the same invoice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import accounts, history, keys, top_ups, wallets
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import top_ups as charges
from billing.adapters.stripe.client import KeySpent
from billing.adapters.stripe.top_ups import Charge
from billing.domain.access import access_at
from billing.domain.catalog import Catalog, Price, Product
from billing.domain.credits import Wallet, became_low
from billing.domain.errors import RuleRefused
from billing.domain.events import SCHEDULE, Event, Told, of_low_wallet
from billing.domain.top_ups import Because, TopUp, TopUpOrder, begun, stopped, waiting
from billing.usecases.purchases import record_purchase

_TRIES = 8
_WAIT_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What does not depend on the wallet."""

    catalog: Catalog
    grace: timedelta
    automatic_tax: bool


def see_to_wallet(account: str, person: str, terms: Terms, now: datetime) -> None:
    """Answers the wallet's fall, and brings a top-up that is under way to its end: paid, given up,
    or waiting for a bank that answers later. Raises Unavailable."""
    rows = _looked(account, person, terms, now)
    top_up = rows.top_ups.get(person)
    if top_up is None or top_up.order is None:
        return
    invoice = top_up.order.invoice or _invoice(rows, person, top_up.order, terms)
    if invoice is None:
        return
    charge = charges.find(invoice)
    if charge.status == "draft":
        charge = charges.finalize(invoice)
    if charge.status == "open" and not charge.tried and _counted(account, person, charge):
        charge = charges.pay(invoice)
    if charge.status == "open" and not charge.coming:
        charge = charges.give_up(invoice)
    if charge.status == "paid":
        _record(account, invoice)
    elif charge.status != "open":
        _end(account, person, charge, now)


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
            access = access_at(now, rows.base, terms.grace).granted
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


def _counted(account: str, person: str, charge: Charge) -> bool:
    """Whether the invoice's total, which has taxes, is within the cap, and counted."""
    top_up = _edited(account, person, lambda top_up: top_up.counting(charge.invoice, charge.total))
    return top_up.counts(charge.invoice, charge.total)


def _edited(account: str, person: str, edit: Callable[[TopUp], TopUp]) -> TopUp:
    for _ in range(_TRIES):
        rows = accounts.load(account)
        present = rows.top_ups[person]
        wanted = edit(present)
        if wanted == present:
            return present
        write = Transaction()
        version = rows.version_of(keys.top_up_key(account, person))
        top_ups.put(write, account, wanted, version=version)
        if _committed(write):
            return wanted
    raise unavailable()


def _record(account: str, invoice: str) -> None:
    for _ in range(_TRIES):
        write = Transaction()
        record_purchase(invoice, account, write)
        if write.empty or _committed(write):
            return
    raise unavailable()


def _end(account: str, person: str, charge: Charge, now: datetime) -> None:
    """Its invoice is void: the card was declined, or the cap was reached by the taxes."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        wallet, top_up = rows.wallets[person], rows.top_ups[person]
        if top_up.order is None or top_up.order.invoice != charge.invoice:
            return
        fits = top_up.counting(charge.invoice, charge.total).counts(charge.invoice, charge.total)
        if charge.tried or fits:
            top_up, wallet, told = stopped(top_up, wallet, Because.DECLINED, now)
        else:
            top_up, wallet, told = waiting(top_up, wallet, now)
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
        version = rows.version_of(keys.top_up_key(rows.id, top_up.person))
        top_ups.put(write, rows.id, top_up, version=version)
    version = rows.version_of(keys.wallet_key(rows.id, wallet.person))
    wallets.put(write, rows.id, wallet, version=version)
    if told is not None:
        type_, facts = told
        history.append(write, rows.id, Event(type=type_, at=now, by=SCHEDULE, facts=facts))


def _committed(write: Transaction) -> bool:
    try:
        write.commit()
    except StaleWrite:
        runtime.sleep(_WAIT_SECONDS * runtime.jitter())
        return False
    return True
