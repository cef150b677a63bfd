"""The product as its users and Stripe meet it, without HTTP: events in, answers out."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import httpx
import stripe

import checkout
import credits
import invoices
import members
import overview
import portal
import reconcile
import renewals
import slots
import subscription
import support
import support_requests
import webhook_process
import webhook_receive
from billing.adapters.stripe.events import StripeEvent
from billing.adapters.stripe.gateway import price_id
from billing.adapters.stripe.snapshots import noted
from billing.domain.times import rfc3339
from billing.http import Api
from tests.factories import api_event, event_file, unsigned
from tests.simulation.store import Store

_wire = httpx.Client()

API_KEY = "sk_test_sandbox"
WEBHOOK_SECRET = "whsec_tests"
VISA = "4242424242424242"
BANK_DEBIT = "000123456789"
FAILS_AT_RENEWAL = "4000000000000341"

APIS: dict[str, Api] = {
    "overview": overview.api,
    "checkout": checkout.api,
    "credits": credits.api,
    "invoices": invoices.api,
    "subscription": subscription.api,
    "slots": slots.api,
    "members": members.api,
    "support": support.api,
    "support_requests": support_requests.api,
    "webhook_receive": webhook_receive.api,
    "portal": portal.api,
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """Of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self.text
        document = self.json
        assert document["status"] == self.status
        assert {"type", "title", "detail"} <= document.keys()
        return str(document["code"])


