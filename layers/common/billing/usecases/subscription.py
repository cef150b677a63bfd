"""The manager changes the subscription: its cycle, its card, its end.

Each asks Stripe first and records what Stripe then says; the webhooks record the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from billing.adapters.dynamodb import accounts, marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.stripe import changes, endings, gateway
from billing.domain import plans
from billing.domain.catalog import Catalog, Cycle, Kind
from billing.domain.errors import Conflict
from billing.domain.subscription import Status, Subscription
from billing.domain.times import rfc3339
from billing.usecases.snapshots import record
from billing.views import CancelView, CycleView, LinkView, ResumeView

_CARD_PAGE_OPEN_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Why somebody cancels, as far as they care to say."""

    reason: str = ""
    comment: str = ""

    @property
    def text(self) -> str:
        return ": ".join(filter(None, (self.reason, self.comment)))


def change_cycle(
    account: str, by: str, command: Command, catalog: Catalog, cycle: str, now: datetime
) -> CycleView:
    """From the next renewal on; the present cycle takes a pending change back. A plan that is
    pending stays so.

    Raises Conflict `not_subscribed`, `subscription_ending`, `payment_due`,
    `idempotency_key_reused`; RuleRefused `unknown_cycle`.
    """
    if (first := _first_answer(account, command)) is not None:
        return cast(CycleView, first)
    base = renewing(accounts.load(account))
    wanted = plans.steps(base, catalog, cycle=cycle).then
    if wanted is None:
        changes.release_plan(base.id)
    elif (wanted.product, wanted.cycle) != _planned(base):
        assert wanted.cycle is not None
        price = gateway.price_id(wanted.lookup_key)
        changes.plan_change(base.id, wanted.cycle, price=price, quantity=None)
    fresh = record(account, base.id, by, now)
    answer = CycleView(
        cycle=fresh.cycle,
        pending_cycle=fresh.pending_cycle,
        effective_at=rfc3339(fresh.period_end) if fresh.pending_cycle else None,
    )
    return cast(CycleView, _remember(account, command, base.id, dict(answer), now))


def _planned(base: Subscription) -> tuple[str, Cycle] | None:
    return (base.pending.plan, base.pending.cycle) if base.pending is not None else None


def cancel(account: str, by: str, goodbye: Goodbye, now: datetime) -> CancelView:
    """Nothing is billed again: not the base, not slots, not the add-on. Access stays to the end
    of what is paid; what is not paid ends now. Cancelling twice is cancelling once.

    Raises Conflict `not_subscribed`.
    """
    rows = accounts.load(account)
    base = live(rows)
    for each in rows.subscriptions.values():
        if each.live:
            changes.release_plan(each.id)
    if base.status in (Status.PAST_DUE, Status.UNPAID):
        endings.end_now(base.id)
    elif base.ends_at is None:
        endings.end_with_period(base.id, goodbye.text)
    fresh = record(account, base.id, by, now, goodbye.reason)
    assert fresh.ends_at is not None
    for each in rows.subscriptions.values():
        if each.live and each.kind is not Kind.SUBSCRIPTION:
            follow_base(each, fresh, now)
            record(account, each.id, by, now, goodbye.reason)
    return CancelView(ends_at=rfc3339(fresh.ends_at))


def follow_base(other: Subscription, base: Subscription, now: datetime) -> None:
    """Slots and add-on end when the base does, at once if they are not paid for, and are kept when
    it is; what was to end by itself before still does. Asked of Stripe only where it is not so.

    `base` is as fetched; the row of `other` may be behind. What somebody does to the base at the
    same time makes an event, and its recorder comes here after them.
    """
    if not _strays(other, base):
        return
    fresh = gateway.subscription(other.id)
    if fresh is None or not _strays(fresh, base):
        return
    if base.ends_at is None:
        endings.keep(other.id)
    elif base.ends_at <= now or fresh.status in (Status.PAST_DUE, Status.UNPAID):
        endings.end_now(other.id)
    else:
        # Stripe takes no end where a change is planned, and what ends needs none.
        changes.release_plan(other.id)
        endings.end_with_base(other.id, base.ends_at)


def _strays(other: Subscription, base: Subscription) -> bool:
    if base.ends_at is None:
        return other.live and base.live and other.ends_with_base
    return other.live and (other.ends_at is None or other.ends_at > base.ends_at)


def resume(account: str, by: str, now: datetime) -> ResumeView:
    """Undoes a cancellation until it takes effect. Raises Conflict `not_subscribed`."""
    rows = accounts.load(account)
    base = live(rows)
    if base.ends_at is not None:
        endings.keep(base.id)
        base = record(account, base.id, by, now)
    for each in rows.subscriptions.values():
        if each.ends_with_base:
            follow_base(each, base, now)
            record(account, each.id, by, now)
    return ResumeView(renews_at=rfc3339(base.period_end))


def open_card_page(account: str, command: Command, return_to: str, now: datetime) -> LinkView:
    """Stripe's page for a new card. Raises Conflict `not_subscribed`."""
    if (first := _first_answer(account, command)) is not None:
        return cast(LinkView, first)
    rows = accounts.load(account)
    base = live(rows)
    assert rows.account is not None
    assert rows.account.customer is not None
    ends = now + _CARD_PAGE_OPEN_FOR
    url = changes.open_card_page(
        account, rows.account.customer, base.price.currency, return_to, ends
    )
    answer = LinkView(url=url, expires_at=rfc3339(ends))
    return cast(LinkView, _remember(account, command, base.id, dict(answer), now))


def live(rows: AccountRows) -> Subscription:
    """The base that is billed. Raises Conflict `not_subscribed`."""
    if rows.base is None or not rows.base.live:
        raise Conflict("not_subscribed", "This account has no subscription.")
    return rows.base


def renewing(rows: AccountRows) -> Subscription:
    """The base, paid for and going on. Raises Conflict `not_subscribed`, `subscription_ending`,
    `payment_due`."""
    base = live(rows)
    if base.ends_at is not None:
        raise Conflict("subscription_ending", "The subscription ends. Keep it first.")
    if base.status is not Status.ACTIVE:
        raise Conflict("payment_due", "The last renewal is not paid yet. Pay it first.")
    return base


def _first_answer(account: str, command: Command) -> dict[str, Any] | None:
    accepted = marks.find_command(account, command)
    return accepted.answer if accepted is not None else None


def _remember(
    account: str, command: Command, about: str, answer: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """The command's first answer: `answer`, or that of the same request at the same time."""
    write = Transaction()
    marks.accept_command(write, account, command, about=about, now=now, answer=answer)
    try:
        write.commit()
    except AlreadyDone:
        return _first_answer(account, command) or answer
    return answer
