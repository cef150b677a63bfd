"""Many commands at one wallet, under a scheduler that is against them."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from tests.simulation.commands import ACME, People, grant, send
from tests.simulation.logs import logs_follow
from tests.simulation.play import Theatre
from tests.simulation.store import Store

COMMANDS = 16
LOOKS = ("query", "batch_get_item")


@dataclass
class Adversary:
    """All go on in step: each makes one call, and only then anybody makes the next one. So all have
    looked before any of them writes. `orders` say for each call in turn whether the last one goes
    first, who has the highest sequence."""

    orders: tuple[bool, ...]
    quiet: bool = True
    cold: bool = False
    random: Random = field(default_factory=lambda: Random(0))
    calls: Counter[str] = field(default_factory=Counter)

    def next(self, options: list[str], present: str | None) -> int:
        fewest = min(self.calls[name] for name in options)
        behind = [name for name in options if self.calls[name] == fewest]
        chosen = behind[-1 if self.orders[fewest % len(self.orders)] else 0]
        self.calls[chosen] += 1
        return options.index(chosen)

    def fault(self, kind: str, faults: tuple[str, ...]) -> str | None:
        return None


@dataclass(frozen=True)
class Step:
    """What a command did at the table; whether it wrote, and whether that committed."""

    command: str
    wrote: bool
    committed: bool = False


@contextmanager
def watched(stage: Theatre) -> Iterator[list[Step]]:
    steps: list[Step] = []

    def looking(whole: Callable[..., Any]) -> Callable[..., Any]:
        def look(self: Store, **asked: Any) -> Any:
            steps.append(Step(stage.cloud.scheduler.present.name, wrote=False))
            return whole(self, **asked)

        return look

    commit = Store.transact_write_items

    def write(self: Store, **asked: Any) -> Any:
        name = stage.cloud.scheduler.present.name
        try:
            answer = commit(self, **asked)
        except ClientError:
            steps.append(Step(name, wrote=True))
            raise
        steps.append(Step(name, wrote=True, committed=True))
        return answer

    with ExitStack() as patches:
        patches.enter_context(patch.object(Store, "transact_write_items", write))
        for name in LOOKS:
            patches.enter_context(patch.object(Store, name, looking(getattr(Store, name))))
        yield steps


def commits_by_round(steps: list[Step]) -> list[int]:
    """A round is over when every command that waits has looked and then written in it."""
    waiting = {step.command for step in steps if step.wrote}
    rounds: list[int] = []
    looked, tried, commits = set[str](), set[str](), 0
    for step in steps:
        if step.committed:
            commits += 1
            waiting.discard(step.command)
        elif not step.wrote:
            looked.add(step.command)
        elif step.command in looked:
            tried.add(step.command)
        if waiting <= tried:
            rounds.append(commits)
            looked, tried, commits = set(), set(), 0
        if not waiting:
            break
    return rounds


ORDERS = [tuple(bool(number & bit) for bit in (1, 2, 4)) for number in range(8)]


@pytest.mark.parametrize("orders", ORDERS, ids=str)
def test_of_the_commands_that_wait_at_least_one_commits_in_each_round(
    stage: Theatre, orders: tuple[bool, ...]
) -> None:
    cloud = stage.cloud
    cloud.begin(Adversary(orders), stage.beginnings["full"])
    people = People(cloud, ACME)
    cloud.play([partial(grant(COMMANDS), people)])
    with watched(stage) as steps:
        cloud.play([partial(send(1, "mia"), people)] * COMMANDS)
    assert [done.answer.status for done in people.done] == [201] * COMMANDS
    assert len({step.command for step in steps}) == COMMANDS, "a client had to ask again"
    rounds = commits_by_round(steps)
    assert min(rounds) >= 1
    assert len(rounds) <= COMMANDS
    logs_follow(cloud, people)


def test_the_adversary_makes_as_many_rounds_as_there_are_commands(stage: Theatre) -> None:
    """Or the test above would prove little."""
    most = 0
    for orders in ORDERS:
        stage.cloud.begin(Adversary(orders), stage.beginnings["full"])
        people = People(stage.cloud, ACME)
        stage.cloud.play([partial(grant(COMMANDS), people)])
        with watched(stage) as steps:
            stage.cloud.play([partial(send(1, "mia"), people)] * COMMANDS)
        most = max(most, len(commits_by_round(steps)))
    assert most >= COMMANDS - 1
