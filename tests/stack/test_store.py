"""The simulation's table against the local stack's, tokens included."""

from typing import Any

import pytest

from tests.simulation.cloud import DATA
from tests.simulation.differential import answer, commands
from tests.simulation.store import Store, tables_of
from tests.stack.test_ministack import MiniStack, ministack
from tests.tables import tables

__all__ = ["ministack"]


@pytest.fixture
def dynamodb(ministack: MiniStack) -> Any:
    client = ministack.client("dynamodb")
    for name, asked in tables().items():
        if name in client.list_tables()["TableNames"]:
            client.delete_table(TableName=name)
        client.create_table(TableName=name, **asked)
    return client


@pytest.mark.parametrize("seed", range(4))
def test_random_commands_are_answered_as_by_the_local_stack(dynamodb: Any, seed: int) -> None:
    store = Store(tables_of(DATA))
    for command in commands(seed, 150, tokens=True):
        assert answer(store, command) == answer(dynamodb, command), command
