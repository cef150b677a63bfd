"""What a manager does about slots, and what Stripe has of it."""

from typing import Any

import httpx
import stripe

from billing.adapters.stripe.snapshots import noted
from tests.functions.product import VISA, Answer, Product

ALWAYS_3DS = "4000002760003184"


def subscribe(product: Product, card: str = VISA) -> None:
    """An account with a subscription and without slots."""
    paid = product.pay(product.open_checkout().json["url"], card, authenticate="approve")
    assert paid.status_code == 200, paid.text
    [completed] = product.happened("checkout.session.completed")
    assert product.record(completed) == []


def subscribe_in_yen(product: Product, price: int, quantity: int) -> int:
    """A team that Sales brought in: its subscription and its slots are in yen, at `price` each.
    Returns what was charged for the slots."""
    assert product.open_checkout().status == 201
    customer, at_stripe = product.customers()[0].id, product.at_stripe.v1
    card = at_stripe.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    for kind, count in (("subscription", 1), ("slots", quantity)):
        made = at_stripe.prices.create(
            {
                "currency": "jpy",
                "unit_amount": price,
                "product": "slot" if kind == "slots" else "starter",
                "recurring": {"interval": "month"},
            }
        )
        at_stripe.subscriptions.create(
            {
                "customer": customer,
                "items": [{"price": made.id, "quantity": count}],
                "default_payment_method": card,
                "metadata": {"account_id": product.account, "kind": kind},
            }
        )
    product.catch_up()
    [charged] = invoices(product)
    return charged


def preview(product: Product, purchased: Any) -> Answer:
    return product.call("POST /slots/preview", body={"purchased": purchased})


def put(product: Product, purchased: Any, quote: str | None = None, **more: Any) -> Answer:
    body = {"purchased": purchased} | ({} if quote is None else {"quote": quote})
    return product.command("PUT /slots", body, **more)


def quoted(product: Product, purchased: int) -> str:
    answer = preview(product, purchased)
    assert answer.status == 200, answer.text
    return str(answer.json["quote"])


def bought(product: Product, purchased: int) -> None:
    answer = put(product, purchased)
    assert (answer.status, answer.json["purchased"]) == (200, purchased), answer.text


def shown(product: Product) -> tuple[int, int | None]:
    """How many are paid for, and how many will be."""
    slots = product.billing()["slots"]
    return slots["purchased"], slots["pending_purchased"]


def invoices(product: Product, status: str = "paid") -> list[int]:
    """What Stripe billed for slots, the oldest first."""
    wanted: Any = {"customer": product.customers()[0].id, "status": status, "limit": 100}
    found = [
        each.total
        for each in product.at_stripe.v1.invoices.list(wanted).data
        if each.parent and noted(each.parent.subscription_details, "kind") == "slots"
    ]
    return found[::-1]


def at_stripe(product: Product) -> list[tuple[str, int]]:
    """Every slots subscription there is or was: its status and number."""
    found = [each for each in product.subscriptions() if noted(each, "kind") == "slots"]
    return [(each.status, each["items"].data[0].quantity) for each in found]


def approve(product: Product, url: str) -> None:
    """The customer pays the invoice behind `url`, and the bank agrees."""
    try:
        product.at_stripe.v1.invoices.pay(url.rsplit("/", 1)[1])
    except stripe.CardError as error:
        intent: Any = error.error
        page = intent.payment_intent.next_action.redirect_to_url.url
        assert httpx.post(page, data={"answer": "approve"}).status_code < 400
