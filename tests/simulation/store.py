"""The table in memory: the few operations of DynamoDB that the product uses, and their errors.

Rows are kept as the wire carries them, and neither they nor a partition's dict of them are ever
changed in place, so that a copy of a whole table is a copy of one dict. What an operation is not
known to do is refused.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from billing import settings
from tests.simulation.expressions import Given, Row, Unsupported, condition, update
from tests.simulation.once import Once

MAIN = settings.table_name()
MOST_WRITES = 100
MOST_GETS = 100

_SHARED = {
    *("TableName", "ConditionExpression"),
    *("ExpressionAttributeNames", "ExpressionAttributeValues"),
}
_ALLOWED = {
    "Put": _SHARED | {"Item"},
    "Update": _SHARED | {"Key", "UpdateExpression"},
    "ConditionCheck": _SHARED | {"Key"},
}


@dataclass(frozen=True, slots=True)
class Written:
    """One row before and after a commit; None where there was none. Rows of one commit have its
    number."""

    commit: int
    table: str
    pk: str
    sk: str
    before: Row | None
    after: Row


@dataclass(frozen=True, slots=True)
class Index:
    """A sparse index: it holds the rows that have both of its keys."""

    pk: str
    sk: str
    keys_only: bool = False


Table: TypeAlias = dict[str, dict[str, Row]]
Listed: TypeAlias = dict[str, dict[tuple[str, str], Row]]
_MAIN = Index("pk", "sk")


def tables_of(template: Path) -> dict[str, dict[str, Index]]:
    """The tables of the product and their indexes, as the template makes them."""
    resources = yaml_parse(template.read_text())["Resources"]
    names = {"Table": settings.table_name(), "LedgerTable": settings.ledger_table_name()}
    return {
        name: {
            index["IndexName"]: Index(
                index["KeySchema"][0]["AttributeName"],
                index["KeySchema"][1]["AttributeName"],
                index["Projection"]["ProjectionType"] == "KEYS_ONLY",
            )
            for index in resources[resource]["Properties"].get("GlobalSecondaryIndexes", [])
        }
        for resource, name in names.items()
    }


class Store:
    """`page` is how many rows one Query may read, as 1 MB is at DynamoDB."""

    def __init__(self, indexes: dict[str, dict[str, Index]], page: int = 1000) -> None:
        self.indexes = indexes
        self.page = page
        self._tables: dict[str, Table] = {name: {} for name in indexes}
        self._listed: dict[str, dict[Index, Listed]] = {name: {} for name in indexes}
        self._tokens: dict[str, Any] = {}
        self.log: list[Written] = []

    def copy(self) -> "Store":
        """With the same rows, and no memory of tokens and writes."""
        other = copy(self)
        other._tables = {name: dict(table) for name, table in self._tables.items()}
        other._listed = {name: {} for name in self.indexes}
        other._tokens, other.log = {}, []
        return other

    def as_of(self, writes_ago: int) -> "Store":
        """The tables before the last `writes_ago` rows were written."""
        past = self.copy()
        for written in reversed(self.log[max(0, len(self.log) - writes_ago) :]):
            table = past._tables[written.table]
            if written.before is None:
                others = table[written.pk].items()
                table[written.pk] = {sk: row for sk, row in others if sk != written.sk}
            else:
                table[written.pk] = {**table[written.pk], written.sk: written.before}
        return past

    def rows(self, table: str | None = None) -> dict[tuple[str, str], Row]:
        tables = self._tables.values() if table is None else [self._tables[table]]
        return {
            (pk, sk): row
            for each in tables
            for pk, rows in each.items()
            for sk, row in rows.items()
        }

    def row(self, pk: str, sk: str) -> Row | None:
        return self._tables[MAIN].get(pk, {}).get(sk)

    def alter(self, pk: str, sk: str, row: Row | None, table: str = MAIN) -> None:
        """Past all rules, as somebody does by hand: the row is this one, or gone."""
        present = self._tables[table].get(pk, {}).items()
        others = {name: each for name, each in present if name != sk}
        self._tables[table][pk] = others if row is None else {**others, sk: row}

    def partition(self, pk: str, table: str = MAIN) -> dict[str, Row]:
        return self._tables[table].get(pk, {})

    def touched_since(self, earlier: "Store", table: str = MAIN) -> list[str]:
        """The partitions that were written since this was a copy of `earlier`."""
        before = earlier._tables[table]
        return [pk for pk, rows in self._tables[table].items() if before.get(pk) is not rows]

    def get_item(
        self, *, TableName: str, Key: Row, ConsistentRead: bool = False, **more: Any
    ) -> dict[str, Any]:
        row = self._table(TableName, more).get(Key["pk"]["S"], {}).get(Key["sk"]["S"])
        return {} if row is None else {"Item": row}

    def batch_get_item(self, *, RequestItems: Any) -> dict[str, Any]:
        ((table, asked),) = RequestItems.items()
        known = {"Keys", "ProjectionExpression", "ConsistentRead"}
        rows = self._table(table, asked.keys() - known)
        keys = [(key["pk"]["S"], key["sk"]["S"]) for key in asked["Keys"]]
        if len(set(keys)) < len(keys) or not 1 <= len(keys) <= MOST_GETS:
            _refuse("ValidationException", "BatchGetItem", "keys twice, none, or too many")
        found = [rows[pk][sk] for pk, sk in keys if sk in rows.get(pk, {})]
        found = _projected(found, asked.get("ProjectionExpression"), {})
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Any,
        ExpressionAttributeNames: Any = None,
        FilterExpression: str | None = None,
        ProjectionExpression: str | None = None,
        IndexName: str | None = None,
        ScanIndexForward: bool = True,
        ConsistentRead: bool = False,
        ExclusiveStartKey: Any = None,
        Limit: int | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        table = self._table(TableName, more)
        if IndexName is not None and ConsistentRead:
            _refuse("ValidationException", "Query", "an index is never read consistently")
        index = _MAIN if IndexName is None else self.indexes[TableName][IndexName]
        given = Given(ExpressionAttributeNames or {}, ExpressionAttributeValues)
        if index is _MAIN and KeyConditionExpression == "pk = :pk":
            found = _in_order(table.get(given.values[":pk"]["S"], _EMPTY))
        else:
            listed = table if index is _MAIN else self._list(TableName, index)
            found = _found(listed, index, KeyConditionExpression, given)
        found = found[:] if ScanIndexForward else found[::-1]
        if ExclusiveStartKey is not None:
            last = _order(ExclusiveStartKey, index)
            found = [row for row in found if (_order(row, index) > last) is ScanIndexForward]
            found = [row for row in found if _order(row, index) != last]
        most = min(Limit or self.page, self.page)
        read = found[:most]
        kept = read
        if FilterExpression is not None:
            wanted = condition(FilterExpression)
            kept = [row for row in read if wanted(row, given)]
        names = dict.fromkeys(("pk", "sk", index.pk, index.sk))
        if index.keys_only:
            kept = [{name: row[name] for name in names} for row in kept]
        kept = _projected(kept, ProjectionExpression, given.names)
        answer: dict[str, Any] = {"Items": kept, "Count": len(kept), "ScannedCount": len(read)}
        if len(found) > most or (Limit is not None and len(read) == Limit):
            answer["LastEvaluatedKey"] = {name: read[-1][name] for name in names}
        return answer

    def transact_write_items(
        self, *, TransactItems: Any, ClientRequestToken: str | None = None, **more: Any
    ) -> dict[str, Any]:
        if more:
            raise Unsupported(f"{list(more)} of TransactWriteItems")
        if ClientRequestToken in self._tokens:
            if self._tokens[ClientRequestToken] != TransactItems:
                _refuse("IdempotentParameterMismatchException", "TransactWriteItems", "")
            return {}
        writes = [self._write(item) for item in TransactItems]
        keys = {(write.table, write.pk, write.sk) for write in writes}
        if len(keys) < len(writes) or not 1 <= len(writes) <= MOST_WRITES:
            message = "one row twice, no write, or too many"
            _refuse("ValidationException", "TransactWriteItems", message)
        if not all(write.holds for write in writes):
            codes = ["None" if write.holds else "ConditionalCheckFailed" for write in writes]
            cancel("TransactWriteItems", [{"Code": code} for code in codes])
        self._place(writes)
        if ClientRequestToken:
            self._tokens[ClientRequestToken] = TransactItems
        return {}

    def _list(self, name: str, index: Index) -> Listed:
        """The rows of an index by partition, listed again once something was written."""
        known = self._listed[name]
        if index not in known:
            listed = known[index] = {}
            for rows in self._tables[name].values():
                for row in rows.values():
                    if index.pk in row and index.sk in row:
                        key = row["pk"]["S"], row["sk"]["S"]
                        listed.setdefault(row[index.pk]["S"], {})[key] = row
        return known[index]

    def _place(self, writes: list["_Write"]) -> None:
        number = self.log[-1].commit + 1 if self.log else 1
        for write in writes:
            if write.after is None:
                continue
            self._listed[write.table].clear()
            table = self._tables[write.table]
            rows = table.get(write.pk, {})
            before = rows.get(write.sk)
            self.log.append(Written(number, write.table, write.pk, write.sk, before, write.after))
            table[write.pk] = {**rows, write.sk: write.after}

    def _write(self, item: Any) -> "_Write":
        ((kind, asked),) = item.items()
        if kind not in _ALLOWED:
            raise Unsupported(kind)
        name = asked["TableName"]
        table = self._table(name, asked.keys() - _ALLOWED[kind])
        key = asked["Item"] if kind == "Put" else asked["Key"]
        pk, sk = key["pk"]["S"], key["sk"]["S"]
        present = table.get(pk, {}).get(sk)
        given = Given(
            asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
        )
        text = asked.get("ConditionExpression")
        if text is not None and not condition(text)(present or {}, given):
            return _Write(name, pk, sk, None, False)
        if kind == "ConditionCheck":
            return _Write(name, pk, sk, None, True)
        if kind == "Put":
            return _Write(name, pk, sk, asked["Item"], True)
        before = present or {"pk": {"S": pk}, "sk": {"S": sk}}
        after = dict(before)
        update(asked["UpdateExpression"])(before, after, given)
        return _Write(name, pk, sk, after, True)

    def _table(self, name: str, unknown: Iterable[str]) -> Table:
        if list(unknown):
            raise Unsupported(f"{list(unknown)} of table {name}")
        return self._tables[name]


def _found(
    listed: Mapping[str, Mapping[Any, Row]], index: Index, wanted: str, given: Given
) -> list[Row]:
    test = condition(wanted)
    # The partition key is always compared with one of the values.
    values = {value.get("S", "") for value in given.values.values()}
    near = (row for value in values for row in listed.get(value, {}).values())
    return sorted((row for row in near if test(row, given)), key=lambda row: _order(row, index))


_EMPTY: dict[str, Row] = {}
_in_order: Once[dict[str, Row], list[Row]] = Once(
    lambda partition: [row for _, row in sorted(partition.items())]
)


@dataclass(frozen=True, slots=True)
class _Write:
    """What one item of a transaction comes to; `after` is None where the row stays as it is."""

    table: str
    pk: str
    sk: str
    after: Row | None
    holds: bool


def _projected(rows: list[Row], wanted: str | None, aliases: Mapping[str, str]) -> list[Row]:
    if wanted is None:
        return rows
    words = [word.strip() for word in wanted.split(",")]
    names = [aliases[word] if word.startswith("#") else word for word in words]
    return [{name: row[name] for name in names if name in row} for row in rows]


def cancel(operation: str, reasons: list[dict[str, str]]) -> NoReturn:
    codes = ", ".join(reason["Code"] for reason in reasons)
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": f"reasons [{codes}]"},
        "CancellationReasons": reasons,
    }
    raise ClientError(answer, operation)


def _refuse(code: str, operation: str, message: str) -> NoReturn:
    raise ClientError({"Error": {"Code": code, "Message": message}}, operation)


def _order(row: Row, index: Index) -> tuple[Any, ...]:
    sort = row[index.sk]
    first = int(sort["N"]) if "N" in sort else sort["S"]
    return (first, row["pk"]["S"], row["sk"]["S"])
