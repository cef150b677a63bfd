"""The table as the functions reach it, with what can go wrong on the way."""

from collections.abc import Callable
from typing import Any, NoReturn

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from billing.adapters.dynamodb.items import Item, decode_item
from tests.simulation.expressions import Row
from tests.simulation.once import Once
from tests.simulation.scheduler import Scheduler
from tests.simulation.store import Store, cancel

REQUEST_LOST = "request lost"
RESPONSE_LOST = "response lost"
REPEATED = "sent twice"
FAILED_LATE = "server error after it was done"
THROTTLED = "throttled"
CONFLICT = "transaction conflict"
STALE = "stale read"
TORN = "torn read"

_ADDRESS = "http://dynamodb.test"


decoded: Once[Row, Item] = Once(decode_item)


class TablePort:
    """In place of botocore's client. Lost answers come after its own tries."""

    def __init__(self, scheduler: Scheduler, store: Store) -> None:
        self.scheduler = scheduler
        self.store = store
        self.reached_by: Callable[[Store], Any] = lambda store: store

    def get_item(self, **asked: Any) -> Any:
        return self._read("get_item", "GetItem", asked)

    def batch_get_item(self, **asked: Any) -> Any:
        return self._read("batch_get_item", "BatchGetItem", asked)

    def query(self, **asked: Any) -> Any:
        return self._read("query", "Query", asked)

    def transact_write_items(self, **asked: Any) -> Any:
        return self.scheduler.call(
            "dynamodb TransactWriteItems",
            lambda: self.reached_by(self.store).transact_write_items(**asked),
            {
                REQUEST_LOST: _request_lost,
                RESPONSE_LOST: _response_lost,
                REPEATED: _repeated,
                FAILED_LATE: failed_late,
                THROTTLED: _throttled,
                CONFLICT: lambda _: _conflict(len(asked["TransactItems"])),
            },
            _told(asked) if self.scheduler.told is not None else "",
        )

    def _read(self, operation: str, kind: str, asked: Any) -> Any:
        faults: dict[str, Callable[[Callable[[], Any]], Any]] = {
            REQUEST_LOST: _request_lost,
            RESPONSE_LOST: _response_lost,
            THROTTLED: _throttled,
        }
        if operation == "query":
            if not asked.get("ConsistentRead"):
                kind += " (eventually consistent)"
                faults[STALE] = lambda _: self._stale(operation, asked)
            else:
                faults[TORN] = lambda _: self._torn(asked)
        elif not asked.get("ConsistentRead", operation != "get_item"):
            kind += " (eventually consistent)"
            faults[STALE] = lambda _: self._stale(operation, asked)

        def perform() -> Any:
            return getattr(self.reached_by(self.store), operation)(**asked)

        return self.scheduler.call(f"dynamodb {kind}", perform, faults, _key(asked))

    def _stale(self, operation: str, asked: Any) -> Any:
        ago = 1 + int(self.scheduler.choices.random.random() * 6)
        return getattr(self.store.as_of(ago), operation)(**asked)

    def _torn(self, asked: Any) -> Any:
        """A query is no snapshot: some of its rows are read, others after a pause."""
        early = self.store.query(**asked)
        self.scheduler.pause()
        late = self.store.query(**asked)
        if len(early["Items"]) < 2 or early.keys() != late.keys():
            return late
        now = {row["sk"]["S"]: row for row in late["Items"]}
        chance = self.scheduler.choices.random
        items = [row if chance.random() < 0.5 else now[row["sk"]["S"]] for row in early["Items"]]
        known = {row["sk"]["S"] for row in items}
        items += [row for name, row in now.items() if name not in known and chance.random() < 0.5]
        return {**late, "Items": sorted(items, key=lambda row: row["sk"]["S"])}


def _request_lost(_: object) -> NoReturn:
    raise ConnectTimeoutError(endpoint_url=_ADDRESS)


def _response_lost(perform: Callable[[], object]) -> NoReturn:
    perform()
    raise ReadTimeoutError(endpoint_url=_ADDRESS)


def _repeated(perform: Callable[[], Any]) -> Any:
    """botocore heard nothing and asked again, under the same token."""
    perform()
    return perform()


def failed_late(perform: Callable[[], object]) -> NoReturn:
    """A 500 does not say whether it was done, and may be asked again (DynamoDB Developer Guide,
    Error handling): here by the function itself, once botocore's own tries are over."""
    perform()
    raise ClientError({"Error": {"Code": "InternalServerError", "Message": ""}}, "simulated")


def _throttled(_: object) -> NoReturn:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "simulated")


def _conflict(count: int) -> NoReturn:
    reasons = [{"Code": "None"}] * (count - 1) + [{"Code": "TransactionConflict"}]
    cancel("TransactWriteItems", reasons)


def _key(asked: Any) -> str:
    if "Key" in asked:
        return f"{asked['Key']['pk']['S']} {asked['Key']['sk']['S']}"
    values = asked.get("ExpressionAttributeValues")
    return str(next(iter(values.values()))["S"]) if values else "several"


def _told(asked: Any) -> str:
    parts: list[str] = []
    for item in asked["TransactItems"]:
        ((kind, write),) = item.items()
        key = write["Item"] if kind == "Put" else write["Key"]
        parts.append(f"{kind} {key['pk']['S']} {key['sk']['S']}")
    return "; ".join(parts)
