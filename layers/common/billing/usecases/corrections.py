"""Put right the cancellations that an earlier version made.

It let slots and add-on renew until the plan ended, although it told that nothing more was charged.
"""

from collections.abc import Callable
from datetime import datetime

from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, corrections, history
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.cancellation import strays
from billing.domain.catalog import Kind
from billing.domain.events import SCHEDULE, Event
from billing.usecases.snapshots import record
from billing.usecases.subscription import follow_base


def correct_cancellations(is_late: Callable[[], bool], now: datetime) -> None:
    """Look once at every account that time will act on, until `is_late`; the next run goes on.

    What was corrected is told in a commit of its own before the page counts as done, so a run that
    is cut off tells it again rather than never. Raises Unavailable, StaleWrite.
    """
    for found, done in corrections.pages_left(corrections.progress()):
        for account in sorted(found):
            if is_late():
                return
            _correct(account, now)
        corrections.put(done)


def _correct(account: str, now: datetime) -> None:
    rows = accounts.load(account)
    base = rows.base
    if base is None or not base.live or base.ends_at is None:
        return
    try:
        base = record(account, base.id, SCHEDULE, now)
    except LookupError:
        alert("a cancellation cannot be corrected", account=account)
        return
    corrected = False
    for other in rows.subscriptions.values():
        if other.kind is not Kind.SUBSCRIPTION and strays(base, other, now):
            follow_base(other, base, now)
            record(account, other.id, SCHEDULE, now)
            corrected = True
    if corrected:
        write = Transaction()
        event = Event(type="cancellation.corrected", at=now, by=SCHEDULE)
        history.append(write, account, event)
        write.commit()
