"""Invoices made by hand: drafted, charged to the card on file, paid late, thrown away."""

import io
from dataclasses import dataclass
from typing import Any

import pytest
import stripe
from pypdf import PdfReader

from tests.sandbox.shop import Shop

PAID = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "invoice.updated",
    "invoice_payment.paid",
    "invoice.paid",
    "invoice.payment_succeeded",
]


@dataclass
class Buyer:
    """A customer in the US with a card on file."""

    shop: Shop
    customer: str
    method: str

    def draft(self, **more: Any) -> Any:
        given: Any = {
            "customer": self.customer,
            "currency": "usd",
            "auto_advance": False,
            "collection_method": "charge_automatically",
            "default_payment_method": self.method,
            "pending_invoice_items_behavior": "exclude",
            "automatic_tax": {"enabled": True},
            "description": "500 credits",
            "metadata": {"account_id": "acme", "kind": "credits"},
        }
        return self.shop.stripe.invoices.create(given | more)

    def add(self, invoice: str, **more: Any) -> Any:
        """500.00 for a package, two times."""
        given: Any = {
            "customer": self.customer,
            "invoice": invoice,
            "quantity": 2,
            "metadata": {"package": "credits_500"},
        }
        if "pricing" not in more:
            given["pricing"] = {"price": self.shop.price(25000, interval=None)}
        return self.shop.stripe.invoice_items.create(given | more)

    def issue(self, **more: Any) -> Any:
        drafted = self.draft(**more)
        self.add(drafted.id)
        return self.shop.stripe.invoices.finalize_invoice(drafted.id, {"auto_advance": False})

    def pay(self, invoice: str) -> Any:
        path = "payments.data.payment.payment_intent"
        return self.shop.stripe.invoices.pay(invoice, {"off_session": True, "expand": [path]})

    def declined(self, invoice: str) -> Any:
        with pytest.raises(stripe.CardError) as refused:
            self.pay(invoice)
        assert refused.value.http_status == 402
        return refused.value.error

    def found(self, invoice: str) -> Any:
        return self.shop.stripe.invoices.retrieve(invoice)

    def intent(self, invoice: str) -> Any:
        expanded = {"expand": ["payments.data.payment.payment_intent"]}
        found: Any = self.shop.stripe.invoices.retrieve(invoice, expanded)  # type: ignore[arg-type]
        return found.payments.data[0].payment.payment_intent


def buyer(shop: Shop, card: str = "pm_card_visa") -> Buyer:
    customer = shop.customer(address={"country": "US"})
    method = shop.stripe.payment_methods.attach(card, {"customer": customer})
    return Buyer(shop, customer, str(method.id))


def debited(shop: Shop) -> Buyer:
    """A customer whose default is a bank account."""
    customer = shop.customer(address={"country": "US"})
    shop.pay(shop.checkout("subscription", customer=customer).id, "000123456789")
    [method] = shop.stripe.customers.payment_methods.list(customer).data
    return Buyer(shop, customer, str(method.id))


def types(shop: Shop, number: int) -> list[str]:
    """Of the newest events, oldest first."""
    return [str(e.type) for e in shop.stripe.events.list({"limit": number}).data][::-1]


def test_a_draft_has_no_number_and_asks_nobody_for_money(shop: Shop) -> None:
    drafted = buyer(shop).draft()
    assert types(shop, 1) == ["invoice.created"]
    assert (drafted.status, drafted.number, drafted.total) == ("draft", None, 0)
    assert (drafted.billing_reason, drafted.auto_advance) == ("manual", False)
    assert (drafted.automatic_tax.enabled, drafted.automatic_tax.status) == (True, "complete")
    assert drafted.metadata.to_dict() == {"account_id": "acme", "kind": "credits"}


def test_what_is_put_onto_a_draft_is_a_line_of_it(shop: Shop) -> None:
    ana = buyer(shop)
    drafted = ana.draft()
    item = ana.add(drafted.id, description="Credits")
    assert types(shop, 2) == ["invoiceitem.created", "invoice.updated"]
    assert (item.amount, item.quantity) == (50000, 2)
    found = ana.found(drafted.id)
    [line] = found.lines.data
    assert line.parent.invoice_item_details.invoice_item == item.id
    assert (line.description, line.metadata["package"]) == ("Credits", "credits_500")
    assert (line.amount, found.total, found.amount_due) == (50000, 50000, 50000)
    [listed] = shop.stripe.invoice_items.list({"invoice": drafted.id}).data
    assert listed.id == item.id == shop.stripe.invoice_items.retrieve(item.id).id


def test_lines_add_up_in_the_order_they_came(shop: Shop) -> None:
    ana = buyer(shop)
    drafted = ana.draft()
    ana.add(drafted.id, description="First")
    ana.add(drafted.id, description="Second", quantity=1)
    found = ana.found(drafted.id)
    assert [line.description for line in found.lines.data] == ["First", "Second"]
    assert found.total == 75000


