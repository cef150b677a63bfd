"""What happened, from the table's stream over the bus to a mail, on the running stack."""

import json
import uuid
from typing import Any

import httpx
import pytest

from infra.local.people import Person
from tests.stack.running import Stack, until


@pytest.fixture
def manager() -> Person:
    account = f"team-{uuid.uuid4().hex[:8]}"
    return Person(f"tess@{account}.test", account, "manager")


def mails(stack: Stack, text: str) -> list[dict[str, Any]]:
    """Those that the local SES took, with `text` in them."""
    taken = httpx.get(f"{stack.aws}/_ministack/ses/messages").json()["messages"]
    return [mail for each in taken.values() for mail in each if text in json.dumps(mail)]


def test_a_support_request_reaches_support_by_mail(stack: Stack, manager: Person) -> None:
    headers = {"authorization": f"Bearer {stack.token(manager)}"}
    asked = {"topic": "other", "message": "By mail, please."}
    sent = httpx.post(f"{stack.api}/support-requests", json=asked, headers=headers)
    assert sent.status_code == 201, sent.text
    until(lambda: len(mails(stack, manager.account)) == 1)
    [mail] = mails(stack, manager.account)
    assert "By mail, please." in json.dumps(mail)
    assert manager.email in json.dumps(mail)


def test_the_sweep_may_do_what_it_has_to(stack: Stack) -> None:
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["RenewalsFunctionName"])
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"])["failed"] == 0
