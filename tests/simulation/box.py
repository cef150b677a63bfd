"""The Stripe sandbox in this process, on the simulation's clock, and what it tells."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

import orjson

from infra.local.stripe_sandbox import api, description, due, expansion, idempotency, state, world
from infra.local.stripe_sandbox import operations as sandbox_operations
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.state import Body, Store
from infra.local.stripe_sandbox.world import Origin, Rules, World
from tests.functions.product import API_KEY
from tests.simulation.stripe_port import perform_call

Result = TypeVar("Result")
ADDRESS = "http://stripe.test"

assert api, "imported for the routes that it registers"


@dataclass(frozen=True)
class Kept:
    """A sandbox's state, to begin histories with."""

    content: bytes
    ids: int
    events: int


class Box(Sandbox):
    """Without threads: nothing is due and nothing is delivered unless somebody asks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(":memory:", API_KEY, ADDRESS, Rules())
        self._first = self.store
        self.clock = clock
        self.twins = False
        self.ids = 0
        self.dirty = False
        self._told = 0
        self._stores: dict[Kept, tuple[Store, int]] = {}
        self._changes = 0

    def now(self) -> int:
        return int(self.clock())

    def work(self, do: Callable[[World], Result], origin: Origin | None = None) -> Result:
        with self.store.transaction() as connection:
            before = connection.total_changes
            try:
                return do(World(connection, self.now(), origin, self.rules, twins=self.twins))
            finally:
                self.dirty |= connection.total_changes != before

    def wake(self) -> None:
        """Nobody sleeps here."""

    def token(self, length: int) -> str:
        self.ids += 1
        return f"{self.ids:0{length}d}"

    def next_due(self) -> int | None:
        return due.next_due(self.store)

    def do_due(self) -> None:
        while self.work(due.do_next):
            pass

    def news(self) -> list[Body]:
        """The events since the last time, oldest first."""
        rows = self.store._connection.execute(
            "SELECT seq, body FROM objects WHERE kind = 'event' AND seq > ? ORDER BY seq",
            (self._told,),
        ).fetchall()
        if rows:
            self._told = rows[-1]["seq"]
        return [json.loads(row["body"]) for row in rows]

    def all(self, kind: str) -> list[Body]:
        """Every object of a kind, oldest first, read past all rules."""
        rows = self.store._connection.execute(
            "SELECT body FROM objects WHERE kind = ? ORDER BY seq", (kind,)
        ).fetchall()
        return [_read(row["body"]) for row in rows]

    def calling(self, method: str, url: str, params: Body | None = None) -> Callable[[], None]:
        """Somebody in Stripe's dashboard does it, as far as Stripe takes it."""

        def do() -> None:
            perform_call(self, method, url, params or {}, None)

        return do

    def keep(self) -> Kept:
        return Kept(self.store._connection.serialize(), self.ids, self._told)

    def begin_with(self, kept: Kept) -> None:
        """In a store of its own, which is filled anew only when something was written there."""
        if kept not in self._stores:
            self._stores[kept] = Store(":memory:"), -1
        self.store, self._changes = self._stores[kept]
        if self.changed:
            self.store._connection.deserialize(kept.content)
            self._changes = self.store._connection.total_changes
            self._stores[kept] = self.store, self._changes
        self.ids, self._told, self.twins = kept.ids, kept.events, False

    def close(self) -> None:
        for store in {self.store, self._first, *(store for store, _ in self._stores.values())}:
            store.close()

    @property
    def changed(self) -> bool:
        """Whether anything was written since the beginning."""
        return self.store._connection.total_changes != self._changes


@lru_cache(maxsize=2_000)
def _read(text: str) -> Body:
    """For whoever only looks at it."""
    body: Body = json.loads(text)
    return body


@contextmanager
def on_simulated_time(box: Box) -> Iterator[None]:
    """And with ids that repeat."""
    with (
        patch.object(state, "token", box.token),
        patch.object(idempotency, "time", SimpleNamespace(time=box.clock)),
    ):
        yield


@contextmanager
def in_light_dress() -> Iterator[None]:
    """The sandbox without validation. What is validated on the wire is left to the histories that
    go over it."""
    copying = SimpleNamespace(deepcopy=lambda value: orjson.loads(orjson.dumps(value)))
    quickly = SimpleNamespace(dumps=lambda value: orjson.dumps(value).decode(), loads=orjson.loads)
    as_it_is = SimpleNamespace(deepcopy=lambda value: value)
    with (
        patch.object(description, "check_object", _unchecked),
        patch.object(description, "check_response", _unchecked),
        patch.object(World, "emit", _emit),
        patch.object(world, "json", quickly),
        # Webhooks are what is new, handed over by the history itself.
        patch.object(World, "_listeners", lambda *_: []),
        # An answer is looked at by nobody but who asked, and its world is left with it.
        patch.object(sandbox_operations, "copy", as_it_is),
        patch.object(expansion, "copy", copying),
    ):
        yield


def _emit(self: World, type: str, body: Body, previous: Body | None = None) -> None:
    """Of what an event is about only what is not nested: the functions fetch the rest."""
    flat = {name: value for name, value in body.items() if not isinstance(value, dict | list)}
    before = {"previous_attributes": previous} if previous is not None else {}
    for _ in range(2 if self._twins else 1):
        self._emit_once(type, {"object": flat, **before})


def _unchecked(*_: Any) -> None:
    return
