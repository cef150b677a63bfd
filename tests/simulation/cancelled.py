"""What must hold once a cancellation was acknowledged: nothing is billed but what it named.

Read from Stripe's invoices and from the answer alone.
"""

from collections import Counter
from typing import Any

from billing.domain.times import from_epoch, parse_rfc3339, rfc3339
from infra.local.stripe_sandbox.state import Body
from tests.simulation.cloud import Cloud
from tests.simulation.commands import (
    DECIDES_WHAT_IS_BILLED,
    Acknowledged,
    People,
    subscription_invoices,
)
from tests.simulation.oracles import LIVE, hold

_A_WHILE = 40 * 86_400.0
"""Longer than Stripe tries to collect a renewal, and than any month."""

Billed = tuple[str, int, str]
"""When an invoice was made, its total, and what it is for."""


def only_what_was_named_is_billed(cloud: Cloud, people: People) -> None:
    """Time goes on until everything has ended and then some; only where a cancellation stands."""
    last = _standing(people)
    if last is None:
        return
    ends = parse_rfc3339(last.answer.body["ends_at"]).timestamp()
    cloud.play([lambda: cloud.pass_time(max(ends - cloud.clock(), 0.0) + _A_WHILE)])
    billed = [_billed(each) for each in _paid_since(cloud, people, last)]
    named = Counter(_named(each) for each in last.answer.body["charges"])
    extra = Counter(billed) - named
    hold("nothing is billed after a cancellation but what it named", not extra, (extra, named))
    live = [
        each["id"]
        for each in cloud.box.all("subscription")
        if each["status"] in LIVE and each["metadata"].get("account_id") == people.account
    ]
    hold("what was canceled has ended", not live, live)


def _standing(people: People) -> Acknowledged | None:
    """The last cancellation, unless something else that decides what is billed came beside or
    after it, or may still have: a client that gave up leaves its request running."""
    if not people.acknowledged:
        return None
    last = people.acknowledged[-1]
    for done in people.done:
        if done.command.split()[0] not in DECIDES_WHAT_IS_BILLED or done.answer is last.answer:
            continue
        if done.ended > last.began or done.answer.status == 0:
            return None
    return last


def _paid_since(cloud: Cloud, people: People, last: Acknowledged) -> list[Body]:
    return [
        each
        for each in subscription_invoices(cloud, people.account)
        if each["status"] == "paid" and each["total"] > 0 and each["id"] not in last.paid
    ]


def _billed(invoice: Body) -> Billed:
    kind = invoice["parent"]["subscription_details"]["metadata"]["kind"]
    return rfc3339(from_epoch(invoice["created"])), invoice["total"], kind


def _named(charge: dict[str, Any]) -> Billed:
    return charge["at"], charge["amount"], charge["for"]
