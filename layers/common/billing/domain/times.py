"""Times are aware and in UTC; on the wire and in rows RFC 3339 with a Z, to the second."""

import calendar
import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
FIRST_TIME = datetime(1900, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)
"""So that a year more or less is still in the calendar, and years have four digits."""


def rfc3339(moment: datetime) -> str:
    """`moment` as `2027-01-31T00:00:00Z`; fractions of a second are cut off."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def parse_rfc3339(text: str) -> datetime:
    """Raises ValueError for anything but an aware time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)


def read_bound(text: str) -> datetime:
    """Return the first whole second at or after the RFC 3339 time that `text` is.

    All that is on record happened at a whole second: what lies before `text` lies before that one,
    too. Raises ValueError, also beyond FIRST_TIME and LAST_TIME.
    """
    found = _TIME.fullmatch(text.upper())
    if found is None:
        raise ValueError(f"{text} is no RFC 3339 time")
    seconds, fraction, zone = found.groups(default="")
    try:
        moment = datetime.fromisoformat(f"{seconds}{zone}").astimezone(UTC)
        moment += timedelta(seconds=bool(fraction.strip(".0")))
    except OverflowError as error:
        raise ValueError(f"{text} is in no calendar") from error
    if not FIRST_TIME <= moment <= LAST_TIME:
        raise ValueError(f"{text} is beyond {FIRST_TIME} and {LAST_TIME}")
    return moment


def from_epoch(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def this_month(moment: datetime) -> datetime:
    """When the month of `moment` began, in UTC."""
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


def next_month(moment: datetime) -> datetime:
    """When the next month begins, in UTC."""
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same day and time so many months later; a short month's last day at most."""
    index = moment.month - 1 + months
    year, month = moment.year + index // 12, index % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)


def end_of_period(anchor: datetime, months: int, start: datetime) -> datetime:
    """Return the first boundary after `start` of periods of so many months.

    Boundaries are counted from `anchor`, so 31 January is followed by 28 February and 31 March.
    (Stripe: billing/subscriptions/billing-cycle)
    """
    passed = (start.year - anchor.year) * 12 + start.month - anchor.month
    number = max(0, passed // months - 1)
    while months_after(anchor, number * months) <= start:
        number += 1
    return months_after(anchor, number * months)
