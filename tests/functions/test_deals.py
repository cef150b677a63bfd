"""Annual slots at an agreed price, and DataUnlimited: what Support and Sales do for a team."""

from typing import Any

import pytest

from billing.adapters.stripe import deals
from tests.functions.back_office import NEEDS_3DS, OLGA, halfway, pay_at, subscribe, told, totals
from tests.functions.product import FAILS_AT_RENEWAL, Answer, Begin, Product
from tests.functions.team import invite

DEAL = "PUT /support/accounts/{account_id}/slots-deal"
UNLIMITED = "PUT /support/accounts/{account_id}/data-unlimited"
A_YEAR = 30000
"""Of one slot, as agreed on."""


@pytest.fixture
def subscribed(begin: Begin) -> Product:
    return begin("subscribed by Checkout", subscribe)


def agree(product: Product, purchased: int, price: int = A_YEAR, **more: Any) -> Answer:
    body = {"purchased": purchased, "price": price, "reason": "Agreed by mail."}
    return product.command(DEAL, body, **more)


def switch(product: Product, active: bool, *, key: str = "", **terms: Any) -> Answer:
    return product.command(UNLIMITED, {"active": active, "reason": "Sold.", **terms}, key=key)


def slots(product: Product) -> Any:
    return product.billing()["slots"]


def unlimited(product: Product) -> Any:
    entitled = product.call("GET /entitlements").json["data_unlimited"]
    shown = product.billing()["add_ons"]["data_unlimited"]
    assert entitled is (shown["status"] == "active")
    return shown


def of_kind(product: Product, kind: str) -> list[Any]:
    """Subscriptions at Stripe that live or wait for their first payment."""
    ended = ("canceled", "incomplete_expired")
    found = [each for each in product.subscriptions() if each.status not in ended]
    return [each for each in found if each.metadata and each.metadata["kind"] == kind]


def buy_monthly(product: Product, quantity: int) -> None:
    product.buy_slots_at_stripe(quantity)
    product.hear("customer.subscription.created")


def months_pass(product: Product, count: int) -> None:
    """And what Stripe says of each subscription arrives."""
    product.advance(f"P{count}MT1H")
    product.hear_of_subscriptions()


def test_annual_slots_are_charged_to_the_card_on_file(subscribed: Product) -> None:
    answer = agree(subscribed, 5)
    assert answer.status == 200, answer.text
    assert answer.json == slots(subscribed)
    shown = slots(subscribed)
    assert (shown["purchased"], shown["free"], shown["cycle"]) == (5, 5, "annual")
    assert shown["price"] == {"amount": A_YEAR, "currency": "usd"}
    assert shown["renews_at"] > subscribed.billing()["subscription"]["renews_at"]
    assert totals(subscribed) == [5 * A_YEAR, 5900]


def test_annual_slots_take_the_place_of_monthly_ones_and_nothing_is_paid_twice(
    subscribed: Product,
) -> None:
    buy_monthly(subscribed, 3)
    halfway(subscribed)
    assert agree(subscribed, 5).json["purchased"] == 5
    # A year of five, less half a month of three at 49.00.
    assert totals(subscribed) == [150000 - 7350, 14700, 5900]
    assert len(of_kind(subscribed, "slots")) == 1
    months_pass(subscribed, 3)
    assert totals(subscribed) == [5900, 5900, 5900, 142650, 14700, 5900]
    assert slots(subscribed)["purchased"] == 5


def test_annual_slots_renew_for_the_agreed_price(subscribed: Product) -> None:
    agree(subscribed, 5)
    months_pass(subscribed, 12)
    assert totals(subscribed).count(5 * A_YEAR) == 2
    assert slots(subscribed)["purchased"] == 5


def test_what_was_pending_of_the_monthly_slots_is_gone_with_them(subscribed: Product) -> None:
    buy_monthly(subscribed, 3)
    assert subscribed.command("PUT /slots", {"purchased": 0}).status == 200
    assert agree(subscribed, 3).json["pending_purchased"] is None
    months_pass(subscribed, 2)
    assert slots(subscribed)["purchased"] == 3


def test_more_annual_slots_are_had_from_support_and_charged_for_the_rest_of_the_year(
    subscribed: Product,
) -> None:
    agree(subscribed, 5)
    assert subscribed.command("PUT /slots", {"purchased": 7}).code == "contact_support"
    assert agree(subscribed, 7).json["purchased"] == 7
    assert totals(subscribed) == [2 * A_YEAR, 5 * A_YEAR, 5900]


