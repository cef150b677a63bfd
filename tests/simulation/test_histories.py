"""20,000 histories, the same in every run, in two halves that two processes can share."""

import pytest

from tests.simulation.choices import Seeded
from tests.simulation.histories import command_for, play_seeds
from tests.simulation.play import Theatre, busy_wallets, plan

HALVES = [
    pytest.param(half, id=name, marks=pytest.mark.xdist_group(f"histories {name}"))
    for half, name in ((range(0, 20_000, 2), "even"), (range(1, 20_000, 2), "odd"))
]


@pytest.mark.parametrize("half", HALVES)
def test_whatever_fails_nothing_is_lost_doubled_or_given_to_the_wrong_account(
    stage: Theatre, half: range
) -> None:
    """And each fault struck each kind of call, which the even ones see to, or this says little."""
    tally = play_seeds(stage, half)
    assert tally.histories == 10_000
    assert tally.with_stripe * 3 >= tally.histories
    told = [f"{what}\n  {command_for(seed)}" for seed, what in tally.failed.items()]
    assert not told, "\n".join(told)
    never = [f"{fault} at {kind}" for kind, fault in tally.never_injected()]
    assert not never or half.start % 2, "\n".join(never)


@pytest.mark.xdist_group("histories odd")
@pytest.mark.parametrize(("profile", "count"), [("credits", 250), ("holds", 250), ("crowd", 150)])
def test_in_wallets_that_never_stay_as_they_were_read_everything_holds_as_well(
    stage: Theatre, profile: str, count: int
) -> None:
    with busy_wallets():
        for seed in range(count):
            choices = Seeded(seed)
            stage.play(choices, plan(choices.random, profile))
