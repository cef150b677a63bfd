"""Invoices: their pages, their PDFs, paying them; subscriptions made without Checkout."""

import io
from typing import Any

import pytest
import stripe
from pypdf import PdfReader

from tests.sandbox.shop import Shop


def open_invoice(shop: Shop, *, method: str = "pm_card_visa", amount: int = 4900) -> Any:
    """Of a subscription that waits for its first payment."""
    customer = shop.customer()
    card = shop.stripe.payment_methods.attach(method, {"customer": customer})
    made = shop.stripe.subscriptions.create(
        {
            "customer": customer,
            "items": [{"price": shop.price(amount), "quantity": 3}],
            "default_payment_method": card.id,
            "payment_behavior": "default_incomplete",
            "metadata": {"kind": "slots"},
            "expand": ["latest_invoice"],
        }
    )
    return made.latest_invoice


def test_the_pdf_names_the_number_the_customer_the_lines_and_the_total(shop: Shop) -> None:
    price = shop.price(123456)
    subscribed = shop.subscribe(
        customer=shop.customer(name="Söhne & <Co>"), line_items=[{"price": price, "quantity": 2}]
    )
    invoice = shop.stripe.invoices.retrieve(str(subscribed.latest_invoice))
    answer = shop.http.get(str(invoice.invoice_pdf))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("attachment;")
    text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    for part in (invoice.number, "Söhne & <Co>", "2 × Team plan", "2,469.12 USD", "1,234.56 USD"):
        assert str(part) in text
    assert "Sandbox Business" in text


