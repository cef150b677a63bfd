"""The credit log as a file for a spreadsheet, and whom a member's own log names."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from billing.domain import credits
from billing.domain.credits import Credits
from billing.domain.events import SCHEDULE
from tests.functions.product import Answer, Product
from tests.functions.purse import ANA, cause, grant, move, send, wallet
from tests.functions.team import claims, join

BOM = "\ufeff"


@pytest.fixture
def mia(team: Product) -> str:
    """A member, to whom 30 of 1,000 credits were sent; she holds 5."""
    member = join(team)
    grant(team, 1000)
    send(team, member, 30)
    held = cause(team, by=member, reference="download-1")
    move(team, credits.hold(wallet(team, member), Credits(5), held))
    return member


def file(team: Product, **given: Any) -> Answer:
    answer = team.call("GET /credits/log", headers={"accept": "text/csv"}, **given)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return answer


def lines_of(text: str) -> list[list[str]]:
    """As Python reads a file that begins with a byte order mark."""
    decoded = text.encode().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(decoded, newline=""), strict=True))


def test_the_log_as_csv_names_people_by_their_address_and_actions_as_the_page_does(
    team: Product, mia: str
) -> None:
    lines = lines_of(file(team).text)
    assert lines[0] == [
        "date",
        "action",
        "credits",
        "from",
        "to",
        "by",
        "balance after",
        "reference",
    ]
    ana = f"ana@{team.account}.test"
    assert [line[1:] for line in lines[1:]] == [
        ["Set aside", "5", "mia@acme.test", "", "mia@acme.test", "25", "download-1"],
        ["Sent", "30", ana, "mia@acme.test", ana, "970", ""],
        ["Bought", "1000", "", ana, "Stripe", "1000", "cs_paid"],
    ]


@pytest.mark.parametrize(
    ("by", "action", "name"),
    [(SCHEDULE, "Automatic top-up", "Automatic"), ("operator-7", "Given", "Support")],
)
def test_what_was_not_bought_by_a_person_is_called_as_on_the_page(
    team: Product, mia: str, by: str, action: str, name: str
) -> None:
    move(team, credits.grant(wallet(team), Credits(7), cause(team, by=by)))
    assert [action, name] in [line[1:6:4] for line in lines_of(file(team).text)]


def test_a_file_is_utf_8_with_a_byte_order_mark_and_ends_lines_as_rfc_4180_says(
    team: Product, mia: str
) -> None:
    text = file(team).text
    assert text.startswith(f"{BOM}date,action,credits,from,to,by,balance after,reference\r\n")
    assert text.count(BOM) == 1
    assert text.count("\n") == text.count("\r\n") == 4
    assert text.endswith("\r\n")


@pytest.mark.parametrize("reference", ['a "quoted" one', "a,b;c", "two\nlines", "Zoë — 東京"])
def test_python_reads_back_what_was_written(team: Product, mia: str, reference: str) -> None:
    written = cause(team, reference=reference)
    move(team, credits.grant(wallet(team), Credits(1), written))
    assert reference in [line[7] for line in lines_of(file(team).text)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_in_a_csv_cells_that_begin_like_a_formula_are_neutralised(
    team: Product, mia: str, text: str
) -> None:
    """The first letter is what a spreadsheet goes by."""
    written = cause(team, reference=text)
    move(team, credits.grant(wallet(team), Credits(1), written))
    assert f"'{text}" in [line[7] for line in lines_of(file(team).text)]


def test_a_long_csv_comes_in_parts_that_fit_together(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = file(team).text
    monkeypatch.setattr("credits._CSV_AT_ONCE", 2)
    parts = ""
    query: dict[str, str] = {}
    for _ in range(2):
        answer = file(team, query=query)
        parts += answer.text
        query = {"cursor": answer.headers.get("x-next-cursor", "")}
    assert parts == whole
    assert query == {"cursor": ""}


@pytest.fixture
def own(team: Product, mia: str) -> dict[str, Any]:
    """Mia's own view, in which a colleague, Support and a dispute's hold were at work, too."""
    move(team, credits.grant(wallet(team, mia), Credits(9), cause(team, by="operator-7")))
    aside = replace(cause(team, by="stripe"), reference="cs_paid")
    move(team, credits.set_aside(wallet(team, mia), Credits(1), aside))
    return {"claims": claims()}


def test_a_members_own_log_names_nobody_else(team: Product, mia: str, own: dict[str, Any]) -> None:
    answer = team.call("GET /credits/log", **own)
    named = [(each["kind"], each["from"], each["to"], each["by"]) for each in answer.json["items"]]
    assert named == [
        ("hold", mia, None, "stripe"),
        ("grant", None, mia, "support"),
        ("hold", mia, None, mia),
        ("transfer", "manager", mia, "manager"),
    ]
    for secret in (ANA, team.account + ".test", "operator-7"):
        assert secret not in json.dumps(answer.json)


def test_a_members_own_csv_names_nobody_else(team: Product, mia: str, own: dict[str, Any]) -> None:
    text = file(team, **own).text
    assert [line[1:6] for line in lines_of(text)[1:]] == [
        ["Set aside", "1", "You", "", "Stripe"],
        ["Given", "9", "", "You", "Support"],
        ["Set aside", "5", "You", "", "You"],
        ["Received", "30", "Your manager", "You", "Your manager"],
    ]
    for secret in (ANA, mia, "@", "operator-7"):
        assert secret not in text


def test_a_manager_still_sees_who_sent_what_to_a_member(team: Product, mia: str) -> None:
    answer = team.call("GET /credits/log", query={"member": mia})
    sent = answer.json["items"][1]
    assert (sent["from"], sent["to"], sent["by"]) == (ANA, mia, ANA)
