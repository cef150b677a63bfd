"""What every list takes to be narrowed by: limits and times, also where they make no sense."""

from datetime import timedelta
from typing import Any

import pytest

from billing.domain.times import rfc3339
from tests.functions.product import APIS, Answer, Product
from tests.functions.purse import entries, grant

ROUTES = {key: route for api in APIS.values() for key, route in api.routes.items()}
LIMITED = sorted(key for key, route in ROUTES.items() if "limit" in route.query)
TIMED = sorted(key for key, route in ROUTES.items() if "from" in route.query)
FIRST, LAST = "1900-01-01T00:00:00Z", "9998-12-31T23:59:59Z"


@pytest.fixture
def account(product: Product) -> Product:
    product.billing()
    return product


def call(product: Product, route: str, query: dict[str, str]) -> Answer:
    return product.call(route, query=query)


def wrong(answer: Answer) -> Any:
    """The field that is refused, and why."""
    assert (answer.status, answer.code) == (400, "invalid_input"), answer.text
    [error] = answer.json["errors"]
    return error["field"], error["message"]


def test_there_are_lists_to_narrow() -> None:
    assert len(LIMITED) >= 5
    assert len(TIMED) >= 3


@pytest.mark.parametrize("route", LIMITED)
@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "00",
        "01",
        "00010000",
        "101",
        "1000",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e1",
        "１",
        "²",
        "",
    ]
    + ["1" * 5_000, "0" * 5_000 + "1"],
)
def test_a_limit_is_a_whole_number_from_1_to_100_as_people_write_it(
    account: Product, route: str, limit: str
) -> None:
    refused = call(account, route, {"limit": limit})
    assert wrong(refused) == ("limit", "must be a whole number from 1 to 100")


@pytest.mark.parametrize("route", LIMITED)
@pytest.mark.parametrize("limit", ["1", "20", "100"])
def test_a_limit_in_between_is_taken(account: Product, route: str, limit: str) -> None:
    assert call(account, route, {"limit": limit}).status == 200


@pytest.mark.parametrize("route", TIMED)
@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1899-12-31T23:59:59Z",
        "1900-01-01T00:00:00+00:01",
        "9999-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
        "9998-12-31T23:59:59.000001Z",
        "2027-02-29T00:00:00Z",
        "2027-01-31T24:00:01Z",
        "2027-01-31T00:00:60Z",
        "2027-01-31T00:00:00",
        "2027-01-31T00:00:00z ",
        "2027-01-31",
        "2027-W05-1T00:00:00Z",
        "20270131T000000Z",
        "2027-01-31T00:00Z",
        "2027-01-31T00:00:00,5Z",
        "2027-01-31T00:00:00+25:00",
        "２027-01-31T00:00:00Z",
        "1801353600",
        "now",
        "",
    ],
)
def test_what_is_no_time_of_our_calendar_is_refused(
    account: Product, route: str, name: str, time: str
) -> None:
    field, message = wrong(call(account, route, {name: time}))
    assert field == name
    assert message == (
        "must be a time such as 2027-01-31T00:00:00Z, between the years 1900 and 9998"
    )


@pytest.mark.parametrize("route", TIMED)
@pytest.mark.parametrize("time", [FIRST, "2027-01-31T01:00:00.123+01:00", LAST])
def test_the_first_and_the_last_time_are_taken(account: Product, route: str, time: str) -> None:
    one = {"from": time, "to": time}
    if route == "GET /credits/usage":
        assert wrong(call(account, route, one))[1] == "must be before `to`, by 366 days at most"
        assert call(account, route, {"to": time}).status == 200
    else:
        assert call(account, route, one).status == 200


@pytest.mark.parametrize("route", TIMED)
@pytest.mark.parametrize("later", ["2027-01-31T00:00:01Z", LAST])
def test_a_beginning_after_the_end_is_refused_with_words(
    account: Product, route: str, later: str
) -> None:
    field, message = wrong(call(account, route, {"from": later, "to": "2027-01-31T00:00:00Z"}))
    assert field == "from"
    assert "must be before `to`" in message or message == "must not be later than `to`"


@pytest.mark.parametrize("route", TIMED)
def test_all_at_once_is_a_year_at_most_or_everything(account: Product, route: str) -> None:
    whole = call(account, route, {"from": FIRST, "to": LAST})
    if route == "GET /credits/usage":
        assert wrong(whole)[1] == "must be before `to`, by 366 days at most"
    else:
        assert whole.status == 200


@pytest.mark.parametrize(
    ("fraction", "before", "after"), [("", 0, 1), (".000", 0, 1), (".0000001", 1, 0), (".5", 1, 0)]
)
def test_a_fraction_of_a_second_neither_drops_nor_doubles_an_entry(
    account: Product, fraction: str, before: int, after: int
) -> None:
    """What happened in this second happened before its half, and not after it."""
    grant(account, 10)
    [entry] = entries(account)
    time = rfc3339(entry.at).replace("Z", f"{fraction}Z")

    def shown(**query: str) -> int:
        return len(account.call("GET /credits/log", query=query).json["items"])

    def summed(**query: str) -> int:
        return len(account.call("GET /credits/usage", query=query).json["items"])

    later = rfc3339(entry.at + timedelta(days=365))
    for count in (shown, summed):
        assert count(to=time) == before
        assert count(**{"from": time, "to": later}) == after
