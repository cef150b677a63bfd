"""What operators, time and the customer do in the tests of plans and deals."""

import httpx

from billing.domain.times import from_epoch, rfc3339
from tests.functions.product import VISA, Product

NEEDS_3DS = "4000002760003184"
OLGA = "user-olga"


def subscribe(product: Product, card: str = VISA) -> None:
    """The card pays the first Checkout and everything after it."""
    paid = product.pay(product.open_checkout().json["url"], card, authenticate="approve")
    assert paid.status_code == 200, paid.text
    product.hear("checkout.session.completed")


def totals(product: Product) -> list[int]:
    """Of all invoices at Stripe, the newest first."""
    (customer,) = product.customers()
    listed = product.at_stripe.v1.invoices.list({"customer": customer.id, "limit": 100})
    return [each.total for each in listed.data]


def renew(product: Product) -> None:
    product.advance("P1M1D")
    product.hear("customer.subscription.updated")


def told(product: Product) -> list[tuple[str, str, str]]:
    listed = product.call("GET /support/accounts/{account_id}/history").json["items"]
    return [(each["type"], each["by"], each["reason"]) for each in listed]


def halfway(product: Product) -> None:
    """To the second between the beginning and the end of what is paid."""
    (item,) = product.subscriptions()[0].items.data
    half = from_epoch((item.current_period_start + item.current_period_end) // 2)
    answer = httpx.post(f"{product.sandbox}/sandbox/clock", json={"to": rfc3339(half)})
    assert answer.status_code == 200, answer.text


def pay_at(url: str) -> None:
    """The customer pays the invoice on its page, with another card."""
    assert httpx.post(url, data={"card": VISA}).status_code == 303
