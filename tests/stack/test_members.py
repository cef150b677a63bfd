"""Members on the running stack: many invitations at once, and a token that outlives them."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import stripe

from infra.local.people import Person
from infra.local.stripe_account import SANDBOX_KEY
from tests.stack.running import Stack, until


class Team:
    """A subscribed account of the test's own, with as many slots as it buys."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.account = f"team-{uuid.uuid4().hex[:8]}"
        self.manager = Person(f"tess@{self.account}.test", self.account, "manager")

    def call(self, method: str, path: str, person: Person, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.stack.token(person)}"} | more.pop("headers", {})
        return httpx.request(method, f"{self.stack.api}{path}", headers=headers, timeout=30, **more)

    def billing(self) -> Any:
        return self.call("GET", "/billing", self.manager).json()

    def invite(self, email: str) -> httpx.Response:
        return self.call("POST", "/members", self.manager, json={"email": email})

    def subscribe(self, slots: int) -> None:
        choice = {"plan": "starter", "cycle": "monthly"}
        key = {"idempotency-key": "one"}
        opened = self.call("POST", "/subscription/checkout", self.manager, json=choice, headers=key)
        session = opened.json()["url"].rsplit("/", 1)[1]
        pay = f"{self.stack.stripe}/sandbox/checkout/{session}/pay"
        assert httpx.post(pay, json={"card": "4242424242424242"}).status_code == 200
        self._buy(session, slots)
        until(lambda: self.billing()["access"]["state"] == "active")
        until(lambda: self.billing()["slots"]["purchased"] == slots)

    def _buy(self, session: str, slots: int) -> None:
        at_stripe = stripe.StripeClient(SANDBOX_KEY, base_addresses={"api": self.stack.stripe})
        bought = at_stripe.v1.checkout.sessions.retrieve(session)
        base = at_stripe.v1.subscriptions.retrieve(str(bought.subscription))
        price = at_stripe.v1.prices.list({"lookup_keys": ["slot_monthly_usd"]}).data[0]
        at_stripe.v1.subscriptions.create(
            {
                "customer": str(base.customer),
                "items": [{"price": price.id, "quantity": slots}],
                "default_payment_method": str(base.default_payment_method),
                "metadata": {"account_id": self.account, "kind": "slots"},
            }
        )


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
