"""Who decides a history."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_COLD = 0.05
"""How often functions have just started, and know nothing of Stripe's prices yet."""
_RARE = 3.0
"""Calls to Stripe are fewer than those to the table, and so are struck more often."""


@dataclass(frozen=True)
class Aim:
    """A fault that a history is to have, at the first call of its kind but so many."""

    kind: str
    fault: str
    after: int = 0


class Seeded:
    """By chance, the same for the same seed; until `quiet`, and with so many faults at most. Those
    aimed at come besides, each once the one before it has struck. Where all are `hasty`, nobody
    goes before the others have had as good a chance."""

    def __init__(
        self, seed: int, aims: Sequence[Aim] = (), *, cold: bool = False, hasty: bool = False
    ) -> None:
        self.random = Random(seed)
        self.cold = cold or self.random.random() < _COLD
        self.quiet = False
        self.faults_left = self.random.choice((0, 1, 1, 2, 2, 3, 5)) if not aims else 0
        self._aims = list(aims)
        self._missed = 0
        self._restless = 1.0 if hasty else self.random.choice((0.05, 0.3, 0.7))
        self._rate = self.random.choice((0.03, 0.12))

    def next(self, options: list[str], present: str | None) -> int:
        if present is not None and self.random.random() > self._restless:
            return options.index(present)
        return int(self.random.random() * len(options))

    def fault(self, kind: str, faults: tuple[str, ...]) -> str | None:
        if self.quiet:
            return None
        if self._aims and self._aims[0].kind == kind and self._aims[0].fault in faults:
            self._missed += 1
            if self._missed > self._aims[0].after:
                self._missed = 0
                return self._aims.pop(0).fault
        if not self.faults_left:
            return None
        rate = self._rate * (1.0 if kind.startswith("dynamodb") else _RARE)
        if self.random.random() > rate:
            return None
        self.faults_left -= 1
        return faults[int(self.random.random() * len(faults))]


OVERTAKEN = "overtaken"


class Scripted:
    """The tasks in the order in which they began, each to its end; but at the given calls a fault,
    or the turn of another one, which then runs whole."""

    def __init__(self, script: Sequence[tuple[int, str]] = ()) -> None:
        self.random = Random(0)
        self.cold = False
        self._script = dict(script)
        self.calls = 0
        self.offered: list[tuple[str, tuple[str, ...]]] = []
        self.quiet = False
        self.faults_left = 0

    def next(self, options: list[str], present: str | None) -> int:
        if present is None:
            return 0
        if self._script.get(self.calls) == OVERTAKEN and len(options) > 1:
            del self._script[self.calls]
            return int(options.index(present) == 0)
        return options.index(present)

    def fault(self, kind: str, faults: tuple[str, ...]) -> str | None:
        if self.quiet:
            return None
        self.calls += 1
        self.offered.append((kind, (*faults, OVERTAKEN)))
        chosen = self._script.get(self.calls - 1)
        # A fault before this one may have made it another call.
        return chosen if chosen in faults else None
