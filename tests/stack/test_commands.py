"""Commands that work on a deployment's tables run from a fresh shell, with nothing but its name."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import httpx
import pytest

from infra.local.people import Person
from infra.local.stripe_account import SANDBOX_KEY
from tests.stack.running import ROOT, Stack, until


def run(command: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"infra.{command}", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("check_ledger", (), "0 times something does not agree"),
        ("resync", ("--all",), "0 failed"),
    ],
)
def test_a_command_takes_its_settings_from_the_stack(
    stack: Stack, command: str, arguments: tuple[str, ...], said: str
) -> None:
    done = run(command, "--local", *arguments, STATE=str(stack.folder.path))
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


@pytest.fixture
def held(stack: Stack) -> Iterator[httpx.Client]:
    """Stripe, which delivers no webhooks for now."""
    order = {"duplicate": False, "reorder": False, "hold": True, "twin": False}
    signed = {"authorization": f"Bearer {SANDBOX_KEY}"}
    with httpx.Client(base_url=stack.stripe, headers=signed) as stripe:
        stripe.post("/sandbox/deliveries", json=order).raise_for_status()
        yield stripe
        stripe.post("/sandbox/deliveries", json={**order, "hold": False}).raise_for_status()


def test_an_event_that_no_webhook_brought_is_replayed_once(
    stack: Stack, held: httpx.Client
) -> None:
    customer = held.post("/v1/customers", data={"name": "Zoe"}).json()["id"]
    held.post(f"/v1/customers/{customer}", data={"name": "Zoë"}).raise_for_status()

    def replayed() -> list[str]:
        arguments = ("--customer", customer, "--since", day(stack))
        done = run("replay_events", "--local", *arguments, STATE=str(stack.folder.path))
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    line, total = replayed()
    assert (line.split()[1], total) == ("customer.updated", "1 events sent")
    until(lambda: replayed() == ["0 events sent"])


def test_what_happened_to_an_account_is_published_again(stack: Stack) -> None:
    account = f"team-{uuid.uuid4().hex[:8]}"
    manager = Person(f"tess@{account}.test", account, "manager")
    headers = {"authorization": f"Bearer {stack.token(manager)}"}
    asked = {"topic": "other", "message": "Once more, please."}
    httpx.post(f"{stack.api}/support-requests", json=asked, headers=headers).raise_for_status()
    arguments = ("--account", account, "--since", day(stack))
    done = run("republish_events", "--local", *arguments, STATE=str(stack.folder.path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{account}: 1 events" in done.stdout


def day(stack: Stack) -> str:
    """Today, by the stack's clock."""
    return str(httpx.get(f"{stack.stripe}/sandbox/clock").json()["now"])[:10]


def test_without_a_stack_a_command_says_what_to_do(stack: Stack) -> None:
    done = run("check_ledger", "--local", STATE="/nowhere")
    assert done.returncode == 2
    assert "No local stack is running. Start it: make up" in done.stderr
