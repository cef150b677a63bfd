"""Broken on purpose, the product is caught at it."""

from collections.abc import Callable

import pytest

from tests.simulation.bugs import BUGS, Bug, hunt
from tests.simulation.play import Theatre


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(
    stage: Theatre, bug: Bug, record_property: Callable[[str, object], None]
) -> None:
    """At what it does, not at a command that merely fails. The run's summary names the oracle."""
    caught = hunt(stage, bug)
    assert caught is not None
    record_property("planted", bug.name)
    record_property("by", f"{caught.oracle} (history {caught.histories})")
    assert caught.oracle != "everybody gets an answer in the end"


def test_there_are_enough_of_them_and_each_differs() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
