"""The one port for the clock, ids, randomness and sleep.

Everything that is not a pure function of its input goes through here, so that a test or a
simulation can set it all. Business time (`now`) can be read from a clock that moves; signatures
and tokens are judged by `wall_time`.
"""

import json
import random
import time
import urllib.request
import uuid
from datetime import datetime
from typing import Protocol

from billing import settings
from billing.domain.times import from_epoch, parse_rfc3339


class Runtime(Protocol):
    def now(self) -> datetime: ...
    def wall_time(self) -> float: ...
    def unique(self) -> str: ...
    def random(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemRuntime:
    """The machine's own clock and randomness; with a clock's address, that clock's time."""

    def __init__(self, clock_url: str = "") -> None:
        self._clock_url = clock_url

    def now(self) -> datetime:
        if not self._clock_url:
            return from_epoch(int(time.time()))
        with urllib.request.urlopen(self._clock_url, timeout=2) as answer:
            return parse_rfc3339(json.load(answer)["now"])

    def wall_time(self) -> float:
        return time.time()

    def unique(self) -> str:
        return uuid.uuid4().hex

    def random(self) -> float:
        return random.random()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


current: Runtime = SystemRuntime(settings.clock_url())


def now() -> datetime:
    """Business time, in UTC."""
    return current.now()


def wall_time() -> float:
    """Seconds since the epoch, really."""
    return current.wall_time()


def tick() -> int:
    """Microseconds since the epoch, really: numbers that grow on every machine alike."""
    return int(current.wall_time() * 1_000_000)


def unique() -> str:
    return current.unique()


def jitter() -> float:
    """At least 0, below 1."""
    return current.random()


def sleep(seconds: float) -> None:
    current.sleep(seconds)
