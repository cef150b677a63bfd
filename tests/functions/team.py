"""A team as its manager and its members meet it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from billing import runtime
from billing.adapters.dynamodb import accounts, keys
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.catalog import Kind
from billing.domain.subscription import Subscription
from tests.factories import NOON, subscription
from tests.functions.product import Answer, Product

DAY = timedelta(days=1)
MIA = "mia@acme.test"
BEN = "ben@acme.test"


def slots_subscription(quantity: int, **changes: Any) -> Subscription:
    return subscription(
        id="sub_slots", kind=Kind.SLOTS, plan="slot", plan_name="Slot", quantity=quantity, **changes
    )


def of_today(snapshot: Subscription) -> Subscription:
    """Return `snapshot` with the period that it would be in by the product's clock."""
    later = (runtime.now() - NOON) // DAY * DAY
    return replace(
        snapshot,
        created=snapshot.created + later,
        period_start=snapshot.period_start + later,
        period_end=snapshot.period_end + later,
    )


def record(product: Product, *snapshots: Subscription) -> None:
    """As the webhook processor does it."""
    rows = accounts.load(product.account)
    write = Transaction()
    for snapshot in snapshots:
        version = rows.version_of(keys.subscription_key(product.account, snapshot.kind))
        accounts.put_subscription(write, product.account, snapshot, version=version)
    write.commit()


def invite(product: Product, email: str = MIA, **more: Any) -> Answer:
    return product.call("POST /members", body={"email": email, **more})


def claims(email: str = MIA, subject: str = "", **more: str | None) -> dict[str, str | None]:
    subject = subject or f"user-{email.split('@')[0].lower()}"
    return {"sub": subject, "email": email, "name": "From Token", "role": "member", **more}


def accept(product: Product, email: str = MIA, **more: Any) -> Answer:
    return product.call("POST /invitations/accept", claims=claims(email, **more))


def join(product: Product, email: str = MIA) -> str:
    """Invites and accepts; returns the member's id."""
    assert invite(product, email).status == 201
    joined = accept(product, email)
    assert joined.status == 200, joined.text
    return str(joined.json["id"])


def remove(product: Product, member: str, **more: Any) -> Answer:
    return product.call("DELETE /members/{id}", path={"id": member}, **more)


def slots(product: Product) -> tuple[int, int, int, int]:
    """Purchased, occupied, invited and free, after a look that the members are as many."""
    billing = product.billing()
    shown, people = billing["slots"], billing["members"]
    held = [each["status"] for each in people if each["role"] == "member"]
    assert shown["occupied"] == held.count("invited") + held.count("active")
    assert shown["occupied"] <= accounts.load_slots(product.account)[0].occupied
    return shown["purchased"], shown["occupied"], shown["invited"], shown["free"]
