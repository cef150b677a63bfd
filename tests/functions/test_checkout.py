"""POST /subscription/checkout."""

from typing import Any
from unittest.mock import patch

import pytest

from billing.adapters.stripe import gateway
from billing.adapters.stripe.client import client, our_errors
from billing.adapters.stripe.snapshots import noted
from billing.domain.account import Account
from billing.domain.errors import Unavailable
from tests.functions.product import BANK_DEBIT, Product
from tests.planted import caught


def test_the_manager_gets_a_page_to_pay_on(product: Product) -> None:
    answer = product.open_checkout()
    assert answer.status == 201
    assert answer.json["url"].startswith(product.sandbox)
    assert answer.json["expires_at"].endswith("Z")


def test_the_page_asks_for_the_catalogs_price(product: Product) -> None:
    product.open_checkout(plan="business", cycle="annual", extra={"currency": "eur"})
    session = product.at_stripe.v1.checkout.sessions.list({"limit": 1}).data[0]
    assert (session.amount_total, session.currency) == (87600, "eur")
    assert noted(session, "account_id") == product.account


def test_the_same_key_and_body_get_the_first_answer_again(product: Product) -> None:
    first = product.open_checkout("one")
    assert product.open_checkout("one").json == first.json


def test_the_same_key_with_another_body_is_a_conflict(product: Product) -> None:
    product.open_checkout("one")
    again = product.open_checkout("one", cycle="annual")
    assert (again.status, again.code) == (409, "idempotency_key_reused")


def test_a_second_tab_gets_the_first_ones_checkout(product: Product) -> None:
    first = product.open_checkout("tab 1")
    second = product.open_checkout("tab 2")
    assert (second.status, second.json) == (201, first.json)


def test_two_checkout_tabs_one_customer_one_live_subscription(product: Product) -> None:
    first = product.open_checkout("tab 1").json["url"]
    second = product.open_checkout("tab 2", cycle="annual").json["url"]
    assert product.pay(second).status_code == 200
    assert product.pay(first).status_code != 200
    assert len(product.customers()) == 1
    customer = product.customers()[0].id
    assert len(product.at_stripe.v1.subscriptions.list({"customer": customer}).data) == 1


def test_another_choice_closes_the_first_page(product: Product) -> None:
    first = product.open_checkout("tab 1").json["url"]
    product.open_checkout("tab 2", cycle="quarterly")
    session = product.at_stripe.v1.checkout.sessions.retrieve(first.rsplit("/", 1)[1])
    assert session.status == "expired"


def test_another_choice_while_the_first_is_just_being_paid_is_a_conflict(product: Product) -> None:
    product.subscribe()
    late = product.open_checkout("tab 2", cycle="annual")
    assert (late.status, late.code) == (409, "checkout_completing")


def test_a_page_that_was_paid_stays_in_the_way_until_its_outcome_is_on_record(
    product: Product,
) -> None:
    product.subscribe()
    product.open_checkout("tab 2", cycle="annual")
    late = product.open_checkout("tab 3", cycle="annual")
    assert (late.status, late.code) == (409, "checkout_completing")
    product.catch_up()
    again = product.open_checkout("tab 4", cycle="annual")
    assert (again.status, again.code) == (409, "already_subscribed")


def test_a_page_that_was_paid_is_in_the_way_no_longer_once_what_it_bought_has_ended(
    product: Product,
) -> None:
    product.subscribe()
    product.open_checkout("tab 2", cycle="annual")
    product.catch_up()
    (bought,) = product.subscriptions()
    product.at_stripe.v1.subscriptions.cancel(bought.id)
    product.catch_up()
    assert product.open_checkout("tab 3", cycle="annual").status == 201


def test_a_page_whose_debit_failed_is_in_the_way_no_longer(product: Product) -> None:
    page = product.open_checkout().json["url"]
    intent = product.pay(page, BANK_DEBIT).json()["intent"]
    product.open_checkout("tab 2", cycle="annual")
    product.catch_up()
    assert product.open_checkout("tab 3", cycle="annual").code == "checkout_completing"
    product.settle(intent, succeed=False)
    product.catch_up()
    assert product.open_checkout("tab 4", cycle="annual").status == 201


def test_the_same_choice_while_it_is_just_being_paid_is_a_conflict(product: Product) -> None:
    product.subscribe()
    late = product.open_checkout("tab 2")
    assert (late.status, late.code) == (409, "checkout_completing")


