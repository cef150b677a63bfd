"""The sandbox as a whole: its memory, its clock, its outbox."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from infra.local.stripe_sandbox import due
from infra.local.stripe_sandbox.errors import Refused
from infra.local.stripe_sandbox.faults import Faults
from infra.local.stripe_sandbox.idempotency import InFlight
from infra.local.stripe_sandbox.state import Body, Store
from infra.local.stripe_sandbox.webhooks import Deliveries
from infra.local.stripe_sandbox.world import Origin, Rules, World

log = logging.getLogger(__name__)

STEP_SECONDS = 10.0
"""How long the clock waits at one instant for its webhooks to arrive."""
RETRY_SECONDS = 60.0
A_TICK = 0.005
Result = TypeVar("Result")


class Sandbox:
    """`begins` is the time at which a new sandbox's clock starts: now unless given."""

    def __init__(
        self, file: Path | str, key: str, base: str, rules: Rules, begins: int | None = None
    ) -> None:
        self.key = key
        self.base = base
        self.rules = rules
        self.store = Store(file)
        self.faults = Faults()
        self.in_flight = InFlight()
        self.deliveries = Deliveries(self.store, self.now, base)
        self._offset = float(self.store.setting("offset", 0.0))
        if begins is not None and self.store.setting("offset", None) is None:
            self._set(begins)
        self._moving = threading.Lock()
        self._news = threading.Condition()
        self._stopping = False
        self._ticker = threading.Thread(target=self._tick, name="clock", daemon=True)

    def start(self) -> None:
        self.deliveries.start()
        self._ticker.start()

    def stop(self) -> None:
        with self._news:
            self._stopping = True
            self._news.notify_all()
        self.deliveries.stop()
        self._ticker.join(timeout=2)
        self.store.close()

    def now(self) -> int:
        """Sandbox time, in epoch seconds: real time and what the clock was moved by."""
        return int(time.time() + self._offset)

    @property
    def offset(self) -> int:
        return round(self._offset)

    def work(self, do: Callable[[World], Result], origin: Origin | None = None) -> Result:
        """Do it in one transaction, then see to what it caused."""
        twins = self.deliveries.order["twin"]
        with self.store.transaction() as connection:
            result = do(World(connection, self.now(), origin, self.rules, twins=twins))
        self.wake()
        return result

    def wake(self) -> None:
        self.deliveries.wake()
        with self._news:
            self._news.notify_all()

    def move_clock(self, to: int, patience: float = 60.0) -> list[Body]:
        """Go to `to`, stopping at each instant at which something is due.

        Returns the events of the way. Webhooks are awaited at each stop, within `patience`
        seconds in all; what is not delivered by then is delivered later.
        """
        if to < self.now():
            raise Refused("The clock only moves forward.", param="to")
        deadline = time.monotonic() + patience
        with self._moving:
            before = self.work(_last_event)
            while (at := due.next_due(self.store)) is not None and at <= to:
                self._set(max(at, self.now()))
                self._do_all_due()
                left = deadline - time.monotonic()
                self.deliveries.wait(max(0.0, min(STEP_SECONDS, left)), retries=False)
            self._set(to)
            self.deliveries.wake()
            self.deliveries.wait(max(0.0, deadline - time.monotonic()), retries=True)
            return self.work(lambda world: _events_since(world, before))

    def keep_snapshot(self, name: str) -> None:
        """Keep everything as it is under `name`, and the time."""
        self.store.set("kept_at", float(self.now()))
        self.store.keep(name)

    def restore(self, name: str) -> None:
        """Go back to what was kept under `name`, at the second at which it was. Raises KeyError."""
        with self._moving:
            self.store.restore(name)
            self._set(int(float(self.store.setting("kept_at", 0.0))))
        self.faults = Faults()
        self.wake()

    def _set(self, now: int) -> None:
        self._offset = now - time.time() + A_TICK
        self.store.set("offset", self._offset)

    def _do_all_due(self) -> None:
        while self.work(due.do_next):
            pass

    def _tick(self) -> None:
        """Do what becomes due while nobody moves the clock."""
        while not self._stopping:
            failed = False
            try:
                with self._moving:
                    self._do_all_due()
            except Exception:
                failed = True
                log.exception("what was due failed; tried again in %.0f s", RETRY_SECONDS)
            with self._news:
                if not self._stopping:
                    self._news.wait(RETRY_SECONDS if failed else self._patience())

    def _patience(self) -> float | None:
        """How long nothing becomes due by itself; asked under the lock that news needs."""
        at = due.next_due(self.store)
        return None if at is None else max(0.05, at - time.time() - self._offset)


def _last_event(world: World) -> int:
    query = "SELECT coalesce(max(seq), 0) AS seq FROM objects WHERE kind = 'event'"
    return int(world.connection.execute(query).fetchone()["seq"])


def _events_since(world: World, seq: int) -> list[Body]:
    events = reversed(world.find("event", "seq > ?", seq))
    return [{"id": event["id"], "type": event["type"]} for event in events]
