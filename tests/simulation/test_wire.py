"""Fewer histories, over both wires; and that the wire changes no answer."""

from collections.abc import Iterator

import pytest

from tests.simulation.choices import Seeded
from tests.simulation.cloud import DATA
from tests.simulation.differential import answer, commands
from tests.simulation.play import PROFILES, Theatre, plan
from tests.simulation.store import Store, tables_of
from tests.simulation.wire import Wire, theatre_over_the_wire


@pytest.fixture(scope="module")
def stage() -> Iterator[Theatre]:
    with theatre_over_the_wire() as stage:
        yield stage


@pytest.mark.parametrize("profile", PROFILES)
def test_over_the_wire_everything_holds_as_well(stage: Theatre, profile: str) -> None:
    for seed in range(4):
        choices = Seeded(seed)
        stage.play(choices, plan(choices.random, profile))


def test_the_wire_changes_no_answer() -> None:
    plain, over_the_wire = Store(tables_of(DATA)), Store(tables_of(DATA))
    wire = Wire(over_the_wire)
    for command in commands(0, 100, tokens=True):
        assert answer(plain, command) == answer(wire.client, command)


def test_what_is_sent_again_for_want_of_an_answer_is_done_once() -> None:
    wire = Wire(Store(tables_of(DATA)))
    key = {"pk": {"S": "A"}, "sk": {"S": "a"}}
    added = {
        "TableName": "billing",
        "Key": key,
        "UpdateExpression": "ADD version :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    wire.unheard = 2
    wire.client.transact_write_items(TransactItems=[{"Update": added}], ClientRequestToken="one")
    assert wire.unheard == 0
    assert wire.store.row("A", "a") == {**key, "version": {"N": "1"}}
