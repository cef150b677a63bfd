"""What time has to do to a subscription, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.access import access_at
from billing.domain.catalog import Cycle, Kind
from billing.domain.subscription import Status, Subscription
from billing.domain.times import rfc3339

_ANNUAL_REMINDERS = (timedelta(days=30), timedelta(days=7))
_OTHER_REMINDERS = (timedelta(days=3),)
_RENEWAL_HEARD_OF_WITHIN = timedelta(hours=1)


class Act(StrEnum):
    """`remind` of the renewal to come; `ask` Stripe for a renewal that nobody told of; `end` what
    access has been lost for, and all that goes with it."""

    REMIND = "remind"
    ASK = "ask"
    END = "end"


@dataclass(frozen=True, slots=True)
class Due:
    """An act and its moment, which together name it: it is done once."""

    at: datetime
    act: Act

    @property
    def name(self) -> str:
        return f"{self.act} {rfc3339(self.at)}"


def agenda(subscription: Subscription, grace: timedelta) -> list[Due]:
    """Everything that the snapshot gives rise to, the earliest first, whether or not it is past.

    Slots and add-on have the base's access, but a grace of their own where their renewal could not
    be charged.
    """
    coming: list[Due] = []
    if subscription.live:
        coming.append(Due(subscription.period_end + _RENEWAL_HEARD_OF_WITHIN, Act.ASK))
    if subscription.kind is Kind.SUBSCRIPTION and subscription.renews:
        annual = subscription.cycle is Cycle.ANNUAL
        ahead = _ANNUAL_REMINDERS if annual else _OTHER_REMINDERS
        coming += [Due(subscription.period_end - each, Act.REMIND) for each in ahead]
    until = _last_moment(subscription, grace)
    if until is not None:
        coming.append(Due(until, Act.END))
    return sorted(coming, key=lambda each: each.at)


def due(
    subscription: Subscription, handled: Iterable[str], grace: timedelta, now: datetime
) -> list[Due]:
    """What is on the agenda up to `now` and not among the names of what was `handled`."""
    return [each for each in _open(subscription, handled, grace) if each.at <= now]


def next_due(
    subscription: Subscription, handled: Iterable[str], grace: timedelta
) -> datetime | None:
    """When somebody must look next; may be past."""
    return next((each.at for each in _open(subscription, handled, grace)), None)


def _open(subscription: Subscription, handled: Iterable[str], grace: timedelta) -> list[Due]:
    done = frozenset(handled)
    return [each for each in agenda(subscription, grace) if each.name not in done]


def _last_moment(subscription: Subscription, grace: timedelta) -> datetime | None:
    """The first instant without what it gives, where somebody must act on it: a paused base may go
    on, and slots and add-on end at Stripe by themselves unless they are overdue."""
    overdue = subscription.status in (Status.PAST_DUE, Status.UNPAID)
    if subscription.kind is not Kind.SUBSCRIPTION and not overdue:
        return None
    if subscription.status is Status.PAUSED:
        return None
    return access_at(subscription.period_start, subscription, grace).until
