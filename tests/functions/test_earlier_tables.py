"""Tables as earlier versions wrote them go on working: rows are migrated by those who read them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts
from billing.usecases import proof
from tests.functions.product import Product
from tests.functions.team import claims, invite, remove

FIXTURES = Path(__file__).parents[1] / "fixtures"
TABLES = sorted(FIXTURES.glob("tables-*.json"))
THEN = datetime(2026, 12, 1, 12, tzinfo=UTC)
ACCOUNT = "acme-of-before"
BEA = {"sub": "user-bea", "email": "bea@acme.test", "name": "Bea"}


@pytest.fixture(params=TABLES, ids=lambda path: path.stem)
def before(
    product: Product, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Product:
    """An account with a canceled annual plan, slots, members who joined and left, and credits."""
    for table, rows in json.loads(request.param.read_text()).items():
        for row in rows:
            product.tables.alter(row["pk"]["S"], row["sk"]["S"], row, table)
    monkeypatch.setattr(runtime, "now", lambda: THEN)
    return replace(product, account=ACCOUNT)


def people(product: Product) -> dict[str, Any]:
    """By address."""
    return {each["email"]: each for each in product.billing()["members"]}


def test_everybody_is_who_they_were_with_what_they_had(before: Product) -> None:
    seen = before.billing()
    assert (seen["subscription"]["cycle"], seen["slots"]["purchased"]) == ("annual", 4)
    assert seen["credits"]["remaining"] == 500
    assert people(before)["mia@acme.test"]["credits"] == 20
    assert before.call("GET /credits", claims=claims()).json["wallet"]["available"] == 20
    entitled = before.call("GET /entitlements", claims=claims()).json
    assert (entitled["slot"], entitled["credits_available"]) == (True, 20)
    found = accounts.sign_in(ACCOUNT, "user-mia")
    assert found is not None
    assert found.person == people(before)["mia@acme.test"]["id"]


def test_its_log_is_read_and_credits_are_sent(before: Product) -> None:
    to = people(before)["mia@acme.test"]["id"]
    sent = before.command("POST /credits/transfers", {"to": to, "credits": 5})
    assert sent.status == 201, sent.text
    log = before.call("GET /credits/log").json["items"]
    assert [each["credits"] for each in log] == [5, 20, 500]
    assert proof.check_account(ACCOUNT, THEN) == []


def test_people_come_go_and_change(before: Product) -> None:
    assert invite(before, "kim@acme.test").status == 201
    assert remove(before, people(before)["mia@acme.test"]["id"]).status == 204
    assert before.call("GET /credits", claims={**BEA, "role": "member"}).status == 200
    assert people(before)["bea@acme.test"]["status"] == "waiting"
    assert before.call("GET /billing", claims=claims(role="manager")).status == 200
    assert people(before)["mia@acme.test"]["role"] == "manager"
