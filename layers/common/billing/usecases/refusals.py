"""A refusal is final: nothing is done afterwards by an earlier try of the same command.

A client that hears nothing asks again while its first try may still be at work. So what a command
is refused with takes the place of its acceptance, and of two tries the first one decides.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from math import ceil

from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import Transaction, unavailable
from billing.domain.errors import Conflict, NotFound, Refusal, RuleRefused

ANSWERED_WITHIN = timedelta(seconds=40)
"""A request has ended by then, whatever became of it: the gateway waits 30 seconds."""


@contextmanager
def final(account: str, command: Command, now: datetime) -> Iterator[None]:
    """Around what decides whether a command is accepted.

    Raises what was decided first; Unavailable while another try, which has accepted it, is at work.
    """
    try:
        yield
    except (NotFound, Conflict, RuleRefused) as refusal:
        write = Transaction()
        marks.refuse_command(write, account, command, refusal, now)
        try:
            write.commit()
        except AlreadyDone:
            _require_at_rest(account, command, now)
            _refuse_accepted(account, command, refusal)
        raise


@contextmanager
def final_once_accepted(account: str, command: Command) -> Iterator[None]:
    """Around what may still refuse a command after it was accepted."""
    try:
        yield
    except (NotFound, Conflict, RuleRefused) as refusal:
        _refuse_accepted(account, command, refusal)
        raise


def _refuse_accepted(account: str, command: Command, refusal: Refusal) -> None:
    write = Transaction()
    marks.refuse_accepted(write, account, command, refusal)
    # Otherwise another try was answered, and this one's client gets that the next time.
    with suppress(AlreadyDone):
        write.commit()


def _require_at_rest(account: str, command: Command, now: datetime) -> None:
    """One that was accepted long ago and never answered was cut off."""
    accepted = marks.find_command(account, command)
    assert accepted is not None
    left = accepted.at + ANSWERED_WITHIN - now
    if accepted.answer is not None or left > timedelta():
        raise unavailable(max(2, ceil(left.total_seconds())))
