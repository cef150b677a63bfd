"""Everything around the functions in one history: the table, Stripe, the queue, webhooks, time."""

import hashlib
import hmac
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn
from unittest.mock import patch

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

import reconcile
import renewals
import top_up
import webhook_process
import webhook_receive
from billing import runtime
from billing.adapters import alerts, queue, secrets
from billing.adapters.dynamodb import accounts, reading, transaction, wallets
from billing.adapters.stripe import client as stripe_client
from billing.adapters.stripe import gateway
from billing.adapters.stripe.events import EVENT_TYPES
from billing.domain.times import from_epoch, rfc3339
from billing.http import Api
from infra.local.stripe_sandbox.state import Body
from tests.functions.product import API_KEY, APIS, WEBHOOK_SECRET
from tests.simulation import engine
from tests.simulation.box import Box, Kept, in_light_dress, on_simulated_time
from tests.simulation.choices import Scripted
from tests.simulation.once import Once
from tests.simulation.scheduler import Choices, Scheduler, Task
from tests.simulation.store import Store, tables_of
from tests.simulation.stripe_port import Requests
from tests.simulation.table_port import REQUEST_LOST, RESPONSE_LOST, TablePort, decoded

BEGINNING = 1_799_971_200.0
"""2027-01-15T00:00:00Z"""
_DAY = 86_400
TRIES = 8
"""How often a client sends a request again that got no answer."""
RECEIVES = 50
"""The queue's maxReceiveCount."""

STRIPE_DELIVERS = "Stripe delivers"
DUPLICATED = "webhook duplicated"
LOST = "webhook lost"
SENT_TWICE = "message processed twice"
SKEWED = "clock skewed"

ROUTES: dict[str, Api] = {
    route: api for api in (*APIS.values(), engine.api) for route in api.routes
}


