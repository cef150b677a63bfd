"""The sandbox's memory: one SQLite file, written in whole transactions."""

import json
import secrets
import sqlite3
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]

SCHEMA_VERSION = 1
"""Of the tables below; raised when what is in them changes its form."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    body TEXT NOT NULL, hidden TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (kind, json_extract(body, '$.customer'));
CREATE TABLE IF NOT EXISTS due (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, subject TEXT NOT NULL,
    at INTEGER NOT NULL, UNIQUE (task, subject));
CREATE INDEX IF NOT EXISTS due_in_order ON due (at, seq);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL,
    type TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    due_real REAL NOT NULL, due_sandbox INTEGER NOT NULL,
    status INTEGER, answer TEXT, delivered_at REAL);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (seq) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    request_id TEXT NOT NULL, stored_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

PREFIXES = {
    "charge": "ch",
    "checkout.session": "cs_test",
    "customer": "cus",
    "customer_balance_transaction": "cbtxn",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "invoiceitem": "ii",
    "item": "li",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "price": "price",
    "product": "prod",
    "refund": "re",
    "request": "req",
    "setup_attempt": "setatt",
    "setup_intent": "seti",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
    "webhook_endpoint": "we",
}
SHORT = {"customer", "product", "subscription_item", "request"}
ALPHABET = string.ascii_letters + string.digits


class StaleState(Exception):
    """The file holds something else than this version's state."""


def new_id(kind: str) -> str:
    if kind == "checkout.session":
        return f"{PREFIXES[kind]}_{token(58)}"
    return f"{PREFIXES[kind]}_{token(14) if kind in SHORT else '1' + token(23)}"


def token(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


class Store:
    """One connection behind one lock: requests, due work and deliveries take turns."""

    def __init__(self, file: Path | str) -> None:
        self.lock = threading.RLock()
        self._snapshots: dict[str, sqlite3.Connection] = {}
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise StaleState(f"{file} is no state of this sandbox: {error}.") from error

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        [version] = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"it has form {version}, this one {SCHEMA_VERSION}")
        self._connection.executescript(SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        with self.lock:
            for each in (self._connection, *self._snapshots.values()):
                each.close()

    def keep(self, name: str) -> None:
        """Everything as it is now, until this process ends."""
        with self.lock:
            kept = sqlite3.connect(":memory:", check_same_thread=False)
            self._connection.backup(kept)
            self._snapshots[name] = kept

    def restore(self, name: str) -> None:
        """Everything as it was when it was kept under `name`. Raises KeyError."""
        with self.lock:
            self._snapshots[name].backup(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one at a time."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            yield self._connection

    def setting(self, name: str, default: Any) -> Any:
        with self.reading() as connection:
            query = "SELECT value FROM settings WHERE name = ?"
            found = connection.execute(query, (name,)).fetchone()
        return json.loads(found["value"]) if found else default

    def set(self, name: str, value: Any) -> None:
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value))
            )
