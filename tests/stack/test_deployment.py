"""The template as it was deployed: its routes, its authorizer, its schedules."""

import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import pytest

from infra.local import template
from infra.local.aws import API_ID
from infra.local.people import ANA
from tests.stack.running import ROOT, Stack

UNAUTHORIZED = {"message": "Unauthorized"}


def declared_routes() -> dict[str, str]:
    """Route keys of template.yaml with the kind of their authorization."""
    resources = template.read(ROOT / "template.yaml")["Resources"].values()
    events = [
        event["Properties"]
        for resource in resources
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    return {
        f"{event['Method']} {event['Path']}": (
            "NONE" if event.get("Auth", {}).get("Authorizer") == "NONE" else "JWT"
        )
        for event in events
    }


def claims(stack: Stack, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    valid = {**ANA.claims, "iss": stack.issuer, "aud": "billing-api", "iat": now, "exp": now + 60}
    return {**valid, **changed}


def get(stack: Stack, path: str, token: str | None) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{stack.api}{path}", headers=headers)


def test_every_route_of_the_template_is_deployed_with_its_authorizer(stack: Stack) -> None:
    routes = stack.client("apigatewayv2").get_routes(ApiId=API_ID)["Items"]
    assert {each["RouteKey"]: each["AuthorizationType"] for each in routes} == declared_routes()


def test_every_route_with_an_authorizer_refuses_a_call_without_a_token(stack: Stack) -> None:
    closed = [key for key, kind in declared_routes().items() if kind == "JWT"]
    for method, path in (key.split() for key in closed):
        answer = httpx.request(method, f"{stack.api}{path.replace('{id}', 'x')}")
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED), path


def test_a_valid_token_is_let_in(stack: Stack) -> None:
    assert get(stack, "/catalog", stack.token()).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"exp": int(time.time()) - 1}, id="expired"),
        pytest.param({"nbf": int(time.time()) + 600}, id="not yet valid"),
        pytest.param({"aud": "another"}, id="of another audience"),
        pytest.param({"iss": "https://issuer.evil.test"}, id="of another issuer"),
    ],
)
def test_a_token_is_refused(stack: Stack, changed: Mapping[str, Any]) -> None:
    answer = get(stack, "/catalog", stack.keys.sign(claims(stack, **changed)))
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


def test_an_unsigned_token_is_refused(stack: Stack) -> None:
    token = jwt.encode(claims(stack), key="", algorithm="none", headers={"kid": stack.keys.id})
    assert get(stack, "/catalog", token).status_code == 401


def test_a_token_whose_claims_were_changed_is_refused(stack: Stack) -> None:
    header, _, signature = stack.token().split(".")
    payload = stack.keys.sign(claims(stack, account_id="globex")).split(".")[1]
    assert get(stack, "/catalog", f"{header}.{payload}.{signature}").status_code == 401


def test_an_unknown_path_is_not_found(stack: Stack) -> None:
    assert get(stack, "/_ministack/health", None).status_code == 404


@pytest.mark.parametrize("path", ["/", "/assets/billing-tab.js", "/openapi.json", "/health"])
def test_head_answers_without_a_body(stack: Stack, path: str) -> None:
    whole, head = (httpx.request(method, f"{stack.api}{path}") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_the_api_alone_answers_at_the_pages_port(stack: Stack) -> None:
    call = {"x-amz-target": "DynamoDB_20120810.ListTables"}
    answer = httpx.post(f"{stack.api}/", headers=call, content=b"{}")
    assert answer.status_code == 404


def test_the_api_answers_by_the_names_of_loopback_only(stack: Stack) -> None:
    def answered(name: str) -> int:
        headers = {"host": f"{name}:{httpx.URL(stack.api).port}"}
        return httpx.get(f"{stack.api}/health", headers=headers, timeout=60).status_code

    assert [answered(name) for name in ("127.0.0.1", "localhost", "evil.test")] == [200, 200, 403]


def test_a_host_page_may_call_across_origins_only_where_it_was_allowed(stack: Stack) -> None:
    def asked_by(origin: str) -> httpx.Response:
        headers = {"origin": origin, "access-control-request-method": "GET"}
        return httpx.options(f"{stack.api}/billing", headers=headers)

    allowed = asked_by("https://localhost").headers
    assert allowed["access-control-allow-origin"] == "https://localhost"
    assert "access-control-allow-origin" not in asked_by("https://evil.test").headers


def test_each_function_has_a_role_of_its_own(stack: Stack) -> None:
    functions = stack.client("lambda").list_functions()["Functions"]
    assert len({each["Role"] for each in functions}) == len(functions)


def test_the_reconciler_runs_on_its_schedule(stack: Stack) -> None:
    events = stack.client("events")
    [rule] = [each for each in events.list_rules()["Rules"] if "Reconcile" in each["Name"]]
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert rule["State"] == "ENABLED"
    assert target["Arn"].endswith(stack.outputs["ReconcileFunctionName"])
