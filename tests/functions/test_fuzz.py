"""Requests that nobody wrote: drawn from the OpenAPI document, within it and beyond it.

Each is answered as the document says, and none by a fault of ours. `FUZZ_EXAMPLES=1000` draws
more for each route, and others in every run.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, checks

from infra.openapi import DOCUMENT
from tests.functions.gateway import TOKEN, Gateway
from tests.functions.product import Begin, Product
from tests.functions.purse import grant
from tests.functions.team import join

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
NOT_HERE = [
    # API Gateway answers 404 to a method that no route has.
    checks.unsupported_method,
    # A rule may refuse what is well-formed.
    checks.positive_data_acceptance,
]
CLAIMS: dict[str, dict[str, str]] = {
    "manager": {"sub": "user-ana", "email": "ana@acme.test", "name": "Ana", "role": "manager"},
    "member": {"sub": "user-mia", "email": "mia@acme.test", "name": "Mia", "role": "member"},
    "operator": {"sub": "user-olga", "scope": "billing.support"},
    "nobody": {},
}
ACTORS = {"signed in": ("manager", "member"), "anyone": ("nobody",), "Stripe": ("nobody",)}

gateway = Gateway()
schema = schemathesis.openapi.from_path(DOCUMENT)
schema.app = gateway
schema.config.phases.coverage.unexpected_methods = set()
schema.config.generation.with_security_parameters = False

Send = Callable[..., None]
"""Of a case, by whom, and without which checks."""


def drawn(examples: int, **more: Any) -> settings:
    return settings(
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        max_examples=EXAMPLES or examples,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def live(product: Product) -> None:
    """Subscribed, with slots, a member, credits and an invoice."""
    product.subscribe()
    product.catch_up()
    product.buy_slots(3)
    product.catch_up()
    join(product, "mia@acme.test")
    grant(product, 100)


@pytest.fixture
def send(begin: Begin) -> Send:
    """Send a request to an account that has lived so far, and check the answer."""

    def send(case: Case[Any], actor: str, *, without: Sequence[Any] = ()) -> None:
        account = begin("fuzzed", live).account
        gateway.claims = {**CLAIMS[actor], "account_id": account}
        headers = {} if actor == "nobody" else {"Authorization": TOKEN}
        case.call_and_validate(headers=headers, excluded_checks=[*NOT_HERE, *without])

    return send


@pytest.fixture
def known(begin: Begin) -> dict[str, str]:
    """What requests may name, by parameter."""
    account = begin("fuzzed", live)
    [member] = [each["id"] for each in account.billing()["members"] if each["role"] == "member"]
    invoice = account.call("GET /invoices").json["items"][0]["id"]
    return {
        "account_id": account.account,
        "to": member,
        "member": member,
        "file": "mark.svg",
        "invoice": invoice,
    }


@schema.parametrize()
@drawn(5)
def test_a_request_is_answered_as_documented(
    send: Send, known: dict[str, str], case: Case[Any]
) -> None:
    who = case.operation.definition.raw["x-who"]
    for actor in ACTORS.get(who, (who,)):
        send(case, actor)
        if _names_something(case):
            # What was wrong with the request may have been its ids.
            send(_naming(case, known), actor, without=[checks.negative_data_rejection])


def _names_something(case: Case[Any]) -> bool:
    in_body = isinstance(case.body, dict) and "to" in case.body
    return bool(case.path_parameters or in_body or "member" in case.query)


def _naming(case: Case[Any], known: dict[str, str]) -> Case[Any]:
    """The same request for what there is: drawn ids name nothing."""
    named = case.derive()
    ids = {"id": known["invoice" if "/invoices/" in case.path else "member"]}
    named.path_parameters = {
        name: (known | ids).get(name, value) for name, value in case.path_parameters.items()
    }
    if "member" in named.query:
        named.query = {**named.query, "member": known["member"]}
    if isinstance(named.body, dict) and "to" in named.body:
        named.body = {**named.body, "to": known["to"]}
    return named


@pytest.mark.parametrize("actor", CLAIMS)
@schema.parametrize()
@drawn(1, phases=(Phase.generate,))
def test_a_request_is_answered_as_documented_whoever_sends_it(
    send: Send, actor: str, case: Case[Any]
) -> None:
    send(case, actor)
