"""Marks against doing something twice; each commits with its effect."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.adapters.dynamodb import keys, reading, refusals
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.errors import Conflict, Refusal
from billing.domain.times import parse_rfc3339, rfc3339

_KEPT = timedelta(days=40)
"""Stripe lists events for 30 days, and repeats them no longer."""


class AlreadyDone(Exception):
    """The effect that this mark stands for has been committed before."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a client asked for under one Idempotency-Key.

    `id` is derived from the account, the route and the key; `fingerprint` from who asks and
    what.
    """

    id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command on record: what it is about, when it was accepted, and its first answer if it got
    that far."""

    about: str
    at: datetime
    answer: dict[str, Any] | None


def find_command(account: str, command: Command) -> Accepted | None:
    """Raises Conflict `idempotency_key_reused` if the key came with another request, or from
    somebody else, before; what the command was refused with, if it was."""
    row = reading.get(keys.command_key(account, command.id))
    if row is None:
        return None
    if row["fingerprint"] != command.fingerprint:
        raise key_reused()
    if (refusal := row.get("refusal")) is not None:
        raise refusals.from_text(refusal)
    answer = row["answer"]
    return Accepted(
        row["about"], parse_rfc3339(row["at"]), None if answer is None else json.loads(answer)
    )


def key_reused() -> Conflict:
    return Conflict(
        "idempotency_key_reused",
        "This Idempotency-Key was used with another request before. Use a new key.",
    )


def accept_command(
    write: Transaction,
    account: str,
    command: Command,
    *,
    about: str,
    now: datetime,
    answer: dict[str, Any] | None = None,
) -> None:
    """`about` is what its repetition needs to go on with it, `answer` what it gets where all is
    done already. Fails as AlreadyDone."""
    row = {
        **keys.command_key(account, command.id),
        "fingerprint": command.fingerprint,
        "about": about,
        "answer": None if answer is None else json.dumps(answer),
        "at": rfc3339(now),
        "ttl": ends_after(now),
    }
    write.insert(row, otherwise=AlreadyDone(command.id))


def refuse_command(
    write: Transaction, account: str, command: Command, refusal: Refusal, now: datetime
) -> None:
    """From now on nobody accepts it. Fails as AlreadyDone where somebody has."""
    row = {
        **keys.command_key(account, command.id),
        "fingerprint": command.fingerprint,
        "refusal": refusals.to_text(refusal),
        "at": rfc3339(now),
        "ttl": ends_after(now),
    }
    write.insert(row, otherwise=AlreadyDone(command.id))


def refuse_accepted(write: Transaction, account: str, command: Command, refusal: Refusal) -> None:
    """Its first answer is that refusal. Fails as AlreadyDone where it has another one."""
    write.set(
        keys.command_key(account, command.id),
        {"answer": json.dumps(None), "refusal": refusals.to_text(refusal)},
        where={"answer": None},
        otherwise=AlreadyDone(command.id),
    )


def answer_command(
    write: Transaction, account: str, command: Command, answer: dict[str, Any]
) -> None:
    """The first answer of a command that was accepted. Fails as AlreadyDone where it has one."""
    write.set(
        keys.command_key(account, command.id),
        {"answer": json.dumps(answer)},
        where={"answer": None},
        otherwise=AlreadyDone(command.id),
    )


def mark_told(write: Transaction, account: str, command: Command, now: datetime) -> None:
    """The history has its line about `command`. Fails as AlreadyDone."""
    row = {
        **keys.command_key(account, f"{command.id}-told"),
        "at": rfc3339(now),
        "ttl": ends_after(now),
    }
    write.insert(row, otherwise=AlreadyDone(command.id))


def stripe_event_done(event: str) -> bool:
    return reading.get(keys.stripe_event_key(event)) is not None


def not_done(events: list[str]) -> list[str]:
    """Those of `events` without a mark, in the same order."""
    found = reading.present([keys.stripe_event_key(event) for event in events])
    return [event for event in events if keys.stripe_event_key(event)["pk"] not in found]


def mark_stripe_event(write: Transaction, event: str, now: datetime) -> None:
    """Fails as AlreadyDone."""
    row = {**keys.stripe_event_key(event), "at": rfc3339(now), "ttl": ends_after(now)}
    write.insert(row, otherwise=AlreadyDone(event))


def mail_sent(account: str, event: str, recipient: str) -> bool:
    return reading.get(keys.mail_key(account, event, recipient)) is not None


def mark_mail(account: str, event: str, recipient: str, now: datetime) -> None:
    """After it was sent: so it is sent at least once, and twice only where this was cut off, or
    by two who send it at the same instant."""
    write = Transaction()
    row = {**keys.mail_key(account, event, recipient), "at": rfc3339(now), "ttl": ends_after(now)}
    write.insert(row, otherwise=AlreadyDone(event))
    with suppress(AlreadyDone):
        write.commit()


def reconciled_until() -> tuple[datetime | None, int]:
    """Up to when Stripe's events have been gone through, and the row's version."""
    row = reading.get(keys.RECONCILIATION)
    return (None, 0) if row is None else (parse_rfc3339(row["until"]), row["version"])


def put_reconciled_until(write: Transaction, until: datetime, *, version: int) -> None:
    write.replace({**keys.RECONCILIATION, "until": rfc3339(until)}, version=version)


def ends_after(now: datetime) -> int:
    """When DynamoDB may delete a mark that is made now."""
    return int((now + _KEPT).timestamp())