@dataclass
class Product:
    account: str
    sandbox: str
    queue: str
    tables: Store

    @property
    def at_stripe(self) -> stripe.StripeClient:
        return stripe.StripeClient(API_KEY, base_addresses={"api": self.sandbox})

    def beside(self, account: str) -> "Product":
        """Another account in the same tables, and at the same Stripe."""
        return replace(self, account=account)

    def call(
        self,
        route: str,
        *,
        claims: dict[str, str | None] | None = None,
        signed_in: bool = True,
        **changes: Any,
    ) -> Answer:
        name, api = next((name, api) for name, api in APIS.items() if route in api.routes)
        given = {"account_id": self.account, "email": f"ana@{self.account}.test"}
        if api.routes[route].who == "operator":
            given = {}
            changes.setdefault("path", {"account_id": self.account})
        event = api_event(name, route, claims={**given, **(claims or {})}, **changes)
        if not signed_in and "authorizer" in event["requestContext"]:
            event = unsigned(event)
        answer = api(event, None)
        assert answer["headers"]["x-request-id"] == event["requestContext"]["requestId"]
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def billing(self) -> Any:
        answer = self.call("GET /billing")
        assert answer.status == 200, answer.text
        return answer.json

    def open_checkout(
        self, key: str = "intent", *, plan: str = "starter", cycle: str = "monthly", **more: Any
    ) -> Answer:
        body = {"plan": plan, "cycle": cycle, **more.pop("extra", {})}
        return self.call(
            "POST /subscription/checkout", body=body, headers={"idempotency-key": key}, **more
        )

    def pay(self, url: str, card: str = VISA, **more: Any) -> httpx.Response:
        session = url.rsplit("/", 1)[1].split("#")[0]
        return _wire.post(
            f"{self.sandbox}/sandbox/checkout/{session}/pay", json={"card": card, **more}
        )

    def subscribe(self, cycle: str = "monthly") -> None:
        """Pays a Checkout; nothing of it has reached the product yet."""
        paid = self.pay(self.open_checkout(cycle=cycle).json["url"])
        assert paid.status_code == 200, paid.text

    def buy_slots(self, count: int) -> stripe.Subscription:
        """A slots subscription at Stripe; nothing of it has reached the product yet."""
        customer = self.customers()[0].id
        base = self.at_stripe.v1.subscriptions.list({"customer": customer}).data[0]
        price = self.at_stripe.v1.prices.list({"lookup_keys": ["slot_monthly_usd"]}).data[0]
        return self.at_stripe.v1.subscriptions.create(
            {
                "customer": customer,
                "items": [{"price": price.id, "quantity": count}],
                "default_payment_method": str(base.default_payment_method),
                "metadata": {"account_id": self.account, "kind": "slots"},
            }
        )

    def happened(self, *types: str) -> list[dict[str, Any]]:
        """Stripe's events of this account's customers, oldest first; of `types` if given."""
        # As bytes on the wire: the client would make Decimals of some numbers.
        listed = _wire.get(
            f"{self.sandbox}/v1/events",
            params={"limit": 100},
            headers={"authorization": f"Bearer {API_KEY}"},
        )
        events = listed.json()["data"]
        mine = {each.id for each in self.customers()}
        charges = {_charge(event) for event in events if _customer(event) in mine}
        return [
            event
            for event in reversed(events)
            if (_customer(event) in mine or _charge(event) in charges)
            and (not types or event["type"] in types)
        ]

    def customers(self) -> list[stripe.Customer]:
        listed = self.at_stripe.v1.customers.list({"limit": 100}).auto_paging_iter()
        return [each for each in listed if noted(each, "account_id") == self.account]

    def receive(
        self, event: dict[str, Any], *, secret: str = WEBHOOK_SECRET, age: int = 0
    ) -> Answer:
        """Stripe posts `event`, signed `age` seconds ago."""
        body = json.dumps(event)
        at = int(time.time()) - age
        signed = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
        headers: dict[str, str | None] = {"stripe-signature": f"t={at},v1={signed}"}
        return self.call("POST /webhooks/stripe", body=body, headers=headers)

    def process(self) -> list[str]:
        """Lambda takes what is in the queue, one by one, up to the first that fails; returns it."""
        while message := self._receive():
            if _fails(_record(message)):
                return [json.loads(message["Body"])["id"]]
            _sqs().delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return []

    def record(self, event: dict[str, Any]) -> list[str]:
        """A worker processes `event`, whatever the queue holds; returns its id if that failed."""
        message = event_file("webhook_process")["Records"][0]
        message["body"] = StripeEvent.of(event).message()
        return [event["id"]] if _fails(message) else []

    def deliver(self, events: list[dict[str, Any]]) -> None:
        """Stripe posts `events` in this order, each processed before the next."""
        for event in events:
            assert self.receive(event).status == 200
            assert self.process() == []

    def catch_up(self) -> int:
        """The scheduled reconciler runs, and what it found is processed; returns how many."""
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)
        queued = int(reconcile.handler(event_file("reconcile"), context)["queued"])
        assert self.process() == []
        return queued

    def hear(self, type: str) -> None:
        """Only the last event of `type` arrives: cheaper than all, where the rest says no more."""
        *_, last = self.happened(type)
        assert self.record(last) == []

    def hear_of_subscriptions(self) -> None:
        """What Stripe told last of each subscription arrives."""
        wanted = ("created", "updated", "deleted")
        told = self.happened(*(f"customer.subscription.{each}" for each in wanted))
        for event in {event["data"]["object"]["id"]: event for event in told}.values():
            assert self.record(event) == []

    def command(self, route: str, body: Any = None, *, key: str = "", **more: Any) -> Answer:
        """A manager's command, under a key of its own unless told."""
        headers = {"idempotency-key": key or uuid.uuid4().hex}
        return self.call(route, body="" if body is None else body, headers=headers, **more)

    def subscriptions(self) -> list[stripe.Subscription]:
        """At Stripe, whatever their status."""
        found: list[stripe.Subscription] = []
        for customer in self.customers():
            wanted: Any = {"customer": customer.id, "status": "all"}
            found += self.at_stripe.v1.subscriptions.list(wanted).data
        return found

    def buy_slots_at_stripe(self, quantity: int, kind: str = "slots") -> str:
        """A slots subscription as the product makes it, or an add-on; returns its id."""
        base = self.subscriptions()[-1]
        wanted: Any = {
            "customer": self.customers()[0].id,
            "default_payment_method": base.default_payment_method,
            "items": [{"price": price_id("slot_monthly_usd"), "quantity": quantity}],
            "metadata": {"account_id": self.account, "kind": kind},
        }
        return self.at_stripe.v1.subscriptions.create(wanted).id

    def advance(self, duration: str) -> None:
        """Moves the clock of Stripe and of the product, for example by `P1M`."""
        answer = _wire.post(f"{self.sandbox}/sandbox/clock", json={"advance": duration})
        assert answer.status_code == 200, answer.text

    def go_to(self, moment: datetime) -> None:
        """Moves the clock of Stripe and of the product forward to `moment`."""
        order = {"to": rfc3339(moment)}
        answer = _wire.post(f"{self.sandbox}/sandbox/clock", json=order)
        assert answer.status_code == 200, answer.text

    def sweep(self, milliseconds_left: int = 300_000) -> dict[str, int]:
        """What has come due is done; returns for how many accounts, and for how many it failed."""
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds_left)
        return renewals.handler(event_file("renewals"), context)

    def settle(self, intent: str, *, succeed: bool) -> None:
        """A payment that settles later comes, or fails."""
        address = f"{self.sandbox}/sandbox/payments/{intent}/settle"
        answer = _wire.post(address, json={"succeed": succeed})
        assert answer.status_code == 200, answer.text

    def order_faults(self, faults: list[tuple[str, str, str]]) -> None:
        """The next requests of these methods and paths fail at Stripe's side in these ways."""
        ordered = [{"method": one, "path": path, "fault": how} for one, path, how in faults]
        answer = _wire.post(f"{self.sandbox}/sandbox/faults", json={"next": ordered})
        assert answer.status_code == 200, answer.text

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Everything on record for this account, by key."""
        mine = f"ACCOUNT#{self.account}"
        rows = self.tables.rows("billing").items()
        return {key: row for key, row in rows if key[0].startswith(mine)}

    def queued(self) -> int:
        attributes = _sqs().get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    def _receive(self) -> Any:
        found = _sqs().receive_message(QueueUrl=self.queue, AttributeNames=["All"])
        return next(iter(found.get("Messages", [])), None)


Begin = Callable[[str, Callable[[Product], object]], Product]
"""A product that has lived through what the name says."""


def order(sandbox: str, path: str, body: Any = None) -> Any:
    """To the sandbox itself."""
    answer = _wire.post(f"{sandbox}/sandbox/{path}", json=body or {})
    assert answer.status_code == 200, answer.text
    return answer.json()


def make_queue(name: str) -> str:
    """A queue as messaging.yaml makes it; returns its URL."""
    made = _sqs().create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})
    return str(made["QueueUrl"])


@cache
def _sqs() -> Any:
    return boto3.client("sqs")


def _customer(event: dict[str, Any]) -> str:
    subject = event["data"]["object"]
    return str(subject["id"] if subject["object"] == "customer" else subject.get("customer"))


def _charge(event: dict[str, Any]) -> str:
    """All that a dispute says about whose it is."""
    subject = event["data"]["object"]
    return str(subject["id"] if subject["object"] == "charge" else subject.get("charge", subject))


def _fails(record: dict[str, Any]) -> bool:
    try:
        webhook_process.handler({"Records": [record]}, None)
    except Exception:
        return True
    return False


def _record(message: Any) -> dict[str, Any]:
    record: dict[str, Any] = event_file("webhook_process")["Records"][0]
    return record | {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": record["attributes"] | message["Attributes"],
    }
