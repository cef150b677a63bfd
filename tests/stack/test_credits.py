"""Credits on the running stack, and many transfers at once from one wallet."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import accumulate
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from billing.adapters.dynamodb import accounts, keys, ledger, reading, transaction
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import Command
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain import credits
from billing.domain.account import Role
from billing.domain.credits import Cause, Credits, Entry
from billing.domain.errors import BillingError
from billing.domain.people import Claims
from billing.usecases import members
from billing.usecases.accounts import arrive
from billing.usecases.credit_log import Shown, read_log
from billing.usecases.credits import send_credits
from billing.usecases.holds import hold_credits
from billing.usecases.limits import set_limit
from infra.local import aws
from infra.local.people import Person
from tests.factories import NOON, subscription
from tests.functions.team import slots_subscription
from tests.stack.running import Stack, until
from tests.stack.test_members import Team
from tests.tables import tables

GRACE = timedelta(days=14)
ANA = Claims(subject="ana", role=Role.MANAGER, email="ana@acme.test", name="Ana")


@pytest.fixture
def account(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> str:
    """A subscribed account of 400 credits, in tables of its own beside the deployed ones."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=stack.aws,
        region_name=aws.REGION,
        aws_access_key_id=aws.ACCESS_KEY,
        aws_secret_access_key=aws.SECRET_KEY,
        config=Config(max_pool_connections=500, parameter_validation=False),
    )
    for name, wanted in tables().items():
        own = f"{name}-{uuid.uuid4().hex}"
        client.create_table(TableName=own, **wanted)
        for module in (transaction, reading) if name == "billing" else (ledger,):
            monkeypatch.setattr(module, "TABLE", own)
    for module in (transaction, reading):
        monkeypatch.setattr(module, "client", client)
    rows = arrive("acme", ANA, NOON).rows
    write = Transaction()
    for bought in (subscription(), slots_subscription(16)):
        accounts.put_subscription(write, "acme", bought, version=0)
    cause = Cause(id="grant", account="acme", by="ana", now=NOON)
    granted = credits.grant(rows.wallets["ana"], Credits(400), cause)
    ledger.append(write, granted, {"ana": rows.version_of(keys.wallet_key("acme", "ana"))})
    write.commit()
    return "acme"


def join(name: str) -> str:
    email = f"{name}@acme.test"
    members.invite_member("acme", "ana", email, name, GRACE, NOON)
    claims = Claims(subject=name, role=Role.MEMBER, email=email, name=name)
    return members.accept_invitation("acme", claims, NOON).id


def test_500_transfers_at_once_succeed_or_are_refused_for_want_of_credits(account: str) -> None:
    people = [join("mia"), join("ben")]

    def send(number: int) -> str:
        command = Command(f"command-{number}", "")
        to = people[number % 2]
        try:
            send_credits(account, ANA, to, Credits(1), command, grace=GRACE, now=NOON)
        except BillingError as error:
            return error.code
        return "sent"

    with ThreadPoolExecutor(500) as tabs:
        answers = Counter(tabs.map(send, range(500)))
    assert answers == {"sent": 400, "insufficient_credits": 100}


def test_16_people_who_get_1920_transfers_at_once_leave_a_log_without_a_contradiction(
    account: str,
) -> None:
    """Nobody is refused, and once all is listed each line has the balance that follows from the
    line before."""
    people = [join(f"m{number}") for number in range(16)]
    rows = accounts.load(account)
    write = Transaction()
    cause = Cause(id="more", account=account, by="ana", now=NOON)
    granted = credits.grant(rows.wallets["ana"], Credits(2_000), cause)
    ledger.append(write, granted, {"ana": rows.version_of(keys.wallet_key(account, "ana"))})
    write.commit()

    def send_120(number: int) -> None:
        for each in range(120):
            command = Command(f"command-{number}-{each}", "")
            send_credits(account, ANA, people[number], Credits(1), command, grace=GRACE, now=NOON)

    with ThreadPoolExecutor(16) as tabs:
        list(tabs.map(send_120, range(16)))
    rows = accounts.load(account)
    assert rows.wallets["ana"].balance == 400 + 2_000 - 16 * 120
    for person in ("ana", people[0], people[15]):
        lines = whole_log(rows, person)
        assert [each.balance_after(person) for each in lines] == running_balances(lines, person)


