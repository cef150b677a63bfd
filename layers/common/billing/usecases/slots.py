"""The manager changes how many slots are paid for.

An order is reserved in SLOTS first, against the state that it was decided on; Stripe is asked under
the order's id. So two tabs meet at the row, an invitation beside a lowering counts against the
lower number, and a request that was cut off anywhere is finished by its repetition.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from billing import runtime
from billing.adapters.dynamodb import accounts, keys, marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import changes, endings
from billing.adapters.stripe import slots as at_stripe
from billing.adapters.stripe.client import KeySpent
from billing.adapters.stripe.slots import Found
from billing.domain.errors import BillingError, Conflict, PaymentNeeded
from billing.domain.slots import (
    Purchased,
    SlotChange,
    one_more_paid_change,
    purchased,
    require_room,
)
from billing.domain.subscription import Subscription
from billing.usecases.overview import show_slots
from billing.usecases.refusals import final
from billing.usecases.slot_prices import State, Terms, agreed, customer_of, look, stale
from billing.usecases.snapshots import put_snapshot
from billing.views import SlotsView

_TRIES = 12
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`wanted` slots in all, for exactly what `quote` says where there is one. `by` is who asks."""

    account: str
    by: str
    wanted: int
    quote: str | None


def change_slots(order: Order, command: Command, terms: Terms, now: datetime) -> SlotsView:
    """More at once and charged at once, fewer from the slots' renewal on; as many as there are
    takes back what was pending. An order that waits for its payment gives way to a later one.

    Raises Conflict `not_subscribed`, `subscription_ending`, `payment_due`, `contact_support`,
    `slots_in_use`, `quote_stale`, `changed_meanwhile`, `slots_not_paid`,
    `idempotency_key_reused`; PaymentNeeded; TooMany `too_many_slot_changes`; Unavailable.
    """
    for _ in range(_TRIES):
        accepted = marks.find_command(order.account, command)
        if accepted is not None and accepted.answer is not None:
            return cast(SlotsView, accepted.answer)
        rows = _read(order.account)
        change = rows.slots.change
        if accepted is not None and (change is None or change.id != command.id):
            return _outcome(order, command)
        try:
            if change is None or (change.unpaid and change.id != command.id):
                with final(order.account, command, now):
                    _reserve(look(rows, terms), order, command, now)
            elif change.id != command.id and change.being_asked(now):
                runtime.sleep(_WAIT_SECONDS * (0.5 + runtime.jitter()))
            else:
                refused = _finish(rows, change, terms, now)
                if refused is not None and change.id == command.id:
                    raise refused
        except (StaleWrite, AlreadyDone):
            continue
    raise unavailable()


def _outcome(order: Order, command: Command) -> SlotsView:
    """The answer of an order that is gone from SLOTS: it came with the commit that fulfilled it.
    Raises Conflict `changed_meanwhile` for one that was given up."""
    accepted = marks.find_command(order.account, command)
    if accepted is None or accepted.answer is None:
        raise _overtaken()
    return cast(SlotsView, accepted.answer)


def settle_order(account: str, now: datetime) -> None:
    """An order that nobody came back for is fulfilled or given up, as Stripe says. Raises
    Unavailable."""
    for _ in range(_TRIES):
        rows = _read(account)
        change = rows.slots.change
        if change is None or change.stands(now):
            return
        found = at_stripe.find(customer_of(rows))
        try:
            if purchased(found.bought).achieves(change):
                _fulfil(rows, found, change, now)
            else:
                _give_up(rows)
        except StaleWrite:
            continue
        return
    raise unavailable()


def _read(account: str) -> AccountRows:
    """A query is no snapshot: SLOTS is read before the members that it counts."""
    slots, version = accounts.load_slots(account)
    rows = accounts.load(account)
    versions = {**rows.versions, keys.slots_key(account)["sk"]: version}
    return replace(rows, slots=slots, versions=versions)


def _reserve(state: State, order: Order, command: Command, now: datetime) -> None:
    """From here on the order is the account's only one, and nobody is invited beyond it."""
    rows, paid = state.rows, state.paid
    due, charged_from = agreed(state, order.wanted, order.quote, now)
    if order.wanted < paid.now:
        require_room(order.wanted, rows.team.holders(now))
    change = SlotChange(
        id=command.id,
        by=order.by,
        present=paid.now,
        wanted=order.wanted,
        reserved_at=now,
        charged_from=charged_from,
        due=due,
    )
    counted = rows.slots.paid_changes
    if order.wanted > paid.now:
        counted = one_more_paid_change(counted, now)
    until_then = Purchased(paid.now, min(paid.planned, order.wanted))
    slots = replace(
        rows.slots,
        change=change,
        pending_purchased=until_then.pending,
        paid_changes=counted,
    )
    write = Transaction()
    _put_slots(write, replace(rows, slots=slots))
    base_key = keys.subscription_key(rows.id, state.base.kind)
    write.unchanged(base_key, version=rows.version_of(base_key))
    marks.accept_command(write, rows.id, command, about=command.id, now=now)
    write.commit()


