"""The operator's commands, as the README has them, on the running stack."""

import re
import subprocess
import uuid
from typing import Any

import httpx
import pytest

from infra.local.people import OLGA, Person
from tests.stack.running import ROOT, Stack, until


def call(stack: Stack, person: Person, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {stack.token(person)}", "idempotency-key": "one"}
    return httpx.request(method, f"{stack.api}{path}", headers=headers, **more)


@pytest.fixture
def manager(stack: Stack) -> Person:
    """Of a subscribed account of the test's own."""
    account = f"sold-{uuid.uuid4().hex[:8]}"
    tess = Person(f"tess@{account}.test", account, "manager")
    choice = {"plan": "starter", "cycle": "monthly"}
    opened = call(stack, tess, "POST", "/subscription/checkout", json=choice).json()
    session = opened["url"].rsplit("/", 1)[1]
    pay = f"{stack.stripe}/sandbox/checkout/{session}/pay"
    assert httpx.post(pay, json={"card": "4242424242424242"}).status_code == 200
    until(lambda: billing(stack, tess)["access"]["state"] == "active")
    return tess


def billing(stack: Stack, manager: Person) -> Any:
    return call(stack, manager, "GET", "/billing").json()


def commands(stack: Stack, account: str) -> str:
    """The README's block, for this stack and account."""
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [block] = [each for each in blocks if "SCOPE=billing.support" in each]
    block = block.replace("make -s token", f"STATE={stack.folder.path} make -s token")
    return str(block.replace("http://127.0.0.1:8080", stack.api).replace("/acme", f"/{account}"))


def test_the_operators_commands_of_the_readme_do_what_they_say(
    stack: Stack, manager: Person
) -> None:
    script = commands(stack, manager.account)
    done = subprocess.run(
        ["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = billing(stack, manager)
    assert (shown["subscription"]["plan"]["id"], shown["subscription"]["pending_cycle"]) == (
        "business",
        "annual",
    )
    assert (shown["slots"]["purchased"], shown["slots"]["cycle"]) == (5, "annual")
    assert shown["add_ons"]["data_unlimited"]["ends_at"] is not None
    for each in ("Agreed by phone", "Offer 17", "Asked for by mail"):
        assert f'"reason":"{each}"' in done.stdout


def test_an_operator_is_known_by_the_scope_alone(stack: Stack, manager: Person) -> None:
    path = f"/support/accounts/{manager.account}"
    refused = call(stack, manager, "GET", path)
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")
    seen = billing(stack, manager)
    assert call(stack, OLGA, "GET", path).json() == {
        **seen,
        "account": {**seen["account"], "me": None},
    }
