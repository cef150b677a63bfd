"""Not by chance: each of a set of histories."""

import pytest

from tests.simulation.exhaustive import (
    TOPPED_UP,
    one_cut,
    one_fault,
    pairs,
    play_each,
    triples,
    two_faults,
)
from tests.simulation.play import Plan, Theatre


@pytest.mark.xdist_group("histories even")
def test_every_pair_of_commands_with_one_fault_at_any_call(stage: Theatre) -> None:
    played = [play_each(stage, plan, one_fault(stage, plan)) for plan in pairs()]
    told = [each for _, failed in played for each in failed]
    assert not told, "\n".join(told)
    assert sum(count for count, _ in played) > 4_500


@pytest.mark.xdist_group("histories odd")
@pytest.mark.parametrize("plan", triples(), ids=lambda plan: ", ".join(sum(plan.scripts, ())))
def test_every_triple_that_moves_credits_or_slots_with_two_faults(
    stage: Theatre, plan: Plan
) -> None:
    count, failed = play_each(stage, plan, two_faults(stage, plan))
    assert not failed, "\n".join(failed)
    assert count > 400


@pytest.mark.xdist_group("histories even")
def test_a_top_up_is_cut_off_at_every_call(stage: Theatre) -> None:
    count, failed = play_each(stage, TOPPED_UP, one_cut(stage, TOPPED_UP))
    assert not failed, "\n".join(failed)
    assert count > 100
