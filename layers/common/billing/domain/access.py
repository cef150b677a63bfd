"""Whether the account may use what costs: rules 17 to 19 of the product."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.subscription import Status, Subscription


class AccessState(StrEnum):
    NONE = "none"
    ACTIVE = "active"
    GRACE = "grace"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Access:
    """`until` is the first instant without it, where that is known; None while it renews."""

    state: AccessState
    until: datetime | None

    @property
    def granted(self) -> bool:
        return self.state in (AccessState.ACTIVE, AccessState.GRACE)


def access_at(now: datetime, base: Subscription | None, grace: timedelta) -> Access:
    """The access that `base` gives at `now`.

    A cancelled subscription keeps it to the last paid second. An unpaid renewal keeps it for
    `grace` after the renewal was due, which is where the unpaid period starts.
    """
    if base is None:
        return Access(AccessState.NONE, None)
    if base.ends_at is not None and now >= base.ends_at:
        return Access(AccessState.ENDED, base.ends_at)
    if base.status in (Status.ACTIVE, Status.TRIALING):
        return Access(AccessState.ACTIVE, base.ends_at)
    if base.status is Status.PAST_DUE:
        until = _earlier(base.period_start + grace, base.ends_at)
        return Access(AccessState.GRACE if now < until else AccessState.ENDED, until)
    return Access(AccessState.ENDED, base.ends_at or base.period_start)


def unlimited_at(
    now: datetime, access: Access, add_on: Subscription | None, grace: timedelta
) -> bool:
    """Whether the account takes contacts without a price per contact: its add-on gives access as
    the base does, and means nothing without the base's own `access`."""
    return access.granted and access_at(now, add_on, grace).granted


def _earlier(moment: datetime, other: datetime | None) -> datetime:
    return moment if other is None else min(moment, other)
