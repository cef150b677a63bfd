"""What people write and are called: kept as they write it, except what could disguise it."""

import unicodedata
from typing import Any

import pytest

from tests.functions.back_office import told
from tests.functions.product import Answer, Product
from tests.functions.team import MIA, accept, invite, join

NAMES = [
    pytest.param("Zoë Müller", id="accents"),
    pytest.param("👩‍👩‍👧 Kim", id="joiners in an emoji"),
    pytest.param("علی می‌خواهد", id="a non-joiner in Persian"),
    pytest.param("श्री क्‍ष", id="a joiner in Hindi"),
    pytest.param("Anne\u00a0Marie", id="a space that does not break"),
    pytest.param("山田\u3000太郎", id="a space of Japanese"),
    pytest.param("דוד\u200e (D.)", id="a mark of direction"),
    pytest.param("O’Brien-Şahin", id="signs"),
]
DISGUISES = [
    pytest.param("Mia\x00", id="NUL"),
    pytest.param("Mia\x1b[31m", id="escape"),
    pytest.param("Mia\x7f", id="delete"),
    pytest.param("Mia\x85Meyer", id="next line"),
    pytest.param("Mia\u202eedoC", id="override"),
    pytest.param("Mia\u2066x\u2069", id="isolate"),
    pytest.param("Mia\u2028Meyer", id="line separator"),
    pytest.param("Mia\u2029Meyer", id="paragraph separator"),
    pytest.param("Mia\ud800", id="half a character"),
]
BREAKS = [pytest.param("Mia\nMeyer", id="line"), pytest.param("Mia\tMeyer", id="tab")]


def request_support(product: Product, message: str) -> Answer:
    return product.call("POST /support-requests", body={"topic": "other", "message": message})


def refused(answer: Answer) -> Any:
    assert (answer.status, answer.code) == (400, "invalid_input"), answer.text
    [error] = answer.json["errors"]
    return error["field"], error["message"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_what_its_bearer_writes(team: Product, name: str) -> None:
    assert invite(team, MIA, name=f" {name}\u00a0").json["name"] == name
    assert accept(team).json["name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_a_tokens_name_is_taken_over_as_it_is(team: Product, name: str) -> None:
    invite(team)
    assert accept(team, name=name).json["name"] == name


@pytest.mark.parametrize("name", DISGUISES + BREAKS)
def test_a_name_with_a_disguise_is_refused_with_words(team: Product, name: str) -> None:
    field, message = refused(invite(team, MIA, name=name))
    assert field == "name"
    assert message.startswith("Input should be")


@pytest.mark.parametrize("name", DISGUISES + BREAKS)
def test_a_tokens_name_with_a_disguise_is_shown_without_it(team: Product, name: str) -> None:
    invite(team)
    joined = accept(team, name=name)
    assert joined.status == 200, joined.text
    assert joined.json["name"].startswith("Mia")
    assert set(joined.json["name"]) <= set("Mia [31m edoCxMeyer")
    team.call("GET /billing", claims={"name": name})
    assert team.billing()["members"][1]["name"] == joined.json["name"]


@pytest.mark.parametrize("claim", ["email", "sub", "account_id", "role", "email_verified", "scope"])
def test_half_a_character_anywhere_in_a_token_is_no_fault_of_ours(
    product: Product, claim: str
) -> None:
    product.billing()
    for route in ("GET /billing", "GET /credits", "GET /support/accounts/{account_id}"):
        assert product.call(route, claims={claim: "a\ud800@x.test"}).status < 500


def test_two_spellings_of_a_name_are_one(team: Product) -> None:
    assert invite(team, MIA, name="Zoe\u0308").json["name"] == "Zoë"


def test_a_name_of_nothing_that_can_be_seen_is_none(team: Product) -> None:
    assert invite(team, MIA, name="\u200d\u00a0\u200b").json["name"] == ""


@pytest.mark.parametrize("text", NAMES + BREAKS)
def test_a_message_is_kept_with_its_lines(product: Product, text: str) -> None:
    assert request_support(product, f"{text}\r\n{text}").json["message"] == f"{text}\n{text}"


@pytest.mark.parametrize("text", DISGUISES)
def test_a_message_with_a_disguise_is_refused(product: Product, text: str) -> None:
    assert refused(request_support(product, text))[0] == "message"


@pytest.mark.parametrize("field", ["reason", "comment"])
@pytest.mark.parametrize("text", DISGUISES)
def test_a_goodbye_with_a_disguise_is_refused(product: Product, field: str, text: str) -> None:
    answer = product.call("POST /subscription/cancel", body={field: text})
    assert refused(answer)[0] == field


def take_off(product: Product, member: str, reason: str) -> Answer:
    path = {"account_id": product.account, "id": member}
    route = "DELETE /support/accounts/{account_id}/members/{id}"
    return product.call(route, path=path, body={"reason": reason})


@pytest.mark.parametrize("text", [*NAMES, "\u0958" * 200])
def test_an_operators_reason_is_kept_as_it_is_written(team: Product, text: str) -> None:
    assert take_off(team, join(team), text).status == 204
    assert told(team)[0][2] == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("text", [*DISGUISES, *BREAKS, "\u200d", "\u0958" * 201])
def test_an_operators_reason_with_a_disguise_is_refused(product: Product, text: str) -> None:
    """So is one that is longer than Stripe takes once it is composed."""
    product.billing()
    assert refused(take_off(product, "nobody", text))[0] == "reason"
