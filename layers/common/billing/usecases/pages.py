"""Accepting a command that opens a page at Stripe, before Stripe is asked."""

from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain.errors import Conflict
from billing.domain.times import parse_rfc3339, rfc3339
from billing.usecases.rate_limits import limit_pages

_TRIES = 10
_WAIT_SECONDS = 0.05
_OPEN_FOR = timedelta(hours=1)
_STRIPE_WANTS = timedelta(minutes=31)
"""It opens no page that has less than half an hour to live."""


def accept_page(account: str, command: Command, now: datetime) -> datetime:
    """Return until when the page is open: decided once, so that Stripe is asked for the same each
    time.

    Raises Conflict `checkout_expired`, `idempotency_key_reused`; TooMany `too_many_pages`;
    Unavailable.
    """
    for _ in range(_TRIES):
        accepted = marks.find_command(account, command)
        if accepted is not None:
            return _still_open(parse_rfc3339(accepted.about), now)
        expires_at = now + _OPEN_FOR
        write = Transaction()
        marks.accept_command(write, account, command, about=rfc3339(expires_at), now=now)
        limit_pages(write, account, expires_at, now)
        try:
            write.commit()
        except (AlreadyDone, StaleWrite):
            runtime.sleep(_WAIT_SECONDS * runtime.jitter())
            continue
        return expires_at
    raise unavailable()


def _still_open(expires_at: datetime, now: datetime) -> datetime:
    if now > expires_at - _STRIPE_WANTS:
        raise Conflict(
            "checkout_expired",
            "The Checkout of this request is closed. Ask again with a new Idempotency-Key.",
        )
    return expires_at
