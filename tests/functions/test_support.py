"""The operator's side: /support/accounts/…"""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.adapters.dynamodb import history
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.events import Event
from tests.functions.product import Product

ACCOUNT = "GET /support/accounts/{account_id}"
HISTORY = "GET /support/accounts/{account_id}/history"


def told(product: Product, **query: str) -> Any:
    answer = product.call(HISTORY, query=query)
    assert answer.status == 200, answer.text
    return answer.json


def test_an_operator_sees_what_the_manager_sees(product: Product) -> None:
    seen = product.billing()
    seen["account"]["me"] = None
    assert product.call(ACCOUNT).json == seen


@pytest.mark.parametrize("changed", [{"account_id": None}, {"role": None}, {"email": None}])
def test_an_operator_needs_no_account_of_their_own(
    product: Product, changed: dict[str, str | None]
) -> None:
    product.billing()
    assert product.call(ACCOUNT, claims=changed).status == 200


def test_an_operator_sees_the_account_of_the_path_and_not_of_the_token(product: Product) -> None:
    product.billing()
    seen = product.call(ACCOUNT, claims={"account_id": "globex"}).json
    assert seen["account"]["id"] == product.account


def test_an_operator_who_looks_does_not_become_a_member(product: Product) -> None:
    product.billing()
    before = product.rows()
    product.call(ACCOUNT)
    assert product.rows() == before


def test_the_history_tells_who_did_what_when_and_why_newest_first_by_pages(
    product: Product,
) -> None:
    product.billing()
    for day in (1, 2, 3):
        write = Transaction()
        at = datetime(2026, 3, day, 10, tzinfo=UTC)
        happened = Event(type="x.agreed", at=at, by="olga", reason="Mail.", facts={"n": day})
        history.append(write, product.account, happened)
        write.commit()
    first = told(product, limit="2")
    rest = told(product, limit="2", cursor=first["next_cursor"])
    assert [each["facts"]["n"] for each in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    shown = {name: value for name, value in first["items"][0].items() if name != "id"}
    assert shown == {
        "at": "2026-03-03T10:00:00Z",
        "type": "x.agreed",
        "by": "olga",
        "reason": "Mail.",
        "facts": {"n": 3},
    }


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": ""}, {"limit": "0"}])
def test_a_history_asked_for_wrongly_is_refused(product: Product, query: dict[str, str]) -> None:
    product.billing()
    answer = product.call(HISTORY, query=query)
    assert (answer.status, answer.code) == (400, "invalid_input")
