"""Every route against whom it is not for, and every boundary against what does not belong there.

Each is refused with its problem document, and nothing is written.
"""

from typing import Any

import pytest

from billing.http import MAX_BODY_BYTES
from tests.functions.product import APIS, Product

ROUTES = {key: route for api in APIS.values() for key, route in api.routes.items()}
SIGNED_IN = sorted(
    key for key, route in ROUTES.items() if route.who in ("manager", "member", "signed in")
)
MANAGERS = sorted(key for key, route in ROUTES.items() if route.who == "manager")
OPERATORS = sorted(key for key, route in ROUTES.items() if route.who == "operator")
WITH_BODY = sorted(key for key, route in ROUTES.items() if route.takes is not None)
WITH_KEY = sorted(key for key, route in ROUTES.items() if route.idempotent)
PATH = {"id": "1795435200-in_1", "file": "x", "account_id": "globex"}
KEY: dict[str, str | None] = {"idempotency-key": "one"}


@pytest.mark.parametrize("route", SIGNED_IN + OPERATORS)
def test_without_a_token_nobody_is_let_in(product: Product, route: str) -> None:
    answer = product.call(route, signed_in=False, path=PATH, headers=KEY)
    assert (answer.status, answer.code, product.rows()) == (401, "not_signed_in", {})


@pytest.mark.parametrize("route", MANAGERS)
def test_only_a_manager_sees_the_billing_section(product: Product, route: str) -> None:
    answer = product.call(route, claims={"role": "member"}, path=PATH, headers=KEY)
    assert (answer.status, answer.code, product.rows()) == (403, "manager_only", {})


@pytest.mark.parametrize("route", OPERATORS)
@pytest.mark.parametrize("role", ["manager", "member", "operator"])
@pytest.mark.parametrize(
    "scope", [None, "", "openid email", "billing.support.read", "BILLING.SUPPORT"]
)
def test_only_an_operator_acts_for_accounts(
    product: Product, route: str, role: str, scope: str | None
) -> None:
    claims = {"role": role, "scope": scope, "account_id": product.account}
    answer = product.call(route, claims=claims, headers=KEY)
    assert (answer.status, answer.code, product.rows()) == (403, "operator_only", {})


@pytest.mark.parametrize("route", OPERATORS)
@pytest.mark.parametrize("account", ["globex", "acme#INVOICES", "a b", "x" * 200])
def test_an_operator_makes_no_accounts(product: Product, route: str, account: str) -> None:
    body = {"plan": "starter", "purchased": 1, "price": 1, "active": True, "reason": "Agreed."}
    taken = ROUTES[route].takes
    fields = taken.model_fields if taken else {}
    answer = product.call(
        route,
        path={"account_id": account},
        headers=KEY,
        body={name: value for name, value in body.items() if name in fields} or None,
    )
    assert (answer.status, answer.code) == (404, "account_not_found")
    assert not product.beside(account).rows()


@pytest.mark.parametrize("route", MANAGERS)
def test_a_manager_without_an_e_mail_address_is_refused(product: Product, route: str) -> None:
    answer = product.call(route, claims={"email": None}, path=PATH, headers=KEY)
    assert (answer.status, answer.code, product.rows()) == (403, "no_email", {})


@pytest.mark.parametrize("route", SIGNED_IN)
@pytest.mark.parametrize("role", ["", "Manager", "admin", "operator", None])
def test_a_token_without_a_role_is_refused(product: Product, route: str, role: str | None) -> None:
    answer = product.call(route, claims={"role": role}, path=PATH, headers=KEY)
    assert (answer.status, answer.code, product.rows()) == (403, "no_role", {})


@pytest.mark.parametrize("route", SIGNED_IN)
@pytest.mark.parametrize("account", [None, "", "acme#INVOICES", "a b", "x" * 200])
def test_a_token_without_a_well_formed_account_is_refused(
    product: Product, route: str, account: str | None
) -> None:
    answer = product.call(route, claims={"account_id": account}, path=PATH, headers=KEY)
    assert (answer.status, answer.code, product.rows()) == (403, "no_account", {})


@pytest.mark.parametrize("route", SIGNED_IN)
def test_an_account_named_by_header_query_or_body_is_never_trusted(
    product: Product, route: str
) -> None:
    product.billing()
    answer = product.call(
        route,
        headers={**KEY, "x-account-id": "globex", "content-type": "application/json"},
        query={"account_id": "globex"},
        path=PATH,
        body={"account_id": "globex"},
    )
    assert "globex" not in answer.text
    assert not product.beside("globex").rows()


@pytest.mark.parametrize("field", ["role", "account_id", "price", "price_id", "amount", "customer"])
def test_nobody_becomes_manager_or_names_a_price_by_a_request_body(
    product: Product, field: str
) -> None:
    answer = product.open_checkout(extra={field: "manager"})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert not product.customers()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "malformed_json"),
        ("{", 400, "malformed_json"),
        ('{"plan": NaN}', 400, "malformed_json"),
        ("[" * 50_000, 400, "malformed_json"),
        ("[]", 400, "invalid_input"),
        ("null", 400, "invalid_input"),
        ("{}", 400, "invalid_input"),
        ('{"plan": 1, "cycle": "monthly"}', 400, "invalid_input"),
        ('{"plan": "starter", "cycle": ["monthly"]}', 400, "invalid_input"),
        ('{"plan": "starter", "cycle": "monthly", "currency": "dollars"}', 400, "invalid_input"),
        ('{"plan": "gold", "cycle": "monthly"}', 422, "unknown_plan"),
        ('{"plan": "starter", "cycle": "weekly"}', 422, "unknown_cycle"),
        ('{"plan": "starter", "cycle": "monthly", "currency": "chf"}', 422, "unknown_currency"),
        ('"' + "x" * MAX_BODY_BYTES + '"', 413, "body_too_large"),
        ("x" * 10 * MAX_BODY_BYTES, 413, "body_too_large"),
    ],
)
def test_a_body_that_does_not_belong_there_is_refused(
    product: Product, body: str, status: int, code: str
) -> None:
    answer = product.call("POST /subscription/checkout", body=body or " ", headers=KEY)
    assert (answer.status, answer.code) == (status, code)
    assert product.rows() == {}


@pytest.mark.parametrize("route", WITH_BODY)
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(product: Product, route: str, kind: str | None) -> None:
    answer = product.call(route, body={}, headers={**KEY, "content-type": kind})
    assert (answer.status, answer.code) == (415, "unsupported_content_type")


@pytest.mark.parametrize("route", WITH_KEY)
def test_a_command_needs_an_idempotency_key(product: Product, route: str) -> None:
    answer = product.call(route, body={}, headers={"idempotency-key": None})
    assert (answer.status, answer.code) == (400, "idempotency_key_required")


@pytest.mark.parametrize("route", WITH_KEY)
@pytest.mark.parametrize("key", ["x" * 256, "a\tb", "a\x00"])
def test_a_malformed_idempotency_key_is_refused(product: Product, route: str, key: str) -> None:
    answer = product.call(route, body={}, headers={"idempotency-key": key})
    assert (answer.status, answer.code) == (400, "idempotency_key_malformed")


def test_a_route_that_is_not_there_is_not_found(product: Product) -> None:
    event: dict[str, Any] = {"routeKey": "GET /secret", "requestContext": {"requestId": "r"}}
    answer = APIS["overview"](event, None)
    assert answer["statusCode"] == 404


def test_what_nobody_expected_is_a_problem_document_without_a_trace(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boom(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("billing.adapters.dynamodb.accounts.load", boom)
    answer = product.call("GET /billing")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret detail" not in answer.text