def whole_log(rows: AccountRows, person: str) -> list[Entry]:
    """Oldest first."""
    lines: list[Entry] = []
    cursor = None
    while not lines or cursor:
        shown = Shown(person=person, cursor=cursor)
        page, cursor = read_log(rows, shown, limit=1_000, now=NOON + timedelta(minutes=2))
        lines += page
    return lines[::-1]


def running_balances(lines: list[Entry], person: str) -> list[int]:
    signs = [1 if each.target == person else -1 for each in lines]
    return list(accumulate(sign * each.credits for sign, each in zip(signs, lines, strict=True)))


@pytest.mark.parametrize(("limit", "held"), [(40, 40), (None, 60)])
def test_60_holds_at_once_never_exceed_a_members_limit(
    account: str, limit: int | None, held: int
) -> None:
    mia = join("mia")
    to_spare = Command("to spare", "")
    send_credits(account, ANA, mia, Credits(100), to_spare, grace=GRACE, now=NOON)
    set_limit(account, "ana", mia, limit, NOON)

    def hold(number: int) -> str:
        command = Command(f"hold-{number}", "")
        try:
            hold_credits(account, mia, Credits(1), command, reference="", grace=GRACE, now=NOON)
        except BillingError as error:
            return error.code
        return "held"

    with ThreadPoolExecutor(60) as tabs:
        answers = Counter(tabs.map(hold, range(60)))
    assert answers == Counter(held=held, limit_reached=60 - held)
    wallet = accounts.load(account).wallets[mia]
    assert (wallet.used, wallet.held, wallet.balance) == (held, held, 100 - held)


def test_a_package_is_bought_sent_seen_and_topped_up_on_the_running_stack(stack: Stack) -> None:
    """Webhooks come twice, under two ids, and in another order; four tabs send at once."""
    team = Team(stack)
    team.subscribe(slots=1)
    mia = Person(f"mia@{team.account}.test", team.account, "member")
    team.invite(mia.email)
    member = team.call("POST", "/invitations/accept", mia).json()["id"]
    orders = f"{stack.stripe}/sandbox/deliveries"
    httpx.post(orders, json={"duplicate": True, "reorder": True, "twin": True})
    opened = command(team, "/credits/checkout", {"package": "credits_500"}, "buy")
    session = opened.json()["url"].rsplit("/", 1)[1]
    paid = httpx.post(
        f"{stack.stripe}/sandbox/checkout/{session}/pay", json={"card": "4242424242424242"}
    )
    assert paid.status_code == 200, paid.text
    until(lambda: team.billing()["credits"]["remaining"] == 500)
    httpx.post(orders, json={"duplicate": False, "reorder": False, "twin": False})

    def send(tab: int) -> int:
        wanted = {"to": member, "credits": 150}
        return command(team, "/credits/transfers", wanted, f"tab {tab}").status_code

    with ThreadPoolExecutor(4) as tabs:
        assert sorted(tabs.map(send, range(4))) == [201] * 3 + [422]
    assert team.billing()["credits"]["mine"] == 50
    assert [each["balance_after"] for each in log(team, mia)] == [450, 300, 150]
    assert [each["kind"] for each in log(team, team.manager)] == ["transfer"] * 3 + ["grant"]
    top_up(team)
    until(lambda: [each["status"] for each in invoices(team)] == ["paid"] * 2)
    assert [each["total"]["amount"] for each in invoices(team)] == [5000] * 2


def top_up(team: Team) -> None:
    """The wallet is that low already: stream, bus and function buy a package."""
    cap = {"amount": 5000, "currency": "usd"}
    wanted = {"below": 100, "package": "credits_500", "monthly_cap": cap}
    chosen = team.call("PUT", "/settings/top-up", team.manager, json=wanted)
    assert (chosen.status_code, chosen.json()["status"]) == (200, "under_way")
    until(lambda: team.billing()["credits"]["mine"] == 550)
    [entry, *_] = log(team, team.manager)
    assert (entry["kind"], entry["by"]) == ("grant", "schedule")


def invoices(team: Team) -> list[dict[str, Any]]:
    found = team.call("GET", "/invoices?kind=package", team.manager).json()["items"]
    return list(found)


def command(team: Team, path: str, body: Any, key: str) -> httpx.Response:
    headers = {"idempotency-key": key}
    return team.call("POST", path, team.manager, json=body, headers=headers)


def log(team: Team, person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = team.call("GET", "/credits/log", person).json()["items"]
    return found
