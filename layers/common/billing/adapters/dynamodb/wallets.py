"""Wallet rows: in the account's partition, beside whose they are."""

from collections.abc import Iterable

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import Item, attributes
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.credits import Wallet
from billing.domain.times import parse_rfc3339, rfc3339

_NUMBERS = (
    "balance",
    "held",
    "granted",
    "received",
    "sent",
    "spent",
    "clawed_back",
    "used",
)


def find(account: str, person: str) -> Wallet | None:
    item = reading.get(keys.wallet_key(account, person))
    return None if item is None else wallet_of(item)


def load(account: str, people: Iterable[str]) -> tuple[dict[str, Wallet], dict[str, int]]:
    """The wallets of these people, and the versions of their rows, both by person."""
    items = reading.get_all([keys.wallet_key(account, person) for person in people])
    found = {item["person"]: wallet_of(item) for item in items}
    return found, {item["person"]: item["version"] for item in items}


def put(write: Transaction, account: str, wallet: Wallet, *, version: int) -> None:
    row = {
        **keys.wallet_key(account, wallet.person),
        **attributes(wallet),
        "at": None if wallet.at is None else rfc3339(wallet.at),
        "look_at": None if wallet.look_at is None else rfc3339(wallet.look_at),
        **keys.in_due_index(account, wallet.look_at),
    }
    write.replace(row, version=version)


def add(write: Transaction, account: str, before: Wallet, after: Wallet, *, behind: int) -> None:
    """Add the difference to the wallet as it is by then, if its last entry has a sequence below
    `behind` and no later time, if it is open as it was and has what is taken, and if so much more
    may still be used. Whether it gets low by that is not known here: the sweep looks, if its owner
    has chosen no other numbers meanwhile. Fails as StaleWrite."""
    changes = {
        name: getattr(after, name) - getattr(before, name)
        for name in _NUMBERS
        if getattr(after, name) != getattr(before, name)
    }
    where: Item = {
        "open": before.open,
        "alert_below": before.alert_below,
        "top_up_below": before.top_up_below,
    }
    assert after.at is not None
    at_most: dict[str, int | str] = {"sequence": behind - 1}
    sets: Item = {"sequence": after.sequence, "at": rfc3339(after.at)}
    if before.at is None:
        where["at"] = None
    else:
        at_most["at"] = rfc3339(after.at)
    if "held" in changes:
        where |= {"limit": before.limit, "used_month": before.used_month}
    if after.used_month != before.used_month:
        # The first of a month: the number begins anew, so it must be the one that was read.
        where["used"] = before.used
        sets["used_month"] = after.used_month
    elif after.used > before.used and before.limit is not None:
        at_most["used"] = before.limit - (after.used - before.used)
    write.add(
        keys.wallet_key(account, before.person),
        changes,
        at_least={name: -change for name, change in changes.items() if change < 0},
        at_most=at_most,
        where=where,
        sets={**sets, **_look(account, after)},
        otherwise=StaleWrite(before.person),
    )


def set_limit(write: Transaction, account: str, person: str, limit: int | None) -> None:
    """However busy the wallet is, if it is open. Fails as StaleWrite."""
    write.add(
        keys.wallet_key(account, person),
        {},
        at_least={},
        at_most={},
        where={"open": True},
        sets={"limit": limit},
        otherwise=StaleWrite(person),
    )


def _look(account: str, wallet: Wallet) -> Item:
    if wallet.at is None or not (wallet.alert_below or wallet.top_up_below):
        return {}
    return {"look_at": rfc3339(wallet.at), **keys.in_due_index(account, wallet.at)}


def wallet_of(item: Item) -> Wallet:
    return Wallet(
        person=item["person"],
        open=item["open"],
        balance=item["balance"],
        held=item["held"],
        granted=item["granted"],
        received=item["received"],
        sent=item["sent"],
        spent=item["spent"],
        clawed_back=item["clawed_back"],
        alert_below=item.get("alert_below", 0),
        alerted=item.get("alerted", False),
        top_up_below=item.get("top_up_below", 0),
        fell=item.get("fell"),
        look_at=parse_rfc3339(item["look_at"]) if item.get("look_at") else None,
        sequence=item["sequence"],
        at=None if item["at"] is None else parse_rfc3339(item["at"]),
        limit=item.get("limit"),
        used=item.get("used", 0),
        used_month=item.get("used_month", ""),
    )