def test_the_numbers_of_a_customers_invoices_go_up_by_one(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe(customer=own_shop.customer(invoice_prefix="ACME"))
    own_shop.advance("P2M")
    invoices = own_shop.stripe.invoices.list({"customer": subscribed.customer}).data
    assert [invoice.number for invoice in invoices] == ["ACME-0003", "ACME-0002", "ACME-0001"]


def test_an_open_invoice_is_paid_on_its_page(shop: Shop) -> None:
    invoice = open_invoice(shop)
    assert "Pay 147.00 USD" in shop.http.get(invoice.hosted_invoice_url).text
    refused = shop.http.post(invoice.hosted_invoice_url, data={"card": "4000000000000002"})
    assert refused.status_code == 402
    assert "Your card was declined." in refused.text
    paid = shop.http.post(invoice.hosted_invoice_url, data={"card": "4242424242424242"})
    assert paid.status_code == 303
    found = shop.stripe.invoices.retrieve(invoice.id)
    assert (found.status, found.amount_paid, found.amount_remaining) == ("paid", 14700, 0)
    subscription: Any = invoice.parent.subscription_details.subscription
    assert shop.stripe.subscriptions.retrieve(subscription).status == "active"
    assert "Pay 147.00" not in shop.http.get(invoice.hosted_invoice_url).text


def test_paying_an_invoice_charges_the_subscriptions_card(shop: Shop) -> None:
    invoice = open_invoice(shop)
    paid = shop.stripe.invoices.pay(
        invoice.id, {"expand": ["payments.data.payment.payment_intent"]}
    )
    assert paid.status == "paid"
    intent: Any = paid.payments.data[0].payment.payment_intent  # type: ignore[union-attr]
    assert intent.amount_received == 14700


def test_a_paid_or_void_invoice_cannot_be_paid(shop: Shop) -> None:
    invoice = open_invoice(shop)
    shop.stripe.invoices.pay(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        shop.stripe.invoices.pay(invoice.id)
    void = shop.stripe.invoices.void_invoice(open_invoice(shop).id)
    with pytest.raises(stripe.InvalidRequestError, match="no longer be paid"):
        shop.stripe.invoices.pay(void.id)


def test_an_invoice_that_needs_the_bank_is_402_with_its_intent(shop: Shop) -> None:
    invoice = open_invoice(shop, method="pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as refused:
        shop.stripe.invoices.pay(invoice.id)
    assert refused.value.code == "invoice_payment_intent_requires_action"
    error: Any = refused.value.error
    bank = error.payment_intent.next_action.redirect_to_url.url
    shop.http.post(bank, data={"answer": "approve"})
    assert shop.stripe.invoices.retrieve(invoice.id).status == "paid"


def test_a_declined_invoice_leaves_its_traces(shop: Shop) -> None:
    invoice = open_invoice(shop, method="pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as refused:
        shop.stripe.invoices.pay(invoice.id)
    assert (refused.value.http_status, refused.value.code) == (402, "card_declined")
    found = shop.stripe.invoices.retrieve(invoice.id)
    assert (found.status, found.attempt_count) == ("open", 1)
    customer: Any = found.customer
    [charge] = shop.stripe.charges.list({"customer": customer}).data
    assert (charge.status, charge.failure_code) == ("failed", "card_declined")


def test_a_card_of_another_customer_is_not_charged(shop: Shop) -> None:
    foreign = shop.stripe.payment_methods.attach("pm_card_visa", {"customer": shop.customer()})
    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer"):
        shop.stripe.invoices.pay(open_invoice(shop).id, {"payment_method": foreign.id})


def test_a_subscription_without_any_card_is_refused(shop: Shop) -> None:
    given: Any = {"customer": shop.customer(), "items": [{"price": shop.price()}]}
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        shop.stripe.subscriptions.create(given)
    assert shop.stripe.subscriptions.list({"customer": given["customer"]}).data == []


@pytest.mark.parametrize(
    ("behavior", "left"), [("allow_incomplete", ["incomplete"]), ("error_if_incomplete", [])]
)
def test_a_declined_first_payment_leaves_what_was_asked_for(
    shop: Shop, behavior: Any, left: list[str]
) -> None:
    customer = shop.customer()
    card = shop.stripe.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    given: Any = {
        "customer": customer,
        "items": [{"price": shop.price()}],
        "default_payment_method": card.id,
        "payment_behavior": behavior,
    }
    if left:
        shop.stripe.subscriptions.create(given)
    else:
        with pytest.raises(stripe.CardError):
            shop.stripe.subscriptions.create(given)
    found = shop.stripe.subscriptions.list({"customer": customer}).data
    assert [subscription.status for subscription in found] == left


def test_a_customers_default_card_pays_where_the_subscription_names_none(shop: Shop) -> None:
    customer = shop.customer()
    card = shop.stripe.payment_methods.attach("pm_card_visa", {"customer": customer})
    settings: Any = {"default_payment_method": card.id}
    shop.stripe.customers.update(customer, {"invoice_settings": settings})
    made = shop.stripe.subscriptions.create(
        {"customer": customer, "items": [{"price": shop.price()}]}
    )
    assert made.status == "active"


def test_a_detached_card_is_nobodys_default(shop: Shop) -> None:
    subscribed = shop.subscribe()
    shop.stripe.payment_methods.detach(str(subscribed.default_payment_method))
    found = shop.stripe.subscriptions.retrieve(subscribed.id)
    assert found.default_payment_method is None
    listed = shop.stripe.customers.payment_methods.list(str(subscribed.customer))
    assert listed.data == []


def test_a_subscription_shows_its_price_as_it_is_now(shop: Shop) -> None:
    price = shop.price(lookup_key="gold_monthly")
    subscribed = shop.subscribe(line_items=[{"price": price, "quantity": 1}])
    shop.price(6000, lookup_key="gold_monthly", transfer_lookup_key=True)
    found = shop.stripe.subscriptions.retrieve(subscribed.id)
    assert found["items"].data[0].price.lookup_key is None


def test_items_are_found_alone_and_by_subscription(shop: Shop) -> None:
    subscribed = shop.subscribe()
    [item] = shop.stripe.subscription_items.list({"subscription": subscribed.id}).data
    assert shop.stripe.subscription_items.retrieve(item.id).id == item.id
    assert item.current_period_end > item.current_period_start


def test_an_ended_subscription_is_listed_only_when_asked_for(shop: Shop) -> None:
    subscribed = shop.subscribe()
    shop.stripe.subscriptions.cancel(subscribed.id)
    customer: Any = subscribed.customer
    found = shop.stripe.subscriptions.list
    assert found({"customer": customer}).data == []
    assert [s.status for s in found({"customer": customer, "status": "all"}).data] == ["canceled"]
    assert len(found({"customer": customer, "status": "ended"}).data) == 1
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        shop.stripe.subscriptions.cancel(subscribed.id)
