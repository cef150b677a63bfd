"""Signing in at the local provider: code flow with PKCE, for the page and nobody else."""

import base64
import hashlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import uvicorn

from infra.local.issuer import Issuer, Keys
from infra.local.people import ANA, OLGA, PEOPLE, Person

PAGE = "http://127.0.0.1:8080"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
ASKED = {
    "client_id": "billing-portal",
    "redirect_uri": f"{PAGE}/",
    "response_type": "code",
    "scope": "openid profile email",
    "state": "s1",
    "nonce": "n1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("issuer") / "issuer.pem")


@pytest.fixture(scope="module")
def client(keys: Keys) -> Iterator[httpx.Client]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(Issuer(url, PAGE, keys).app(), log_level="error"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with httpx.Client(base_url=url) as client:
            yield client
        server.should_exit = True
        thread.join()


def sign_in(
    client: httpx.Client, person: Person = ANA, changed: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Click on the person's name; returns what the page is sent back with."""
    answer = client.post("/authorize", params={**ASKED, **changed}, data={"person": person.email})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{PAGE}/?")
    return {name: value for name, [value] in parse_qs(_query(answer.headers["location"])).items()}


def redeem(client: httpx.Client, code: str, **changed: str) -> dict[str, str]:
    form = {
        "grant_type": "authorization_code",
        "client_id": "billing-portal",
        "redirect_uri": f"{PAGE}/",
        "code_verifier": VERIFIER,
        "code": code,
    }
    answer: dict[str, str] = client.post("/token", data=form | changed).json()
    return answer


def url(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def _query(address: str) -> str:
    return urlsplit(address).query


def test_the_page_offers_everybody(client: httpx.Client) -> None:
    page = client.get("/authorize", params=ASKED).text
    assert all(person.email in page for person in PEOPLE)


def test_a_click_brings_the_page_its_state_and_a_code(client: httpx.Client) -> None:
    back = sign_in(client)
    assert back["state"] == "s1"
    assert back["iss"] == url(client)
    assert back["code"]


def test_the_code_becomes_a_token_with_the_persons_claims(client: httpx.Client, keys: Keys) -> None:
    token = redeem(client, sign_in(client)["code"])["access_token"]
    [key] = keys.jwks["keys"]
    claims = jwt.decode(
        token, jwt.PyJWK(key), ["RS256"], audience="billing-api", issuer=url(client)
    )
    assert ANA.claims.items() <= claims.items()
    assert claims["client_id"] == "billing-portal"
    assert claims["exp"] - claims["iat"] == 3600


def test_the_id_token_is_for_the_page_and_carries_its_nonce(
    client: httpx.Client, keys: Keys
) -> None:
    token = redeem(client, sign_in(client)["code"])["id_token"]
    [key] = keys.jwks["keys"]
    claims = jwt.decode(token, jwt.PyJWK(key), ["RS256"], audience="billing-portal")
    assert claims["nonce"] == "n1"


def test_an_operators_token_has_the_support_scope(client: httpx.Client) -> None:
    answer = redeem(client, sign_in(client, OLGA)["code"])
    assert "billing.support" in answer["scope"].split()


def test_a_managers_token_has_no_support_scope_even_when_asked_for(client: httpx.Client) -> None:
    code = sign_in(client, changed={"scope": "openid billing.support"})["code"]
    assert redeem(client, code)["scope"] == "openid"


def test_a_code_is_good_once(client: httpx.Client) -> None:
    code = sign_in(client)["code"]
    redeem(client, code)
    assert redeem(client, code)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"redirect_uri": f"{PAGE}/other"}, "invalid_grant"),
        ({"client_id": "another"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_refused_to_others(
    client: httpx.Client, changed: dict[str, str], error: str
) -> None:
    assert redeem(client, sign_in(client)["code"], **changed)["error"] == error


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
    ],
)
def test_a_weaker_flow_is_refused_to_the_page(
    client: httpx.Client, changed: dict[str, str], error: str
) -> None:
    assert sign_in(client, changed=changed)["error"] == error


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://127.0.0.1:8081/"},
        {"redirect_uri": f"{PAGE}@evil.test/"},
        {"redirect_uri": "https://evil.test/"},
        {"client_id": "another"},
    ],
)
def test_nobody_is_sent_to_a_foreign_address(client: httpx.Client, changed: dict[str, str]) -> None:
    answer = client.post("/authorize", params={**ASKED, **changed}, data={"person": ANA.email})
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_only_the_page_may_read_tokens_across_origins(client: httpx.Client) -> None:
    allowed = client.post("/token", headers={"origin": PAGE})
    other = client.post("/token", headers={"origin": "https://evil.test"})
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/authorize", "/token", "/.well-known/jwks.json"])
def test_another_name_for_loopback_is_refused(client: httpx.Client, path: str) -> None:
    method = "POST" if path == "/token" else "GET"
    assert client.request(method, path, headers={"host": "evil.test"}).status_code == 403


def test_no_other_page_signs_somebody_in(client: httpx.Client) -> None:
    headers = {"origin": "https://evil.test", "sec-fetch-site": "cross-site"}
    form = {"person": ANA.email}
    answer = client.post("/authorize", params=ASKED, data=form, headers=headers)
    assert (answer.status_code, answer.headers.get("location")) == (403, None)


def test_the_page_runs_no_script_and_posts_only_home(client: httpx.Client) -> None:
    policy = client.get("/authorize", params=ASKED).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"form-action 'self' {PAGE}" in policy
    assert "unsafe" not in policy


def test_signing_out_leads_back_to_the_page_and_nowhere_else(client: httpx.Client) -> None:
    home = client.get("/logout", params={"post_logout_redirect_uri": f"{PAGE}/", "state": "s2"})
    away = client.get("/logout", params={"post_logout_redirect_uri": "https://evil.test/"})
    assert home.headers["location"] == f"{PAGE}/?state=s2"
    assert away.status_code == 200


def test_a_key_lasts_over_a_restart(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "issuer.pem"
    file.write_bytes(keys.pem)
    assert Keys(file).jwks == keys.jwks


def test_only_its_owner_may_read_a_new_key(tmp_path: Path) -> None:
    file = tmp_path / "issuer.pem"
    Keys(file)
    assert file.stat().st_mode & 0o077 == 0
