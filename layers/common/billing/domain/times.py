"""Times are aware and in UTC; on the wire and in rows RFC 3339 with a Z, to the second."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """`moment` as `2027-01-31T00:00:00Z`; fractions of a second are cut off."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def parse_rfc3339(text: str) -> datetime:
    """Raises ValueError for anything but an aware time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)


def from_epoch(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def this_month(moment: datetime) -> datetime:
    """When the month of `moment` began, in UTC."""
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


def next_month(moment: datetime) -> datetime:
    """When the next month begins, in UTC."""
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)
