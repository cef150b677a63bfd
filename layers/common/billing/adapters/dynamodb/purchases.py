"""What was done about purchases whose money was taken back: a row from the first time on."""

from dataclasses import asdict

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.purchases import Purchase


def load(account: str, session: str) -> tuple[Purchase, int]:
    """With the row's version; 0 where nothing was done yet."""
    item = reading.get(keys.purchase_key(account, session))
    if item is None:
        return Purchase(session=session), 0
    purchase = Purchase(
        session=item["session"],
        clawed_back=item["clawed_back"],
        held=item["held"],
        contested=item["contested"],
        changes=item["changes"],
    )
    return purchase, item["version"]


def put(write: Transaction, account: str, purchase: Purchase, *, version: int) -> None:
    row = {**keys.purchase_key(account, purchase.session), **asdict(purchase)}
    write.replace(row, version=version)
