"""Every pair of commands with one fault, and every triple that moves credits or slots with two.

Commands run one after the other; what is tried is each fault at each call, and each call as the one
before which another command runs whole.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, product

from tests.simulation.choices import OVERTAKEN, Scripted
from tests.simulation.oracles import Violation
from tests.simulation.play import Plan, Theatre
from tests.simulation.scheduler import CRASH_AFTER, CRASH_BEFORE, GIVEN_UP
from tests.simulation.table_port import CONFLICT, RESPONSE_LOST

PAIRS = (
    *("invite mia", "accept mia", "remove mia", "invite cleo"),
    *("send 3 mia", "send 7 mia", "send 6 ben", "remove ben"),
    *("hold 7 mia", "spend 1, return 3", "limit mia 10"),
)
"""Commands of which every pair, also of one with itself, is tried with one fault."""

TRIPLES = ("send 7 mia", "send 6 ben", "remove mia", "invite cleo")
"""What moves credits and slots: every three of these are tried with two faults."""

HOLDING = ("hold 7 mia", "spend 1, return 3")
"""Both of these, too, with each of what else may happen to the wallet or the account."""
BESIDE = ("send 7 mia", "remove mia", "invite cleo")

HARDEST = (CRASH_BEFORE, CRASH_AFTER, GIVEN_UP, RESPONSE_LOST, CONFLICT, OVERTAKEN)
"""The faults of which two are tried: the others end as one of these does, or are heard of."""

Script = tuple[tuple[int, str], ...]


def faults_of(stage: Theatre, plan: Plan) -> list[tuple[int, str]]:
    """Each fault that could strike, with the number of the call."""
    quiet = Scripted()
    stage.play(quiet, plan)
    return [(place, fault) for place, (_, faults) in enumerate(quiet.offered) for fault in faults]


def one_fault(stage: Theatre, plan: Plan) -> Iterator[Script]:
    for each in faults_of(stage, plan):
        yield (each,)


def two_faults(stage: Theatre, plan: Plan) -> Iterator[Script]:
    hard = [(place, fault) for place, fault in faults_of(stage, plan) if fault in HARDEST]
    for first, second in combinations(hard, 2):
        if first[0] != second[0]:
            yield first, second


def one_cut(stage: Theatre, plan: Plan) -> Iterator[Script]:
    """Faults that leave what was begun half done, one at a time."""
    for place, fault in faults_of(stage, plan):
        if fault in _CUTS:
            yield ((place, fault),)


def play_each(stage: Theatre, plan: Plan, scripts: Iterable[Script]) -> tuple[int, list[str]]:
    """How many histories, and what did not hold."""
    count, failed = 0, list[str]()
    for script in scripts:
        count += 1
        try:
            stage.play(Scripted(script), plan)
        except Violation as violation:
            failed.append(f"{violation}\n  {plan.scripts} with {script}")
    return count, failed


TOPPED_UP = Plan("full", (("top up", "send 3 mia", "bus"),))
_CUTS = (CRASH_BEFORE, CRASH_AFTER, RESPONSE_LOST, OVERTAKEN)


def pairs() -> list[Plan]:
    return [Plan("stocked", ((one,), (other,))) for one, other in product(PAIRS, PAIRS)]


def triples() -> list[Plan]:
    threes = [*combinations(TRIPLES, 3), *((*HOLDING, other) for other in BESIDE)]
    return [Plan("stocked", ((a,), (b,), (c,))) for a, b, c in threes]