@dataclass
class Answer:
    """What a client was told in the end; status 0 where it never heard anything."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if self.status >= 400 else ""


@dataclass(eq=False)
class Message:
    id: str
    group: str
    body: str
    receives: int = 0
    in_flight: bool = False


@dataclass(frozen=True)
class Beginning:
    """Where a history starts, kept from one that was played without faults."""

    name: str
    store: Store
    stripe: Kept
    clock: float
    uniques: int


class Cloud:
    """One for all histories of a process: the functions are plugged into it once."""

    def __init__(self) -> None:
        self.base = BEGINNING
        self.box = Box(self.clock)
        self.scheduler = Scheduler(Scripted())
        self.table = TablePort(self.scheduler, Store(tables_of(DATA)))
        self.requests: Any = Requests(self.scheduler, self.box, self.unique)
        self.client = self.requests.client()
        self.warm_prices: dict[str, str] = {}
        self._clear()

    def begin(
        self, choices: Choices, beginning: Beginning | None = None, told: list[str] | None = None
    ) -> None:
        """A new history; without a beginning it goes on from where things stand."""
        self.choices = choices
        self.base = self.clock() if beginning is None else beginning.clock
        self.scheduler = self.table.scheduler = self.requests.scheduler = Scheduler(choices, told)
        self.scheduler.after_step = self._after_step
        if beginning is not None:
            self.table.store = beginning.store.copy()
            self.box.begin_with(beginning.stripe)
            self._clear()
            self.uniques = beginning.uniques
        self.prices = {} if choices.cold else dict(self.warm_prices)

    def keep(self, name: str) -> Beginning:
        store, stripe = self.table.store.copy(), self.box.keep()
        return Beginning(name, store, stripe, self.clock(), self.uniques)

    def _clear(self) -> None:
        self.webhooks: list[Body] = []
        self.messages: list[Message] = []
        self.dead_letters: list[Message] = []
        self.alerts: list[str] = []
        self.names: Counter[str] = Counter()
        self.uniques = 0
        self.lost = False
        self.known_ids: dict[str, float] = {}
        self.watchers: list[Callable[[], None]] = []

    @property
    def store(self) -> Store:
        return self.table.store

    def _after_step(self) -> None:
        if self.box.dirty:
            self.box.dirty = False
            self._take_notice(self.box.news())
        for watch in self.watchers:
            watch()

    def _take_notice(self, events: list[Body]) -> None:
        """Of what happened to an invoice in one step the last `updated` is as good as each."""
        updated = {event["data"]["object"]["id"]: event for event in events if _updates(event)}
        self.webhooks += [
            event
            for event in events
            if event["type"] in EVENT_TYPES
            and (not _updates(event) or event is updated[event["data"]["object"]["id"]])
        ]

    def price_id(self, lookup_key: str) -> str:
        """As gateway.price_id keeps them; a function that has just started knows none."""
        if lookup_key not in self.prices:
            self.prices[lookup_key] = _LOOK_UP(lookup_key)
        return self.prices[lookup_key]

    def clock(self) -> float:
        return self.base + self.scheduler.clock if hasattr(self, "scheduler") else self.base

    # The port of runtime.py.
    def now(self) -> datetime:
        return from_epoch(int(self.clock() + self.scheduler.present.skew))

    def wall_time(self) -> float:
        return self.clock()

    def unique(self) -> str:
        self.uniques += 1
        return hashlib.sha256(b"%d" % self.uniques).hexdigest()[:32]

    def random(self) -> float:
        return self.choices.random.random()

    def sleep(self, seconds: float) -> None:
        self.scheduler.clock += seconds
        self.scheduler.pause()

    # The port of the queue.
    def send_message(self, **asked: Any) -> None:
        self.scheduler.call(
            "sqs SendMessage",
            lambda: self._keep_message(asked),
            _QUEUE_FAULTS,
            asked["MessageBody"],
        )

    def change_message_visibility(self, **asked: Any) -> None:
        self.scheduler.call("sqs ChangeMessageVisibility", lambda: None, _QUEUE_FAULTS)

    def _keep_message(self, asked: Any) -> None:
        id, group = asked["MessageDeduplicationId"], asked["MessageGroupId"]
        seen = self.known_ids.get(id)
        if seen is None or self.clock() - seen > 300:
            self.known_ids[id] = self.clock()
            self.messages.append(Message(id, group, asked["MessageBody"]))

    # What begins by itself.
    def deliveries(self) -> list[tuple[str, Callable[[], Any]]]:
        """What Stripe and the queue could hand over now."""
        if not self.webhooks and not self.messages:
            return []
        found: list[tuple[str, Callable[[], Any]]] = []
        if self.webhooks:
            found.append(("Stripe", self._deliver_a_webhook))
        heads: dict[str, Message] = {}
        for message in self.messages:
            heads.setdefault(message.group, message)
        for message in heads.values():
            if not message.in_flight:
                found.append((f"queue {message.group}", partial(self._process, message)))
        return found

    def _deliver_a_webhook(self) -> None:
        """Any of those that wait: they come in no order."""
        place = int(self.choices.random.random() * len(self.webhooks))
        event = self.webhooks.pop(place)
        fault = self.scheduler.fault(STRIPE_DELIVERS, (DUPLICATED, LOST))
        if fault is not None:
            self.scheduler.tell(f"{event['type']} {event['id']}   <<< {fault.upper()}")
        if fault == DUPLICATED:
            self.webhooks.append(event)
        self.lost |= fault == LOST
        if fault != LOST:
            self.spawn(f"receive {event['type']}", lambda: self._receive(event))

    def _receive(self, event: Body) -> None:
        """Stripe sends it until it is taken."""
        body = json.dumps(event)
        at = int(self.wall_time())
        digest = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256)
        headers = {"stripe-signature": f"t={at},v1={digest.hexdigest()}"}
        taken = self.invoke(
            f"webhook_receive({event['type']})",
            lambda: webhook_receive.api(_event("POST /webhooks/stripe", {}, body, headers), None),
        )
        if taken is None or taken["statusCode"] != 200:
            self.webhooks.append(event)

    def _process(self, message: Message) -> None:
        message.in_flight = True
        message.receives += 1
        self.spawn(f"queue of {message.group}", lambda: self._received(message))

    def _received(self, message: Message) -> None:
        kind = json.loads(message.body)["type"]
        record = {
            "body": message.body,
            "receiptHandle": message.id,
            "attributes": {"ApproximateReceiveCount": str(message.receives)},
        }
        done = self.invoke(
            f"webhook_process({kind})",
            lambda: _processed(record),
        )
        if done == "done" and not self.scheduler.fault("queue hands over", (SENT_TWICE,)):
            self.messages.remove(message)
        elif message.receives >= RECEIVES:
            self.messages.remove(message)
            self.dead_letters.append(message)
        message.in_flight = False

    # Who calls.
    def spawn(self, name: str, do: Callable[[], Any]) -> Task:
        self.names[name] += 1
        return self.scheduler.spawn(f"{name} {self.names[name]}", do)

    def invoke(self, name: str, function: Callable[[], Any]) -> Any:
        """A Lambda invocation's result; None if it died, raised, or took too long to be heard."""
        skew = 0.0
        if self.scheduler.fault("invocation", (SKEWED,)):
            skew = self.choices.random.choice((-2.0, 2.0, -30.0, 30.0))
        task = self.spawn(name, lambda: self._survived(name, function))
        task.skew, task.invocation = skew, True
        self.scheduler.wait_for(task)
        return None if task.given_up else task.answer

    def _survived(self, name: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except Exception as error:
            self.scheduler.tell(f"  {name} raises {error!r}")
            return None

    def call(
        self,
        route: str,
        claims: dict[str, Any],
        body: Any = None,
        *,
        key: str = "",
        path: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> Answer:
        """A client's request, sent again under the same key until there is an answer."""
        headers = {"idempotency-key": key} if key else {}
        text = "" if body is None else json.dumps(body)
        event = _event(route, claims, text, headers, path, query)
        answer = Answer(0, {})
        for _ in range(TRIES):
            found = self.invoke(route, lambda: ROUTES[route](event, None))
            if found is not None:
                content = found["body"] and json.loads(found["body"])
                answer = Answer(found["statusCode"], content or {})
                if answer.status < 500:
                    break
            told = found["headers"].get("retry-after") if found is not None else None
            self.scheduler.clock += float(told or 2)
        self.scheduler.tell(f"  {route} {text} is answered {answer.status} {answer.code}")
        return answer

    def outside(self, what: str, do: Callable[[], None]) -> None:
        """Something happens at Stripe that none of ours asked for."""
        self.scheduler.pause()
        self.scheduler.tell(what)
        do()

    def pass_time(self, seconds: float) -> None:
        """No invocation lasts so long. What becomes due at Stripe happens in its order, and what
        Stripe tells of it arrives before days have passed."""
        self.scheduler.wait_until(lambda: self.scheduler.calm)
        until = self.clock() + seconds
        while (at := self.box.next_due()) is not None and at <= until:
            self.scheduler.clock += max(0.0, at - self.clock())
            self.box.do_due()
            if seconds > _DAY:
                self.scheduler.wait_until(lambda: self.calm)
        self.scheduler.clock += max(0.0, until - self.clock())
        self.scheduler.tell(f"it is {from_epoch(int(self.clock()))}")
        if seconds > _DAY:
            self.renewals()
            self.reconcile()

    @property
    def calm(self) -> bool:
        return self.scheduler.calm and not self.webhooks and not self.messages

    def reconcile(self) -> None:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)
        self.invoke("reconcile", lambda: reconcile.handler({}, context))

    def renewals(self) -> None:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)
        self.invoke("renewals", lambda: renewals.handler({}, context))

    def bus(self, account: str, wallet: str) -> None:
        event = {"detail": {"account": account, "facts": {"wallet": wallet}}}
        self.invoke("top_up", lambda: top_up.handler(event, None))

    def sweep_again(self) -> bool:
        """What failed is tried again after an hour; False where nothing waits for that."""
        soon = rfc3339(from_epoch(int(self.clock()) + 3_700))
        rows = self.store.rows().values()
        if not any("due_shard" in row and row["due_at"]["S"] <= soon for row in rows):
            return False
        self.scheduler.clock += 3_700
        self.play([self.renewals])
        return True

    def play(self, scripts: list[Callable[[], Any]]) -> None:
        """Until everybody has finished and nothing waits to be delivered."""
        for number, script in enumerate(scripts):
            self.scheduler.spawn(f"client {number}", script)
        self.scheduler.run(self.deliveries)


