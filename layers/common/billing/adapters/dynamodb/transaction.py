"""All-or-nothing writes, each naming the error that its failure means."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from billing import runtime, settings
from billing.adapters.dynamodb.items import Item, encode_item
from billing.adapters.dynamodb.keys import Key
from billing.domain.errors import Unavailable

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

client: "DynamoDBClient" = boto3.client(
    "dynamodb",
    config=Config(
        connect_timeout=1,
        read_timeout=3,
        retries={"mode": "standard", "total_max_attempts": 4},
        parameter_validation=False,
    ),
)
TABLE = settings.table_name()

_TRIES = 8
_PASSING_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
PASSING_ERRORS = {
    "TransactionInProgressException",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
}
"""Errors after which the same request may succeed; any other is a fault of ours."""


class StaleWrite(Exception):
    """The row changed since it was read: read again, decide again."""


class Transaction:
    """Writes that happen together or not at all.

    `commit` raises the `otherwise` of the first write whose condition failed. Conflicts with other
    transactions and throttling pass: they are tried again, with capped and jittered waits, under
    one token, so that a lost answer never applies twice.
    """

    def __init__(self) -> None:
        self._writes: list[dict[str, Any]] = []
        self._errors: list[Exception] = []

    @property
    def empty(self) -> bool:
        return not self._writes

    def insert(self, item: Item, *, otherwise: Exception, table: str = "") -> None:
        """A row that must not be there yet."""
        self._put(item, "attribute_not_exists(pk)", {}, otherwise, table)

    def ensure(self, item: Item) -> None:
        """A row that says the same whoever writes it, and however often."""
        self._add({"Put": {"TableName": TABLE, "Item": encode_item(item)}}, AssertionError())

    def put_for(self, item: Item, owner: str) -> None:
        """A row that is new, or whose attribute `owner` says the same. Fails as StaleWrite."""
        condition = f"attribute_not_exists(pk) OR {owner} = :owner"
        stale = StaleWrite(f"{item['pk']} {item['sk']}")
        self._put(item, condition, {":owner": item[owner]}, stale)

    def replace(self, item: Item, *, version: int) -> None:
        """A row as it was read at `version` (0: it was not there); it becomes `version` + 1.

        Fails as StaleWrite.
        """
        versioned = {**item, "version": version + 1}
        stale = StaleWrite(f"{item['pk']} {item['sk']}")
        if version == 0:
            self._put(versioned, "attribute_not_exists(pk)", {}, stale)
        else:
            self._put(versioned, "version = :version", {":version": version}, stale)

    def unchanged(self, key: Key, *, version: int) -> None:
        """No write, but the row must be as it was read. Fails as StaleWrite."""
        check: dict[str, Any] = {"TableName": TABLE, "Key": encode_item(dict(key))}
        if version == 0:
            check["ConditionExpression"] = "attribute_not_exists(pk)"
        else:
            check["ConditionExpression"] = "version = :version"
            check["ExpressionAttributeValues"] = encode_item({":version": version})
        self._add({"ConditionCheck": check}, StaleWrite(f"{key['pk']} {key['sk']}"))

    def set(self, key: Key, values: Item, *, where: Item, otherwise: Exception) -> None:
        """Attributes of a row that must be there, with these values in it as it was."""
        conditions = ["attribute_exists(pk)", *(f"#{name} = :was_{name}" for name in where)]
        given = {f":{name}": value for name, value in values.items()}
        given |= {f":was_{name}": value for name, value in where.items()}
        update = {
            "TableName": TABLE,
            "Key": encode_item(dict(key)),
            "ConditionExpression": " AND ".join(conditions),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in (*values, *where)},
            "ExpressionAttributeValues": encode_item(given),
        }
        self._add({"Update": update}, otherwise)

    def add(
        self,
        key: Key,
        changes: Mapping[str, int],
        *,
        at_least: Mapping[str, int],
        at_most: Mapping[str, int | str],
        where: Item,
        sets: Item,
        otherwise: Exception,
    ) -> None:
        """Adds to numbers of a row that must be there, with these numbers or more or fewer in it
        as it was and these values, and `sets` others; its version goes up too. It never conflicts
        with another addition."""
        numbers = {**changes, "version": 1}
        added = ", ".join(f"#{name} :{name}" for name in numbers)
        assigned = ", ".join(f"#{name} = :{name}" for name in sets)
        conditions = ["attribute_exists(pk)"]
        conditions += [f"#{name} >= :least_{name}" for name in at_least]
        conditions += [f"#{name} <= :most_{name}" for name in at_most]
        conditions += [f"#{name} = :was_{name}" for name in where]
        values: Item = {f":{name}": value for name, value in {**numbers, **sets}.items()}
        for kind, asked in (("least", at_least), ("most", at_most), ("was", where)):
            values |= {f":{kind}_{name}": value for name, value in asked.items()}
        names = {**numbers, **sets, **at_least, **at_most, **where}
        update = {
            "TableName": TABLE,
            "Key": encode_item(dict(key)),
            "ConditionExpression": " AND ".join(conditions),
            "UpdateExpression": f"ADD {added}" + (f" SET {assigned}" if sets else ""),
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "ExpressionAttributeValues": encode_item(values),
        }
        self._add({"Update": update}, otherwise)

    def commit(self, *, tries: int = _TRIES) -> None:
        """Raises what a failed write named, or Unavailable if the table stays busy."""
        token = runtime.unique()
        for attempt in range(tries):
            try:
                client.transact_write_items(
                    TransactItems=self._writes,  # type: ignore[arg-type]
                    ClientRequestToken=token,
                )
                return
            except ClientError as error:
                self._raise_unless_passing(error)
            except BotoCoreError as error:
                raise unavailable() from error
            runtime.sleep(min(0.02 * 2**attempt, 1.0) * (0.5 + runtime.jitter()))
        raise unavailable()

    def _raise_unless_passing(self, error: ClientError) -> None:
        code = error.response["Error"]["Code"]
        if code in PASSING_ERRORS:
            return
        if code != "TransactionCanceledException":
            raise error
        reasons = [reason.get("Code") for reason in error.response["CancellationReasons"]]
        for reason, otherwise in zip(reasons, self._errors, strict=True):
            if reason == "ConditionalCheckFailed":
                raise otherwise from error
        if not _PASSING_REASONS.intersection(reasons):
            raise error

    def _put(
        self,
        item: Item,
        condition: str,
        values: Item,
        otherwise: Exception,
        table: str = "",
    ) -> None:
        put: dict[str, Any] = {
            "TableName": table or TABLE,
            "Item": encode_item(item),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = encode_item(values)
        self._add({"Put": put}, otherwise)

    def _add(self, write: dict[str, Any], otherwise: Exception) -> None:
        self._writes.append(write)
        self._errors.append(otherwise)


def unavailable(retry_after: int = 2) -> Unavailable:
    return Unavailable("busy", "The service is busy. Try the same request again.", retry_after)
