"""The sandbox's clock jumps, and what is due by then happens without anybody's help."""

from datetime import timedelta

import httpx

from billing.domain.times import next_month, parse_rfc3339
from infra.local.people import Person
from tests.stack.running import Stack, until
from tests.stack.test_credits import command
from tests.stack.test_members import Team

CAP = {"amount": 5000, "currency": "usd"}


def test_a_top_up_that_waits_for_the_next_month_buys_once_the_clock_is_there(stack: Stack) -> None:
    team = Team(stack)
    team.subscribe(slots=1)
    mia = Person(f"mia@{team.account}.test", team.account, "member")
    team.invite(mia.email)
    member = team.call("POST", "/invitations/accept", mia).json()["id"]
    wanted = {"below": 100, "package": "credits_500", "monthly_cap": CAP}
    assert team.call("PUT", "/settings/top-up", team.manager, json=wanted).status_code == 200
    until(lambda: team.billing()["credits"]["mine"] == 500)
    sent = command(team, "/credits/transfers", {"to": member, "credits": 450}, "send")
    assert sent.status_code == 201
    until(lambda: status(team) == "waiting")
    go_to_next_month(stack)
    until(lambda: team.billing()["credits"]["mine"] == 550, 30)
    assert status(team) == "active"


def status(team: Team) -> str:
    return str(team.call("GET", "/credits", team.manager).json()["top_up"]["status"])


def go_to_next_month(stack: Stack) -> None:
    """No subscription that began this month renews by then."""
    clock = f"{stack.stripe}/sandbox/clock"
    now = parse_rfc3339(httpx.get(clock).json()["now"])
    to = next_month(now) + timedelta(minutes=1)
    moved = httpx.post(clock, json={"to": f"{to:%Y-%m-%dT%H:%M:%SZ}"}, timeout=60)
    assert moved.status_code == 200, moved.text