def test_a_subscribed_account_is_refused(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    again = product.open_checkout("again")
    assert (again.status, again.code) == (409, "already_subscribed")


def test_an_expired_page_makes_room_for_a_new_one(product: Product) -> None:
    first = product.open_checkout("one").json["url"]
    product.at_stripe.v1.checkout.sessions.expire(first.rsplit("/", 1)[1])
    product.catch_up()
    assert product.billing()["subscription"]["checkout"] is None
    assert product.open_checkout("two").json["url"] != first


@pytest.mark.parametrize("cut_off_after", ["create_customer", "open_checkout"])
def test_a_request_that_was_cut_off_is_finished_by_its_repetition(
    product: Product, monkeypatch: pytest.MonkeyPatch, cut_off_after: str
) -> None:
    whole = getattr(gateway, cut_off_after)

    def cut_off(*args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        raise Unavailable("stripe_unavailable", "The answer was lost.", 5)

    with monkeypatch.context() as patch:
        patch.setattr(gateway, cut_off_after, cut_off)
        lost = product.open_checkout("one")
        assert (lost.status, lost.code, lost.headers["retry-after"]) == (
            503,
            "stripe_unavailable",
            "5",
        )
    assert product.open_checkout("one").status == 201
    assert len(product.customers()) == 1
    sessions = product.at_stripe.v1.checkout.sessions.list({"customer": product.customers()[0].id})
    assert len(sessions.data) == 1


def test_another_choice_after_a_cut_off_request_closes_what_it_left_at_stripe(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gateway.open_checkout

    def cut_off(*args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        raise Unavailable("stripe_unavailable", "The answer was lost.", 5)

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "open_checkout", cut_off)
        product.open_checkout("one")
    assert product.open_checkout("two", cycle="annual").status == 201
    customer = product.customers()[0].id
    sessions = product.at_stripe.v1.checkout.sessions.list({"customer": customer}).data
    assert sorted(str(session.status) for session in sessions) == ["expired", "open"]


def test_a_customer_made_by_a_try_of_long_ago_is_found_again(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gateway.create_customer

    def cut_off(*args: Any) -> None:
        whole(*args)
        raise Unavailable("stripe_unavailable", "The answer was lost.", 5)

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "create_customer", cut_off)
        product.open_checkout("one")
    product.advance("P2D")
    monkeypatch.setattr(gateway, "create_customer", None)
    assert product.open_checkout("two").status == 201
    assert len(product.customers()) == 1


def test_a_key_whose_checkout_was_replaced_meanwhile_says_so(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*args: Any, **kwargs: Any) -> None:
        raise Unavailable("stripe_unavailable", "No answer.", 5)

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "open_checkout", lost)
        product.open_checkout("one")
    product.open_checkout("two", cycle="annual")
    again = product.open_checkout("one")
    assert (again.status, again.code) == (409, "checkout_expired")


def test_a_price_that_is_not_at_stripe_yet_is_told(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unapplied(lookup_key: str) -> str:
        raise Unavailable("catalog_not_applied", "This price is not for sale yet.", 60)

    monkeypatch.setattr(gateway, "price_id", unapplied)
    assert product.open_checkout().code == "catalog_not_applied"


def test_a_timeout_with_unknown_outcome_and_another_try_make_one_charge(product: Product) -> None:
    """Stripe does it each time and the answer is lost each time, also the library's own tries."""
    product.order_faults([("POST", "/v1/checkout/sessions", "timeout_after")] * 3)
    lost = product.open_checkout("one")
    assert (lost.status, lost.code) == (503, "stripe_unavailable")
    url = product.open_checkout("one").json["url"]
    assert product.pay(url).status_code == 200
    customer = product.customers()[0].id
    assert len(product.at_stripe.v1.checkout.sessions.list({"customer": customer}).data) == 1
    assert len(product.at_stripe.v1.charges.list({"customer": customer}).data) == 1


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/checkout/sessions"])
def test_a_failure_that_stripe_keeps_under_the_key_does_not_lock_the_account_out(
    product: Product, path: str
) -> None:
    product.order_faults([("POST", path, "500")])
    assert product.open_checkout("one").code == "stripe_unavailable"
    assert product.open_checkout("one").status == 201
    assert len(product.customers()) == 1


def test_a_manager_whose_address_changed_meanwhile_makes_no_second_customer(
    product: Product,
) -> None:
    product.order_faults([("POST", "/v1/customers", "timeout_after")] * 3)
    assert product.open_checkout("one").code == "stripe_unavailable"
    renamed: dict[str, str | None] = {"email": "ana.new@acme.test"}
    for _ in range(2):
        opened = product.open_checkout("one", claims=renamed)
    assert opened.status == 201
    assert len(product.customers()) == 1


def test_two_accounts_whose_manager_has_one_address_are_two_customers(product: Product) -> None:
    """Who manages two teams signs in to both with it."""
    other = product.beside(f"{product.account}-2")
    for each in (product, other):
        opened = each.open_checkout(claims={"email": "ana@acme.test"})
        assert opened.status == 201, opened.text
        [customer] = each.customers()
        assert customer.email == "ana@acme.test"


def test_a_reservation_whose_parameters_changed_meanwhile_is_opened_all_the_same(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.order_faults([("POST", "/v1/checkout/sessions", "timeout_after")] * 3)
    assert product.open_checkout("one").code == "stripe_unavailable"
    monkeypatch.setattr("checkout._AUTOMATIC_TAX", True)
    assert product.open_checkout("one").code == "stripe_unavailable"
    assert product.open_checkout("one").status == 201


def test_who_loses_the_reservation_closes_nobodys_page(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second choice takes the reservation over just before the first asks Stripe."""
    whole = gateway.open_checkout
    others: list[str] = []

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        if not others:
            others.append("")
            others[0] = product.open_checkout("two", cycle="annual").json["url"]
        return whole(*args, **kwargs)

    monkeypatch.setattr(gateway, "open_checkout", overtaken)
    assert product.open_checkout("one").code == "checkout_expired"
    assert product.pay(others[0]).status_code == 200


def test_the_page_of_a_customer_deleted_at_stripe_is_not_handed_out_again(
    product: Product,
) -> None:
    first = product.open_checkout("one").json["url"]
    product.at_stripe.v1.customers.delete(product.customers()[0].id)
    product.catch_up()
    assert product.open_checkout("two").json["url"] != first


def _named_by_its_address(account: Account) -> str:
    wanted: Any = {"email": account.email, "metadata": {"account_id": account.id}}
    with our_errors():
        key = f"customer-{account.email}"
        return client().v1.customers.create(wanted, {"idempotency_key": key}).id


test_a_customer_named_by_its_address_is_seen = caught(
    test_two_accounts_whose_manager_has_one_address_are_two_customers,
    patch.object(gateway, "create_customer", _named_by_its_address),
)
