"""Broken on purpose, the product is caught at it."""

import pytest

from tests.simulation.bugs import BUGS, Bug, hunt
from tests.simulation.play import Theatre


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(stage: Theatre, bug: Bug) -> None:
    """At what it does, not at a command that merely fails."""
    caught = hunt(stage, bug)
    assert caught is not None
    assert caught.oracle != "everybody gets an answer in the end"


def test_there_are_enough_of_them_and_each_differs() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
