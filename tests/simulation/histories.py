"""Histories by the seed: `make simulate SEEDS=1000000 JOBS=2`, or one of them step by step.

python -m tests.simulation.histories --seed 4711
"""

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import tests.conftest  # which sets what the functions' settings read
from tests.simulation.choices import Seeded
from tests.simulation.oracles import Violation
from tests.simulation.play import Theatre, plan, theatre

assert tests.conftest.SANDBOX

_AT_ONCE = 250
"""Histories that a worker plays before it tells."""

Injected = Counter[tuple[str, str]]


@dataclass
class Tally:
    """What was seen in a number of histories."""

    histories: int = 0
    with_stripe: int = 0
    injected: Injected = field(default_factory=Counter)
    offered: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        self.histories += other.histories
        self.with_stripe += other.with_stripe
        self.injected += other.injected
        self.offered |= other.offered
        self.failed |= other.failed

    def never_injected(self) -> list[tuple[str, str]]:
        """Faults that could have struck a call that was made, and never did."""
        reached = {(kind, each) for kind, faults in self.offered for each in faults}
        return sorted(reached - self.injected.keys())


def play_seed(stage: Theatre, seed: int, told: list[str] | None = None) -> None:
    """Raises Violation."""
    if seed < 2 * len(stage.aims) and seed % 2 == 0:
        # For a scene and a fault each, so that all have struck.
        stage.play_aimed(seed, seed // 2, told)
        return
    choices = Seeded(seed)
    stage.play(choices, plan(choices.random), told)


def play_seeds(stage: Theatre, seeds: Iterable[int]) -> Tally:
    tally = Tally()
    for seed in seeds:
        try:
            play_seed(stage, seed)
        except Violation as violation:
            tally.failed[seed] = str(violation)
        tally.histories += 1
        tally.with_stripe += _asks_stripe(stage)
        tally.injected += stage.cloud.scheduler.injected
        tally.offered |= stage.cloud.scheduler.offered
    return tally


def _asks_stripe(stage: Theatre) -> bool:
    return any(kind.startswith("stripe ") for kind, _ in stage.cloud.scheduler.offered)


def replay(seed: int) -> tuple[list[str], Violation | None]:
    """The history step by step, and what did not hold at its end."""
    told: list[str] = []
    with theatre() as stage:
        try:
            play_seed(stage, seed, told)
        except Violation as violation:
            return told, violation
    return told, None


def command_for(seed: int) -> str:
    return f"make simulate SEED={seed}"


def _work(chunk: range) -> Tally:
    return play_seeds(_STAGE[0], chunk)


_STAGE: list[Theatre] = []


def _raise_curtain() -> None:
    """Once in each worker, which keeps its stage as long as it lives."""
    entered: Any = theatre()
    _STAGE.append(entered.__enter__())
    _STAGE_DOORS.append(entered)
    gc.freeze()


_STAGE_DOORS: list[Any] = []


def play_all(first: int, count: int, jobs: int) -> Iterator[Tally]:
    """The tally so far, after each piece."""
    ends = range(first, first + count, _AT_ONCE)
    chunks = [range(start, min(start + _AT_ONCE, first + count)) for start in ends]
    tally = Tally()
    with multiprocessing.Pool(jobs, _raise_curtain) as pool:
        for part in pool.imap_unordered(_work, chunks):
            tally.add(part)
            yield tally


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="play this one and tell every step")
    given = parser.parse_args()
    if given.seed is not None:
        told, violation = replay(given.seed)
        _say("\n".join(told))
        _say(f"\nDID NOT HOLD  {violation}" if violation else "\nEverything held.")
        return int(violation is not None)
    began, tally = time.monotonic(), Tally()
    for tally in play_all(given.first, given.seeds, given.jobs):
        rate = tally.histories / (time.monotonic() - began)
        rates = f"{tally.with_stripe:,} with Stripe, {rate:.0f}/s, {len(tally.failed)} failed"
        _say(f"\r{tally.histories:,} of {given.seeds:,} histories, {rates} ", end="")
    _say("")
    for seed, what in sorted(tally.failed.items()):
        _say(f"{what}\n  {command_for(seed)}")
    # The first seeds see to it that each fault strikes each kind of call.
    never = tally.never_injected() if given.first == 0 else []
    for kind, fault in never:
        _say(f"never injected: {fault} at {kind}")
    return int(bool(tally.failed or never))


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
