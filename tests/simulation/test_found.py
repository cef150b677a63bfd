"""Histories in which something did not hold once. What was mended is told by the tests of the
functions; here they are played again, as often as it takes to come by the same place.
"""

import pytest

from tests.simulation.choices import Seeded
from tests.simulation.play import Plan, Theatre

FOUND = {
    "a page that was paid was forgotten, and a third one paid too": Plan(
        "new",
        (
            ("check out monthly", "pay", "check out annual", "pay"),
            ("pay", "cancel", "reconcile"),
            ("check out annual", "pay by debit", "an hour"),
        ),
    ),
    "a card for what had ended held up the queue": Plan(
        "team", (("end at Stripe",), ("look", "an hour", "invite mia"), ("card", "pay"))
    ),
    "slots that were to be fewer outlived the subscription": Plan(
        "team", (("slots 1",), ("cancel",))
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(stage: Theatre, name: str) -> None:
    for seed in range(15):
        stage.play(Seeded(seed), FOUND[name])
