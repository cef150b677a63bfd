"""Broken on purpose, the product is caught at it."""

from collections.abc import Iterator

import pytest

from tests.simulation.bugs import BUGS, Bug, hunt
from tests.simulation.play import Theatre, theatre


@pytest.fixture(scope="module")
def stage() -> Iterator[Theatre]:
    with theatre() as stage:
        yield stage


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(stage: Theatre, bug: Bug) -> None:
    assert hunt(stage, bug) is not None


def test_there_are_enough_of_them_and_each_differs() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
