"""Faults at Stripe's side, ordered for the next requests that match."""

import fnmatch
import threading
from dataclasses import dataclass
from enum import StrEnum

from infra.local.stripe_sandbox.errors import InvalidRequest


class Fault(StrEnum):
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    TOO_MANY = "429"
    BROKEN = "500"
    CONFLICT = "409"


@dataclass(frozen=True)
class Ordered:
    """`path` may hold `*`; `delay` holds the request up, in seconds, before anything else."""

    fault: Fault | None
    method: str
    path: str
    delay: float

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and fnmatch.fnmatchcase(path, self.path)


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: list[Ordered] = []

    def order(self, given: object) -> None:
        """Replace what is ordered by `given`: a list of faults, each struck once."""
        if not isinstance(given, list):
            raise InvalidRequest("next must be a list of faults.", param="next")
        with self._lock:
            self._next = [_read(item) for item in given]

    def strike(self, method: str, path: str) -> Ordered | None:
        """The first fault ordered for such a request, used up."""
        with self._lock:
            for index, ordered in enumerate(self._next):
                if ordered.matches(method, path):
                    return self._next.pop(index)
        return None

    def left(self) -> list[dict[str, object]]:
        with self._lock:
            return [{**vars(ordered)} for ordered in self._next]


def _read(given: object) -> Ordered:
    if not isinstance(given, dict) or set(given) - {"method", "path", "fault", "delay"}:
        raise InvalidRequest("A fault has method, path, fault and delay only.", param="next")
    fault, delay = given.get("fault"), given.get("delay", 0)
    if not isinstance(delay, int | float):
        raise InvalidRequest(f"Invalid number of seconds: {delay}", param="delay")
    if fault is not None and str(fault) not in list(Fault):
        raise InvalidRequest(f"fault must be one of {', '.join(Fault)}.", param="fault")
    return Ordered(
        fault=None if fault is None else Fault(str(fault)),
        method=str(given.get("method", "*")).upper(),
        path=str(given.get("path", "/v1/*")),
        delay=delay,
    )