def test_fewer_annual_slots_come_with_their_renewal(subscribed: Product) -> None:
    agree(subscribed, 3)
    answer = agree(subscribed, 1).json
    assert (answer["purchased"], answer["pending_purchased"], answer["free"]) == (3, 1, 1)
    assert totals(subscribed) == [3 * A_YEAR, 5900]
    assert invite(subscribed).status == 201
    assert invite(subscribed, "ben@acme.test").code == "no_free_slot"
    months_pass(subscribed, 12)
    shown = slots(subscribed)
    assert (shown["purchased"], shown["pending_purchased"]) == (1, None)
    assert totals(subscribed).count(A_YEAR) == 1


def test_fewer_annual_slots_than_are_in_use_are_refused_with_who_uses_them(
    subscribed: Product,
) -> None:
    agree(subscribed, 3)
    invite(subscribed)
    invite(subscribed, "ben@acme.test")
    answer = agree(subscribed, 1)
    assert (answer.status, answer.code) == (409, "slots_in_use")
    assert {each["email"] for each in answer.json["members"]} == {"mia@acme.test", "ben@acme.test"}
    assert slots(subscribed)["pending_purchased"] is None


def test_a_lower_price_holds_from_the_renewal_and_can_be_taken_back(subscribed: Product) -> None:
    agree(subscribed, 2)
    assert agree(subscribed, 2, 20000).json["price"]["amount"] == A_YEAR
    assert totals(subscribed) == [2 * A_YEAR, 5900]
    agree(subscribed, 2)
    assert all(each.schedule is None for each in of_kind(subscribed, "slots"))


def test_the_same_deal_under_the_same_key_is_one_deal(subscribed: Product) -> None:
    first = agree(subscribed, 5, key="one")
    assert agree(subscribed, 5, key="one").json == first.json
    assert agree(subscribed, 6, key="one").code == "idempotency_key_reused"
    another = agree(subscribed, 5, key="one", claims={"sub": "user-omar"})
    assert another.code == "idempotency_key_reused"
    assert agree(subscribed, 5, key="two").json == first.json
    assert totals(subscribed) == [5 * A_YEAR, 5900]


def test_a_deal_whose_answer_was_lost_is_charged_once(subscribed: Product) -> None:
    subscribed.order_faults([("POST", "/v1/subscriptions", "timeout_after")] * 3)
    assert agree(subscribed, 5, key="one").code == "stripe_unavailable"
    assert agree(subscribed, 5, key="one").json["purchased"] == 5
    assert totals(subscribed) == [5 * A_YEAR, 5900]
    assert len(of_kind(subscribed, "slots")) == 1


def test_a_failure_that_stripe_keeps_under_the_key_keeps_nobody_from_a_deal(
    subscribed: Product,
) -> None:
    subscribed.order_faults([("POST", "/v1/subscriptions", "500")])
    assert agree(subscribed, 5).json["purchased"] == 5
    assert totals(subscribed) == [5 * A_YEAR, 5900]


@pytest.mark.parametrize(("other", "status"), [(5, 200), (6, 503)])
def test_two_operators_at_once_make_one_deal(
    subscribed: Product, monkeypatch: pytest.MonkeyPatch, other: int, status: int
) -> None:
    """The second is done wholly between the first one's look at Stripe and its order."""
    whole = deals._create
    faster: list[Answer] = []

    def overtaken(*given: Any) -> Any:
        if not faster:
            monkeypatch.setattr(deals, "_create", whole)
            faster.append(agree(subscribed, other))
        return whole(*given)

    monkeypatch.setattr(deals, "_create", overtaken)
    assert agree(subscribed, 5).status == status
    assert faster[0].status == 200
    assert len(of_kind(subscribed, "slots")) == 1
    assert totals(subscribed) == [other * A_YEAR, 5900]


def test_a_deal_waits_for_the_managers_own_order_of_slots(product: Product) -> None:
    subscribe(product, NEEDS_3DS)
    assert product.command("PUT /slots", {"purchased": 2}).status == 402
    answer = agree(product, 5)
    assert (answer.status, answer.code) == (409, "slots_changing")


