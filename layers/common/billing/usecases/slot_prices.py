"""What a number of slots costs, and whether a quote still holds.

Stripe is asked, each time: what comes back with an order is compared with its sum, never believed.
"""

from dataclasses import dataclass
from datetime import datetime

from billing.adapters.dynamodb import accounts
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.stripe import slots as at_stripe
from billing.adapters.stripe.slots import Found
from billing.domain.catalog import Catalog, Cycle
from billing.domain.errors import Conflict
from billing.domain.money import Money
from billing.domain.slots import (
    MOST_SLOTS,
    Purchased,
    Quote,
    prorated,
    purchased,
    require_room,
)
from billing.domain.subscription import Status, Subscription
from billing.domain.times import rfc3339
from billing.usecases.subscription import renewing
from billing.views import SlotsPreview


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What slots are sold for, and whether Stripe adds taxes."""

    catalog: Catalog
    automatic_tax: bool


@dataclass(frozen=True, slots=True)
class State:
    """What an order is decided on: the rows as they were read, and Stripe as it was after that."""

    rows: AccountRows
    base: Subscription
    found: Found
    terms: Terms

    @property
    def paid(self) -> Purchased:
        return purchased(self.found.bought)

    @property
    def price(self) -> Money:
        bought = self.found.bought
        currency = self.base.price.currency
        return bought.price if bought else self.terms.catalog.slot_price(currency).money


@dataclass(frozen=True, slots=True)
class _Offer:
    due: Money
    renews_at: datetime | None


def preview_slots(account: str, wanted: int, terms: Terms, now: datetime) -> SlotsPreview:
    """What `wanted` slots cost at once and from their renewal on.

    Raises Conflict `not_subscribed`, `subscription_ending`, `payment_due`, `contact_support`,
    `slots_in_use`.
    """
    state = look(accounts.load(account), terms)
    if wanted < state.paid.now:
        require_room(wanted, state.rows.team.holders(now))
    return _preview(state, wanted, now)


def look(rows: AccountRows, terms: Terms) -> State:
    """Raises Conflict `not_subscribed`, `subscription_ending`, `payment_due`, `contact_support`."""
    base = renewing(rows)
    found = at_stripe.find(customer_of(rows))
    bought = found.bought
    if bought is not None and bought.cycle is not Cycle.MONTHLY:
        raise Conflict("contact_support", "Yearly slots are changed by Support.")
    if bought is not None and bought.status is not Status.ACTIVE:
        raise Conflict("payment_due", "The slots' last renewal is not paid yet. Pay it first.")
    return State(rows, base, found, terms)


def customer_of(rows: AccountRows) -> str:
    assert rows.account is not None
    assert rows.account.customer is not None
    return rows.account.customer


def _preview(state: State, wanted: int, at: datetime) -> SlotsPreview:
    bought = state.found.bought
    at = _charged_from(bought, at)
    offer = _offer(state, wanted, at)
    quote = Quote(bought.id if bought else "", state.paid.now, wanted, at, offer.due)
    return {
        "purchased": wanted,
        "due_now": offer.due.view(),
        "from_next_renewal": (state.price * wanted).view(),
        "effective_at": rfc3339(offer.renews_at) if offer.renews_at else None,
        "quote": quote.text,
    }


def _offer(state: State, wanted: int, at: datetime) -> _Offer:
    """Stripe shows no price of a change while a schedule holds the subscription, so then it is
    worked out as Stripe does it, and Stripe is asked again once the schedule is released."""
    found = state.found
    nothing = Money(0, state.price.currency)
    if found.bought is None:
        if wanted == 0:
            return _Offer(nothing, None)
        price = state.terms.catalog.slot_price(state.base.price.currency).lookup_key
        tax = state.terms.automatic_tax
        first = at_stripe.price_first(customer_of(state.rows), price, wanted, automatic_tax=tax)
        return _Offer(first.due, first.renews_at)
    if wanted <= state.paid.now:
        return _Offer(nothing, found.bought.period_end)
    if found.scheduled:
        return _Offer(prorated(found.bought, wanted, at), found.bought.period_end)
    return _Offer(at_stripe.price_more(found, wanted, at), found.bought.period_end)


def agreed(
    state: State, wanted: int, quoted: str | None, now: datetime
) -> tuple[Money | None, datetime]:
    """What the customer agreed to pay, None if they named no sum, and from when it counts.

    A quote is of a change, not of a number: where others have changed the number meanwhile, the
    new quote is for as many more as the old one. Raises Conflict `quote_stale`.
    """
    charged_from = _charged_from(state.found.bought, now)
    if quoted is None:
        return None, charged_from
    quote, present = Quote.read(quoted), state.paid.now
    if wanted <= present and (quote is None or quote.wanted <= quote.present):
        return None, charged_from
    if quote is not None and _holds(quote, state, wanted, now):
        return quote.due, quote.at
    raise stale(state, wanted, quote, now)


def _charged_from(bought: Subscription | None, now: datetime) -> datetime:
    """A request that began earlier may meet a period that began while it ran."""
    return now if bought is None else max(now, bought.period_start)


def _holds(quote: Quote, state: State, wanted: int, now: datetime) -> bool:
    bought = state.found.bought
    of_now = (bought.id if bought else "", state.paid.now, wanted)
    in_period = bought is None or quote.at >= bought.period_start
    of_quote = (quote.subscription, quote.present, quote.wanted)
    holds = of_quote == of_now and quote.fresh(now) and in_period
    return holds and _offer(state, wanted, quote.at).due == quote.due


def stale(state: State, wanted: int, quote: Quote | None, now: datetime) -> Conflict:
    """With the new quote, for which Stripe is looked at again: the state may be the stale one."""
    state = look(state.rows, state.terms)
    present = state.paid.now
    if quote is not None and quote.wanted > quote.present != present:
        wanted = min(present + quote.wanted - quote.present, MOST_SLOTS)
    return Conflict(
        "quote_stale",
        f"The price has changed. There are {present} slots now; look at the price for {wanted}.",
        {"preview": _preview(state, wanted, now)},
    )
