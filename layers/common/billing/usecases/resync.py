"""Rebuild an account's rows from Stripe, after a restore to an earlier moment.

Nothing is guessed: each object is recorded as its webhook would, so what is there already stays and
a second run finds nothing to do. Credits are in the ledger; only what was paid and never granted is
granted, once, by the payment's id.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from billing.adapters.dynamodb import accounts, invoices, keys, ledger
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import gateway
from billing.domain.events import STRIPE
from billing.domain.purchases import grant_id
from billing.usecases.purchases import record_purchase
from billing.usecases.snapshots import put_invoice, record

_TRIES = 5


def resync(account: str, now: datetime) -> list[str]:
    """Return what differed, in words; empty where the rows agreed with Stripe.

    Raises LookupError for an account that isn't on record, Unavailable.
    """
    customer, found = _customer(account)
    if customer is None:
        return found
    found += [line for each in _subscriptions(account, customer) if (line := each(now))]
    for invoice in gateway.invoices_of(customer):
        found += _invoice(account, invoice, now)
    for purchase in gateway.paid_purchases(customer):
        found += _purchase(account, purchase)
    return found


def _customer(account: str) -> tuple[str | None, list[str]]:
    rows = accounts.load(account)
    if rows.account is None:
        raise LookupError(f"{account} is not on record")
    customer = rows.account.customer or gateway.customer_made_for(account)
    if customer is None:
        return None, []
    if rows.account.customer == customer and accounts.account_of(customer) == account:
        return customer, []
    write = Transaction()
    version = rows.version_of(keys.account_key(account))
    accounts.put_account(write, replace(rows.account, customer=customer), version=version)
    accounts.link_customer(write, account, customer)
    write.commit()
    return customer, [f"customer {customer} was not linked"]


def _subscriptions(account: str, customer: str) -> list[Callable[[datetime], str]]:
    """What Stripe bills, and what our rows name besides."""
    recorded = [each.id for each in accounts.load(account).subscriptions.values()]
    billed = [each.id for each in gateway.live_subscriptions(customer)]

    def refresh(name: str) -> Callable[[datetime], str]:
        def do(now: datetime) -> str:
            before = accounts.load(account).subscriptions.values()
            fresh = record(account, name, STRIPE, now)
            known = [replace(each, preview=None) for each in before]
            same = replace(fresh, preview=None) in known
            return "" if same else f"{fresh.kind} {name} was not as at Stripe"

        return do

    return [refresh(name) for name in dict.fromkeys([*billed, *recorded])]


def _invoice(account: str, row_id: str, now: datetime) -> list[str]:
    for _ in range(_TRIES):
        before, version = invoices.load(account, row_id)
        invoice = gateway.invoice(row_id.partition("-")[2])
        if invoice is None or invoice == before:
            return []
        write = Transaction()
        put_invoice(write, account, before, invoice, version=version, by=STRIPE, at=now)
        try:
            write.commit()
        except StaleWrite:
            continue
        return [f"invoice {invoice.number} was not as at Stripe"]
    raise unavailable()


def _purchase(account: str, purchase: str) -> list[str]:
    if ledger.find(account, grant_id(purchase)) is not None:
        return []
    for _ in range(_TRIES):
        write = Transaction()
        record_purchase(purchase, account, write)
        if write.empty:
            return []
        try:
            write.commit()
        except (StaleWrite, ledger.AlreadyRecorded):
            continue
        return [f"purchase {purchase} was paid and not granted"]
    raise unavailable()
