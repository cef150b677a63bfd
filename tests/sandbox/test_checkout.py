"""Checkout sessions, through the orders and through the pages."""

import re
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.shop import Shop


def session(shop: Shop, id: str, *expand: str) -> Any:
    return shop.stripe.checkout.sessions.retrieve(id, {"expand": list(expand)})


def submit(shop: Shop, path: str, **fields: str) -> httpx.Response:
    """Send a page's form; no redirect is followed."""
    return shop.http.post(f"{shop.base}{path}", data=fields)


def test_nothing_exists_before_the_customer_pays(shop: Shop) -> None:
    customer = shop.customer()
    opened = shop.checkout(customer=customer)
    assert (opened.status, opened.payment_status) == ("open", "unpaid")
    assert opened.subscription is None
    assert opened.invoice is None
    assert shop.stripe.subscriptions.list({"customer": customer}).data == []
    assert shop.stripe.invoices.list({"customer": customer}).data == []


def test_a_paid_subscription_has_its_invoice_card_and_metadata(shop: Shop) -> None:
    opened = shop.checkout(
        customer=shop.customer(),
        client_reference_id="acme",
        metadata={"account_id": "acme"},
        subscription_data={"metadata": {"account_id": "acme", "kind": "base"}},
        automatic_tax={"enabled": True},
        tax_id_collection={"enabled": True},
        customer_update={"address": "auto", "name": "auto"},
    )
    shop.pay(opened.id, name="Acme GmbH", country="AT")
    done = session(shop, opened.id, "subscription.default_payment_method", "invoice", "customer")
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.metadata.account_id == "acme"
    assert done.subscription.status == "active"
    assert done.subscription.metadata.to_dict() == {"account_id": "acme", "kind": "base"}
    assert done.subscription.default_payment_method.card.last4 == "4242"
    assert done.invoice.status == "paid"
    assert done.invoice.automatic_tax.status == "complete"
    assert done.invoice.parent.subscription_details.metadata.kind == "base"
    assert done.invoice.total == done.amount_total == 4900
    assert re.fullmatch(r"[A-Z0-9]{8}-0001", done.invoice.number)
    assert (done.customer.name, done.customer.address.country) == ("Acme GmbH", "AT")
    assert done.customer.invoice_settings.default_payment_method is None


def test_a_customer_is_made_where_none_was_named(shop: Shop) -> None:
    opened = shop.checkout(customer_email="new@acme.test")
    paid = shop.pay(opened.id).json()
    assert shop.stripe.customers.retrieve(paid["customer"]).email == "new@acme.test"


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000000069", "expired_card", None),
        ("4000000000000127", "incorrect_cvc", None),
        ("4000000000000119", "processing_error", None),
        ("4111111111111111", "card_declined", "test_mode_live_card"),
        ("4242424242424241", "incorrect_number", None),
    ],
)
def test_a_refused_card_leaves_the_session_open(
    shop: Shop, card: str, code: str, decline_code: str | None
) -> None:
    opened = shop.checkout(customer=shop.customer())
    refused = shop.pay(opened.id, card)
    assert refused.status_code == 402
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("card_error", code)
    assert error.get("decline_code") == decline_code
    assert session(shop, opened.id).status == "open"
    assert shop.pay(opened.id).status_code == 200


@pytest.mark.parametrize("card", ["4000002500003155", "4000002760003184"])
def test_three_d_secure_waits_for_the_bank(shop: Shop, card: str) -> None:
    opened = shop.checkout(customer=shop.customer())
    asked = shop.pay(opened.id, card).json()
    assert asked["status"] == "requires_action"
    assert session(shop, opened.id).status == "open"
    page = shop.http.get(asked["url"])
    assert "Approve" in page.text
    answered = shop.http.post(asked["url"], data={"answer": "approve"})
    assert answered.status_code == 303
    assert answered.headers["location"] == f"http://127.0.0.1:9/done?session={opened.id}"
    assert session(shop, opened.id).payment_status == "paid"


def test_a_bank_that_does_not_approve_leads_back_with_the_reason(shop: Shop) -> None:
    opened = shop.checkout(customer=shop.customer())
    asked = shop.pay(opened.id, "4000002760003184").json()
    answered = shop.http.post(asked["url"], data={"answer": "fail"})
    page = shop.http.get(f"{shop.base}{answered.headers['location']}")
    assert "We are unable to authenticate your payment method." in page.text
    assert session(shop, opened.id).status == "open"


