"""Members on the running stack: many invitations at once, and a token that outlives them."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from infra.local.people import Person
from tests.stack.running import Stack, until


class Team:
    """A subscribed account of the test's own, with as many slots as it buys."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.account = f"team-{uuid.uuid4().hex[:8]}"
        self.manager = Person(f"tess@{self.account}.test", self.account, "manager")

    def call(self, method: str, path: str, person: Person, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.stack.token(person)}"} | more.pop("headers", {})
        return httpx.request(method, f"{self.stack.api}{path}", headers=headers, **more)

    def billing(self) -> Any:
        return self.call("GET", "/billing", self.manager).json()

    def invite(self, email: str) -> httpx.Response:
        return self.call("POST", "/members", self.manager, json={"email": email})

    def subscribe(self, slots: int, card: str = "4242424242424242") -> None:
        """And buys `slots`, unless none."""
        choice = {"plan": "starter", "cycle": "monthly"}
        key = {"idempotency-key": "one"}
        opened = self.call("POST", "/subscription/checkout", self.manager, json=choice, headers=key)
        session = opened.json()["url"].rsplit("/", 1)[1]
        pay = f"{self.stack.stripe}/sandbox/checkout/{session}/pay"
        assert httpx.post(pay, json={"card": card, "authenticate": "approve"}).status_code == 200
        until(lambda: self.billing()["access"]["state"] == "active")
        if slots:
            bought = self.order_slots(slots)
            assert bought.json()["purchased"] == slots, bought.text

    def order_slots(self, purchased: int, quote: str | None = None) -> httpx.Response:
        headers = {"idempotency-key": uuid.uuid4().hex}
        body = {"purchased": purchased, "quote": quote}
        return self.call("PUT", "/slots", self.manager, json=body, headers=headers)

    def invoices(self, kind: str) -> Any:
        found = self.call("GET", "/invoices", self.manager, params={"kind": kind})
        return found.json()["items"]

    def quote(self, purchased: int) -> Any:
        asked = {"purchased": purchased}
        return self.call("POST", "/slots/preview", self.manager, json=asked).json()


@pytest.fixture
def team(stack: Stack) -> Team:
    return Team(stack)


def test_ten_invitations_at_once_for_one_slot_are_one_invitation(team: Team) -> None:
    team.subscribe(slots=1)
    addresses = [f"m{number}@{team.account}.test" for number in range(10)]
    with ThreadPoolExecutor(10) as tabs:
        answers = list(tabs.map(team.invite, addresses))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    shown = team.billing()["slots"]
    assert (shown["occupied"], shown["invited"], shown["free"]) == (1, 1, 0)


def test_ten_invitations_at_once_for_ten_slots_are_ten(team: Team) -> None:
    team.subscribe(slots=10)
    addresses = [f"m{number}@{team.account}.test" for number in range(10)]
    with ThreadPoolExecutor(10) as tabs:
        answers = list(tabs.map(team.invite, addresses))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert team.billing()["slots"]["free"] == 0


def test_two_tabs_that_each_add_a_slot_at_once_add_two(team: Team) -> None:
    team.subscribe(slots=1)
    offers = [team.quote(2) for _ in range(2)]
    answers: list[httpx.Response] = []

    def add_one(offer: Any) -> None:
        """As the page does it: a new quote is confirmed, and what is busy is asked again."""
        for _ in range(5):
            answer = team.order_slots(offer["purchased"], offer["quote"])
            answers.append(answer)
            if answer.status_code == 200:
                return
            offer = answer.json().get("preview", offer)

    with ThreadPoolExecutor(2) as tabs:
        list(tabs.map(add_one, offers))
    assert sorted(each.json()["purchased"] for each in answers if each.status_code == 200) == [2, 3]
    assert team.billing()["slots"]["purchased"] == 3
    until(lambda: len(team.invoices("slots")) == 3)
    sums = {each["total"]["amount"] for each in team.invoices("slots")}
    assert max(sums) == 4900


def test_an_invited_person_joins_and_is_refused_once_removed(team: Team) -> None:
    team.subscribe(slots=1)
    mia = Person(f"mia@{team.account}.test", team.account, "member")
    invited = team.invite(mia.email).json()["id"]
    assert team.call("GET", "/entitlements", mia).status_code == 403
    assert team.call("POST", "/invitations/accept", mia).json()["id"] == invited
    assert team.call("GET", "/entitlements", mia).json()["slot"] is True
    removed = team.call("DELETE", f"/members/{invited}", team.manager)
    assert (removed.status_code, removed.content) == (204, b"")
    assert team.call("GET", "/entitlements", mia).status_code == 403


def test_a_support_request_is_listed(team: Team) -> None:
    asked = {"topic": "annual_slots", "message": "Ten, please."}
    sent = team.call("POST", "/support-requests", team.manager, json=asked)
    assert sent.status_code == 201, sent.text
    listed = team.call("GET", "/support-requests", team.manager).json()["items"]
    assert listed == [sent.json()]
