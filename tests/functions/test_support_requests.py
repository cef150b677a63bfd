"""POST and GET /support-requests."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from billing.adapters.dynamodb import support_requests
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.errors import TooMany
from billing.domain.support_requests import A_DAY_AT_MOST, SupportRequest, Topic
from billing.usecases.support_requests import record_support_request
from tests.functions.product import Answer, Product

TODAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


def ask(product: Product, topic: str = "annual_slots", **more: Any) -> Answer:
    return product.call("POST /support-requests", body={"topic": topic, **more})


def listed(product: Product, **query: str) -> Any:
    answer = product.call("GET /support-requests", query=query)
    assert answer.status == 200, answer.text
    return answer.json


def record(product: Product, message: str, topic: Topic = "other") -> SupportRequest:
    return record_support_request(product.account, "user-ana", topic, message, TODAY)


@pytest.mark.parametrize("topic", get_args(Topic))
def test_a_request_is_recorded_and_shown_as_sent(product: Product, topic: str) -> None:
    answer = ask(product, topic, message=" Ten, please.\nThank you. ")
    assert answer.status == 201
    sent = answer.json
    assert (sent["topic"], sent["message"]) == (topic, "Ten, please.\nThank you.")
    assert (sent["status"], sent["at"][-1]) == ("sent", "Z")
    assert listed(product)["items"] == [sent]


def test_a_request_needs_no_message(product: Product) -> None:
    assert ask(product).json["message"] == ""
    assert ask(product, message=None).status == 201


def test_the_list_is_newest_first_by_pages(product: Product) -> None:
    for number in range(5):
        ask(product, message=f"number {number}")
    first = listed(product, limit="3")
    rest = listed(product, limit="3", cursor=first["next_cursor"])
    messages = [each["message"] for each in first["items"] + rest["items"]]
    assert messages == [f"number {number}" for number in reversed(range(5))]
    assert rest["next_cursor"] is None


def test_another_accounts_requests_are_not_listed(product: Product) -> None:
    ask(product)
    answer = product.call("GET /support-requests", claims={"account_id": "globex"})
    assert answer.json == {"items": [], "next_cursor": None}


def test_a_double_click_is_one_request(product: Product) -> None:
    first = ask(product, message="Please.")
    assert ask(product, message="Please.").json == first.json
    assert len(listed(product)["items"]) == 1


def test_a_colleague_asking_the_same_is_heard_too(product: Product) -> None:
    ask(product)
    body = {"topic": "annual_slots"}
    product.call("POST /support-requests", body=body, claims={"sub": "user-zoe"})
    assert len(listed(product)["items"]) == 2


def test_the_same_again_on_another_day_is_another_request(product: Product) -> None:
    record(product, "Please.")
    record_support_request(
        product.account, "user-ana", "other", "Please.", TODAY + timedelta(days=1)
    )
    assert len(listed(product)["items"]) == 2


def test_the_twenty_first_of_a_day_is_refused_until_midnight(product: Product) -> None:
    for number in range(A_DAY_AT_MOST):
        record(product, f"number {number}")
    with pytest.raises(TooMany) as refused:
        record(product, "one more")
    told = (refused.value.code, refused.value.retry_after)
    assert told == ("too_many_support_requests", 15 * 3600)
    again = record(product, "number 0")
    assert again.id.endswith("-01")
    tomorrow = TODAY + timedelta(days=1)
    record_support_request(product.account, "user-ana", "other", "one more", tomorrow)


def test_too_many_is_told_as_such(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.usecases.support_requests.A_DAY_AT_MOST", 1)
    ask(product)
    refused = ask(product, "upgrade")
    assert (refused.status, refused.code) == (429, "too_many_support_requests")
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600


def test_a_request_that_was_overtaken_is_recorded_after_the_other(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = support_requests.of_day
    overtaken: list[str] = []

    def overtaking(account: str, day: str, **how: int) -> list[SupportRequest]:
        found = whole(account, day, **how)
        if not overtaken:
            overtaken.append(day)
            record(product, "faster")
        return found

    monkeypatch.setattr(support_requests, "of_day", overtaking)
    slower = record(product, "slower")
    assert slower.id.endswith("-02")
    assert [each["message"] for each in listed(product)["items"]] == ["slower", "faster"]


def test_a_request_that_is_overtaken_every_time_gives_up_and_says_so(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.billing()

    def overtaken(write: Transaction) -> None:
        raise StaleWrite("1")

    monkeypatch.setattr("billing.runtime.sleep", lambda seconds: None)
    monkeypatch.setattr(Transaction, "commit", overtaken)
    assert (ask(product).status, ask(product).code) == (503, "busy")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "topic"),
        ({"topic": "refund"}, "topic"),
        ({"topic": 1}, "topic"),
        ({"topic": "other", "message": "x" * 2001}, "message"),
        ({"topic": "other", "message": {"text": "x"}}, "message"),
        ({"topic": "other", "message": "\ud800"}, "message"),
        ({"topic": "other", "subject": "user-zoe"}, "subject"),
        ({"topic": "other", "status": "answered"}, "status"),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    product: Product, body: dict[str, Any], field: str
) -> None:
    answer = product.call("POST /support-requests", body=body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert product.rows() == {}


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": ""}, {"limit": "1.5"}])
def test_a_list_asked_for_wrongly_is_refused(product: Product, query: dict[str, str]) -> None:
    answer = product.call("GET /support-requests", query=query)
    assert (answer.status, answer.code) == (400, "invalid_input")
