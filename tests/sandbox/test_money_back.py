"""Refunds and disputes, asked for by the shop or happening outside."""

from typing import Any

import pytest
import stripe

from tests.sandbox.shop import Shop


def sold(shop: Shop) -> str:
    """The payment intent of a package of 49.00."""
    opened = shop.checkout("payment", payment_intent_data={"metadata": {"account": "acme"}})
    return str(shop.pay(opened.id).json()["intent"])


def charge(shop: Shop, intent: str) -> Any:
    found = shop.stripe.payment_intents.retrieve(intent, {"expand": ["latest_charge.refunds"]})
    return found.latest_charge


def types(shop: Shop, number: int) -> list[str]:
    """Of the newest events, oldest first."""
    return [str(e.type) for e in shop.stripe.events.list({"limit": number}).data][::-1]


def test_refunds_add_up_until_all_is_given_back(shop: Shop) -> None:
    intent = sold(shop)
    shop.stripe.refunds.create({"payment_intent": intent, "amount": 900})
    assert (charge(shop, intent).amount_refunded, charge(shop, intent).refunded) == (900, False)
    assert shop.order(f"payments/{intent}/refund", {}).json()["amount"] == 4000
    found = charge(shop, intent)
    assert (found.amount_refunded, found.refunded) == (4900, True)
    assert [refund.amount for refund in found.refunds.data] == [4000, 900]
    assert types(shop, 2) == ["refund.created", "charge.refunded"]
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        shop.stripe.refunds.create({"payment_intent": intent})


@pytest.mark.parametrize("amount", [0, 4901])
def test_no_more_is_refunded_than_was_paid(shop: Shop, amount: int) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="unrefunded amount"):
        shop.stripe.refunds.create({"payment_intent": sold(shop), "amount": amount})


def test_what_was_not_paid_is_not_refunded(shop: Shop) -> None:
    opened = shop.checkout("payment")
    shop.pay(opened.id, "4000000000000002")
    intent: Any = shop.stripe.checkout.sessions.retrieve(opened.id).payment_intent
    assert shop.order(f"payments/{intent}/refund", {}).status_code == 400


def test_a_refund_that_fails_is_taken_back(shop: Shop) -> None:
    intent = sold(shop)
    failed = shop.order(f"payments/{intent}/refund", {"amount": 900, "fail": True}).json()
    assert failed["status"] == "failed"
    assert charge(shop, intent).amount_refunded == 0
    assert "refund.failed" in types(shop, 3)


def test_a_refund_may_fail_later(shop: Shop) -> None:
    intent = sold(shop)
    assert shop.order(f"payments/{intent}/fail-refund", {}).status_code == 400
    for amount in (900, 1000):
        shop.order(f"payments/{intent}/refund", {"amount": amount})
    failed = shop.order(f"payments/{intent}/fail-refund", {}).json()
    assert (failed["status"], failed["amount"]) == ("failed", 1000)
    assert charge(shop, intent).amount_refunded == 900


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("won", ["charge.dispute.funds_reinstated", "charge.dispute.closed"]),
        ("lost", ["charge.dispute.updated", "charge.dispute.closed"]),
    ],
)
def test_a_dispute_is_opened_and_then_won_or_lost(
    shop: Shop, outcome: str, told: list[str]
) -> None:
    intent = sold(shop)
    opened = shop.order(f"payments/{intent}/dispute", {}).json()
    assert (opened["status"], opened["amount"]) == ("needs_response", 4900)
    assert types(shop, 2) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert charge(shop, intent).disputed is True
    closed = shop.order(f"payments/{intent}/dispute", {"outcome": outcome}).json()
    assert (closed["id"], closed["status"]) == (opened["id"], outcome)
    assert types(shop, 2) == told
    [listed] = shop.stripe.disputes.list({"payment_intent": intent}).data
    assert listed.status == outcome


def test_a_dispute_covers_what_was_not_refunded(shop: Shop) -> None:
    intent = sold(shop)
    shop.order(f"payments/{intent}/refund", {"amount": 900})
    assert shop.order(f"payments/{intent}/dispute", {}).json()["amount"] == 4000


def test_a_disputed_charge_is_refunded_only_once_won(shop: Shop) -> None:
    intent = sold(shop)
    shop.order(f"payments/{intent}/dispute", {})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.stripe.refunds.create({"payment_intent": intent})
    assert refused.value.code == "charge_disputed"
    shop.order(f"payments/{intent}/dispute", {"outcome": "won"})
    assert shop.stripe.refunds.create({"payment_intent": intent}).status == "succeeded"


def test_a_charge_is_disputed_once(shop: Shop) -> None:
    intent = sold(shop)
    shop.order(f"payments/{intent}/dispute", {"outcome": "lost"})
    assert shop.order(f"payments/{intent}/dispute", {}).status_code == 400
