"""The same random commands to two tables, and whether both answer the same."""

from collections.abc import Iterator
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.store import MAIN

Command = tuple[str, dict[str, Any]]
_PARTITIONS = ("A", "B")
_SORTS = ("a", "b", "c", "d")


def commands(seed: int, count: int, *, tokens: bool) -> Iterator[Command]:
    """Writes as the product makes them, and others near them; `tokens` also repeats some."""
    random = Random(seed)
    sent: list[dict[str, Any]] = []
    for number in range(count):
        chance = random.random()
        if chance < 0.5:
            asked: dict[str, Any] = {"TransactItems": _writes(random)}
            if tokens:
                asked["ClientRequestToken"] = f"{seed}-{number}"
                sent.append(asked)
            yield "transact_write_items", asked
        elif chance < 0.55 and sent:
            again = random.choice(sent)
            other = {**again, "TransactItems": _writes(random)}
            yield "transact_write_items", random.choice((again, other))
        elif chance < 0.65:
            yield "get_item", {"TableName": MAIN, "Key": _key(random), "ConsistentRead": True}
        elif chance < 0.7:
            yield "batch_get_item", {"RequestItems": {MAIN: {"Keys": _all_keys(random)}}}
        elif chance < 0.9:
            yield "query", _query(random)
        else:
            yield "query", _due(random)


def answer(table: Any, command: Command) -> Any:
    """What a table makes of it, in a form that can be compared."""
    operation, asked = command
    try:
        found = getattr(table, operation)(**asked)
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        return error.response["Error"]["Code"], [each.get("Code") for each in reasons]
    if operation == "batch_get_item":
        return sorted(map(str, map(_in_order, found["Responses"][MAIN])))
    if operation == "query":
        return [_in_order(row) for row in found["Items"]], found["Count"]
    return _in_order(found["Item"]) if "Item" in found else None


def _in_order(row: dict[str, Any]) -> list[Any]:
    return sorted(row.items())


def _key(random: Random) -> dict[str, Any]:
    return {"pk": {"S": random.choice(_PARTITIONS)}, "sk": {"S": random.choice(_SORTS)}}


def _all_keys(random: Random) -> list[dict[str, Any]]:
    every = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk in _PARTITIONS for sk in _SORTS]
    return random.sample(every, random.randint(1, len(every)))


def _writes(random: Random) -> list[dict[str, Any]]:
    chosen = _all_keys(random)[: random.choice((1, 1, 2, 3))]
    if random.random() < 0.05:
        chosen.append(chosen[0])
    return [_write(random, key) for key in chosen]


def _write(random: Random, key: dict[str, Any]) -> dict[str, Any]:
    text, values = random.choice(_CONDITIONS)
    asked: dict[str, Any] = {"TableName": MAIN, "ConditionExpression": text}
    # In order: BETWEEN refuses an upper bound below the lower one.
    numbers = sorted(random.randint(1, 3) for _ in values)
    given: dict[str, Any] = {
        name: {"N": str(number)} for name, number in zip(values, numbers, strict=True)
    }
    kind = random.choice(("Put", "Put", "Update", "ConditionCheck"))
    if kind == "Put":
        asked["Item"] = {**key, "version": {"N": str(random.randint(1, 3))}, **_due_keys(random)}
    else:
        asked["Key"] = key
    if kind == "Update":
        asked["UpdateExpression"], names = random.choice(_UPDATES)
        asked["ExpressionAttributeNames"] = {"#answer": "answer"} if "#" in names else {}
        given |= {":answer": {"S": random.choice("xyz")}} if ":answer" in names else {}
        given |= {":one": {"N": "1"}} if ":one" in names else {}
        if not asked["ExpressionAttributeNames"]:
            del asked["ExpressionAttributeNames"]
    if given:
        asked["ExpressionAttributeValues"] = given
    return {kind: asked}


_CONDITIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("attribute_not_exists(pk)", ()),
    ("attribute_exists(pk)", ()),
    ("version = :version", (":version",)),
    ("attribute_exists(pk) AND version <> :version", (":version",)),
    ("attribute_not_exists(pk) OR version < :version", (":version",)),
    ("NOT (version >= :version AND version <= :top)", (":version", ":top")),
    ("version BETWEEN :version AND :top", (":version", ":top")),
    ("version IN (:version, :top)", (":version", ":top")),
)
_UPDATES: tuple[tuple[str, str], ...] = (
    ("SET #answer = :answer", "#:answer"),
    ("SET #answer = if_not_exists(#answer, :answer)", "#:answer"),
    ("SET version = if_not_exists(version, :one) + :one", ":one"),
    ("SET #answer = :answer REMOVE due_at", "#:answer"),
    ("ADD version :one", ":one"),
    ("ADD version :one SET #answer = :answer", "#:answer:one"),
)


def _due_keys(random: Random) -> dict[str, Any]:
    if random.random() < 0.5:
        return {}
    return {"due_shard": {"S": "DUE#0"}, "due_at": {"S": f"2027-01-0{random.randint(1, 4)}"}}


def _query(random: Random) -> dict[str, Any]:
    low, high = sorted(random.choices(_SORTS, k=2))
    asked: dict[str, Any] = {
        "TableName": MAIN,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": {
            ":pk": {"S": random.choice(_PARTITIONS)},
            ":low": {"S": low},
            ":high": {"S": high},
        },
        "ScanIndexForward": random.random() < 0.5,
        "ConsistentRead": True,
    }
    if random.random() < 0.3:
        asked["Limit"] = random.randint(1, 3)
    if random.random() < 0.3:
        asked["FilterExpression"] = "#answer = :answer"
        asked["ExpressionAttributeNames"] = {"#answer": "answer"}
        asked["ExpressionAttributeValues"][":answer"] = {"S": random.choice("xyz")}
    return asked


def _due(random: Random) -> dict[str, Any]:
    return {
        "TableName": MAIN,
        "IndexName": "due",
        "KeyConditionExpression": "due_shard = :shard AND due_at <= :until",
        "ExpressionAttributeValues": {
            ":shard": {"S": "DUE#0"},
            ":until": {"S": f"2027-01-0{random.randint(1, 4)}"},
        },
    }
