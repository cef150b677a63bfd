"""Wallet rows: in the account's partition, beside whose they are."""

from dataclasses import asdict

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.credits import Wallet
from billing.domain.times import parse_rfc3339, rfc3339


def find(account: str, person: str) -> Wallet | None:
    item = reading.get(keys.wallet_key(account, person))
    return None if item is None else wallet_of(item)


def put(write: Transaction, account: str, wallet: Wallet, *, version: int) -> None:
    row = {
        **keys.wallet_key(account, wallet.person),
        **asdict(wallet),
        "at": None if wallet.at is None else rfc3339(wallet.at),
    }
    write.replace(row, version=version)


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
        sequence=item["sequence"],
        at=None if item["at"] is None else parse_rfc3339(item["at"]),
    )
