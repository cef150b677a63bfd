"""Idempotency keys with Stripe's semantics: the first answer again, errors included."""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra.local.stripe_sandbox.errors import IdempotencyMismatch, InvalidRequest, KeyInUse

LONGEST_KEY = 255
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Stored:
    status: int
    body: str
    request_id: str


class InFlight:
    """The keys whose requests are being worked on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str | None) -> Iterator[None]:
        """Raises KeyInUse while another request holds the key."""
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise KeyInUse
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def digest(method: str, path: str, parameters: object) -> str:
    text = json.dumps([method, path, parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_key(key: str) -> None:
    if len(key) > LONGEST_KEY:
        raise InvalidRequest(f"Idempotency keys may be at most {LONGEST_KEY} characters.")


def recall(connection: sqlite3.Connection, key: str, request: str) -> Stored | None:
    """The answer stored under `key`; raises IdempotencyMismatch for another request."""
    connection.execute("DELETE FROM idempotency WHERE stored_at < ?", (time.time() - KEPT_SECONDS,))
    row = connection.execute("SELECT * FROM idempotency WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row["request"] != request:
        raise IdempotencyMismatch(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request.",
            code="idempotency_key_reused",
        )
    return Stored(row["status"], row["body"], row["request_id"])


def store(connection: sqlite3.Connection, key: str, request: str, answer: Stored) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?)",
        (key, request, answer.status, answer.body, answer.request_id, time.time()),
    )
