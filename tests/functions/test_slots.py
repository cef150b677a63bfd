"""/slots/preview and PUT /slots: what is charged, what counts, and what is pending."""

from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.stripe.snapshots import noted
from billing.domain.times import parse_rfc3339
from tests.functions.product import Answer, Product


@pytest.fixture
def shop(product: Product) -> Product:
    """A subscribed account without slots."""
    product.subscribe()
    product.catch_up()
    return product


def preview(product: Product, purchased: Any) -> Answer:
    return product.call("POST /slots/preview", body={"purchased": purchased})


def put(product: Product, purchased: Any, quote: str | None = None, **more: Any) -> Answer:
    body = {"purchased": purchased} | ({} if quote is None else {"quote": quote})
    return product.command("PUT /slots", body, **more)


def quoted(product: Product, purchased: int) -> str:
    answer = preview(product, purchased)
    assert answer.status == 200, answer.text
    return str(answer.json["quote"])


def paid(product: Product) -> list[int]:
    """What was charged for slots, the oldest first."""
    product.catch_up()
    listed = product.call("GET /invoices", query={"kind": "slots"}).json["items"]
    assert {each["status"] for each in listed} <= {"paid", "void", "open"}
    return [each["total"]["amount"] for each in listed if each["status"] == "paid"][::-1]


def at_stripe(product: Product) -> list[tuple[str, int]]:
    """Every slots subscription there is: its status and number."""
    found = [each for each in product.subscriptions() if noted(each, "kind") == "slots"]
    return [(each.status, each["items"].data[0].quantity) for each in found]


def test_the_first_slots_are_a_monthly_subscription_charged_at_once(shop: Product) -> None:
    offer = preview(shop, 3).json
    assert offer["due_now"] == offer["from_next_renewal"] == {"amount": 14700, "currency": "usd"}
    bought = put(shop, 3, offer["quote"])
    assert bought.status == 200, bought.text
    assert (bought.json["purchased"], bought.json["free"]) == (3, 3)
    said, renews = map(parse_rfc3339, (offer["effective_at"], bought.json["renews_at"]))
    assert timedelta() <= renews - said < timedelta(minutes=1)
    assert bought.json == shop.billing()["slots"]
    assert (at_stripe(shop), paid(shop)) == ([("active", 3)], [14700])


def test_more_slots_are_charged_by_the_second_exactly_as_quoted(shop: Product) -> None:
    put(shop, 3)
    shop.advance("P10DT7H3M11S")
    offer = preview(shop, 5).json
    shop.advance("PT10M")
    bought = put(shop, 5, offer["quote"])
    assert (bought.status, bought.json["purchased"]) == (200, 5)
    assert offer["from_next_renewal"]["amount"] == 5 * 4900
    assert offer["effective_at"] == bought.json["renews_at"]
    assert paid(shop) == [14700, offer["due_now"]["amount"]]
    assert 0 < offer["due_now"]["amount"] < 2 * 4900
    assert at_stripe(shop) == [("active", 5)]
