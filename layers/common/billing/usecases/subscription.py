"""The manager changes the subscription: its cycle, its card, its end.

Each asks Stripe first and records what Stripe then says; the webhooks record the same.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from billing.adapters.dynamodb import accounts, marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import Transaction, unavailable
from billing.adapters.stripe import changes, endings, gateway
from billing.adapters.stripe.snapshots import KEPT_SLOTS
from billing.charge_views import CancelView, ResumeView, cancel_view, resume_view
from billing.domain import plans
from billing.domain.cancellation import end_beside, slots_to_keep, strays
from billing.domain.catalog import Catalog, Cycle, Kind
from billing.domain.errors import Conflict
from billing.domain.subscription import OVERDUE, Status, Subscription
from billing.domain.times import rfc3339
from billing.usecases import acts
from billing.usecases.acts import Act
from billing.usecases.pages import accept_page
from billing.usecases.refusals import final, final_once_accepted
from billing.usecases.snapshots import record
from billing.views import CycleView, LinkView

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Why somebody cancels, as far as they care to say, and whether slots stay until the end."""

    reason: str = ""
    comment: str = ""
    keep_slots: bool = False

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
    with final(account, command, now):
        base = renewing(accounts.load(account))
        wanted = plans.steps(base, catalog, cycle=cycle).then
    acts.accept(Act(account=account, command=command, by=by, at=now), base.id)
    with final_once_accepted(account, command):
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
    return cast(CycleView, _answered(account, command, dict(answer)))


def _planned(base: Subscription) -> tuple[str, Cycle] | None:
    return (base.pending.plan, base.pending.cycle) if base.pending is not None else None


def cancel(account: str, by: str, goodbye: Goodbye, now: datetime) -> CancelView:
    """End base, slots and add-on, each with what is paid for it; what isn't paid ends now.

    Slots that the manager keeps are billed until the base ends, and the answer names each charge.
    Canceled again, the later choice holds. Raises Conflict `not_subscribed`, `changed_meanwhile`;
    Unavailable.
    """
    rows = accounts.load(account)
    base = live(rows)
    kept = _kept_slots(rows, goodbye)
    changes.release_plan(base.id)
    endings.end_with_period(base.id, goodbye.text, {KEPT_SLOTS: str(kept) if kept else ""})
    fresh = record(account, base.id, by, now, goodbye.reason)
    if fresh.live and fresh.status in OVERDUE:
        endings.end_now(base.id)
        fresh = record(account, base.id, by, now, goodbye.reason)
    if fresh.ends_at is None:
        raise Conflict("changed_meanwhile", "Somebody has resumed the subscription. Look again.")
    others = [each for each in rows.subscriptions.values() if each.live and each.id != base.id]
    ended = [_end_beside(account, by, fresh, each, goodbye, now) for each in others]
    return cancel_view(fresh, ended, now)


def _kept_slots(rows: AccountRows, goodbye: Goodbye) -> int:
    """How many slots go on; an earlier try that was cut off has noted it, and may have released
    the lower number that was planned."""
    if not goodbye.keep_slots or rows.base is None:
        return 0
    return rows.base.kept_slots or slots_to_keep(rows.base, rows.subscriptions.get(Kind.SLOTS))


def _end_beside(
    account: str,
    by: str,
    base: Subscription,
    other: Subscription,
    goodbye: Goodbye,
    now: datetime,
) -> Subscription:
    """A renewal at the same moment moves the end, so it is looked at again."""
    for _ in range(_TRIES):
        follow_base(other, base, now)
        other = record(account, other.id, by, now, goodbye.reason)
        if not strays(base, other, now):
            return other
    raise unavailable()


def follow_base(other: Subscription, base: Subscription, now: datetime) -> None:
    """Let slots or the add-on end as the base's end wants it, and be kept when the base is.

    `base` is as fetched; the row of `other` may be behind, so Stripe is asked before anything is
    changed. What somebody does to the base at the same time makes an event, and its recorder comes
    here after them.
    """
    if not strays(base, other, now):
        return
    fresh = gateway.subscription(other.id)
    if fresh is None or not strays(base, fresh, now):
        return
    wanted = end_beside(base, fresh, now)
    if wanted is None:
        endings.keep(other.id)
    elif wanted <= now:
        endings.end_now(other.id)
    else:
        # Stripe takes no end where a change is planned, and what ends needs none.
        changes.release_plan(other.id)
        if base.kept_slots and fresh.kind is Kind.SLOTS:
            endings.lower_quantity(other.id, base.kept_slots)
        endings.end_with_base(other.id, wanted, own_period=wanted == fresh.period_end)


def resume(account: str, by: str, now: datetime) -> ResumeView:
    """Undo a cancellation until it takes effect, for everything that hasn't ended yet.

    Raises Conflict `not_subscribed`.
    """
    rows = accounts.load(account)
    base = live(rows)
    if base.ends_at is not None:
        endings.keep(base.id)
        base = record(account, base.id, by, now)
    for each in rows.subscriptions.values():
        if each.live and each.ends_with_base:
            follow_base(each, base, now)
            record(account, each.id, by, now)
    return resume_view(base, rows.subscriptions.values())


def open_card_page(account: str, command: Command, return_to: str, now: datetime) -> LinkView:
    """Open Stripe's page for a new card.

    Raises Conflict `not_subscribed`, `checkout_expired`, `idempotency_key_reused`; TooMany
    `too_many_pages`; Unavailable.
    """
    if (first := _first_answer(account, command)) is not None:
        return cast(LinkView, first)
    rows = accounts.load(account)
    with final(account, command, now):
        base = live(rows)
    assert rows.account is not None
    assert rows.account.customer is not None
    ends = accept_page(account, command, now)
    url = changes.open_card_page(
        account, rows.account.customer, base.price.currency, return_to, ends, command.id
    )
    answer = LinkView(url=url, expires_at=rfc3339(ends))
    return cast(LinkView, _answered(account, command, dict(answer)))


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


def _answered(account: str, command: Command, answer: dict[str, Any]) -> dict[str, Any]:
    """The command's first answer: `answer`, or that of the same request at the same time."""
    write = Transaction()
    marks.answer_command(write, account, command, answer)
    try:
        write.commit()
    except AlreadyDone:
        return _first_answer(account, command) or answer
    return answer
