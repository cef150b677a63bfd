"""Publishing an account's events again, where the tables' streams lost them.

A stream keeps a record for 24 hours (DynamoDB Developer Guide, Streams). History and ledger keep
every event, so the same events go to the bus again, under the same ids.
"""

from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from billing import runtime
from billing.adapters import bus
from billing.adapters.dynamodb import history, ledger
from billing.adapters.dynamodb.stream import Telling, event_of
from billing.domain.errors import Unavailable

REACH = timedelta(days=30)
"""Receivers drop an event by its id for as long as they remember it: `notify` for 40 days."""

_TRIES = 5
_WAIT_SECONDS = 0.5


def republish(account: str, since: datetime, before: datetime) -> int:
    """Publish the events from `since` to just before `before` again, oldest first; return how many.

    Raises Unavailable, after which some may be on the bus: receivers drop what they had.
    """
    happened = history.rows(account, since, before)
    moved = ledger.rows(account, since, before)
    events = [event for row in (*happened, *moved) if (event := event_of(row)) is not None]
    events.sort(key=lambda each: each["at"])
    for start in range(0, len(events), bus.AT_ONCE):
        _publish(events[start : start + bus.AT_ONCE])
    return len(events)


def _publish(events: list[Telling]) -> None:
    """From the first that the bus refuses on they are sent again, so that they stay in order."""
    for _ in range(_TRIES):
        try:
            taken = bus.publish(events)
        except (BotoCoreError, ClientError):
            taken = [False]
        if all(taken):
            return
        events = events[taken.index(False) :]
        runtime.sleep(_WAIT_SECONDS * (1 + runtime.jitter()))
    raise Unavailable("bus_unavailable", f"The bus refuses the event {events[0]['id']}.", 5)