def _processed(record: dict[str, Any]) -> str:
    webhook_process.handler({"Records": [record]}, None)
    return "done"


def _updates(event: Body) -> bool:
    return bool(event["type"] == "invoice.updated")


def _queue_lost(_: object) -> NoReturn:
    raise ConnectTimeoutError(endpoint_url="http://sqs.test")


def _queue_answer_lost(perform: Callable[[], object]) -> NoReturn:
    perform()
    raise ReadTimeoutError(endpoint_url="http://sqs.test")


_QUEUE_FAULTS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    REQUEST_LOST: _queue_lost,
    RESPONSE_LOST: _queue_answer_lost,
}


def _event(
    route: str,
    claims: dict[str, Any],
    body: str,
    headers: dict[str, str],
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    context: dict[str, Any] = {"requestId": "simulated", "domainName": "api.test"}
    if claims:
        context["authorizer"] = {"jwt": {"claims": claims}}
    return {
        "routeKey": route,
        "headers": {"content-type": "application/json", **headers},
        "requestContext": context,
        "body": body,
        "pathParameters": path or {},
        "queryStringParameters": query or {},
    }


@contextmanager
def plugged_in(
    cloud: Cloud, dress: Callable[[], AbstractContextManager[None]] = in_light_dress
) -> Iterator[None]:
    """The functions reach this cloud and nothing else."""
    credentials = {"api_key": API_KEY, "webhook_secrets": [WEBHOOK_SECRET]}
    before = logging.root.manager.disable
    with ExitStack() as stack:
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, before)
        stack.callback(cloud.box.close)
        stack.enter_context(on_simulated_time(cloud.box))
        stack.enter_context(dress())
        for module in _modules_with("client", transaction.client):
            stack.enter_context(patch.object(module, "client", cloud.table))
        stack.enter_context(patch.object(reading, "decode_item", decoded))
        for module, name in _READ:
            once: Once[Any, Any] = Once(getattr(module, name))
            stack.enter_context(patch.object(module, name, once))
        stack.enter_context(patch.object(runtime, "current", cloud))
        stack.enter_context(patch.object(queue, "_client", cloud))
        stack.enter_context(patch.object(secrets, "get_secret", lambda *_, **__: credentials))
        stack.enter_context(patch.object(stripe_client, "_client_for", lambda _: cloud.client))
        for module in _modules_with("price_id", gateway.price_id):
            stack.enter_context(patch.object(module, "price_id", cloud.price_id))
        for module in _modules_with("count", alerts.count):
            stack.enter_context(patch.object(module, "count", lambda *_: None))
        for module in _modules_with("alert", alerts.alert):
            told = lambda message, **_: cloud.alerts.append(message)  # noqa: E731
            stack.enter_context(patch.object(module, "alert", told))
        yield


def _modules_with(name: str, value: Any) -> list[Any]:
    """Ours that imported `value` under `name`."""
    return [
        module
        for known, module in list(sys.modules.items())
        if known.split(".")[0] in _OURS and getattr(module, name, None) is value
    ]


_READ = (
    *((accounts, "_account"), (accounts, "_checkout"), (accounts, "_member"), (accounts, "_slots")),
    *((accounts, "_subscription"), (accounts, "top_up_of"), (accounts, "wallet_of")),
    (wallets, "wallet_of"),
)
"""What makes a value that never changes of a row."""

_LOOK_UP = gateway.price_id.__wrapped__
DATA = Path(__file__).parents[2] / "infra" / "data.yaml"
_OURS = {"billing", *APIS, "webhook_process", "reconcile", "renewals", "top_up"}
