"""The time at which the clocks of the tests' sandboxes begin: business time."""

import os
from datetime import datetime

from billing.domain.times import rfc3339
from tests.factories import NOON


def begins() -> str | None:
    """Return the same day in every run, so that no test depends on the day.

    `make test-dates` sets TESTS_CLOCK=machine and the machine's clock: None stands for that one.
    """
    return None if os.environ.get("TESTS_CLOCK") == "machine" else rfc3339(NOON)


def the_next(month: int, day: int, *, after: datetime) -> datetime:
    """Return noon of that day, for what depends on how long the months before it are."""
    noon = after.replace(month=month, day=day, hour=12, minute=0, second=0, microsecond=0)
    return noon if noon > after else noon.replace(year=noon.year + 1)


def options() -> list[str]:
    """Return what a sandbox in a process of its own is given for that."""
    given = begins()
    return [] if given is None else ["--begins", given]
