"""Stripe's API over HTTP: one request in, one answer out."""

import hmac
import json
import logging
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from infra.local.stripe_sandbox import description, forms, idempotency, operations
from infra.local.stripe_sandbox.errors import (
    Defect,
    InvalidRequest,
    KeyInUse,
    NotSupported,
    RateLimited,
    StripeError,
    Unauthorized,
)
from infra.local.stripe_sandbox.faults import Fault
from infra.local.stripe_sandbox.idempotency import Stored
from infra.local.stripe_sandbox.operations import Call, Operation
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.state import new_id
from infra.local.stripe_sandbox.world import BASE, Origin, World

log = logging.getLogger(__name__)

for resource in iter_modules([str(Path(__file__).with_name("resources"))]):
    import_module(f"{__package__}.resources.{resource.name}")  # which registers its routes

NOT_STORED = (InvalidRequest, NotSupported)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    form: str
    """The query string of a GET or DELETE, the body of a POST."""
    headers: Mapping[str, str]
    id: str = field(default_factory=lambda: new_id("request"))

    @property
    def idempotency_key(self) -> str | None:
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


class ConnectionDropped(Exception):
    """An ordered fault: the caller hears nothing."""


def answer(sandbox: Sandbox, request: Request) -> Answer:
    """Raises ConnectionDropped when such a fault was ordered."""
    struck = sandbox.faults.strike(request.method, request.path)
    try:
        _authorize(sandbox, request)
        _require_version(request)
        if struck and struck.fault is Fault.TOO_MANY:
            raise RateLimited
        if struck and struck.fault is Fault.CONFLICT:
            raise KeyInUse
        if struck and struck.fault is Fault.TIMEOUT_BEFORE:
            time.sleep(struck.delay)
            raise ConnectionDropped
        with sandbox.in_flight.hold(request.idempotency_key):
            time.sleep(struck.delay if struck else 0)
            broken = struck is not None and struck.fault is Fault.BROKEN
            done = _perform(sandbox, request, broken=broken)
    except StripeError as error:
        return _answer(sandbox, request, Stored(error.status, json.dumps(error.body), request.id))
    if struck and struck.fault is Fault.TIMEOUT_AFTER:
        raise ConnectionDropped
    return _answer(sandbox, request, done)


def _perform(sandbox: Sandbox, request: Request, *, broken: bool) -> Stored:
    found, ids = operations.find(request.method, request.path)
    params = description.read_request(found.name, forms.decode(request.form))
    found.refuse_what_is_not_done(params)
    call = Call(request.path, ids, params)
    key = request.idempotency_key
    if key is None:
        return sandbox.work(
            lambda world: _run(world, found, call, request, broken), Origin(request.id)
        )
    idempotency.check_key(key)
    digest = idempotency.digest(request.method, request.path, params)

    def once(world: World) -> Stored:
        known = idempotency.recall(world.connection, key, digest)
        if known is not None:
            return known
        done = _run(world, found, call, request, broken)
        idempotency.store(world.connection, key, digest, done)
        return done

    return sandbox.work(once, Origin(request.id, key))


def _run(world: World, found: Operation, call: Call, request: Request, broken: bool) -> Stored:
    """The answer, its effects written; of a refusal only those that stand."""
    world.connection.execute("SAVEPOINT effects")
    try:
        if broken:
            raise Defect("An ordered fault: the request failed inside Stripe.")
        body = operations.run(found, world, call)
        return Stored(200, json.dumps(body), request.id)
    except NOT_STORED:
        raise
    except StripeError as error:
        refusal = error
    except Exception as error:
        log.exception("%s failed", found.name)
        refusal = Defect(f"The sandbox failed at {found.name}: {error!r}")
    if isinstance(refusal, Defect):
        log.error("%s: %s", found.name, refusal)
    if not refusal.effects_stand:
        world.connection.execute("ROLLBACK TO effects")
    return Stored(refusal.status, json.dumps(refusal.body), request.id)


def _answer(sandbox: Sandbox, request: Request, done: Stored) -> Answer:
    headers = {
        "Request-Id": request.id,
        "Stripe-Version": description.VERSION,
    }
    if request.idempotency_key:
        headers["Idempotency-Key"] = request.idempotency_key
    if done.request_id != request.id:
        headers["Idempotent-Replayed"] = "true"
        headers["Original-Request"] = done.request_id
    text = json.dumps(json.loads(done.body), indent=2)
    return Answer(done.status, text.replace(BASE, sandbox.base), headers)


def _authorize(sandbox: Sandbox, request: Request) -> None:
    given = _key(request.headers.get("authorization", ""))
    if not given:
        raise Unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if not hmac.compare_digest(given.encode(), sandbox.key.encode()):
        hidden = (
            f"{given[:8]}{'*' * max(0, len(given) - 12)}{given[-4:] if len(given) > 12 else ''}"
        )
        raise Unauthorized(f"Invalid API Key provided: {hidden}")


def _key(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            return b64decode(credentials).decode().partition(":")[0]
        except (Base64Error, UnicodeDecodeError):
            return ""
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _require_version(request: Request) -> None:
    given = request.headers.get("stripe-version", description.VERSION)
    if given != description.VERSION:
        raise InvalidRequest(
            f"Invalid Stripe API version: {given}. This sandbox speaks {description.VERSION} only."
        )
