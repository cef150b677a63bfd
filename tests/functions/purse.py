"""Credits of a team as its manager and its members meet them."""

from typing import Any

from billing import runtime
from billing.adapters.dynamodb import accounts, keys, ledger
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain import credits
from billing.domain.credits import Cause, Credits, Entry, Movement, Wallet
from tests.functions.product import Answer, Product

ANA = "user-ana"


def move(product: Product, movement: Movement) -> None:
    """Commits what was decided on the wallets as they are."""
    rows = accounts.load(product.account)
    write = Transaction()
    versions = {
        person: rows.version_of(keys.wallet_key(product.account, person))
        for person in movement.wallets
    }
    ledger.append(write, movement, versions)
    write.commit()


def grant(product: Product, count: int, person: str = ANA) -> None:
    """Credits as a paid package gives them."""
    reason = cause(product, by="stripe", reference="cs_paid")
    move(product, credits.grant(wallet(product, person), Credits(count), reason))


def cause(product: Product, **changes: Any) -> Cause:
    given = {"id": runtime.unique(), "account": product.account, "by": ANA, "now": runtime.now()}
    return Cause(**{**given, **changes})


def wallet(product: Product, person: str = ANA) -> Wallet:
    return accounts.load(product.account).wallets[person]


def send(product: Product, to: str, count: Any, **more: Any) -> Answer:
    body = {"to": to, "credits": count}
    return product.command("POST /credits/transfers", body, **more)


def entries(product: Product, person: str | None = None) -> list[Entry]:
    """Newest first."""
    now = runtime.now()
    since = now.replace(year=now.year - 1, day=1)
    until = now.replace(year=now.year + 3, day=1)
    return list(ledger.newest_first(product.account, person=person, since=since, before=until))
