"""Credits of a team as its manager and its members meet them."""

from typing import Any

import httpx
import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts, keys, ledger
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain import credits
from billing.domain.credits import Cause, Credits, Entry, Movement, Wallet
from tests.functions.product import VISA, Answer, Product

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


def buy(product: Product, package: str = "credits_500", **more: Any) -> str:
    """Opens the page of a package and pays it; returns the payment intent. Nothing of it has
    reached the product yet."""
    card = more.pop("card", VISA)
    opened = open_page(product, package, **more)
    assert opened.status == 201, opened.text
    paid = product.pay(opened.json["url"], card)
    assert paid.status_code == 200, paid.text
    return str(paid.json()["intent"])


def open_page(product: Product, package: str = "credits_500", **more: Any) -> Answer:
    body = {"package": package, **more.pop("extra", {})}
    return product.command("POST /credits/checkout", body, **more)


def order(product: Product, intent: str, what: str, **given: Any) -> None:
    """Something happens to a payment outside: `refund`, `dispute`."""
    address = f"{product.sandbox}/sandbox/payments/{intent}/{what}"
    answer = httpx.post(address, json=given)
    assert answer.status_code == 200, answer.text


def overtaken_by(patch: pytest.MonkeyPatch, meanwhile: Any) -> None:
    """It commits once the next command has read."""
    whole = accounts.load
    done: list[None] = []

    def load(account: str, **how: Any) -> Any:
        rows = whole(account, **how)
        if not done:
            done.append(None)
            meanwhile()
        return rows

    patch.setattr(accounts, "load", load)
