"""What somebody does for an account under an Idempotency-Key, and why.

It is accepted before Stripe is asked, with all that a repetition needs to go on where it was cut
off, and answered together with its line in the history.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.adapters.dynamodb import history, marks
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.events import Event, Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`by` is the subject of who does it; `reason` is an operator's, who must give one."""

    account: str
    command: Command
    by: str
    at: datetime
    reason: str = ""

    @property
    def notes(self) -> dict[str, str]:
        """For those who read Stripe's dashboard; nothing where nobody gave a reason."""
        return {"changed_by": self.by, "reason": self.reason} if self.reason else {}


def first_answer(act: Act) -> dict[str, Any] | None:
    """What it got when it was done. Raises Conflict `idempotency_key_reused`."""
    accepted = marks.find_command(act.account, act.command)
    return accepted.answer if accepted is not None else None


def accept(act: Act, about: str) -> str:
    """What the act is about: as it was accepted first, or `about` from now on.

    Raises Conflict `idempotency_key_reused`.
    """
    accepted = marks.find_command(act.account, act.command)
    if accepted is not None:
        return accepted.about
    write = Transaction()
    marks.accept_command(write, act.account, act.command, about=about, now=act.at)
    try:
        write.commit()
    except AlreadyDone:
        return accept(act, about)
    return about


def answer(act: Act, given: Mapping[str, Any], happened: str, facts: Mapping[str, Fact]) -> None:
    """Commits the first answer. An operator's act is told as what `happened`; a manager's is told
    by what it changes."""
    write = Transaction()
    marks.answer_command(write, act.account, act.command, dict(given))
    if act.reason:
        told = Event(type=happened, at=act.at, by=act.by, reason=act.reason, facts=dict(facts))
        history.append(write, act.account, told)
        marks.mark_told(write, act.account, act.command, act.at)
    # Otherwise the same request at the same time was faster, and has told it.
    with suppress(AlreadyDone):
        write.commit()
