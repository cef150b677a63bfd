"""Asking Support or Sales: from the page, and by whatever only they may change."""

from datetime import datetime, timedelta

from billing import runtime
from billing.adapters.dynamodb import history, support_requests
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.domain.errors import TooMany
from billing.domain.events import Event, Fact
from billing.domain.support_requests import A_DAY_AT_MOST, SupportRequest, Topic

_TRIES = 10
_WAIT_SECONDS = 0.05


def record_support_request(
    account: str, subject: str, topic: Topic, message: str, now: datetime
) -> SupportRequest:
    """The request as sent; the same person asking for the same again on one day gets the first.

    Raises TooMany `too_many_support_requests`; Unavailable.
    """
    day = f"{now:%Y-%m-%d}"
    for _ in range(_TRIES):
        today = support_requests.of_day(account, day, at_most=A_DAY_AT_MOST)
        for each in today:
            if (each.subject, each.topic, each.message) == (subject, topic, message):
                return each
        if len(today) >= A_DAY_AT_MOST:
            raise _too_many(now)
        request = SupportRequest(
            id=f"{day}-{len(today) + 1:02d}", topic=topic, message=message, subject=subject, at=now
        )
        write = Transaction()
        support_requests.insert(write, account, request, otherwise=StaleWrite(request.id))
        facts: dict[str, Fact] = {"request": request.id, "topic": topic}
        sent = Event(type="support_request.sent", at=now, by=subject, facts=facts)
        history.append(write, account, sent)
        try:
            write.commit()
        except StaleWrite:
            runtime.sleep(_WAIT_SECONDS * runtime.jitter())
            continue
        return request
    raise unavailable()


def _too_many(now: datetime) -> TooMany:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return TooMany(
        "too_many_support_requests",
        f"Support takes {A_DAY_AT_MOST} requests a day from one account. Please write to them.",
        int((midnight - now).total_seconds()),
    )
