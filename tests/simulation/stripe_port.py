"""Stripe as the sandbox does it, in this process: its own operations, between Stripe's own client
above and the sandbox's own state below.

Left out on the way are HTTP, and the validation of what is asked and answered, which cost ten
times what is done. A smaller tier goes through both (wire.py) and must end in the same states.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, NoReturn

import stripe
from stripe._api_requestor import _APIRequestor
from stripe._object_classes import get_object_class
from stripe._v1_services import V1Services

from infra.local.stripe_sandbox import idempotency, operations
from infra.local.stripe_sandbox.errors import Defect, InvalidRequest, NotSupported, StripeError
from infra.local.stripe_sandbox.idempotency import Stored
from infra.local.stripe_sandbox.operations import Call
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import Origin, World
from tests.simulation.scheduler import Scheduler

TRIES = 3
"""Stripe's client is told to try twice more."""

REQUEST_LOST = "request lost"
RESPONSE_LOST = "response lost"
UNREACHABLE = "unreachable"
UNHEARD = "done, and unheard of by every try"
TOO_MANY = "too many requests"
BROKEN = "500"
IN_FLIGHT = "409"
FAULTS = (REQUEST_LOST, RESPONSE_LOST, UNREACHABLE, UNHEARD, TOO_MANY, BROKEN, IN_FLIGHT)

_NEVER_STORED = (InvalidRequest, NotSupported)
_BROKEN = Defect("An injected fault.")


class _Lost(Exception):
    """This try came to nothing, as far as the caller knows."""


class _LostForGood(Exception):
    """And so would every other."""


class Requests(_APIRequestor):
    """Stripe's client without its wire: keys, tries and errors as it has them."""

    def __init__(self, scheduler: Scheduler, box: Sandbox, unique: Callable[[], str]) -> None:
        self.scheduler = scheduler
        self._box = box
        self._unique = unique

    def client(self) -> Any:
        return SimpleNamespace(v1=V1Services(self))  # type: ignore[no-untyped-call]

    def request(
        self, method: str, url: str, params: Any = None, options: Any = None, **_: Any
    ) -> Any:
        method = method.upper()
        key = (options or {}).get("idempotency_key")
        if method == "POST" and not key:
            key = self._unique()
        status, body = self._tried(method, url, params or {}, key)
        if status >= 400:
            self.handle_error_response(json.dumps(body), status, body, {}, "V1")
        return Shown(body, lambda after: self.request("get", url, {**(params or {}), **after}))

    def _tried(self, method: str, url: str, params: Any, key: str | None) -> tuple[int, Body]:
        name, _ = route(method, url)

        def perform() -> tuple[int, Body]:
            return perform_call(self._box, method, url, params, key)

        faults = {
            REQUEST_LOST: _request_lost,
            RESPONSE_LOST: _response_lost,
            UNREACHABLE: _unreachable,
            UNHEARD: _unheard,
            TOO_MANY: lambda _: (429, _refusal("rate_limit")),
            IN_FLIGHT: lambda _: (409, _refusal("idempotency_key_in_use")),
            BROKEN: lambda _: perform_call(self._box, method, url, params, key, broken=True),
        }
        answer: tuple[int, Body] | None = None
        for _ in range(TRIES):
            try:
                answer = self.scheduler.call(f"stripe {name}", perform, faults, url)
            except _Lost:
                continue
            except _LostForGood:
                break
            if answer[0] != 409 and answer[0] < 500:
                return answer
        if answer is None:
            raise stripe.APIConnectionError("no answer")  # type: ignore[no-untyped-call]
        return answer


def _request_lost(_: object) -> NoReturn:
    raise _Lost


def _response_lost(perform: Callable[[], object]) -> NoReturn:
    perform()
    raise _Lost


def _unreachable(_: object) -> NoReturn:
    raise _LostForGood


def _unheard(perform: Callable[[], object]) -> NoReturn:
    perform()
    raise _LostForGood


def _refusal(code: str) -> Body:
    return {"error": {"type": "invalid_request_error", "code": code, "message": code}}


@cache
def _routes() -> list[tuple[str, str, int, re.Pattern[str]]]:
    found = []
    for name in operations._operations:
        method, template = name.split(" ")
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found.append((name, method, template.count("/"), re.compile(pattern)))
    return sorted(found, key=lambda each: each[0].count("{"))


@lru_cache(maxsize=4_000)
def route(method: str, url: str) -> tuple[str, dict[str, str]]:
    """The operation's name and the ids in its path."""
    slashes = url.count("/")
    for name, of, deep, pattern in _routes():
        if of == method and deep == slashes and (match := pattern.fullmatch(url)):
            return name, match.groupdict()
    raise NotImplementedError(f"the sandbox does not do {method} {url}")


def perform_call(
    box: Sandbox, method: str, url: str, params: Any, key: str | None, *, broken: bool = False
) -> tuple[int, Body]:
    """As the sandbox's api.py does it, on parameters that are typed already."""
    name, ids = route(method, url)
    found = operations._operations[name]
    typed = _typed(params)
    call = Call(url, ids, typed)
    digest = json.dumps([name, url, typed], sort_keys=True) if key else ""

    def effects(world: World) -> tuple[int, Body]:
        if broken:
            raise _BROKEN
        found.refuse_what_is_not_done(typed)
        return 200, operations.run(found, world, call)

    def once(world: World) -> tuple[int, Body]:
        if key is None:
            return _answered(world, effects)
        known = idempotency.recall(world.connection, key, digest)
        if known is not None:
            return known.status, json.loads(known.body)
        status, body = _answered(world, effects)
        stored = Stored(status, json.dumps(body), "")
        idempotency.store(world.connection, key, digest, stored)
        return status, body

    try:
        return box.work(once, Origin("req_simulated", key))
    except StripeError as error:
        return error.status, error.body


def _answered(world: World, effects: Callable[[World], tuple[int, Body]]) -> tuple[int, Body]:
    """What is refused leaves nothing behind, unless what was tried for it stands."""
    world.connection.execute("SAVEPOINT effects")
    try:
        return effects(world)
    except _NEVER_STORED:
        raise
    except StripeError as error:
        if not error.effects_stand:
            world.connection.execute("ROLLBACK TO effects")
        return error.status, error.body


def _typed(value: Any) -> Any:
    """An empty string unsets, except in metadata, whose keys it deletes."""
    if isinstance(value, dict):
        return {name: each if name == "metadata" else _typed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_typed(each) for each in value]
    return None if value == "" else value


@cache
def _class_of(kind: str) -> Any:
    return get_object_class("V1", kind)


class Shown:
    """What Stripe's client makes of an answer, as far as it is looked at: attributes, and for
    `isinstance` the class of its kind."""

    __slots__ = ("_body", "_more")

    def __init__(self, body: Body, more: Callable[[Body], Any] | None = None) -> None:
        self._body = body
        self._more = more

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return _class_of(self._body["object"]) if "object" in self._body else Shown

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._body[name]
        except KeyError:
            raise AttributeError(name) from None
        return _shown(value)

    def __getitem__(self, name: str) -> Any:
        return _shown(self._body[name])

    def __contains__(self, name: str) -> bool:
        return name in self._body

    def __len__(self) -> int:
        return len(self._body)

    def to_dict(self) -> Body:
        return self._body

    def auto_paging_iter(self) -> Iterator[Any]:
        page: Any = self
        while True:
            items = page.data
            yield from items
            if not page.has_more:
                return
            page = page._more({"starting_after": items[-1].id})


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return Shown(value)
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return value
