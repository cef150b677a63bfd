"""Pages of other sites, and other names for loopback, give the sandbox no orders."""

import re
from typing import Any

import httpx
import pytest

from infra.local.stripe_sandbox.server import create_app
from tests.sandbox.shop import Shop

FOREIGN_NAMES = [
    "evil.test",
    "evil.test:80",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "127.0.0.1@evil.test",
    "127.0.0.1:80@evil.test",
    "127.0.0.2",
    "[::1]",
    "",
]
FOREIGN_PAGES = [
    {"origin": "https://evil.test"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "null"},
    {"origin": "https://evil.test", "sec-fetch-site": "cross-site"},
    {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
]
FORM = {"content-type": "application/x-www-form-urlencoded"}
ROUTES: Any = create_app(None).routes  # type: ignore[arg-type]


def paths(method: str) -> list[str]:
    """Every one of the sandbox that takes this method."""
    found = (each.path for each in ROUTES if method in each.methods)
    return [re.sub(r"{.*?}", "x", path) for path in found]


def posted(shop: Shop, path: str, headers: dict[str, str]) -> httpx.Response:
    return shop.http.post(f"{shop.base}{path}", content=b"", headers=headers)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_another_name_for_loopback_is_refused(shop: Shop, method: str, name: str) -> None:
    for path in paths(method):
        _refused_by_name(shop, method, path, name)


def _refused_by_name(shop: Shop, method: str, path: str, name: str) -> None:
    answer = shop.http.request(method, f"{shop.base}{path}", headers={"host": name})
    assert (answer.status_code, answer.headers.get("location")) == (403, None)
    assert "This server answers as 127.0.0.1 or localhost" in answer.text


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
def test_a_page_of_another_site_gives_no_orders(shop: Shop, headers: dict[str, str]) -> None:
    assert len(paths("POST")) > 15
    for path in paths("POST"):
        answer = posted(shop, path, FORM | headers)
        assert answer.status_code == 403, path
        assert "gives no orders here" in answer.text


def test_what_was_refused_did_nothing(own_shop: Shop) -> None:
    before = own_shop.read("clock")["offset_seconds"]
    order = {"advance": "P1M"}
    refused = own_shop.http.post(
        f"{own_shop.base}/sandbox/clock", json=order, headers={"origin": "https://evil.test"}
    )
    assert refused.status_code == 403
    assert own_shop.read("clock")["offset_seconds"] == pytest.approx(before, abs=5)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost:8080", "127.0.0.1:1"])
def test_the_names_of_loopback_are_answered(shop: Shop, name: str) -> None:
    answer = shop.http.get(f"{shop.base}/sandbox/health", headers={"host": name})
    assert answer.status_code == 200


def test_programs_and_the_sandboxs_own_pages_give_orders(shop: Shop) -> None:
    own = [
        {},
        {"origin": shop.base},
        {"origin": shop.base, "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
    ]
    assert [posted(shop, "/i/in_no", FORM | each).status_code for each in own] == [404] * len(own)


@pytest.mark.parametrize("mode", ["navigate", "no-cors"])
def test_a_link_from_the_page_leads_to_checkout(shop: Shop, mode: str) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
    assert shop.http.get(shop.checkout().url, headers=headers).status_code == 200
