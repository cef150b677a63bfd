"""A running sandbox and a shop that sells through it, by Stripe's own client."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import stripe
import uvicorn
from stripe._v1_services import V1Services

from infra.local.stripe_sandbox import periods
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.server import DroppingProtocol, create_app
from infra.local.stripe_sandbox.world import Rules
from tests import clock
from tests.waiting import PATIENCE_SECONDS

KEY = "sk_test_sandbox"
SUCCESS = "http://127.0.0.1:9/done?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:9/back"
Body = dict[str, Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(base: str, **options: Any) -> stripe.StripeClient:
    return stripe.StripeClient(
        KEY, base_addresses={"api": base}, **({"max_network_retries": 0} | options)
    )


@dataclass
class Shop:
    base: str

    @cached_property
    def stripe(self) -> V1Services:
        return client(self.base).v1

    @cached_property
    def product(self) -> str:
        return str(self.stripe.products.create({"name": "Team plan"}).id)

    def price(self, amount: int = 4900, interval: str | None = "month", **more: Any) -> str:
        given: Any = {"product": self.product, "currency": "usd", "unit_amount": amount} | more
        if interval and "recurring" not in given:
            given["recurring"] = {"interval": interval}
        return str(self.stripe.prices.create(given).id)

    def customer(self, **more: Any) -> str:
        given: Any = {"email": "ana@acme.test", "name": "Ana"} | more
        return str(self.stripe.customers.create(given).id)

    def checkout(self, mode: str = "subscription", **more: Any) -> Any:
        given: Body = {"mode": mode, "success_url": SUCCESS, "cancel_url": CANCEL} | more
        if mode != "setup" and "line_items" not in given:
            price = self.price(interval="month" if mode == "subscription" else None)
            given["line_items"] = [{"price": price, "quantity": 1}]
        if mode == "setup":
            given |= {"currency": "usd"}
        return self.stripe.checkout.sessions.create(given)  # type: ignore[arg-type]

    def pay(self, session: str, card: str = "4242424242424242", **more: Any) -> httpx.Response:
        return self.order(f"checkout/{session}/pay", {"card": card} | more)

    def subscribe(self, card: str = "4242424242424242", **more: Any) -> Any:
        """A customer's subscription, paid by Checkout."""
        given = {"customer": self.customer()} | more
        paid = self.pay(self.checkout(**given).id, card)
        assert paid.status_code == 200, paid.text
        return self.stripe.subscriptions.retrieve(paid.json()["subscription"])

    @cached_property
    def http(self) -> httpx.Client:
        """For the pages and the orders; without certificates, which take long to load."""
        return httpx.Client(verify=False)

    def close(self) -> None:
        self.http.close()

    def order(self, path: str, body: Body) -> httpx.Response:
        return self.http.post(f"{self.base}/sandbox/{path}", json=body)

    def read(self, path: str) -> Body:
        found: Body = self.http.get(f"{self.base}/sandbox/{path}").json()
        return found

    def advance(self, duration: str) -> Body:
        return self.move({"advance": duration})

    def go_to(self, instant: str) -> Body:
        return self.move({"to": instant})

    def move(self, order: Body) -> Body:
        moved = self.order("clock", order)
        assert moved.status_code == 200, moved.text
        answer: Body = moved.json()
        return answer

    def event_types(self) -> list[str]:
        """Of every event so far, oldest first."""
        found = self.stripe.events.list({"limit": 100}).auto_paging_iter()
        return [str(event.type) for event in found][::-1]


@contextmanager
def running(state: Path, begins: str | None = None, **rules: Any) -> Iterator[Shop]:
    """Run a sandbox in this process, on a free port, with a clock that begins at `begins`.

    Renewals are charged at once unless `rules` say otherwise.
    """
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    begins = begins or clock.begins()
    begun = None if begins is None else periods.instant(begins)
    rules = {"draft_seconds": 0} | rules
    app = create_app(Sandbox(state, KEY, base, Rules(**rules), begun))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, http=DroppingProtocol, ws="none", log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        shop = Shop(base)
        yield shop
        shop.close()
    finally:
        server.should_exit = True
        thread.join()


def wait_for(holds: Any, seconds: float = PATIENCE_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.01)


@dataclass(frozen=True)
class Received:
    body: bytes
    signature: str


class Listener(ThreadingHTTPServer):
    """An endpoint for webhooks that answers `status`, except the first `failures` times."""

    daemon_threads = True

    def __init__(self, failures: int = 0, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.failures = failures
        self.status = status
        self.received: list[Received] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"

    def events(self) -> list[Body]:
        return [json.loads(received.body) for received in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(body, self.headers["Stripe-Signature"]))
        failing = len(self.server.received) <= self.server.failures
        self.send_response(500 if failing else self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextmanager
def listening(**options: int) -> Iterator[Listener]:
    listener = Listener(**options)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listener
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
