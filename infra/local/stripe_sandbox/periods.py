"""Billing periods as Stripe counts them: in UTC, anchored on a day that short months clip."""

import calendar
from datetime import UTC, datetime, timedelta

MONTHS = {"month": 1, "year": 12}
DAYS = {"day": 1, "week": 7}


def instant(text: str) -> int:
    """Return the epoch seconds of a time such as `2027-01-31T00:00:00Z`.

    Raises ValueError for anything but an aware time.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return int(at.timestamp())


def boundary(anchor: int, interval: str, count: int, number: int) -> int:
    """The instant, in epoch seconds, at which period `number` of an anchored series begins.

    From 31 January by months: 28 (29) February, 31 March, 30 April, …
    """
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in DAYS:
        return anchor + DAYS[interval] * count * number * 86_400
    months = start.month - 1 + MONTHS[interval] * count * number
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())


def end_of_period(anchor: int, interval: str, count: int, start: int) -> int:
    """The first boundary after `start`."""
    length = DAYS[interval] if interval in DAYS else 31 * MONTHS[interval]
    number = max(0, (start - anchor) // (length * count * 86_400))
    while boundary(anchor, interval, count, number) <= start:
        number += 1
    return boundary(anchor, interval, count, number)


def moved(at: datetime, *, months: int = 0, rest: timedelta = timedelta()) -> datetime:
    """`at` moved by calendar months, then by a fixed length."""
    return datetime.fromtimestamp(boundary(int(at.timestamp()), "month", 1, months), UTC) + rest