def test_a_finalized_invoice_waits_to_be_paid(shop: Shop) -> None:
    issued = buyer(shop).issue()
    assert types(shop, 4)[1:] == ["invoice.updated", "invoice.finalized", "payment_intent.created"]
    assert (issued.status, issued.attempted, issued.auto_advance) == ("open", False, False)
    assert issued.number is not None
    assert shop.stripe.charges.list({"customer": str(issued.customer)}).data == []


def test_a_finalized_invoice_takes_nothing_more(shop: Shop) -> None:
    ana = buyer(shop)
    issued = ana.issue()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        ana.add(issued.id)
    assert refused.value.code == "invoice_not_editable"
    assert ana.found(issued.id).total == 50000


def test_the_card_on_file_is_charged_off_session(shop: Shop) -> None:
    ana = buyer(shop)
    paid = ana.pay(ana.issue().id)
    assert types(shop, 7) == PAID
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 50000, 0)
    [payment] = paid.payments.data
    intent = payment.payment.payment_intent
    assert (intent.status, intent.amount_received, intent.customer) == (
        "succeeded",
        50000,
        ana.customer,
    )
    charge = shop.stripe.charges.retrieve(intent.latest_charge)
    assert (charge.paid, charge.payment_method) == (True, ana.method)
    [found] = shop.stripe.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": intent.id}}
    ).data
    assert (found.invoice, found.status, found.amount_paid) == (paid.id, "paid", 50000)
    assert [i.id for i in shop.stripe.invoices.list({"customer": ana.customer}).data] == [paid.id]


def test_paying_a_draft_finalizes_it(shop: Shop) -> None:
    ana = buyer(shop)
    drafted = ana.draft()
    ana.add(drafted.id)
    assert ana.pay(drafted.id).status == "paid"


def test_the_same_key_charges_once(shop: Shop) -> None:
    ana = buyer(shop)
    issued = ana.issue()
    options: Any = {"idempotency_key": f"top-up:{issued.id}"}
    answers = [shop.stripe.invoices.pay(issued.id, {}, options).status for _ in range(2)]
    assert answers == ["paid", "paid"]
    assert len(shop.stripe.charges.list({"customer": ana.customer}).data) == 1


def test_a_declined_card_leaves_the_invoice_open_and_attempted(shop: Shop) -> None:
    ana = buyer(shop, "pm_card_chargeCustomerFail")
    issued = ana.issue()
    error = ana.declined(issued.id)
    assert types(shop, 3) == [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.payment_failed",
    ]
    assert (error.type, error.code, error.decline_code) == (
        "card_error",
        "card_declined",
        "generic_decline",
    )
    assert error.payment_intent.id == ana.intent(issued.id).id
    found = ana.found(issued.id)
    assert (found.status, found.attempted, found.attempt_count) == ("open", True, 1)
    assert found.next_payment_attempt is None


def test_the_same_key_hears_of_the_same_decline(shop: Shop) -> None:
    ana = buyer(shop, "pm_card_chargeCustomerFail")
    issued = ana.issue()
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            shop.stripe.invoices.pay(issued.id, {}, {"idempotency_key": f"once:{issued.id}"})
    assert len(shop.stripe.charges.list({"customer": ana.customer}).data) == 1


def test_a_card_that_needs_the_customer_waits_for_them_at_the_bank(shop: Shop) -> None:
    ana = buyer(shop, "pm_card_authenticationRequired")
    issued = ana.issue()
    assert ana.declined(issued.id).code == "invoice_payment_intent_requires_action"
    assert types(shop, 2) == ["payment_intent.requires_action", "invoice.payment_action_required"]
    intent = ana.intent(issued.id)
    assert (ana.found(issued.id).status, intent.status) == ("open", "requires_action")
    shop.http.post(intent.next_action.redirect_to_url.url, data={"answer": "approve"})
    assert ana.found(issued.id).status == "paid"


def test_a_debit_leaves_the_invoice_open_until_the_bank_answers(shop: Shop) -> None:
    ana = debited(shop)
    paid = ana.pay(ana.issue().id)
    intent = paid.payments.data[0].payment.payment_intent
    assert (paid.status, paid.attempted, intent.status) == ("open", True, "processing")
    with pytest.raises(stripe.InvalidRequestError, match="is processing"):
        ana.pay(paid.id)
    with pytest.raises(stripe.InvalidRequestError, match="is processing"):
        shop.stripe.invoices.void_invoice(paid.id)
    twice = shop.http.post(str(paid.hosted_invoice_url), data={"card": "4242424242424242"})
    assert twice.status_code == 402
    shop.order(f"payments/{intent.id}/settle", {"succeed": True})
    assert ana.found(paid.id).status == "paid"
    assert types(shop, 6) == PAID[1:]


