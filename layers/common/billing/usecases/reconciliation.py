"""Finding what a lost webhook missed, and giving a customer's events to the queue again.

Stripe lists every event of the last 30 days. Those without a mark go through the same queue as the
webhooks do, so they are recorded in the same way and at most once. Their API version does not
matter here: nothing of them is used but what they point at.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from billing.adapters import queue
from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.adapters.stripe import gateway, payments
from billing.adapters.stripe.events import StripeEvent

STRIPE_LISTS = timedelta(days=30)
"""How long Stripe keeps an event for its list. (Stripe: api/events/list)"""
_OVERLAP = timedelta(hours=1)
"""Events younger than this may still be on their way; they are looked at again next time."""


def reconcile(now: datetime, time_left: Callable[[], bool]) -> int:
    """Queues the events that were missed, and returns how many.

    Its cost grows with the events since the last complete run. A run that was cut off leaves its
    starting point where it was, and finds done what it queued before.
    """
    until, version = marks.reconciled_until()
    since = max(until or now - STRIPE_LISTS, now - STRIPE_LISTS) - _OVERLAP
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


def replay(customer: str, since: datetime) -> Iterator[StripeEvent]:
    """Queue the customer's unprocessed events that Stripe made from `since` on, oldest first.

    Yields each once it is in the queue. Stripe has no list by customer (api/events/list), so the
    events of all are read. Raises Unavailable.
    """
    theirs = [each for each in gateway.events_since(since) if _is_of(each, customer)]
    unprocessed = set(marks.not_done([each.id for each in theirs]))
    for event in reversed(theirs):
        if event.id in unprocessed:
            queue.send(event)
            yield event


def _is_of(event: StripeEvent, customer: str) -> bool:
    """Of a dispute or a refund only its charge says whose it is."""
    if event.customer or not event.concerns_a_customer:
        return event.customer == customer
    return payments.customer_of(event) == customer
