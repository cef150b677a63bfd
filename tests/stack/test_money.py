"""Money on the running stack: many tabs, and webhooks as they come."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from infra.local.people import Person
from tests.stack.running import Stack, until


class Team:
    """A manager of an account of the test's own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        account = f"team-{uuid.uuid4().hex[:8]}"
        person = Person(f"tess@{account}.test", account, "manager")
        self.api = httpx.Client(
            base_url=stack.api,
            headers={"authorization": f"Bearer {stack.token(person)}"},
        )
        self.account = account

    def checkout(self, key: str, cycle: str = "monthly") -> httpx.Response:
        return self.api.post(
            "/subscription/checkout",
            json={"plan": "starter", "cycle": cycle},
            headers={"idempotency-key": key},
        )

    def pay(self, url: str) -> httpx.Response:
        session = url.rsplit("/", 1)[1]
        return httpx.post(
            f"{self.stack.stripe}/sandbox/checkout/{session}/pay", json={"card": "4242424242424242"}
        )

    def subscription(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get("/billing").json()["subscription"]
        return found

    def invoices(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/invoices").json()["items"]
        return found


@pytest.fixture
def team(stack: Stack) -> Iterator[Team]:
    team = Team(stack)
    with team.api:
        yield team


@pytest.fixture
def awkward(stack: Stack) -> Iterator[None]:
    """Webhooks come twice, under two ids, and in another order."""
    orders = f"{stack.stripe}/sandbox/deliveries"
    httpx.post(orders, json={"duplicate": True, "reorder": True, "twin": True})
    yield
    httpx.post(orders, json={"duplicate": False, "reorder": False, "twin": False})


def test_ten_tabs_at_once_open_one_page(team: Team) -> None:
    with ThreadPoolExecutor(10) as tabs:
        answers = list(tabs.map(lambda tab: team.checkout(f"tab {tab}"), range(10)))
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert len({answer.json()["url"] for answer in answers if answer.status_code == 201}) == 1


def test_tabs_that_want_different_things_never_leave_two_pages_to_pay(team: Team) -> None:
    cycles = ["monthly", "quarterly", "annual"] * 3
    with ThreadPoolExecutor(9) as tabs:
        answers = list(
            tabs.map(lambda each: team.checkout(f"tab {each[0]}", each[1]), enumerate(cycles))
        )
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    urls = {answer.json()["url"] for answer in answers if answer.status_code == 201}
    urls.add(team.checkout("the last one", "annual").json()["url"])
    assert [team.pay(url).status_code for url in urls].count(200) == 1


def test_a_paid_subscription_becomes_active_by_its_webhooks(team: Team) -> None:
    assert team.pay(team.checkout("one").json()["url"]).status_code == 200
    until(lambda: team.subscription()["status"] == "active")
    until(lambda: [each["status"] for each in team.invoices()] == ["paid"])


@pytest.mark.usefixtures("awkward")
def test_webhooks_twice_and_in_another_order_end_in_the_same_state(team: Team) -> None:
    assert team.pay(team.checkout("one", "annual").json()["url"]).status_code == 200
    until(lambda: team.subscription()["status"] == "active")
    until(lambda: [each["status"] for each in team.invoices()] == ["paid"])
    assert team.invoices()[0]["total"] == {"amount": 58800, "currency": "usd"}


def test_held_webhooks_are_found_by_the_reconciler(team: Team) -> None:
    stack = team.stack
    orders = f"{stack.stripe}/sandbox/deliveries"
    httpx.post(orders, json={"hold": True})
    try:
        assert team.pay(team.checkout("one").json()["url"]).status_code == 200
        assert team.subscription()["status"] == "none"
        function = stack.outputs["ReconcileFunctionName"]
        stack.client("lambda").invoke(FunctionName=function, InvocationType="Event")
        until(lambda: team.subscription()["status"] == "active")
    finally:
        httpx.post(orders, json={"hold": False})