def test_annual_slots_count_only_once_they_are_paid(product: Product) -> None:
    subscribe(product, NEEDS_3DS)
    answer = agree(product, 5, key="one")
    assert (answer.status, answer.code) == (402, "action_needed")
    assert slots(product)["purchased"] == 0
    assert agree(product, 5, key="two").json["url"] == answer.json["url"]
    pay_at(answer.json["url"])
    assert agree(product, 5, key="one").json["purchased"] == 5
    assert totals(product) == [5 * A_YEAR, 5900]


def test_another_deal_takes_the_place_of_one_that_nobody_has_paid(product: Product) -> None:
    subscribe(product, NEEDS_3DS)
    agree(product, 5)
    pay_at(agree(product, 6).json["url"])
    product.hear("customer.subscription.updated")
    assert slots(product)["purchased"] == 6
    assert len(of_kind(product, "slots")) == 1


def test_monthly_slots_stay_until_the_annual_ones_are_paid(product: Product) -> None:
    subscribe(product)
    buy_monthly(product, 3)
    want_the_bank_asked(product)
    answer = agree(product, 5)
    assert answer.status == 402
    product.hear("customer.subscription.updated")
    assert (slots(product)["purchased"], slots(product)["cycle"]) == (3, "monthly")
    pay_at(answer.json["url"])
    product.hear("customer.subscription.updated")
    assert (slots(product)["purchased"], slots(product)["cycle"]) == (5, "annual")


def want_the_bank_asked(product: Product) -> None:
    """From now on the card is one that asks the bank each time."""
    page = product.command("POST /subscription/card").json["url"]
    assert product.pay(page, NEEDS_3DS, authenticate="approve").status_code == 200
    product.hear("checkout.session.completed")


def test_a_deal_needs_a_subscription_that_goes_on(product: Product) -> None:
    product.billing()
    assert switch(product, False).json["status"] == "none"
    assert agree(product, 5).code == "not_subscribed"
    assert switch(product, True).code == "not_subscribed"
    subscribe(product)
    product.command("POST /subscription/cancel")
    assert agree(product, 5).code == "subscription_ending"
    assert switch(product, True).code == "subscription_ending"


def test_a_deal_is_told_with_who_made_it_and_why(subscribed: Product) -> None:
    agree(subscribed, 5)
    switch(subscribed, True)
    switch(subscribed, False)
    lines = told(subscribed)
    assert ("slots.deal_agreed", OLGA, "Agreed by mail.") in lines
    assert ("slots.started", OLGA, "Agreed by mail.") in lines
    assert ("add_on.switched_on", OLGA, "Sold.") in lines
    assert ("add_on.switched_off", OLGA, "Sold.") in lines
    (deal,) = of_kind(subscribed, "slots")
    assert deal.metadata["reason"] == "Agreed by mail."
    assert deal.metadata["changed_by"] == OLGA
    (add_on,) = of_kind(subscribed, "add_on")
    assert add_on.cancellation_details.comment == "Sold."


def test_data_unlimited_is_billed_to_the_card_on_file_at_the_catalog_s_price(
    subscribed: Product,
) -> None:
    answer = switch(subscribed, True)
    assert answer.status == 200, answer.text
    assert answer.json == unlimited(subscribed)
    shown = unlimited(subscribed)
    assert (shown["status"], shown["cycle"], shown["price"]["amount"]) == (
        "active",
        "monthly",
        29900,
    )
    assert totals(subscribed) == [29900, 5900]
    months_pass(subscribed, 1)
    assert sorted(totals(subscribed)) == [5900, 5900, 29900, 29900]


def test_other_terms_of_data_unlimited_hold_from_its_renewal(subscribed: Product) -> None:
    switch(subscribed, True)
    switch(subscribed, True, cycle="annual", price=99000)
    assert unlimited(subscribed)["cycle"] == "monthly"
    months_pass(subscribed, 1)
    assert unlimited(subscribed)["price"]["amount"] == 99000
    assert sorted(totals(subscribed)) == [5900, 5900, 29900, 99000]


def test_data_unlimited_off_ends_with_what_is_paid_and_is_never_billed_again(
    subscribed: Product,
) -> None:
    renews_at = switch(subscribed, True).json["renews_at"]
    off = switch(subscribed, False).json
    assert (off["status"], off["renews_at"], off["ends_at"]) == ("active", None, renews_at)
    months_pass(subscribed, 1)
    assert unlimited(subscribed)["status"] == "none"
    assert sorted(totals(subscribed)) == [5900, 5900, 29900]


