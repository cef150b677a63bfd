"""Rows of automatic top-ups: in the account's partition, one for each wallet that ever had one."""

from dataclasses import asdict
from datetime import datetime

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.money import Money
from billing.domain.times import parse_rfc3339, rfc3339
from billing.domain.top_ups import Because, TopUp, TopUpOrder


def put(write: Transaction, account: str, top_up: TopUp, *, version: int) -> None:
    """One with an order that is under way is looked at until that has come to an end."""
    order = top_up.order
    row = {
        **keys.top_up_key(account, top_up.person),
        **asdict(top_up),
        "cap": None if top_up.cap is None else top_up.cap.view(),
        "order": None if order is None else _order_row(order),
        "waits_until": None if top_up.waits_until is None else rfc3339(top_up.waits_until),
        "stopped_at": None if top_up.stopped_at is None else rfc3339(top_up.stopped_at),
        **keys.in_due_index(account, None if order is None else order.began_at),
    }
    write.replace(row, version=version)


def top_up_of(item: Item) -> TopUp:
    return TopUp(
        person=item["person"],
        below=item["below"],
        package=item["package"],
        cap=None if item["cap"] is None else Money.read(item["cap"]),
        month=item["month"],
        charged=item["charged"],
        order=None if item["order"] is None else _order(item["order"]),
        attempts=item["attempts"],
        answered=item["answered"],
        waits_until=_moment(item["waits_until"]),
        stopped=None if item["stopped"] is None else Because(item["stopped"]),
        stopped_at=_moment(item["stopped_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_rfc3339(text)


def _order_row(order: TopUpOrder) -> Item:
    return {**asdict(order), "due": order.due.view(), "began_at": rfc3339(order.began_at)}


def _order(item: Item) -> TopUpOrder:
    return TopUpOrder(
        id=item["id"],
        package=item["package"],
        price=item["price"],
        credits=item["credits"],
        due=Money.read(item["due"]),
        began_at=parse_rfc3339(item["began_at"]),
        invoice=item["invoice"],
        attempt=item["attempt"],
    )