def test_a_debit_that_fails_can_be_voided(shop: Shop) -> None:
    ana = debited(shop)
    paid = ana.pay(ana.issue().id)
    intent = paid.payments.data[0].payment.payment_intent.id
    shop.order(f"payments/{intent}/settle", {"succeed": False})
    assert types(shop, 1) == ["invoice.payment_failed"]
    assert (ana.found(paid.id).status, ana.intent(paid.id).status) == (
        "open",
        "requires_payment_method",
    )
    assert shop.stripe.invoices.void_invoice(paid.id).status == "void"
    assert types(shop, 3) == ["invoice.updated", "invoice.voided", "payment_intent.canceled"]
    [payment] = shop.stripe.invoice_payments.list({"invoice": paid.id}).data
    assert (payment.status, payment.amount_paid) == ("canceled", None)


def test_a_declined_invoice_is_paid_by_hand_on_its_page(shop: Shop) -> None:
    ana = buyer(shop, "pm_card_chargeCustomerFail")
    issued = ana.issue()
    ana.declined(issued.id)
    assert "Pay 500.00 USD" in shop.http.get(issued.hosted_invoice_url).text
    shop.http.post(issued.hosted_invoice_url, data={"card": "5555555555554444"})
    assert ana.found(issued.id).status == "paid"
    assert len(shop.stripe.customers.payment_methods.list(ana.customer).data) == 1
    text = PdfReader(io.BytesIO(shop.http.get(issued.invoice_pdf).content)).pages[0].extract_text()
    assert all(part in text for part in ("Team plan", "250.00 USD", "500.00 USD", "Paid"))


def test_such_a_payment_is_refunded_and_disputed_as_any_other(shop: Shop) -> None:
    ana = buyer(shop)
    issued = ana.issue()
    intent = ana.pay(issued.id).payments.data[0].payment.payment_intent.id
    refunded = shop.order(f"payments/{intent}/refund", {"amount": 20000}).json()
    assert (refunded["status"], refunded["payment_intent"]) == ("succeeded", intent)
    disputed = shop.order(f"payments/{intent}/dispute", {"outcome": "lost"}).json()
    assert (disputed["status"], disputed["amount"]) == ("lost", 30000)


def test_a_draft_that_is_deleted_is_gone_with_its_lines(shop: Shop) -> None:
    ana = buyer(shop)
    drafted = ana.draft()
    ana.add(drafted.id)
    deleted = shop.stripe.invoices.delete(drafted.id)
    assert (deleted.id, deleted.deleted) == (drafted.id, True)
    assert types(shop, 2) == ["invoiceitem.deleted", "invoice.deleted"]
    assert shop.stripe.invoices.list({"customer": ana.customer}).data == []
    assert shop.stripe.invoice_items.list({"customer": ana.customer}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such invoice"):
        ana.found(drafted.id)


def test_only_a_draft_is_deleted(shop: Shop) -> None:
    issued = buyer(shop).issue()
    with pytest.raises(stripe.InvalidRequestError, match="Void this one instead"):
        shop.stripe.invoices.delete(issued.id)


def test_tax_needs_to_know_where_the_customer_is(shop: Shop) -> None:
    customer = shop.customer()
    card = shop.stripe.payment_methods.attach("pm_card_visa", {"customer": customer})
    ana = Buyer(shop, customer, str(card.id))
    drafted = ana.draft()
    assert drafted.automatic_tax.status == "requires_location_inputs"
    ana.add(drafted.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        ana.pay(drafted.id)
    assert refused.value.code == "customer_tax_location_invalid"
    assert types(shop, 1) == ["invoice.finalization_failed"]
    found = ana.found(drafted.id)
    assert (found.status, found.last_finalization_error.code) == ("draft", refused.value.code)
    shop.stripe.customers.update(customer, {"address": {"country": "AT"}})
    assert ana.pay(drafted.id).status == "paid"


def test_another_customers_card_invoice_currency_or_a_monthly_price_is_refused(shop: Shop) -> None:
    ana, bob = buyer(shop), buyer(shop)
    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer"):
        ana.draft(default_payment_method=bob.method)
    drafted = ana.draft()
    for given, said in (
        ({"customer": bob.customer}, "No such invoice"),
        ({"currency": "eur"}, "currency"),
        ({"pricing": {"price": shop.price()}}, "type=one_time"),
        ({"pricing": {"price": shop.price(interval=None, currency="eur")}}, "supports currencies"),
        ({"pricing": {"price": "price_none"}}, "No such price"),
        ({"quantity": -1}, "greater than or equal to 0"),
        ({"pricing": {}}, "Missing required param: pricing"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=said):
            ana.add(drafted.id, **given)
    assert ana.found(drafted.id).lines.data == []


def test_what_is_not_done_of_it_says_so(shop: Shop) -> None:
    ana = buyer(shop)
    for refused in (
        lambda: ana.draft(auto_advance=True),
        lambda: ana.draft(pending_invoice_items_behavior="include"),
        lambda: shop.stripe.invoice_items.create({"customer": ana.customer}),
        lambda: shop.stripe.invoices.finalize_invoice(ana.draft().id),
    ):
        with pytest.raises(stripe.APIError) as said:
            refused()
        assert said.value.http_status == 501
