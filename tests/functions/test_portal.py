"""The page, its assets and the OpenAPI document."""

import re

import pytest

from tests.functions.conftest import ROOT
from tests.functions.product import Answer, Product

ASSETS = ["billing-tab.js", "billing-tab.css", "mark.svg"]


@pytest.fixture
def page(product: Product) -> Answer:
    return product.call("GET /", signed_in=False)


def test_the_page_knows_where_to_sign_in(page: Answer) -> None:
    assert page.status == 200
    assert "https://issuer.example.com/tenant" in page.text
    assert "{{" not in page.text


def test_settings_are_escaped(page: Answer) -> None:
    assert "Acme &lt;Sales&gt;" in page.text
    assert "<Sales>" not in page.text


def test_the_page_may_only_load_its_own_and_talk_to_the_provider(page: Answer) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://issuer.example.com"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"


def test_the_page_has_no_inline_script_or_style(page: Answer) -> None:
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert " onclick=" not in page.text
    assert page.text.count("<script") == page.text.count('<script type="module" src=')


def test_every_module_is_asked_for_at_once(page: Answer) -> None:
    """Or each would be asked for only after the one that imports it has come."""
    preloaded = re.findall(r'rel="modulepreload" href="/assets/([\w-]+\.js)"', page.text)
    modules = {each.name for each in (ROOT / "functions" / "portal").glob("*.js")}
    assert sorted(preloaded) == sorted(modules - {"page.js"})


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_is_served_and_not_sent_twice(product: Product, name: str) -> None:
    first = product.call("GET /assets/{file}", signed_in=False, path={"file": name})
    assert (first.status, first.headers["x-content-type-options"]) == (200, "nosniff")
    headers: dict[str, str | None] = {"if-none-match": first.headers["etag"]}
    again = product.call(
        "GET /assets/{file}", signed_in=False, path={"file": name}, headers=headers
    )
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize("name", ["nothing.js", "../portal.py", "index.html", "", "..%2fportal.py"])
def test_nothing_but_assets_is_served(product: Product, name: str) -> None:
    answer = product.call("GET /assets/{file}", signed_in=False, path={"file": name})
    assert (answer.status, answer.code) == (404, "no_such_asset")


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/", {}),
        ("/assets/{file}", {"file": "billing-tab.js"}),
        ("/assets/{file}", {"file": "nothing.js"}),
        ("/openapi.json", {}),
        ("/health", {}),
    ],
)
def test_head_answers_as_get_without_a_body(
    product: Product, path: str, parameters: dict[str, str]
) -> None:
    """What a proxy or a monitor asks for."""
    whole, head = (
        product.call(f"{method} {path}", signed_in=False, path=parameters)
        for method in ("GET", "HEAD")
    )
    assert (head.status, head.headers, head.text) == (whole.status, whole.headers, "")


def test_the_openapi_document_is_served(product: Product) -> None:
    document = product.call("GET /openapi.json", signed_in=False).json
    assert document["openapi"].startswith("3.1")
    assert "/subscription/checkout" in document["paths"]
