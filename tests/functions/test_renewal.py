"""What time does to a subscription."""

from datetime import timedelta

from billing.domain.times import parse_rfc3339, rfc3339
from tests.functions.product import FAILS_AT_RENEWAL, Product


def test_a_renewal_moves_the_next_charge(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    first = product.billing()["subscription"]["renews_at"]
    product.advance("P1M2D")
    product.catch_up()
    assert product.billing()["subscription"]["renews_at"] > first
    assert len(product.call("GET /invoices").json["items"]) == 2


def test_a_renewal_that_cannot_be_charged_gives_grace(product: Product) -> None:
    url = product.open_checkout().json["url"]
    assert product.pay(url, FAILS_AT_RENEWAL).status_code == 200
    product.catch_up()
    due = product.billing()["subscription"]["renews_at"]
    product.advance("P1M1D")
    product.catch_up()
    billing = product.billing()
    assert (billing["subscription"]["status"], billing["access"]["state"]) == ("past_due", "grace")
    until = parse_rfc3339(due) + timedelta(days=14)
    assert billing["access"]["until"] == rfc3339(until)
