"""Finding what a lost webhook missed.

Stripe lists every event of the last 30 days. Those without a mark go through the same queue as the
webhooks do, so they are recorded in the same way and at most once. Their API version does not
matter here: nothing of them is used but what they point at.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from billing.adapters import queue
from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.adapters.stripe import gateway

_STRIPE_LISTS = timedelta(days=30)
_OVERLAP = timedelta(hours=1)
"""Events younger than this may still be on their way; they are looked at again next time."""


def reconcile(now: datetime, time_left: Callable[[], bool]) -> int:
    """Queues the events that were missed, and returns how many.

    Its cost grows with the events since the last complete run. A run that was cut off leaves its
    starting point where it was, and finds done what it queued before.
    """
    until, version = marks.reconciled_until()
    since = max(until or now - _STRIPE_LISTS, now - _STRIPE_LISTS) - _OVERLAP
    queued = 0
    events = gateway.events_since(since)
    while batch := list(islice(events, 100)):
        missed = set(marks.not_done([event.id for event in batch]))
        for event in batch:
            if event.id in missed and event.concerns_a_customer:
                queue.send(event)
                queued += 1
        if not time_left():
            return queued
    write = Transaction()
    marks.put_reconciled_until(write, now, version=version)
    # Another run that finished meanwhile has moved it as well.
    with suppress(StaleWrite):
        write.commit()
    return queued
