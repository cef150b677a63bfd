"""The page with an API and a sign-in provider that the test plays inside the browser.

The page and its assets are the real ones, as the function sends them, over HTTP on loopback. All
other requests are answered before they reach the network.
"""

import base64
import json
import os
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import BrowserContext, Page, Request, Route

import portal
from tests.browser import shapes

_ROUTES = "|".join(
    (
        "billing",
        "catalog",
        "credits",
        "entitlements",
        "invitations",
        "invoices",
        "members",
        "settings",
        "slots",
        "subscription",
        "support-requests",
    )
)
PROVIDER = os.environ["OIDC_ISSUER"]
_PROVIDER_PATH = urlsplit(PROVIDER).path
_EVENT = Path(__file__).parents[1] / "events" / "portal.json"


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    retry_after = more.pop("retry_after", None)
    headers = {"content-type": "application/problem+json", "x-request-id": "req-7"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
    return Answer({**body, **more}, status, headers)


OFFLINE = Answer(status=0)
"""No answer at all: the connection fails."""


class _Sender(BaseHTTPRequestHandler):
    """Answers as the function does behind API Gateway."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        event = json.loads(_EVENT.read_text())
        event["headers"] |= {name.lower(): value for name, value in self.headers.items()}
        event["routeKey"] = "GET /" if urlsplit(self.path).path == "/" else "GET /assets/{file}"
        event["pathParameters"] = {"file": self.path.removeprefix("/assets/")}
        sent = portal.api(event, None)
        body = sent["body"].encode()
        self.send_response(sent["statusCode"])
        for name, value in {**sent["headers"], "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """The function logs already."""


@contextmanager
def page_server() -> Iterator[str]:
    """Serves the page on a free port of loopback; yields its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sender) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Site:
    """What the browser finds at the page's origin and at the provider's."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.context = context
        self.origin = origin
        self.requests: list[Request] = []
        self.person = {"name": "Ana Ruiz", "email": "ana@acme.test", "sub": "ana"}
        self.claims: dict[str, Any] = {}
        self.refusal: str | None = None
        self._standing: dict[str, Answer | Callable[[Request], Answer]] = {}
        self._next: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._attempts: dict[str, dict[str, str]] = {}
        for route in ("GET /support-requests", "GET /credits/log"):
            self.answers(route, {"items": [], "next_cursor": None})
        self.answers("GET /credits/usage", {"items": []})
        self.answers("GET /credits", shapes.settings())
        api = re.compile(re.escape(origin) + rf"/({_ROUTES})\b.*")
        context.route(api, self._serve)
        context.route(f"{PROVIDER}/**", self._provide)
        context.route("https://checkout.test/**", self._show_checkout)

    def answers(self, route: str, answer: Any) -> None:
        """From now on `route`, such as `GET /billing`, is answered so."""
        self._standing[route] = (
            answer if isinstance(answer, Answer) or callable(answer) else Answer(answer)
        )

    def answers_next(self, route: str, *answers: Any) -> None:
        """The next calls of `route` are answered so, before what it is answered otherwise."""
        for answer in answers:
            self._next[route].append(answer if isinstance(answer, Answer) else Answer(answer))

    def calls(self, route: str) -> list[Request]:
        return [each for each in self.requests if _route_of(each) == route]

    def sign_in(self, page: Page, address: str = "/") -> None:
        """Open `address` signed in, with what the first walk through the sign-in left behind."""
        if _session:
            self.context.add_init_script(f"({_REMEMBER})({json.dumps([self.origin, _session])})")
            page.goto(self.origin + address)
            return
        self.walk_through_sign_in(page, address)
        _session.update(page.evaluate("({...sessionStorage})"))

    def walk_through_sign_in(self, page: Page, address: str = "/") -> None:
        page.goto(self.origin + address)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Continue").click()
        page.locator("billing-tab, #entrance-problem:not([hidden])").wait_for(state="attached")

    def _serve(self, route: Route) -> None:
        self.requests.append(route.request)
        self._send(route, self._answer_to(route.request))

    def _answer_to(self, request: Request) -> Answer:
        name = _route_of(request)
        if self._next[name]:
            return self._next[name].popleft()
        standing = self._standing.get(name, problem(404, "not_found", f"Nothing at {name}."))
        return standing(request) if callable(standing) else standing

    @staticmethod
    def _send(route: Route, answer: Answer) -> None:
        if answer.status == 0:
            route.abort("internetdisconnected")
            return
        headers = {"content-type": "application/json", **answer.headers}
        csv = headers["content-type"].startswith("text/csv")
        body = answer.body if csv else json.dumps(answer.body)
        route.fulfill(status=answer.status, headers=headers, body=body)

    def _show_checkout(self, route: Route) -> None:
        asked = "card" if "/setup/" in route.request.url else "checkout"
        ways = {"Pay": "success", "Save": "saved", "Back": "cancelled"}
        if "/package/" in route.request.url:
            asked, ways = "credits", {"Pay": "bought", "Back": "cancelled"}
        links = (f'<a href="{self.origin}/?{asked}={to}">{name}</a>' for name, to in ways.items())
        _send_page(route, " ".join(links))

    def _provide(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        match address.path.removeprefix(_PROVIDER_PATH):
            case "/.well-known/openid-configuration":
                _send_json(route, _DISCOVERY)
            case "/authorize":
                self._authorize(route, asked)
            case "/token":
                self._redeem(route)
            case "/logout":
                back = asked["post_logout_redirect_uri"]
                _send_page(route, f'<p>Signed out.</p><a href="{back}">Back</a>')

    def _authorize(self, route: Route, asked: dict[str, str]) -> None:
        code = f"code-{len(self._attempts)}"
        self._attempts[code] = asked
        granted = {"error": self.refusal} if self.refusal else {"code": code}
        back = urlencode({**granted, "state": asked["state"], "iss": PROVIDER})
        _send_page(route, f'<a href="{asked["redirect_uri"]}?{back}">Continue</a>')

    def _redeem(self, route: Route) -> None:
        form = {name: values[0] for name, values in parse_qs(route.request.post_data or "").items()}
        asked = self._attempts.pop(form["code"], None)
        if asked is None or _challenge(form["code_verifier"]) != asked["code_challenge"]:
            _send_json(route, {"error": "invalid_grant"}, 400)
            return
        claims = {"iss": PROVIDER, "aud": asked["client_id"], "nonce": asked["nonce"]}
        tokens = {"id_token": unsigned_jwt({**claims, **self.person, **self.claims})}
        tokens |= {"access_token": f"token-of-{self.person['sub']}", "token_type": "Bearer"}
        _send_json(route, {**tokens, "expires_in": 3600})


_session: dict[str, str] = {}
_REMEMBER = """([origin, session]) => {
  if (location.origin !== origin || sessionStorage.length > 0) return;
  for (const [name, value] of Object.entries(session)) sessionStorage.setItem(name, value);
}"""
_DISCOVERY = {
    "issuer": PROVIDER,
    "authorization_endpoint": f"{PROVIDER}/authorize",
    "token_endpoint": f"{PROVIDER}/token",
    "end_session_endpoint": f"{PROVIDER}/logout",
}


def _route_of(request: Request) -> str:
    path = re.sub(r"^/(invoices|members)/[^/]+", r"/\1/{id}", urlsplit(request.url).path)
    return f"{request.method} {path}"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def unsigned_jwt(claims: dict[str, Any]) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.none"


def _send_json(route: Route, body: Any, status: int = 200) -> None:
    headers = {"content-type": "application/json", "access-control-allow-origin": "*"}
    route.fulfill(status=status, headers=headers, body=json.dumps(body))


def _send_page(route: Route, body: str) -> None:
    document = f"<!doctype html><html lang=en><title>Provider</title><body>{body}"
    route.fulfill(status=200, content_type="text/html", body=document)
