"""Whatever is sent, the answer is a refusal in Stripe's form, never a failure."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.stripe_sandbox import forms
from infra.local.stripe_sandbox.errors import InvalidRequest
from tests.sandbox.shop import KEY, Shop

CLOCK: list[Any] = [
    {"advance": "P999999Y"},
    {"advance": "P99999999999D"},
    {"advance": 5},
    {"to": None},
    {"to": "9999-99-99"},
]
FAULTS: list[Any] = [{"next": [{"delay": "long"}]}, {"next": [5]}, {"next": None}]
PAY: list[Any] = [
    {"card": None},
    {"card": 5},
    {"expiry": "soon"},
    {"authenticate": "maybe"},
    {"x": 1},
]
DELIVERIES: list[Any] = [{"hold": None}, {"reorder": []}]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        *(("clock", order) for order in CLOCK),
        *(("faults", order) for order in FAULTS),
        *(("deliveries", order) for order in DELIVERIES),
        *(("payments/pi_no/refund", order) for order in ({}, {"amount": "all"})),
        *(("payments/pi_no/dispute", order) for order in ({}, {"outcome": 1})),
        *(("payments/pi_no/settle", order) for order in ({}, {"succeed": 1})),
        ("checkout/cs_no/pay", {}),
    ],
)
def test_a_senseless_order_is_refused(shop: Shop, path: str, order: Any) -> None:
    answer = shop.order(path, order)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("order", PAY)
def test_a_senseless_payment_is_refused(shop: Shop, order: Any) -> None:
    opened = shop.checkout()
    assert shop.order(f"checkout/{opened.id}/pay", order).status_code in (400, 402)


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b"\xff\xfe"])
def test_an_order_must_be_a_json_object(shop: Shop, body: bytes) -> None:
    answer = shop.http.post(f"{shop.base}/sandbox/clock", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "form", [b"\xff=\xff", b"[a]=1", b"a[=1", b"a]b=1", b"a[b]=1&a=2", b"a=1&a[b]=2", b"a[][b]=1"]
)
def test_a_form_that_cannot_be_read_is_refused(shop: Shop, form: bytes) -> None:
    answer = shop.http.post(f"{shop.base}/v1/customers", content=form, auth=(KEY, ""))
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


NAMES = st.sampled_from(
    ["mode", "customer", "line_items", "price", "quantity", "metadata", "0", "1", "", "expand", "x"]
)
VALUES = st.sampled_from(["", "1", "-1", "true", "payment", "usd", "price_x", "ü", "9" * 30])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3), VALUES), max_size=5))
def test_no_form_makes_the_sandbox_fail(
    shop: Shop, parts: list[tuple[str, list[str], str]]
) -> None:
    form = {name + "".join(f"[{i}]" for i in inner): value for name, inner, value in parts}
    answer = shop.http.post(f"{shop.base}/v1/checkout/sessions", data=form, auth=(KEY, ""))
    assert answer.status_code in (400, 501), answer.text


@given(st.dictionaries(NAMES.filter(bool), VALUES, max_size=5))
def test_a_flat_form_is_read_back_as_it_was(flat: dict[str, str]) -> None:
    assert forms.decode(urlencode(flat)) == flat


def test_brackets_nest_and_join_again() -> None:
    assert forms.decode("a[0][b]=1&a[0][c]=2&e[]=x&e[]=y") == {
        "a": {"0": {"b": "1", "c": "2"}},
        "e": {"0": "x", "1": "y"},
    }
    assert forms.join(["a", 0, "b"]) == "a[0][b]"
    with pytest.raises(InvalidRequest, match="more than once"):
        forms.decode("a[b]=1&a[b]=2")
