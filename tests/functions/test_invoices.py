"""GET /invoices and /invoices/{id}/pdf."""

import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pypdf
import pytest
import stripe

from billing.adapters.dynamodb import invoices
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.invoices import InvoiceStatus
from tests.factories import NOON, invoice
from tests.functions.product import Answer, Product


@pytest.fixture
def history(product: Product) -> Product:
    """Seven invoices, a day apart; the last is open, the second is for slots."""
    for day in range(7):
        write = Transaction()
        made = invoice(
            stripe_id=f"in_{day}",
            number=f"N-{day}",
            at=NOON + timedelta(days=day),
            kind="slots" if day == 1 else "subscription",
            status=InvoiceStatus.OPEN if day == 6 else InvoiceStatus.PAID,
        )
        invoices.put(write, product.account, made, version=0)
        write.commit()
    return product


def numbers(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [item["number"] for item in answer.json["items"]]


def test_the_newest_comes_first(history: Product) -> None:
    assert numbers(history.call("GET /invoices")) == [f"N-{day}" for day in range(6, -1, -1)]


def test_pages_follow_each_other_without_gap_or_repetition(history: Product) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = history.call("GET /invoices", query=query)
        seen += numbers(page)
        cursor = page.json["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"N-{day}" for day in range(6, -1, -1)]


def test_a_last_full_page_names_no_next_one(history: Product) -> None:
    assert history.call("GET /invoices", query={"limit": "7"}).json["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": "slots"}, ["N-1"]),
        ({"status": "open"}, ["N-6"]),
        ({"kind": "slots", "status": "open"}, []),
        ({"from": "2026-11-28T12:00:00Z"}, ["N-6", "N-5"]),
        ({"to": "2026-11-24T12:00:00Z"}, ["N-0"]),
        ({"from": "2026-11-24T12:00:00Z", "to": "2026-11-25T12:00:00Z"}, ["N-1"]),
        ({"from": "2027-01-01T00:00:00Z"}, []),
        ({"from": "2300-01-01T00:00:00Z"}, []),
        ({"from": "1900-01-01T00:00:00Z", "to": "2026-11-24T00:00:00Z"}, ["N-0"]),
        ({"from": "2026-11-29T00:00:00Z", "to": "2300-01-01T00:00:00Z"}, ["N-6"]),
    ],
)
def test_filters_narrow_the_list(
    history: Product, query: dict[str, str], expected: list[str]
) -> None:
    assert numbers(history.call("GET /invoices", query=query)) == expected


def test_a_filtered_page_is_full_although_the_rest_lies_between(history: Product) -> None:
    page = history.call("GET /invoices", query={"status": "paid", "limit": "6"})
    assert numbers(page) == [f"N-{day}" for day in range(5, -1, -1)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", "1.5"),
        ("limit", "²"),
        ("limit", "99999"),
        ("limit", ""),
        ("cursor", "x"),
        ("cursor", "../../etc"),
        ("kind", "free"),
        ("status", "draft"),
        ("from", "yesterday"),
        ("from", "2026-11-23T12:00:00"),
        ("to", ""),
    ],
)
def test_a_malformed_query_is_refused_by_name(product: Product, name: str, value: str) -> None:
    answer = product.call("GET /invoices", query={name: value})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == [name]


def test_the_first_payment_is_in_the_history(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    (item,) = product.call("GET /invoices").json["items"]
    assert (item["kind"], item["status"], item["total"]) == (
        "subscription",
        "paid",
        {"amount": 5900, "currency": "usd"},
    )
    assert sum(line["total"]["amount"] for line in item["lines"]) == item["total"]["amount"]


def test_its_pdf_is_a_link_that_soon_ends_and_is_never_cached(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    (item,) = product.call("GET /invoices").json["items"]
    answer = product.call("GET /invoices/{id}/pdf", path={"id": item["id"]})
    signed = parse_qs(urlsplit(answer.json["url"]).query)
    assert int(signed["X-Amz-Expires"][0]) <= 15 * 60
    assert signed["response-cache-control"] == ["no-store"]
    assert signed["response-content-disposition"] == [
        f'attachment; filename="{item["number"]}.pdf"'
    ]
    ends = datetime.fromisoformat(answer.json["expires_at"])
    assert timedelta(0) < ends - datetime.now(UTC) <= timedelta(minutes=15)


def test_the_document_shows_the_total_that_the_list_shows(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    (item,) = product.call("GET /invoices").json["items"]
    product.call("GET /invoices/{id}/pdf", path={"id": item["id"]})
    s3 = boto3.client("s3")
    folder = f"invoices/{product.account}/"
    (stored,) = s3.list_objects_v2(Bucket="billing-documents", Prefix=folder)["Contents"]
    content = s3.get_object(Bucket="billing-documents", Key=stored["Key"])["Body"].read()
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
    assert item["number"] in text
    assert "59.00" in text


def test_a_second_download_asks_stripe_no_more(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.subscribe()
    product.catch_up()
    (item,) = product.call("GET /invoices").json["items"]
    product.call("GET /invoices/{id}/pdf", path={"id": item["id"]})
    monkeypatch.setattr("billing.adapters.stripe.gateway.invoice_pdf", None)
    assert product.call("GET /invoices/{id}/pdf", path={"id": item["id"]}).status == 200


def test_a_pdf_that_does_not_come_is_told_as_passing(
    history: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.adapters.stripe.client._client_for", _nowhere)
    (item, *_) = history.call("GET /invoices").json["items"]
    answer = history.call("GET /invoices/{id}/pdf", path={"id": item["id"]})
    assert (answer.status, answer.code) == (503, "stripe_unavailable")


def _nowhere(api_key: str) -> object:
    return stripe.StripeClient(
        api_key, base_addresses={"api": "http://127.0.0.1:1"}, max_network_retries=0
    )


@pytest.mark.parametrize("invoice_id", ["x", "0000000000-in_0", "../secrets", "a" * 500, "1#2"])
def test_an_invoice_that_is_not_there_is_not_found(product: Product, invoice_id: str) -> None:
    answer = product.call("GET /invoices/{id}/pdf", path={"id": invoice_id})
    assert (answer.status, answer.code) == (404, "invoice_not_found")


def test_another_accounts_invoice_is_not_found(history: Product) -> None:
    (item, *_) = history.call("GET /invoices").json["items"]
    answer = history.call(
        "GET /invoices/{id}/pdf", path={"id": item["id"]}, claims={"account_id": "globex"}
    )
    assert (answer.status, answer.code) == (404, "invoice_not_found")


def test_ids_tell_nothing_but_time_and_name(history: Product) -> None:
    (item, *_) = history.call("GET /invoices").json["items"]
    assert re.fullmatch(r"\d{10}-in_6", item["id"])