@pytest.mark.parametrize(("answer", "status"), [("approve", 200), ("fail", 402)])
def test_an_order_can_answer_the_bank_at_once(shop: Shop, answer: str, status: int) -> None:
    opened = shop.checkout(customer=shop.customer())
    paid = shop.pay(opened.id, "4000002500003155", authenticate=answer)
    assert paid.status_code == status


@pytest.mark.parametrize("succeed", [True, False])
def test_a_debit_completes_unpaid_and_settles_later(shop: Shop, succeed: bool) -> None:
    opened = shop.checkout(customer=shop.customer())
    paid = shop.pay(opened.id, "000123456789").json()
    assert (paid["session_status"], paid["payment_status"]) == ("complete", "unpaid")
    subscription = shop.stripe.subscriptions.retrieve(paid["subscription"])
    assert subscription.status == "incomplete"
    settled = shop.order(f"payments/{paid['intent']}/settle", {"succeed": succeed})
    assert settled.status_code == 200
    done = session(shop, opened.id, "subscription", "invoice")
    assert done.payment_status == ("paid" if succeed else "unpaid")
    assert done.subscription.status == ("active" if succeed else "incomplete")
    assert done.invoice.status == ("paid" if succeed else "open")
    told = "succeeded" if succeed else "failed"
    types = [event.type for event in shop.stripe.events.list({"limit": 20}).data]
    assert f"checkout.session.async_payment_{told}" in types


def test_a_settled_payment_cannot_settle_again(shop: Shop) -> None:
    paid = shop.pay(shop.checkout(customer=shop.customer()).id, "000123456789").json()
    shop.order(f"payments/{paid['intent']}/settle", {"succeed": True})
    again = shop.order(f"payments/{paid['intent']}/settle", {"succeed": True})
    assert again.status_code == 400


def test_a_payment_carries_its_metadata_to_the_intent_the_charge_and_the_invoice(
    shop: Shop,
) -> None:
    opened = shop.checkout(
        "payment",
        customer=shop.customer(),
        metadata={"on": "session"},
        payment_intent_data={"metadata": {"on": "intent"}},
        invoice_creation={"enabled": True, "invoice_data": {"metadata": {"on": "invoice"}}},
    )
    shop.pay(opened.id)
    done = session(shop, opened.id, "payment_intent.latest_charge", "invoice")
    assert done.metadata.on == "session"
    assert done.payment_intent.metadata.on == "intent"
    assert done.payment_intent.latest_charge.metadata.on == "intent"
    assert (done.invoice.status, done.invoice.metadata.on) == ("paid", "invoice")
    found = shop.stripe.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": done.payment_intent.id}}
    ).data
    assert [payment.invoice for payment in found] == [done.invoice.id]


def test_a_setup_keeps_a_card_and_charges_nothing(shop: Shop) -> None:
    customer = shop.customer()
    opened = shop.checkout("setup", customer=customer, setup_intent_data={"metadata": {"a": "b"}})
    assert opened.payment_status == "no_payment_required"
    shop.pay(opened.id, "5555555555554444")
    done = session(shop, opened.id, "setup_intent.payment_method")
    assert (done.status, done.setup_intent.status) == ("complete", "succeeded")
    assert done.setup_intent.metadata.a == "b"
    assert done.setup_intent.payment_method.card.brand == "mastercard"
    assert done.setup_intent.payment_method.customer == customer
    assert shop.stripe.charges.list({"customer": customer}).data == []


@pytest.mark.parametrize(("card", "status"), [("4000000000000002", 402), ("4000000000000341", 200)])
def test_a_setup_refuses_only_what_fails_at_once(shop: Shop, card: str, status: int) -> None:
    opened = shop.checkout("setup", customer=shop.customer())
    assert shop.pay(opened.id, card).status_code == status


def test_an_expired_session_takes_no_payment(shop: Shop) -> None:
    opened = shop.checkout(customer=shop.customer())
    assert shop.stripe.checkout.sessions.expire(opened.id).status == "expired"
    assert shop.pay(opened.id).status_code == 400
    assert "expired" in shop.http.get(opened.url).text
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        shop.stripe.checkout.sessions.expire(opened.id)


def test_a_session_is_paid_once(shop: Shop) -> None:
    opened = shop.checkout(customer=shop.customer())
    assert [shop.pay(opened.id).status_code for _ in range(2)] == [200, 400]