def test_data_unlimited_goes_on_where_it_is_switched_on_before_its_end(
    subscribed: Product,
) -> None:
    switch(subscribed, True)
    switch(subscribed, False)
    assert switch(subscribed, True).json["ends_at"] is None
    months_pass(subscribed, 1)
    assert sorted(totals(subscribed)) == [5900, 5900, 29900, 29900]


def test_data_unlimited_means_nothing_before_it_is_paid(product: Product) -> None:
    subscribe(product, NEEDS_3DS)
    answer = switch(product, True)
    assert (answer.status, unlimited(product)["status"]) == (402, "none")
    assert switch(product, False).status == 200
    assert of_kind(product, "add_on") == []


def test_no_invoice_after_a_cancellation_at_period_end_for_slots_and_add_on_neither(
    subscribed: Product,
) -> None:
    agree(subscribed, 2)
    switch(subscribed, True, cycle="quarterly")
    ends = subscribed.command("POST /subscription/cancel").json["ends_at"]
    assert (slots(subscribed)["renews_at"], unlimited(subscribed)["ends_at"]) == (None, ends)
    before = totals(subscribed)
    months_pass(subscribed, 14)
    assert totals(subscribed) == before
    assert {each.status for each in subscribed.subscriptions()} == {"canceled"}
    assert unlimited(subscribed)["status"] == "none"


def test_keep_brings_back_what_ended_with_the_base_and_not_what_was_switched_off(
    subscribed: Product,
) -> None:
    agree(subscribed, 2)
    switch(subscribed, True, cycle="annual")
    own_end = switch(subscribed, False).json["ends_at"]
    base_end = subscribed.command("POST /subscription/cancel").json["ends_at"]
    assert unlimited(subscribed)["ends_at"] == base_end < own_end
    subscribed.command("POST /subscription/resume")
    assert slots(subscribed)["renews_at"] is not None
    assert unlimited(subscribed)["ends_at"] == own_end


def test_data_unlimited_off_while_the_base_ends_ends_no_later_than_that(
    subscribed: Product,
) -> None:
    switch(subscribed, True, cycle="annual")
    ends = subscribed.command("POST /subscription/cancel").json["ends_at"]
    assert switch(subscribed, False).json["ends_at"] == ends
    subscribed.command("POST /subscription/resume")
    own_end = unlimited(subscribed)["ends_at"]
    assert own_end > ends
    assert switch(subscribed, True).json["ends_at"] is None


def test_what_is_unpaid_of_an_add_on_is_not_asked_for_after_a_cancellation(
    subscribed: Product,
) -> None:
    switch(subscribed, True, cycle="monthly")
    card = subscribed.command("POST /subscription/card").json["url"]
    assert subscribed.pay(card, FAILS_AT_RENEWAL).status_code == 200
    (add_on,) = of_kind(subscribed, "add_on")
    bad = subscribed.at_stripe.v1.payment_methods.list({"customer": str(add_on.customer)}).data[0]
    subscribed.at_stripe.v1.subscriptions.update(add_on.id, {"default_payment_method": bad.id})
    months_pass(subscribed, 1)
    subscribed.command("POST /subscription/cancel")
    (customer,) = subscribed.customers()
    listed = subscribed.at_stripe.v1.invoices.list({"customer": customer.id, "status": "open"})
    assert listed.data == []
    assert unlimited(subscribed)["status"] == "none"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purchased": 0}, "purchased"),
        ({"purchased": 1001}, "purchased"),
        ({"purchased": True}, "purchased"),
        ({"purchased": 1.5}, "purchased"),
        ({"price": 0}, "price"),
        ({"price": -1}, "price"),
        ({"price": "300"}, "price"),
        ({"currency": "usd"}, "currency"),
        ({"reason": " "}, "reason"),
    ],
)
def test_what_is_no_deal_is_refused(product: Product, changes: Any, field: str) -> None:
    body = {"purchased": 5, "price": A_YEAR, "reason": "Agreed.", **changes}
    answer = product.command(DEAL, body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize(
    ("terms", "field"),
    [({"active": "yes"}, "active"), ({"price": 0}, "price"), ({"reason": ""}, "reason")],
)
def test_a_decision_about_data_unlimited_that_is_none_is_refused(
    product: Product, terms: Any, field: str
) -> None:
    answer = product.command(UNLIMITED, {"active": True, "reason": "Sold.", **terms})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
