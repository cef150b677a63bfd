"""A year of an account on a running stack of its own: after each step the page, the API, our rows
and Stripe say the same, and in the end everything charged is what a hand computes."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from playwright.sync_api import Page, expect

from billing.adapters.dynamodb.items import decode_item
from billing.domain.times import parse_rfc3339, rfc3339
from infra.local.people import Person
from infra.local.stripe_account import SANDBOX_KEY
from tests import clock
from tests.browser import walk
from tests.stack.running import ROOT, Folder, Stack, until

pytestmark = pytest.mark.page

VISA = "4242424242424242"
FAILS_AT_RENEWAL = "4000000000000341"
ANNUAL, QUARTERLY, SLOT, PACKAGE = 58_800, 15_900, 4_900, 5_000

Picture = dict[str, Any]
"""What the account has, in the same words whoever tells it."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Its clock is moved, so no other test shares it."""
    folder = Folder(Path(tempfile.mkdtemp(prefix="billing-year-")))
    try:
        yield folder.up()
    finally:
        folder.down()
        shutil.rmtree(folder.path)


class Account:
    """What its manager does, and what all sides say of it."""

    def __init__(self, stack: Stack) -> None:
        name = f"year-{uuid.uuid4().hex[:8]}"
        self.name = name
        self.stack = stack
        self.manager = Person(f"tess@{name}.test", name, "manager")
        self.api = httpx.Client(
            base_url=stack.api,
            headers={"authorization": f"Bearer {stack.token(self.manager)}"},
        )
        self.at_stripe = stripe.StripeClient(SANDBOX_KEY, base_addresses={"api": stack.stripe})

    def command(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.api.request(
            method, path, json=body, headers={"idempotency-key": uuid.uuid4().hex}
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def order(self, path: str, body: Any) -> Any:
        answer = httpx.post(f"{self.stack.stripe}/sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def advance(self, duration: str) -> None:
        self.order("clock", {"advance": duration})

    def now(self) -> datetime:
        return parse_rfc3339(httpx.get(f"{self.stack.stripe}/sandbox/clock").json()["now"])

    def enter(self, url: str, card: str) -> None:
        self.order(f"checkout/{url.rsplit('/', 1)[1].split('#')[0]}/pay", {"card": card})

    def new_card(self, card: str) -> None:
        self.enter(self.command("POST", "/subscription/card")["url"], card)

    def set_slots(self, purchased: int) -> int:
        """After a look at the price, and for exactly that; returns it."""
        quote = self.command("POST", "/slots/preview", {"purchased": purchased})
        self.command("PUT", "/slots", {"purchased": purchased, "quote": quote["quote"]})
        due: int = quote["due_now"]["amount"]
        return due

    def billing(self) -> Any:
        return self.api.get("/billing").json()

    def invoices(self) -> list[Any]:
        found: list[Any] = self.api.get("/invoices", params={"limit": 100}).json()["items"]
        return found

    def charged(self) -> int:
        return sum(each["total"]["amount"] for each in self.invoices() if each["status"] == "paid")


def told_by_the_api(account: Account) -> Picture:
    billing = account.billing()
    base, slots = billing["subscription"], billing["slots"]
    return {
        "status": base["status"],
        "cycle": base["cycle"],
        "pending cycle": base["pending_cycle"],
        "ends": base["ends_at"],
        "slots": slots["purchased"],
        "pending slots": slots["pending_purchased"],
        "invoices": sorted(
            (each["number"], each["status"], each["total"]["amount"]) for each in account.invoices()
        ),
    }


def told_by_the_rows(account: Account) -> Picture:
    rows = {row["sk"]: row for row in _partition(account, f"ACCOUNT#{account.name}")}
    base, slots = rows["SUBSCRIPTION#subscription"], rows.get("SUBSCRIPTION#slots")
    pending = base["pending"]
    return {
        "status": base["status"],
        "cycle": base["cycle"],
        "pending cycle": pending["cycle"] if pending else None,
        "ends": base["ends_at"],
        "slots": slots["quantity"] if slots and slots["status"] != "canceled" else 0,
        "pending slots": rows.get("SLOTS", {}).get("pending_purchased"),
        "invoices": sorted(
            (row["number"], row["status"], row["total"]["amount"])
            for row in _partition(account, f"ACCOUNT#{account.name}#INVOICES")
        ),
    }


def _partition(account: Account, pk: str) -> list[dict[str, Any]]:
    found = account.stack.client("dynamodb").query(
        TableName=account.stack.outputs["TableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ConsistentRead=True,
    )
    return [decode_item(item) for item in found["Items"]]


def told_by_stripe(account: Account) -> Picture:
    v1 = account.at_stripe.v1
    [customer] = v1.customers.list({"email": account.manager.email}).data
    wanted: Any = {"customer": customer.id, "status": "all", "expand": ["data.schedule"]}
    found = {str(each.metadata["kind"]): each for each in v1.subscriptions.list(wanted).data[::-1]}
    base, slots = found["subscription"], found.get("slots")
    item = base.items.data[0]
    assert item.price.recurring is not None
    ends = (
        base.ended_at
        or base.cancel_at
        or (item.current_period_end if base.cancel_at_period_end else None)
    )
    invoices = v1.invoices.list({"customer": customer.id, "limit": 100}).data
    return {
        "status": base.status,
        "cycle": _cycle(item.price),
        "pending cycle": _pending(account, base, lambda phase: _price_of(account, phase)),
        "ends": None if ends is None else f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "slots": slots.items.data[0].quantity if slots and slots.status != "canceled" else 0,
        "pending slots": slots and _pending(account, slots, lambda phase: phase.items[0].quantity),
        "invoices": sorted(
            (each.number, each.status, each.total) for each in invoices if each.status != "draft"
        ),
    }


def _pending(account: Account, subscription: Any, told: Callable[[Any], Any]) -> Any:
    """Of the phase that has not begun."""
    schedule = subscription.schedule
    if schedule is None or schedule.current_phase is None:
        return None
    began = schedule.current_phase.start_date
    return next((told(phase) for phase in schedule.phases if phase.start_date > began), None)


def _price_of(account: Account, phase: Any) -> str:
    return _cycle(account.at_stripe.v1.prices.retrieve(str(phase.items[0].price)))


def _cycle(price: Any) -> str:
    months = price.recurring.interval_count * (12 if price.recurring.interval == "year" else 1)
    return {1: "monthly", 3: "quarterly", 12: "annual"}[months]


TELLERS = (told_by_the_rows, told_by_stripe)
Look = Callable[[str, str | None], None]
"""At the page, given what it says of the plan and of the slots; None where it shows no team."""


def agreed(account: Account) -> Picture:
    """What all say, once they say the same."""

    def differing() -> list[Picture]:
        told = told_by_the_api(account)
        return [told, *(other for tell in TELLERS if (other := tell(account)) != told)]

    pictures: list[Picture] = []

    def agree() -> bool:
        pictures[:] = differing()
        return len(pictures) == 1

    try:
        until(agree)
    except pytest.fail.Exception:
        pytest.fail("they differ:\n" + "\n".join(map(str, pictures)))
    return pictures[0]


def live(account: Account, look: Look) -> Picture:
    """The year, from a 10 March on; returns what everybody says at its end."""
    first_year_ends = subscribe(account, look)
    two_more = buy_and_lower_slots(account, look)
    survive_a_failing_card(account, look)
    buy_credits(account)
    cancel_keep_and_change_cycle(account, look, first_year_ends)
    ended = cancel_for_good(account, look)
    months = [SLOT] * MONTHS_OF_ONE_SLOT
    assert sorted((status, total) for _, status, total in ended["invoices"]) == sorted(
        ("paid", total) for total in (ANNUAL, QUARTERLY, 2 * SLOT, two_more, PACKAGE, *months)
    )
    return ended


def subscribe(account: Account, look: Look) -> str:
    """For a year; returns when it ends."""
    choice = {"plan": "starter", "cycle": "annual"}
    account.enter(account.command("POST", "/subscription/checkout", choice)["url"], VISA)
    until(lambda: account.billing()["subscription"]["status"] == "active")
    assert agreed(account)["slots"] == 0
    look("Renews on", "Your team has no slots yet")
    return str(account.billing()["subscription"]["renews_at"])


def buy_and_lower_slots(account: Account, look: Look) -> int:
    """In the second month 2, ten days later 2 more, and then 1 from the third month on; returns
    what the 2 more came to."""
    account.advance("P1M")
    assert account.set_slots(2) == 2 * SLOT
    assert agreed(account)["slots"] == 2
    look("Renews on", "0 of 2 slots in use")
    account.advance("P10D")
    ends = account.billing()["slots"]["renews_at"]
    two_more = account.set_slots(4)
    assert two_more == prorated(4 * SLOT, account, ends) - prorated(2 * SLOT, account, ends)
    assert agreed(account)["slots"] == 4
    account.set_slots(1)
    lowered = agreed(account)
    assert (lowered["slots"], lowered["pending slots"]) == (4, 1)
    look("Renews on", "0 of 4 slots in use")
    account.advance("P1M")
    renewed = agreed(account)
    assert (renewed["slots"], renewed["pending slots"]) == (1, None)
    look("Renews on", "0 of 1 slot in use")
    return two_more


def survive_a_failing_card(account: Account, look: Look) -> None:
    """Its first charge in the fifth month fails; another card pays it at once."""
    account.advance("P1M")
    account.new_card(FAILS_AT_RENEWAL)
    until(lambda: (account.billing()["subscription"]["card"] or {})["last4"] == "0341")
    account.advance("P25D")
    assert [status for _, status, _ in agreed(account)["invoices"]].count("open") == 1
    assert account.billing()["slots"]["overdue"]["invoice"]["amount_due"]["amount"] == SLOT
    account.new_card(VISA)
    until(lambda: not any(each["status"] == "open" for each in account.invoices()))
    assert {status for _, status, _ in agreed(account)["invoices"]} == {"paid"}
    look("Renews on", "0 of 1 slot in use")


def buy_credits(account: Account) -> None:
    choice = {"package": "credits_500"}
    account.enter(account.command("POST", "/credits/checkout", choice)["url"], VISA)
    until(lambda: account.billing()["credits"]["remaining"] == 500)


def cancel_keep_and_change_cycle(account: Account, look: Look, year_ends: str) -> None:
    assert account.command("POST", "/subscription/cancel", {})["ends_at"] == year_ends
    assert agreed(account)["ends"] == year_ends
    look("Your subscription ends on", "0 of 1 slot in use")
    account.command("POST", "/subscription/resume")
    assert agreed(account)["ends"] is None
    account.command("PUT", "/subscription/cycle", {"cycle": "quarterly"})
    assert agreed(account)["pending cycle"] == "quarterly"
    look("Quarterly from", "0 of 1 slot in use")
    account.advance("P8M")
    renewed = agreed(account)
    assert (renewed["cycle"], renewed["pending cycle"]) == ("quarterly", None)
    look("Renews on", "0 of 1 slot in use")


def cancel_for_good(account: Account, look: Look) -> Picture:
    goodbye = {"reason": "too_expensive", "comment": "The year is over."}
    ends = account.command("POST", "/subscription/cancel", goodbye)["ends_at"]
    assert agreed(account)["ends"] == ends
    account.advance("P4M")
    ended = agreed(account)
    assert (ended["status"], ended["ends"], ended["slots"]) == ("canceled", ends, 0)
    look("Your subscription ended on", None)
    account.advance("P3M")
    assert agreed(account) == ended
    return ended


MONTHS_OF_ONE_SLOT = 11
"""From the third month of the first year to the one in which everything is canceled."""


def prorated(amount: int, account: Account, ends: str) -> int:
    """For the rest of a month that ends at `ends`, as Stripe counts it: by the second."""
    end = parse_rfc3339(ends)
    month = end.month - 1 or 12
    begun = end.replace(month=month, year=end.year - (month == 12))
    left = end - account.now()
    return round(amount * left.total_seconds() / (end - begun).total_seconds())


@pytest.fixture
def account(stack: Stack) -> Iterator[Account]:
    account = Account(stack)
    with account.api:
        account.order("clock", {"to": rfc3339(clock.the_next(3, 10, after=account.now()))})
        yield account


@pytest.fixture
def awkward(account: Account) -> Iterator[None]:
    """Webhooks come twice, and in another order."""
    account.order("deliveries", {"duplicate": True, "reorder": True})
    yield
    account.order("deliveries", {"duplicate": False, "reorder": False})


def the_ledger_is_proved(stack: Stack) -> None:
    """By the stack's clock: the machine's is years behind what has happened."""
    proof = subprocess.run(
        [sys.executable, "-m", "infra.check_ledger", "--local"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STATE": str(stack.folder.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert " 0 times something does not agree" in proof.stdout


def test_a_year_in_which_everything_happens(account: Account, visit: Page) -> None:
    def look(plan: str, slots: str | None) -> None:
        walk.show(visit, account.stack, account.manager)
        expect(walk.region(visit, "Subscription plan")).to_contain_text(plan)
        team = walk.region(visit, "Team members")
        if slots is None:
            expect(team).to_have_count(0)
        else:
            expect(team).to_contain_text(slots)

    live(account, look)
    the_ledger_is_proved(account.stack)


@pytest.mark.usefixtures("awkward")
def test_the_same_year_with_every_webhook_doubled_and_reordered_ends_the_same(
    account: Account,
) -> None:
    ended = live(account, lambda plan, slots: None)
    assert ended["status"] == "canceled"
