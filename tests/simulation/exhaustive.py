"""Every pair of commands with one fault, and every triple that moves credits or slots with two.

Commands run one after the other; what is tried is each fault at each call, and each call as the one
before which another command runs whole.
"""

from collections.abc import Iterator
from itertools import combinations, product
from random import Random

from tests.simulation.choices import OVERTAKEN, Scripted
from tests.simulation.oracles import Violation
from tests.simulation.play import Plan, Theatre

PAIRS = (
    *("invite mia", "accept mia", "remove mia", "invite cleo"),
    *("send 3 mia", "send 7 mia", "send 6 ben", "remove ben"),
)
"""Commands of which every pair, also of one with itself, is tried with one fault."""

TRIPLES = ("send 7 mia", "send 6 ben", "remove mia", "invite cleo")
"""What moves credits and slots: every three of these are tried with two faults."""


def single_faults(stage: Theatre, plan: Plan) -> list[tuple[int, str]]:
    """Each fault that could strike, by the number of the call that it would strike at."""
    quiet = Scripted()
    stage.play(quiet, plan)
    return [(place, fault) for place, (_, faults) in enumerate(quiet.offered) for fault in faults]


def scripts(stage: Theatre, plan: Plan, faults: int) -> Iterator[tuple[tuple[int, str], ...]]:
    """Each way in which so many faults strike different calls of `plan`."""
    single = single_faults(stage, plan)
    for chosen in combinations(single, faults):
        if len({place for place, _ in chosen}) == faults:
            yield chosen


def play_each(stage: Theatre, plan: Plan, faults: int, one_in: int = 1) -> tuple[int, list[str]]:
    """How many histories, and what did not hold; with `one_in` only such a part, drawn by lot."""
    count, failed, lot = 0, list[str](), Random(repr(plan))
    for script in scripts(stage, plan, faults):
        if one_in > 1 and lot.random() * one_in >= 1:
            continue
        count += 1
        try:
            stage.play(Scripted(script), plan)
        except Violation as violation:
            failed.append(f"{violation}\n  {plan.scripts} with {script}")
    return count, failed


def pairs() -> list[Plan]:
    return [Plan("full", ((one,), (other,))) for one, other in product(PAIRS, PAIRS)]


def triples() -> list[Plan]:
    return [Plan("full", ((a,), (b,), (c,))) for a, b, c in combinations(TRIPLES, 3)]


assert OVERTAKEN, "one of the faults that are offered"
