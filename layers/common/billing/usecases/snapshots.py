"""Recording a subscription as Stripe has it, and telling what became of it.

Everything that changes a subscription ends here, a command as well as a webhook: whichever records
the change first tells it, in the same transaction, and the other finds nothing new.
"""

from datetime import datetime

from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, history, keys
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import gateway
from billing.domain.events import Event, of_subscription
from billing.domain.subscription import Subscription, rivals, supersedes

_TRIES = 5


def put_snapshot(
    write: Transaction,
    rows: AccountRows,
    fetched: Subscription,
    *,
    by: str,
    at: datetime,
    reason: str = "",
) -> bool:
    """Adds `fetched`, which was fetched after `rows` was read, unless the one on record stays."""
    present = rows.subscriptions.get(fetched.kind)
    if rivals(fetched, present):
        alert("an account has two live subscriptions", subscription=fetched.id)
    if not supersedes(fetched, present):
        return False
    version = rows.version_of(keys.subscription_key(rows.id, fetched.kind))
    accounts.put_subscription(write, rows.id, fetched, version=version)
    for type_, facts in of_subscription(present, fetched):
        history.append(write, rows.id, Event(type=type_, at=at, by=by, reason=reason, facts=facts))
    return True


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
