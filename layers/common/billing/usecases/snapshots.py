"""Recording a subscription or an invoice as Stripe has it, and telling what became of it.

Everything that changes one ends here, a command as well as a webhook: whichever records
the change first tells it, in the same transaction, and the other finds nothing new.
"""

from dataclasses import replace
from datetime import datetime

from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, history, invoices, keys, marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import Command
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import gateway
from billing.domain.catalog import Kind
from billing.domain.events import Event, of_invoice, of_subscription
from billing.domain.invoices import Invoice
from billing.domain.slots import purchased
from billing.domain.subscription import Subscription, rivals, supersedes
from billing.usecases.overview import show_slots

_TRIES = 5

_REMEMBERED = 12
"""More than time does to a subscription within one of its periods."""


def put_snapshot(
    write: Transaction,
    rows: AccountRows,
    fetched: Subscription,
    *,
    by: str,
    at: datetime,
    reason: str = "",
    handled: tuple[str, ...] = (),
) -> bool:
    """Adds `fetched`, which was fetched after `rows` was read, unless the one on record stays.

    `handled` names what time has done to it now.
    """
    present = rows.subscriptions.get(fetched.kind)
    if rivals(fetched, present):
        alert("an account has two live subscriptions", subscription=fetched.id)
    if not supersedes(fetched, present):
        return False
    version = rows.version_of(keys.subscription_key(rows.id, fetched.kind))
    if present is not None and present.id == fetched.id:
        handled = (*rows.handled.get(fetched.kind, ()), *handled)[-_REMEMBERED:]
    accounts.put_subscription(write, rows.id, fetched, version=version, handled=handled)
    if fetched.kind is Kind.SLOTS:
        by = _put_slots(write, rows, fetched, at) or by
    for type_, facts in of_subscription(present, fetched):
        history.append(write, rows.id, Event(type=type_, at=at, by=by, reason=reason, facts=facts))
    return True


def put_invoice(
    write: Transaction,
    account: str,
    before: Invoice | None,
    after: Invoice,
    *,
    version: int,
    by: str,
    at: datetime,
) -> None:
    """Adds an invoice, which was fetched after `before` was read at `version`."""
    invoices.put(write, account, after, version=version)
    told = of_invoice(before, after)
    if told is not None:
        type_, facts = told
        history.append(write, account, Event(type=type_, at=at, by=by, facts=facts))


def record(
    account: str, subscription_id: str, by: str, now: datetime, reason: str = ""
) -> Subscription:
    """The subscription as Stripe has it now, written against the row as it was read before."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        fresh = gateway.subscription(subscription_id)
        if fresh is None:
            raise LookupError(f"{subscription_id} is no longer ours")
        write = Transaction()
        if not put_snapshot(write, rows, fresh, by=by, at=now, reason=reason):
            return fresh
        try:
            write.commit()
        except StaleWrite:
            continue
        return fresh
    raise unavailable()


def _put_slots(write: Transaction, rows: AccountRows, fetched: Subscription, at: datetime) -> str:
    """What is pending goes once the renewal has taken effect, and an order once it is fulfilled:
    its command is answered, whoever saw it first. Returns who ordered what has come true, if
    anybody did."""
    after = purchased(fetched)
    key, change = keys.slots_key(rows.id), rows.slots.change
    slots = rows.slots.following(after, at)
    if slots == rows.slots:
        # An order that is reserved meanwhile has to be seen.
        write.unchanged(key, version=rows.version_of(key))
    else:
        accounts.put_slots(write, rows.id, slots, version=rows.version_of(key))
    if change is None or not after.achieves(change):
        return ""
    bought = {**rows.subscriptions, Kind.SLOTS: fetched}
    answer = show_slots(replace(rows, slots=slots, subscriptions=bought), at)
    marks.answer_command(write, rows.id, Command(change.id, ""), dict(answer))
    return change.by
