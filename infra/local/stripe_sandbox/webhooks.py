"""Webhooks: signed as Stripe signs them, delivered from an outbox that survives restarts."""

import hashlib
import hmac
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.stripe_sandbox.state import Body, Store
from infra.local.stripe_sandbox.world import BASE

log = logging.getLogger(__name__)

TRIES = 3
REAL_BACKOFF = (1.0, 5.0)
SANDBOX_BACKOFF = (3_600, 10_800)
TIMEOUT_SECONDS = 20.0
LONGEST_ANSWER = 2_000
DEFAULTS = {"duplicate": False, "reorder": False, "hold": False, "twin": False}


def sign(body: bytes, secret: str, at: int) -> str:
    """The `Stripe-Signature` header of `body`, sent at `at` in real epoch seconds."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@dataclass(frozen=True)
class Answer:
    """What an endpoint said; no status when it said nothing."""

    status: int | None
    text: str

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def send(url: str, secret: str, event: Body) -> Answer:
    body = json.dumps(event, indent=2).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": sign(body, secret, int(time.time())),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return Answer(response.status, response.read(LONGEST_ANSWER).decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(LONGEST_ANSWER).decode(errors="replace"))
    except OSError as error:
        return Answer(None, str(error))


class Deliveries:
    """A thread that empties the outbox, one delivery after another."""

    def __init__(self, store: Store, now: Callable[[], int], base: str) -> None:
        self._store = store
        self._now = now
        self._base = base
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._news:
            self._stopping = True
            self._news.notify_all()
        self._thread.join(timeout=2)

    def wake(self) -> None:
        with self._news:
            self._news.notify_all()

    @property
    def order(self) -> dict[str, bool]:
        """How deliveries are made from now on."""
        chosen: dict[str, bool] = DEFAULTS | self._store.setting("deliveries", {})
        return chosen

    def choose(self, order: dict[str, bool]) -> dict[str, bool]:
        self._store.set("deliveries", self.order | order)
        self.wake()
        return self.order

    def resend(self, event: str) -> list[Body]:
        """Send `event` once more to each endpoint that was to have it, now, held or not."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM deliveries WHERE event = ? GROUP BY endpoint", (event,)
            ).fetchall()
        for row in rows:
            self._deliver(dict(row))
        return self.listed(event)

    def listed(self, event: str | None = None, limit: int = 100) -> list[Body]:
        """Newest first."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM deliveries WHERE coalesce(event = ?, 1) ORDER BY seq DESC LIMIT ?",
                (event, limit),
            ).fetchall()
        return [_shown(row) for row in rows]

    def wait(self, seconds: float, *, retries: bool) -> bool:
        """Until all was delivered, or (without `retries`) tried once; at most so long.

        Returns whether that was reached.
        """
        deadline = time.monotonic() + seconds
        most_attempts = TRIES if retries else 1
        with self._news:
            while self._pending(most_attempts) and not self.order["hold"]:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._news.wait(min(left, 1.0))
        return True

    def _pending(self, most_attempts: int) -> bool:
        query = "SELECT 1 FROM deliveries WHERE state = 'pending' AND attempts < ? LIMIT 1"
        with self._store.reading() as connection:
            return connection.execute(query, (most_attempts,)).fetchone() is not None

    def _run(self) -> None:
        while not self._stopping:
            batch = self._due()
            order = self.order
            if not batch or order["hold"]:
                with self._news:
                    if not self._stopping:
                        self._news.wait(self._patience())
                continue
            for row in reversed(batch) if order["reorder"] else batch:
                for _ in range(2 if order["duplicate"] else 1):
                    self._deliver(row)
                if self._stopping or self.order["hold"]:
                    break

    def _due(self) -> list[Body]:
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM deliveries WHERE state = 'pending'"
                " AND (due_real <= ? OR due_sandbox <= ?) ORDER BY seq",
                (time.time(), self._now()),
            ).fetchall()
        return [dict(row) for row in rows]

    def _patience(self) -> float | None:
        """How long nothing happens by itself."""
        with self._store.reading() as connection:
            row = connection.execute(
                "SELECT min(due_real) AS at FROM deliveries WHERE state = 'pending'"
            ).fetchone()
        if row["at"] is None or self.order["hold"]:
            return None
        return max(0.02, float(row["at"]) - time.time())

    def _deliver(self, row: Body) -> None:
        with self._store.reading() as connection:
            found = {
                kind: connection.execute(
                    "SELECT body, hidden FROM objects WHERE id = ?", (row[kind],)
                ).fetchone()
                for kind in ("event", "endpoint")
            }
        if not all(found.values()):
            return
        endpoint = json.loads(found["endpoint"]["body"])
        secret = json.loads(found["endpoint"]["hidden"])["secret"]
        event = json.loads(found["event"]["body"].replace(BASE, self._base))
        answer = send(endpoint["url"], secret, event)
        self._record(row, answer)

    def _record(self, row: Body, answer: Answer) -> None:
        with self._store.transaction() as connection:
            known = connection.execute(
                "SELECT * FROM deliveries WHERE seq = ?", (row["seq"],)
            ).fetchone()
            if known is None:
                return
            attempts = known["attempts"] + 1
            state = "delivered" if answer.ok or known["state"] == "delivered" else "pending"
            if state == "pending" and attempts >= TRIES:
                state = "failed"
            step = min(attempts, len(REAL_BACKOFF)) - 1
            connection.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, status = ?, answer = ?,"
                " delivered_at = ?, due_real = ?, due_sandbox = ? WHERE seq = ?",
                (
                    state,
                    attempts,
                    answer.status,
                    answer.text,
                    time.time(),
                    time.time() + REAL_BACKOFF[step],
                    known["due_sandbox"] + SANDBOX_BACKOFF[step],
                    row["seq"],
                ),
            )
        self.wake()


def _shown(row: Any) -> Body:
    return {
        "id": row["seq"],
        "event": row["event"],
        "type": row["type"],
        "endpoint": row["endpoint"],
        "state": row["state"],
        "attempts": row["attempts"],
        "answer": {"status": row["status"], "body": row["answer"]} if row["attempts"] else None,
        "at": row["delivered_at"],
    }
