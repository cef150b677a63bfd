"""The table in memory against an emulator of DynamoDB."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.simulation.cloud import DATA
from tests.simulation.differential import answer, commands
from tests.simulation.expressions import Unsupported
from tests.simulation.store import Store, tables_of
from tests.tables import tables


@pytest.fixture
def emulated() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb")
        for name, asked in tables().items():
            client.create_table(TableName=name, **asked)
        yield client


@pytest.mark.parametrize("seed", range(8))
def test_random_commands_are_answered_as_by_the_emulator(emulated: Any, seed: int) -> None:
    """Without tokens, which this emulator ignores; the one of the local stack does not."""
    store = Store(tables_of(DATA))
    for command in commands(seed, 60, tokens=False):
        assert answer(store, command) == answer(emulated, command), command


@pytest.mark.parametrize(
    "asked",
    [
        {"ConditionExpression": "size(pk) > :one"},
        {"ConditionExpression": "contains(pk, :one)"},
        {"ConditionExpression": "pk = :one", "ReturnValues": "ALL_OLD"},
    ],
)
def test_what_it_does_not_know_is_refused(asked: dict[str, Any]) -> None:
    key = {"pk": {"S": "A"}, "sk": {"S": "a"}}
    check = {"TableName": "billing", "Key": key, **asked}
    check["ExpressionAttributeValues"] = {":one": {"N": "1"}}
    with pytest.raises(Unsupported):
        Store(tables_of(DATA)).transact_write_items(TransactItems=[{"ConditionCheck": check}])
