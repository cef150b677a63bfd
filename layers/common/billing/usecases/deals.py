"""What Support and Sales do for a team that it cannot do itself: slots for a year at a price that
was agreed on, and DataUnlimited."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from billing.adapters.dynamodb import accounts
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import changes, deals, endings, gateway
from billing.adapters.stripe.deals import Order
from billing.domain.catalog import Catalog, Kind, Price
from billing.domain.deals import From, Terms, slots_from, slots_price, unlimited_price
from billing.domain.errors import Conflict
from billing.domain.events import Fact
from billing.domain.money import Money
from billing.domain.slots import require_room
from billing.domain.subscription import Status, Subscription
from billing.usecases import acts
from billing.usecases.acts import Act
from billing.usecases.overview import show_add_on, show_slots
from billing.usecases.refusals import final, final_once_accepted
from billing.usecases.snapshots import record
from billing.usecases.subscription import renewing
from billing.views import AddOnView, SlotsView

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Selling:
    """What is sold, whether Stripe adds taxes, and how long an unpaid renewal is waited for."""

    catalog: Catalog
    automatic_tax: bool
    grace: timedelta


def agree_on_slots(act: Act, wanted: int, amount: int, selling: Selling) -> SlotsView:
    """`wanted` slots for a year at `amount` minor units each, instead of what there is.

    Raises PaymentNeeded where they wait for their payment; Conflict `not_subscribed`,
    `subscription_ending`, `payment_due`, `slots_changing`, `slots_in_use`, `changed_meanwhile`,
    `idempotency_key_reused`.
    """
    if (first := acts.first_answer(act)) is not None:
        return cast(SlotsView, first)
    rows = accounts.load(act.account)
    with final(act.account, act.command, act.at):
        base = renewing(rows)
        change = rows.slots.change
        if change is not None and change.stands(act.at):
            raise Conflict("slots_changing", "The manager's own order of slots is under way.")
        price = slots_price(selling.catalog, Money(amount, base.price.currency))
    acts.accept(act, Kind.SLOTS)
    with final_once_accepted(act.account, act.command):
        present = _present(rows, Kind.SLOTS)
        if present is None:
            name = deals.begin(_order(act, base, price, wanted, selling), act.command.id)
        else:
            name = present.id
            _change_slots(act, present, wanted, price)
    record(act.account, name, act.by, act.at, act.reason)
    view = show_slots(accounts.load(act.account), act.at)
    facts: dict[str, Fact] = {"purchased": wanted, **_facts(price)}
    acts.answer(act, view, "slots.deal_agreed", facts)
    return view


def switch_on_unlimited(act: Act, terms: Terms, selling: Selling) -> AddOnView:
    """DataUnlimited, billed to the card on file from now on. Where it is there already it goes on,
    and other terms hold from its renewal on.

    Raises PaymentNeeded where it waits for its payment; Conflict `not_subscribed`,
    `subscription_ending`, `payment_due`, `changed_meanwhile`, `idempotency_key_reused`;
    RuleRefused `unknown_cycle`, `price_needed`.
    """
    if (first := acts.first_answer(act)) is not None:
        return cast(AddOnView, first)
    rows = accounts.load(act.account)
    with final(act.account, act.command, act.at):
        base = renewing(rows)
        present = _present(rows, Kind.ADD_ON)
        as_it_is = present is not None and terms.open
        price = None if as_it_is else unlimited_price(selling.catalog, base, terms)
    acts.accept(act, Kind.ADD_ON)
    if present is not None:
        name = present.id
        endings.switch_on(name)
        if price is not None:
            _plan(present, price, 1)
        changes.note(name, act.notes)
    else:
        assert price is not None
        name = deals.begin(_order(act, base, price, 1, selling), act.command.id)
    facts = _facts(price) if price is not None else {}
    record(act.account, name, act.by, act.at, act.reason)
    return _answer_unlimited(act, "add_on.switched_on", facts, selling)


def switch_off_unlimited(act: Act, selling: Selling) -> AddOnView:
    """It ends with what is paid, and at once where nothing is. Raises Conflict
    `idempotency_key_reused`."""
    if (first := acts.first_answer(act)) is not None:
        return cast(AddOnView, first)
    rows = accounts.load(act.account)
    acts.accept(act, Kind.ADD_ON)
    if rows.base is not None:
        deals.give_up(Kind.ADD_ON, rows.base.id)
    present = rows.subscriptions.get(Kind.ADD_ON)
    if present is not None and present.live:
        changes.release_plan(present.id)
        if present.status in (Status.PAST_DUE, Status.UNPAID):
            endings.end_now(present.id)
        else:
            endings.switch_off(present.id, act.reason)
            changes.note(present.id, act.notes)
        record(act.account, present.id, act.by, act.at, act.reason)
    return _answer_unlimited(act, "add_on.switched_off", {}, selling)


def _answer_unlimited(
    act: Act, happened: str, facts: dict[str, Fact], selling: Selling
) -> AddOnView:
    view = show_add_on(accounts.load(act.account), act.at, selling.grace)
    acts.answer(act, view, happened, facts)
    return view


def _present(rows: AccountRows, kind: Kind) -> Subscription | None:
    """The live one as Stripe has it. Raises Conflict `payment_due`."""
    known = rows.subscriptions.get(kind)
    fresh = gateway.subscription(known.id) if known is not None and known.live else None
    if fresh is None or not fresh.live:
        return None
    if fresh.status is not Status.ACTIVE:
        raise Conflict("payment_due", "Its last renewal is not paid yet. That comes first.")
    return fresh


def _order(act: Act, base: Subscription, price: Price, quantity: int, selling: Selling) -> Order:
    return Order(
        account=act.account,
        kind=price.kind,
        like=base.id,
        price=deals.agreed_price(price),
        quantity=quantity,
        automatic_tax=selling.automatic_tax,
        notes=act.notes,
    )


def _change_slots(act: Act, present: Subscription, wanted: int, price: Price) -> None:
    """One subscription all the time: Stripe gives back what is unused of the months that were paid
    for on the very invoice that charges the year, so nothing is paid twice."""
    match slots_from(present, wanted, price):
        case From.NOW:
            changes.release_plan(present.id)
            _go_on(present)
            changes.change_now(present.id, price=deals.agreed_price(price), quantity=wanted)
        case From.RENEWAL:
            if wanted < present.quantity:
                _hold_back(act, wanted)
            _go_on(present)
            _plan(present, price, wanted)
        case From.BEFORE:
            changes.release_plan(present.id)
            _go_on(present)
    changes.note(present.id, act.notes)


def _go_on(present: Subscription) -> None:
    if present.ends_at is not None:
        endings.keep(present.id)


def _plan(present: Subscription, price: Price, quantity: int) -> None:
    assert price.cycle is not None
    there = (present.cycle, present.price, present.quantity)
    if there == (price.cycle, price.money, quantity):
        changes.release_plan(present.id)
        return
    name = deals.agreed_price(price)
    changes.plan_change(present.id, price.cycle, price=name, quantity=quantity)


def _hold_back(act: Act, wanted: int) -> None:
    """From here on nobody is invited beyond the lower number. Raises Conflict `slots_in_use`."""
    for _ in range(_TRIES):
        slots, version = accounts.load_slots(act.account)
        team = replace(accounts.load(act.account).team, slots=slots)
        require_room(wanted, team.holders(act.at))
        write = Transaction()
        held = replace(slots, pending_purchased=wanted)
        accounts.put_slots(write, act.account, held, version=version)
        try:
            write.commit()
        except StaleWrite:
            continue
        return
    raise unavailable()


def _facts(price: Price) -> dict[str, Fact]:
    return {
        "cycle": price.cycle,
        "amount": price.money.amount,
        "currency": price.money.currency,
    }
