"""Stripe's objects as one request, or one piece of due work, sees and changes them."""

import copy
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.local.stripe_sandbox import description
from infra.local.stripe_sandbox.errors import NoSuchObject
from infra.local.stripe_sandbox.state import Body, new_id

BASE = "https://sandbox.invalid"
"""Stands in stored objects for the sandbox's own address, which a restart may change."""


@dataclass(frozen=True)
class Rules:
    """What Stripe lets an account choose in its dashboard, and how fast drafts are finalised.

    Stripe keeps a renewal's invoice a draft for about an hour. (billing/invoices/subscription) The
    command line's default is none, so that moving the clock by one period shows the period paid.
    """

    draft_seconds: int = 3600
    retry_days: tuple[int, ...] = (3, 5, 7)
    after_retries: str = "cancel"


@dataclass(frozen=True)
class Origin:
    """What made the change: a request with its key, or neither."""

    request: str | None = None
    idempotency_key: str | None = None


class World:
    """Reads and changes inside one transaction; the same object is the same dict throughout."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        now: int,
        origin: Origin | None = None,
        rules: Rules | None = None,
        *,
        twins: bool = False,
    ) -> None:
        self.connection = connection
        self.now = now
        self.origin = origin or Origin()
        self.rules = rules or Rules()
        self._twins = twins
        self._seen: dict[str, tuple[Body, Body]] = {}

    def create(self, kind: str, body: Body, **hidden: Any) -> Body:
        """Store a new object. `hidden` is what the sandbox knows of it and Stripe does not show."""
        body = {"id": body.get("id") or new_id(kind), "object": kind} | body
        self.connection.execute(
            "INSERT INTO objects (id, kind, body, hidden) VALUES (?, ?, ?, ?)",
            (body["id"], kind, json.dumps(body), json.dumps(hidden)),
        )
        self._seen[body["id"]] = (body, hidden)
        return body

    def get(self, kind: str, id: str, *, param: str = "id") -> Body:
        """Raises NoSuchObject; `param` names the parameter that carried the id."""
        found = self.look_up(id)
        if found is None or found["object"] != kind or found.get("deleted"):
            raise NoSuchObject(kind, id, param=param)
        return found

    def look_up(self, id: str) -> Body | None:
        if id not in self._seen:
            row = self.connection.execute("SELECT * FROM objects WHERE id = ?", (id,)).fetchone()
            if row is None:
                return None
            self._remember(row)
        return self._seen[id][0]

    def hidden(self, body: Body) -> Body:
        self.look_up(body["id"])
        return self._seen[body["id"]][1]

    def find(self, kind: str, where: str = "1", *values: Any, limit: int = -1) -> list[Body]:
        """Newest first. `where` is SQL over `seq`, `id`, `body` and `hidden`."""
        rows = self.connection.execute(
            f"SELECT * FROM objects WHERE kind = ? AND ({where}) ORDER BY seq DESC LIMIT ?",
            (kind, *values, limit),
        ).fetchall()
        return [self._remember(row) for row in rows]

    def seq(self, id: str) -> int | None:
        row = self.connection.execute("SELECT seq FROM objects WHERE id = ?", (id,)).fetchone()
        return row and int(row["seq"])

    def update(self, body: Body, event: str | None = None, **changes: Any) -> Body:
        """Change fields; with `event`, tell it when something did change."""
        before = {key: body.get(key) for key in changes}
        body |= changes
        previous = difference(before, changes)
        if previous:
            self.keep(body)
            if event:
                self.emit(event, body, previous)
        return body

    def keep(self, body: Body, **hidden: Any) -> None:
        """Write `body` as it is now, and what is hidden with it."""
        known = self.hidden(body)
        known |= hidden
        self.connection.execute(
            "UPDATE objects SET body = ?, hidden = ? WHERE id = ?",
            (json.dumps(body), json.dumps(known), body["id"]),
        )

    def delete(self, body: Body) -> Body:
        """Only its id is left: no list has it, and no other object can be given it."""
        gone = {"id": body["id"], "object": body["object"], "deleted": True}
        self.connection.execute(
            "UPDATE objects SET kind = 'deleted', body = ? WHERE id = ?",
            (json.dumps(gone), body["id"]),
        )
        del self._seen[body["id"]]
        return gone

    def emit(self, type: str, body: Body, previous: Body | None = None) -> None:
        """Record that `type` happened to `body`, for whoever listens."""
        description.check_object(body)
        data = {"object": copy.deepcopy(body)}
        if previous is not None:
            data["previous_attributes"] = previous
        for _ in range(2 if self._twins else 1):
            self._emit_once(type, data)

    def _emit_once(self, type: str, data: Body) -> None:
        listeners = self._listeners(type)
        event = self.create(
            "event",
            {
                "api_version": description.VERSION,
                "created": self.now,
                "data": data,
                "livemode": False,
                "pending_webhooks": len(listeners),
                "request": {
                    "id": self.origin.request,
                    "idempotency_key": self.origin.idempotency_key,
                },
                "type": type,
            },
        )
        self.connection.executemany(
            "INSERT INTO deliveries (event, endpoint, type, state, attempts, due_real, due_sandbox)"
            " VALUES (?, ?, ?, 'pending', 0, 0, ?)",
            [(event["id"], endpoint, type, self.now) for endpoint in listeners],
        )

    def _listeners(self, type: str) -> list[str]:
        return [
            endpoint["id"]
            for endpoint in reversed(self.find("webhook_endpoint"))
            if endpoint["status"] == "enabled" and {"*", type} & set(endpoint["enabled_events"])
        ]

    def schedule(self, task: str, subject: Body, at: int) -> None:
        """Let `task` be done to `subject` when the clock reaches `at`, and not before known."""
        self.unschedule(subject, task)
        self.connection.execute(
            "INSERT INTO due (task, subject, at) VALUES (?, ?, ?)", (task, subject["id"], at)
        )

    def unschedule(self, subject: Body, *tasks: str) -> None:
        for task in tasks:
            self.connection.execute(
                "DELETE FROM due WHERE task = ? AND subject = ?", (task, subject["id"])
            )

    def _remember(self, row: sqlite3.Row) -> Body:
        if row["id"] not in self._seen:
            body = json.loads(row["body"])
            self._seen[row["id"]] = (body, json.loads(row["hidden"]))
            if body["object"] == "subscription":
                self._refresh_prices(body["items"]["data"])
        return self._seen[row["id"]][0]

    def _refresh_prices(self, items: Iterable[Body]) -> None:
        """A subscription shows its prices as they are now, not as they were when it began."""
        for item in items:
            item["price"] = self.get("price", item["price"]["id"])


def difference(before: Body, after: Body) -> Body:
    """What `before` held where `after` differs; within hashes only what differs there."""
    return {
        key: difference(before[key], after[key])
        if isinstance(before.get(key), dict) and isinstance(after.get(key), dict)
        else before.get(key)
        for key in before | after
        if before.get(key) != after.get(key)
    }
