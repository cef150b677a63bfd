"""Support requests: a partition per account, sorted by time through their ids."""

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.support_requests import SupportRequest
from billing.domain.times import parse_rfc3339, rfc3339

_FIRST = "0"
_BEYOND = ":"
"""Sorts after every digit."""


def insert(
    write: Transaction, account: str, request: SupportRequest, *, otherwise: Exception
) -> None:
    row = {
        **keys.support_request_key(account, request.id),
        "topic": request.topic,
        "message": request.message,
        "subject": request.subject,
        "at": rfc3339(request.at),
    }
    write.insert(row, otherwise=otherwise)


def find(account: str, request: str) -> SupportRequest | None:
    item = reading.get(keys.support_request_key(account, request))
    return None if item is None else _request(item)


def of_day(account: str, day: str, *, at_most: int) -> list[SupportRequest]:
    """Those whose ids begin with `day`, newest first."""
    return _between(account, day, f"{day}{_BEYOND}", at_most, consistent=True)[0]


def page(
    account: str, *, limit: int, before: str | None = None
) -> tuple[list[SupportRequest], bool]:
    """Up to `limit` requests, newest first, older than the id `before`; and whether there are
    more."""
    return _between(account, _FIRST, before or _BEYOND, limit, consistent=False)


def _between(
    account: str, low: str, high: str, limit: int, *, consistent: bool
) -> tuple[list[SupportRequest], bool]:
    items, more = reading.query_page(
        keys.support_request_partition(account),
        low=low,
        high=high,
        limit=limit,
        where={},
        consistent=consistent,
    )
    return [_request(item) for item in items], more


def _request(item: Item) -> SupportRequest:
    return SupportRequest(
        id=item["sk"],
        topic=item["topic"],
        message=item["message"],
        subject=item["subject"],
        at=parse_rfc3339(item["at"]),
    )
