"""Hold rows: what is left of each."""

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import attributes
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.credits import Hold


def load(account: str, hold: str) -> tuple[Hold | None, int]:
    """With the row's version; None and 0 if the account has no such hold."""
    item = reading.get(keys.hold_key(account, hold))
    if item is None:
        return None, 0
    found = Hold(
        id=item["id"],
        person=item["person"],
        credits=item["credits"],
        left=item["left"],
        month=item.get("month", ""),
    )
    return found, item["version"]


def put(write: Transaction, account: str, hold: Hold, *, version: int) -> None:
    write.replace({**keys.hold_key(account, hold.id), **attributes(hold)}, version=version)
