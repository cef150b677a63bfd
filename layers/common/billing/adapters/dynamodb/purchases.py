"""What was done about purchases whose money was taken back: a row from the first time on."""

from dataclasses import asdict

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.purchases import Purchase


def load(account: str, purchase_id: str) -> tuple[Purchase, int]:
    """With the row's version; 0 where nothing was done yet."""
    item = reading.get(keys.purchase_key(account, purchase_id))
    if item is None:
        return Purchase(id=purchase_id), 0
    purchase = Purchase(
        id=item["id"],
        clawed_back=item["clawed_back"],
        held=item["held"],
        contested=item["contested"],
        changes=item["changes"],
        taken_back=item.get("taken_back", 0),
    )
    return purchase, item["version"]


def put(write: Transaction, account: str, purchase: Purchase, *, version: int) -> None:
    row = {**keys.purchase_key(account, purchase.id), **asdict(purchase)}
    write.replace(row, version=version)
