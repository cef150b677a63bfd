"""A small OpenID provider: whoever clicks on a name is signed in as that person.

    python -m infra.local.issuer --port 4400 --page http://127.0.0.1:8080 --key .local/issuer.pem

Code flow with PKCE for one public client. Redirects go to the page's origin and nowhere else.
"""

import argparse
import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from infra.local.guard import Guard
from infra.local.people import PEOPLE, Person
from infra.local.sign_in import STYLE_HASH, refused_page, sign_in_page, signed_out_page

CLIENT = "billing-portal"
AUDIENCE = "billing-api"
SCOPES = ("openid", "profile", "email")
TOKEN_SECONDS = 3600
CODE_SECONDS = 120


class Keys:
    """Signs tokens; the key lasts, so that tokens stay valid over a restart."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            _write_key(file)
        self.pem = file.read_bytes()
        private = serialization.load_pem_private_key(self.pem, password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError(f"{file} holds no RSA key")
        public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        self.id = hashlib.sha256(public["n"].encode()).hexdigest()[:16]
        self.jwks = {"keys": [{**public, "kid": self.id, "use": "sig", "alg": "RS256"}]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), self.pem, algorithm="RS256", headers={"kid": self.id})


def _write_key(file: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(pem)


def access_token(keys: Keys, issuer: str, person: Person, scopes: tuple[str, ...] = SCOPES) -> str:
    now = int(time.time())
    return keys.sign(
        {
            **person.claims,
            "iss": issuer,
            "aud": AUDIENCE,
            "client_id": CLIENT,
            "scope": " ".join((*scopes, *person.scopes)),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
    )


def id_token(keys: Keys, issuer: str, person: Person, nonce: str) -> str:
    now = int(time.time())
    claims = {"iss": issuer, "aud": CLIENT, "iat": now, "exp": now + TOKEN_SECONDS}
    return keys.sign({**person.claims, **claims, **({"nonce": nonce} if nonce else {})})


class Refused(Exception):
    """An OAuth error, by its code; see RFC 6749, sections 4.1.2.1 and 5.2."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Asked:
    """What the page asks for at /authorize."""

    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    state: str
    nonce: str


@dataclass(frozen=True)
class Granted:
    asked: Asked
    person: Person
    expires: float


class Issuer:
    def __init__(self, url: str, page: str, keys: Keys) -> None:
        self.url = url
        self.page = page
        self.keys = keys
        self.codes: dict[str, Granted] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/.well-known/jwks.json", self.jwks),
                Route("/authorize", self.authorize, methods=["GET", "POST"]),
                Route("/token", self.token, methods=["POST"]),
                Route("/logout", self.logout),
            ],
            middleware=[
                Middleware(Guard, trusted=(self.page,)),
                Middleware(CORSMiddleware, allow_origins=[self.page]),
            ],
        )

    async def discovery(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "end_session_endpoint": f"{self.url}/logout",
                "jwks_uri": f"{self.url}/.well-known/jwks.json",
                "scopes_supported": list(SCOPES),
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "code_challenge_methods_supported": ["S256"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def jwks(self, request: Request) -> Response:
        return JSONResponse(self.keys.jwks)

    async def authorize(self, request: Request) -> Response:
        """The names to click on; the click posts back to the same address."""
        asked = request.query_params
        if asked.get("client_id") != CLIENT or not self._is_of_page(asked.get("redirect_uri", "")):
            return self._page(refused_page(self.page), 400)
        try:
            wanted = _wanted(asked)
        except Refused as refused:
            return self._back(asked, error=refused.code, error_description=refused.reason)
        if request.method == "GET":
            return self._page(sign_in_page(PEOPLE, request.url.query))
        form = await _form(request)
        person = next((each for each in PEOPLE if each.email == form.get("person")), None)
        if person is None:
            return self._back(asked, error="access_denied")
        code = secrets.token_urlsafe(32)
        self.codes[code] = Granted(wanted, person, time.monotonic() + CODE_SECONDS)
        return self._back(asked, code=code)

    async def token(self, request: Request) -> Response:
        headers = {"cache-control": "no-store"}
        try:
            granted = self._granted(await _form(request))
        except Refused as refused:
            error = {"error": refused.code, "error_description": refused.reason}
            return JSONResponse(error, 400, headers)
        asked = granted.asked
        return JSONResponse(
            {
                "access_token": access_token(self.keys, self.url, granted.person, asked.scopes),
                "id_token": id_token(self.keys, self.url, granted.person, asked.nonce),
                "token_type": "Bearer",
                "expires_in": TOKEN_SECONDS,
                "scope": " ".join((*asked.scopes, *granted.person.scopes)),
            },
            headers=headers,
        )

    async def logout(self, request: Request) -> Response:
        """Nobody stays signed in here, so there is nothing to end but the visit."""
        target = request.query_params.get("post_logout_redirect_uri", "")
        if self._is_of_page(target):
            state = request.query_params.get("state")
            return RedirectResponse(_with(target, {"state": state} if state else {}), 303)
        return self._page(signed_out_page(self.page))

    def _granted(self, form: Mapping[str, str]) -> Granted:
        if form.get("grant_type") != "authorization_code":
            raise Refused("unsupported_grant_type", "Only authorization_code is granted.")
        if form.get("client_id") != CLIENT:
            raise Refused("invalid_client", "There is no such client.")
        granted = self.codes.pop(form.get("code", ""), None)
        if granted is None or granted.expires < time.monotonic():
            raise Refused("invalid_grant", "The code is unknown, used or expired.")
        if form.get("redirect_uri") != granted.asked.redirect_uri:
            raise Refused("invalid_grant", "The code was given to another redirect_uri.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not hmac.compare_digest(challenge, granted.asked.challenge):
            raise Refused("invalid_grant", "The code_verifier does not fit the challenge.")
        return granted

    def _is_of_page(self, address: str) -> bool:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc}" == self.page and not parts.fragment

    def _back(self, asked: Mapping[str, str], **answer: str) -> Response:
        state = {"state": asked["state"]} if "state" in asked else {}
        return RedirectResponse(
            _with(asked["redirect_uri"], {**answer, **state, "iss": self.url}), 303
        )

    def _page(self, html: str, status: int = 200) -> Response:
        # Chromium holds a form's redirect against form-action too, hence the page's origin.
        policy = (
            f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action 'self' {self.page}"
        )
        headers = {
            "content-security-policy": policy,
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return HTMLResponse(html, status, headers)


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _wanted(asked: Mapping[str, str]) -> Asked:
    if asked.get("response_type") != "code":
        raise Refused("unsupported_response_type", "Only the code flow is spoken here.")
    challenge = asked.get("code_challenge", "")
    if asked.get("code_challenge_method") != "S256" or len(challenge) != 43:
        raise Refused("invalid_request", "PKCE with S256 is required.")
    scopes = tuple(scope for scope in asked.get("scope", "").split() if scope in SCOPES)
    if "openid" not in scopes:
        raise Refused("invalid_scope", "The scope openid is required.")
    return Asked(
        asked["redirect_uri"], challenge, scopes, asked.get("state", ""), asked.get("nonce", "")
    )


def _with(address: str, parameters: Mapping[str, str]) -> str:
    separator = "&" if urlsplit(address).query else "?"
    return f"{address}{separator}{urlencode(parameters)}" if parameters else address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--page", required=True, help="origin of the page that signs in")
    parser.add_argument("--key", type=Path, required=True)
    given = parser.parse_args()
    url = f"http://127.0.0.1:{given.port}"
    app = Issuer(url, given.page, Keys(given.key)).app()
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