def _finish(
    rows: AccountRows, change: SlotChange, terms: Terms, now: datetime
) -> BillingError | None:
    """Asks Stripe for what was ordered, unless that was done, and writes down what came of it.

    Returns what its command is told where it did not come true. Raises KeySpent, StaleWrite.
    """
    found = at_stripe.find(customer_of(rows))
    paid = purchased(found.bought)
    asked = change.unpaid or (paid.achieves(change) and found.unpaid is None)
    if not asked and change.stands(now) and paid.now == change.present and _goes_on(rows):
        try:
            _ask(rows, change, found, terms, now)
        except KeySpent:
            _put_change(rows, replace(change, attempt=change.attempt + 1))
            raise
        except (Conflict, PaymentNeeded) as refusal:
            _give_up(rows)
            return refusal
        found = at_stripe.find(customer_of(rows))
        paid = purchased(found.bought)
    if paid.achieves(change):
        _fulfil(rows, found, change, now)
        return None
    if found.unpaid is not None and change.wanted > change.present and change.stands(now):
        if not change.unpaid:
            _put_change(rows, replace(change, unpaid=True))
        return PaymentNeeded(
            "payment_needed",
            "Your bank wants you to confirm the payment, or it was declined. The slots are yours "
            "once it is paid.",
            found.unpaid.url,
        )
    _give_up(rows)
    return _overtaken() if not change.unpaid else _not_paid()


def _goes_on(rows: AccountRows) -> bool:
    return rows.base is not None and rows.base.renews and rows.base.ends_at is None


def _ask(rows: AccountRows, change: SlotChange, found: Found, terms: Terms, now: datetime) -> None:
    """Raises Conflict, PaymentNeeded where Stripe refuses."""
    if found.unpaid is not None:
        at_stripe.withdraw(found.unpaid)
    if found.bought is None:
        _buy_first(rows, change, terms)
    elif change.wanted < change.present:
        _lower(found.bought, change.wanted)
    else:
        _keep(found.bought)
        if change.wanted > change.present:
            if found.scheduled:
                _require_quoted(rows, change, terms, now)
            at_stripe.buy_more(found, change)


def _lower(bought: Subscription, wanted: int) -> None:
    if wanted == 0:
        changes.release_plan(bought.id)
        endings.end_with_period(bought.id, "")
        return
    if bought.ends_at is not None:
        endings.keep(bought.id)
    changes.plan_change(bought.id, bought.cycle, price=None, quantity=wanted)


def _keep(bought: Subscription) -> None:
    changes.release_plan(bought.id)
    if bought.ends_at is not None:
        endings.keep(bought.id)


def _buy_first(rows: AccountRows, change: SlotChange, terms: Terms) -> None:
    assert rows.base is not None
    if change.wanted == 0:
        return
    at_stripe.buy_first(
        rows.id,
        customer_of(rows),
        rows.base.id,
        terms.catalog.slot_price(rows.base.price.currency).lookup_key,
        change,
        automatic_tax=terms.automatic_tax,
    )


def _require_quoted(rows: AccountRows, change: SlotChange, terms: Terms, now: datetime) -> None:
    """The quote was worked out here. Raises Conflict `quote_stale` if Stripe sees it otherwise."""
    state = look(rows, terms)
    if change.due is None or not change.due.amount:
        return
    if at_stripe.price_more(state.found, change.wanted, change.charged_from) != change.due:
        raise stale(state, change.wanted, None, now)


def _fulfil(rows: AccountRows, found: Found, change: SlotChange, now: datetime) -> None:
    """With the snapshot the order is gone from SLOTS and its command answered."""
    write = Transaction()
    if found.bought is None:
        slots = replace(rows.slots, change=None, pending_purchased=None)
        rows = replace(rows, slots=slots)
        _put_slots(write, rows)
        command = Command(change.id, "")
        marks.answer_command(write, rows.id, command, dict(show_slots(rows, now)))
    elif not put_snapshot(write, rows, found.bought, by=change.by, at=now):
        raise unavailable()
    write.commit()


def _give_up(rows: AccountRows) -> None:
    """What Stripe says holds again."""
    paid = purchased(at_stripe.find(customer_of(rows)).bought)
    slots = replace(rows.slots, change=None, pending_purchased=paid.pending)
    write = Transaction()
    _put_slots(write, replace(rows, slots=slots))
    write.commit()


def _put_change(rows: AccountRows, change: SlotChange) -> None:
    write = Transaction()
    _put_slots(write, replace(rows, slots=replace(rows.slots, change=change)))
    write.commit()


def _put_slots(write: Transaction, rows: AccountRows) -> None:
    version = rows.version_of(keys.slots_key(rows.id))
    accounts.put_slots(write, rows.id, rows.slots, version=version)


def _overtaken() -> Conflict:
    return Conflict(
        "changed_meanwhile",
        "The slots were changed meanwhile. Look again, and ask with a new Idempotency-Key.",
    )


def _not_paid() -> Conflict:
    return Conflict(
        "slots_not_paid",
        "The payment was not made in time. Ask again with a new Idempotency-Key.",
    )