def test_line_items_can_be_listed_and_expanded(shop: Shop) -> None:
    opened = shop.checkout(customer=shop.customer(), expand=["line_items"])
    listed = shop.stripe.checkout.sessions.line_items.list(opened.id)
    assert [item.id for item in listed.data] == [item.id for item in opened.line_items.data]
    assert listed.data[0].description == "Team plan"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tax_id_collection": {"enabled": True}}, r"customer_update\[name\]"),
        ({"automatic_tax": {"enabled": True}}, "requires a valid address"),
        ({"expires_at": 1}, "between 30 minutes and 24 hours"),
        ({"payment_intent_data": {"metadata": {"a": "b"}}}, "`subscription` mode"),
        ({"customer_email": "a@b.test"}, "only specify one"),
    ],
)
def test_incoherent_sessions_are_refused(shop: Shop, given: Any, told: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=told):
        shop.checkout(customer=shop.customer(), **given)


def test_a_recurring_price_does_not_fit_a_payment(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="passed a recurring price"):
        shop.checkout("payment", line_items=[{"price": shop.price(), "quantity": 1}])


def test_an_inactive_price_cannot_be_bought(shop: Shop) -> None:
    price = shop.price()
    shop.stripe.prices.update(price, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        shop.checkout(line_items=[{"price": price, "quantity": 1}])


def test_a_price_charges_in_the_currency_that_was_asked_for(shop: Shop) -> None:
    price = shop.price(currency_options={"jpy": {"unit_amount": 700}})
    opened = shop.checkout(currency="jpy", line_items=[{"price": price, "quantity": 3}])
    assert (opened.amount_total, opened.currency) == (2100, "jpy")
    with pytest.raises(stripe.InvalidRequestError, match="supports currencies"):
        shop.checkout(currency="chf", line_items=[{"price": price, "quantity": 3}])


def test_the_page_shows_what_is_bought_and_the_way_back(shop: Shop) -> None:
    price = shop.price(123456)
    opened = shop.checkout(line_items=[{"price": price, "quantity": 2}])
    page = shop.http.get(opened.url)
    assert page.status_code == 200
    for text in ("2 × Team plan", "2,469.12 USD", "http://127.0.0.1:9/back", "4000 0000"[:4]):
        assert text in page.text
    assert "script" not in page.text


def test_a_test_card_that_was_clicked_fills_the_form(shop: Shop) -> None:
    opened = shop.checkout()
    page = shop.http.get(opened.url, params={"card": "5555555555554444"}).text
    assert 'value="5555555555554444"' in page
    assert 'value="12 / 34"' in page


def test_paying_on_the_page_leads_to_the_success_url(shop: Shop) -> None:
    opened = shop.checkout(customer=shop.customer())
    fields = {"card": "4242 4242 4242 4242", "expiry": "12/40", "cvc": "123", "country": "DE"}
    paid = submit(shop, f"/c/pay/{opened.id}", **fields)
    assert paid.status_code == 303
    assert paid.headers["location"] == f"http://127.0.0.1:9/done?session={opened.id}"
    assert session(shop, opened.id).payment_status == "paid"


def test_a_declined_card_is_told_in_place_and_what_was_typed_stays(shop: Shop) -> None:
    opened = shop.checkout(customer=shop.customer())
    fields = {"card": "4000000000009995", "expiry": "12/40", "name": "A <b>"}
    refused = submit(shop, f"/c/pay/{opened.id}", **fields)
    assert refused.status_code == 402
    assert 'role="alert">Your card has insufficient funds.' in refused.text
    assert 'value="A &lt;b&gt;"' in refused.text


@pytest.mark.parametrize("expiry", ["01/20", "13/40"])
def test_a_card_out_of_date_is_refused(shop: Shop, expiry: str) -> None:
    opened = shop.checkout(customer=shop.customer())
    refused = submit(shop, f"/c/pay/{opened.id}", card="4242424242424242", expiry=expiry)
    assert refused.status_code == 402
    assert "expiration" in refused.text


def test_a_page_that_does_not_exist_is_a_page(shop: Shop) -> None:
    answer = shop.http.get(f"{shop.base}/c/pay/cs_test_no")
    assert answer.status_code == 404
    assert "No such checkout session" in answer.text


def test_the_dashboard_shows_what_there_is(shop: Shop) -> None:
    subscription = shop.subscribe()
    page = shop.http.get(f"{shop.base}/").text
    assert subscription.id in page
    assert str(subscription.customer) in page
    assert "checkout.session.completed" in page
