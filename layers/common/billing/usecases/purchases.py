"""Recording what becomes of the money that packages were paid with."""

from dataclasses import replace
from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import (
    accounts,
    history,
    keys,
    ledger,
    purchases,
    top_ups,
    wallets,
)
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.stripe import payments
from billing.adapters.stripe.events import StripeEvent
from billing.domain.credits import Entry, EntryKind, Movement, Wallet
from billing.domain.events import STRIPE, Event
from billing.domain.purchases import Payment, grant_id, granting, settle
from billing.domain.top_ups import TopUp, reversed_payment


def record_purchase(
    purchase_id: str, account: str, write: Transaction, *, reversal: bool = False
) -> None:
    """The credits of a purchase that was paid, and what a refund or a dispute takes of them; a
    top-up that was under way is done. A reversal stops the wallet's top-up."""
    purchase, version = purchases.load(account, purchase_id)
    rows = accounts.load(account)
    payment = payments.payment_of(purchase_id)
    if payment is None or not payment.paid:
        return
    now = runtime.now()
    wallet = rows.wallets.get(payment.wallet) or Wallet(person=payment.wallet)
    granted = ledger.find(account, grant_id(purchase_id))
    moved = Movement((), {wallet.person: wallet})
    if granted is None:
        moved = granting(payment, wallet, account, now)
        granted = moved.entries[0]
    wallet = moved.wallets[wallet.person]
    left = _left(rows, granted, payment, wallet, now) if payment.contested else 0
    settled, more = settle(purchase, payment, wallet, left, account, now)
    if settled != purchase or reversal:
        # Also where nothing is to do: who saw the payment earlier must not record that any more.
        purchases.put(write, account, settled, version=version)
        moved = moved.then(more)
    top_up = rows.top_ups.get(payment.wallet) or TopUp(person=payment.wallet)
    topped = top_up
    if top_up.order is not None and top_up.order.invoice == purchase_id:
        topped = top_up.completed(payment.amount, now)
    if purchase.reversed_by(payment):
        topped, moved = _stopped(write, account, topped, moved, now)
    _put(write, rows, moved, topped)


def _put(write: Transaction, rows: AccountRows, moved: Movement, top_up: TopUp) -> None:
    """Write what changed."""
    person = top_up.person
    if moved.entries:
        ledger.append(write, moved, {person: 0, **rows.wallet_versions})
    elif moved.wallets[person] != (rows.wallets.get(person) or Wallet(person=person)):
        version = rows.version_of(keys.wallet_key(rows.id, person))
        wallets.put(write, rows.id, moved.wallets[person], version=version)
    if top_up != (rows.top_ups.get(person) or TopUp(person=person)):
        version = rows.version_of(keys.top_up_key(rows.id, person))
        top_ups.put(write, rows.id, top_up, version=version)


def _stopped(
    write: Transaction, account: str, top_up: TopUp, moved: Movement, now: datetime
) -> tuple[TopUp, Movement]:
    """The wallet that the reversal left does not fall any more, however low it is."""
    after, wallet, told = reversed_payment(top_up, moved.wallets[top_up.person], now)
    if told is None:
        return after, moved
    type_, facts = told
    history.append(write, account, Event(type=type_, at=now, by=STRIPE, facts=facts))
    return after, replace(moved, wallets={**moved.wallets, wallet.person: wallet}, falls=())


def record_reversal(event: StripeEvent, account: str, write: Transaction) -> None:
    """A refund or a dispute: of a package, or of nothing that gave credits."""
    purchase_id = payments.purchase_of(event)
    if purchase_id is not None:
        record_purchase(purchase_id, account, write, reversal=True)


def _left(
    rows: AccountRows, granted: Entry, payment: Payment, wallet: Wallet, now: datetime
) -> int:
    """How much of a purchase is in the wallet: what came first goes first."""
    since = ledger.newest_first(
        rows.id, person=wallet.person, since=granted.at, before=now + timedelta(days=1)
    )
    later = sum(
        entry.credits
        for entry in since
        if entry.sequence > granted.sequence
        and entry.target == wallet.person
        and entry.kind is not EntryKind.RETURN
    )
    return max(0, min(payment.credits, wallet.available - later))
