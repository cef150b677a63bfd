"""Reads from the table; a table that does not answer is Unavailable."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from billing.adapters.dynamodb.items import Item, decode_item, encode, encode_item
from billing.adapters.dynamodb.keys import DUE_INDEX, Key
from billing.adapters.dynamodb.transaction import PASSING_ERRORS, TABLE, client, unavailable

_AT_ONCE = 1000


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in PASSING_ERRORS:
            raise
        raise unavailable() from error
    except BotoCoreError as error:
        raise unavailable() from error


def get(key: Key, *, consistent: bool = True, table: str = "") -> Item | None:
    with _answering():
        answer = client.get_item(
            TableName=table or TABLE, Key=encode_item(dict(key)), ConsistentRead=consistent
        )
    return decode_item(answer["Item"]) if "Item" in answer else None


def get_all(keys: list[Key]) -> list[Item]:
    """Those of up to 100 rows that are there, as they are at this instant; in any order."""
    unread: Any = {
        TABLE: {"Keys": [encode_item(dict(key)) for key in keys], "ConsistentRead": True}
    }
    items: list[Item] = []
    while unread:
        with _answering():
            answer = client.batch_get_item(RequestItems=unread)
        items += map(decode_item, answer["Responses"].get(TABLE, []))
        unread = answer.get("UnprocessedKeys")
    return items


def query_rows(pk: str, *, low: str, high: str) -> list[Item]:
    """The rows with `low` <= sk <= `high`, few, as they are at this instant."""
    request: dict[str, Any] = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": encode_item({":pk": pk, ":low": low, ":high": high}),
        "ConsistentRead": True,
    }
    return _all(request)


def query_partition(pk: str, *, consistent: bool) -> list[Item]:
    """All rows of a bounded partition."""
    request: dict[str, Any] = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": encode(pk)},
        "ConsistentRead": consistent,
    }
    return _all(request)


def _all(request: dict[str, Any]) -> list[Item]:
    items: list[Item] = []
    while True:
        with _answering():
            answer = client.query(**request)
        items += map(decode_item, answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return items
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def query_page(
    pk: str,
    *,
    low: str,
    high: str,
    limit: int,
    where: Mapping[str, str],
    consistent: bool = False,
) -> tuple[list[Item], bool]:
    """Up to `limit` rows with `low` <= sk < `high`, last first, whose attributes equal `where`;
    and whether there may be more. DynamoDB filters after it counts, so it may take several reads.
    """
    # BETWEEN includes both ends; what sorts just below `high` is not needed exactly.
    request: dict[str, Any] = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": encode_item({":pk": pk, ":low": low, ":high": high}),
        "ScanIndexForward": False,
        "ConsistentRead": consistent,
    }
    if where:
        request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in where)
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in where}
        request["ExpressionAttributeValues"] |= encode_item(
            {f":{name}": value for name, value in where.items()}
        )
    items: list[Item] = []
    while True:
        # One more than wanted tells whether there is more; the row at `high` is left out.
        request["Limit"] = limit - len(items) + 2
        with _answering():
            answer = client.query(**request)
        found = map(decode_item, answer["Items"])
        items += [item for item in found if item["sk"] < high]
        if len(items) > limit or "LastEvaluatedKey" not in answer:
            return items[:limit], len(items) > limit
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def query_index(
    table: str,
    index: str,
    partition: str,
    *,
    low: str,
    high: str,
    page: int | None = None,
    only: Sequence[str] = (),
) -> Iterator[Item]:
    """Rows of an index named like its key, with `low` <= position < `high`, last first; read as
    they are asked for, a `page` of them first and more at a time after that, or as many as
    DynamoDB gives. Of each row `only` these attributes, or all."""
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": "#partition = :partition AND #position BETWEEN :low AND :high",
        "ExpressionAttributeNames": {"#partition": index, "#position": "position"},
        "ExpressionAttributeValues": encode_item(
            {":partition": partition, ":low": low, ":high": high}
        ),
        "ScanIndexForward": False,
    }
    if page is not None:
        request["Limit"] = page
    if only:
        request["ProjectionExpression"] = ", ".join(f"#{name}" for name in ("position", *only))
        request["ExpressionAttributeNames"] |= {f"#{name}": name for name in only}
    while True:
        with _answering():
            answer = client.query(**request)
        for item in map(decode_item, answer["Items"]):
            if item["position"] < high:
                yield item
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        if page is not None:
            request["Limit"] = min(2 * request["Limit"], max(page, _AT_ONCE))


def present(keys: list[Key]) -> set[str]:
    """The partition keys of those of `keys` whose rows exist; any number of keys."""
    found: set[str] = set()
    for start in range(0, len(keys), 100):
        unread: Any = {
            TABLE: {
                "Keys": [encode_item(dict(key)) for key in keys[start : start + 100]],
                "ProjectionExpression": "pk",
                "ConsistentRead": True,
            }
        }
        while unread:
            with _answering():
                answer = client.batch_get_item(RequestItems=unread)
            found |= {item["pk"]["S"] for item in answer["Responses"].get(TABLE, [])}
            unread = answer.get("UnprocessedKeys")
    return found


def pages_due(shard: str, until: str, *, since: str = "") -> Iterator[list[Item]]:
    """Yield `pk`, `sk` and `due_at` of a shard's rows from `since` to `until`, the earliest first.

    An index lags behind its table: decide by the rows themselves.
    """
    request: dict[str, Any] = {
        "TableName": TABLE,
        "IndexName": DUE_INDEX,
        "KeyConditionExpression": "due_shard = :shard AND due_at BETWEEN :since AND :until",
        "ExpressionAttributeValues": encode_item(
            {":shard": shard, ":since": since or "0", ":until": until}
        ),
        "Limit": 100,
    }
    while True:
        with _answering():
            answer = client.query(**request)
        yield [decode_item(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
