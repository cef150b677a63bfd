"""Changes of a running subscription: previewed, charged at once, pending, or planned ahead."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.sandbox.shop import Shop, running

DAY = 86_400
JANUARY = "2027-01-01T00:00:00Z"
CARD = "4242424242424242"


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Shop]:
    """A sandbox whose clock begins with a year."""
    with running(tmp_path / "state.sqlite3", JANUARY) as shop:
        yield shop


class Slots:
    """A monthly subscription of 5 slots at 31.00, begun on 1 January at midnight."""

    def __init__(self, shop: Shop, card: str = CARD, amount: int = 3100, **price: Any) -> None:
        self.shop = shop
        self.begun = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
        self.price = shop.price(amount, **price)
        items = [{"price": self.price, "quantity": 5}]
        subscribed = shop.subscribe(card, line_items=items)
        self.id = str(subscribed.id)
        self.item = str(subscribed["items"].data[0].id)
        self.customer: Any = subscribed.customer
        self.start = int(subscribed["items"].data[0].current_period_start)
        self.end = int(subscribed["items"].data[0].current_period_end)

    def now(self) -> Any:
        return self.shop.stripe.subscriptions.retrieve(self.id, {"expand": ["latest_invoice"]})

    @property
    def quantity(self) -> int | None:
        quantity: int | None = self.now()["items"].data[0].quantity
        return quantity

    def change(self, quantity: int = 7, **more: Any) -> Any:
        given: Any = {
            "items": [{"id": self.item, "quantity": quantity}],
            "proration_behavior": "always_invoice",
            "payment_behavior": "pending_if_incomplete",
            "expand": ["latest_invoice"],
        }
        return self.shop.stripe.subscriptions.update(self.id, given | more)

    def preview(self, **details: Any) -> Any:
        given: Any = {"subscription": self.id}
        if details:
            given["subscription_details"] = details
        return self.shop.stripe.invoices.create_preview(given)

    def plan(self, quantity: int = 3, price: str | None = None, **more: Any) -> Any:
        """A second phase from the renewal on."""
        schedules = self.shop.stripe.subscription_schedules
        schedule = schedules.create({"from_subscription": self.id})
        given: Any = {
            "phases": [
                {
                    "items": [{"price": self.price, "quantity": 5}],
                    "start_date": self.start,
                    "end_date": self.end,
                    "proration_behavior": "none",
                },
                {
                    "items": [{"price": price or self.price, "quantity": quantity}],
                    "proration_behavior": "none",
                },
            ],
            "end_behavior": "release",
        }
        return schedules.update(schedule.id, given | more)


def totals(slots: Slots) -> list[int]:
    """Of all invoices, oldest first."""
    listed = slots.shop.stripe.invoices.list({"customer": slots.customer, "limit": 50})
    return [int(invoice.total) for invoice in listed.data][::-1]


def test_a_preview_says_exactly_what_the_change_will_charge(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    own_shop.advance("P10DT7H3M11S")
    date = slots.start + 10 * DAY + 12345
    items: Any = [{"id": slots.item, "quantity": 7}]
    quote = slots.preview(items=items, proration_behavior="always_invoice", proration_date=date)
    own_shop.advance("PT5M")
    changed = slots.change(7, proration_date=date)
    assert changed.latest_invoice.total == quote.total == quote.amount_due
    left = (slots.end - date) / (slots.end - slots.start)
    assert quote.total == round(7 * 3100 * left) - round(5 * 3100 * left)
    lines = changed.latest_invoice.lines.data
    assert [line.amount for line in lines] == [line.amount for line in quote.lines.data]
    assert all(line.parent.subscription_item_details.proration for line in lines)
    assert quote.parent.subscription_details.subscription_proration_date == date
    assert (changed.latest_invoice.status, slots.quantity) == ("paid", 7)
    assert changed.pending_update is None
    assert changed.latest_invoice.billing_reason == "subscription_update"


def test_a_subscription_that_nobody_has_made_yet_has_a_price(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe()
    given: Any = {
        "customer": subscribed.customer,
        "subscription_details": {"items": [{"price": own_shop.price(700), "quantity": 3}]},
    }
    quote = own_shop.stripe.invoices.create_preview(given)
    assert (quote.total, quote.amount_due, quote.currency) == (2100, 2100, "usd")
    quoted, item = quote.lines.data[0].period, subscribed["items"].data[0]
    assert quoted.end - quoted.start == item.current_period_end - item.current_period_start
    assert len(own_shop.stripe.subscriptions.list({"customer": subscribed.customer}).data) == 1


def test_a_preview_changes_nothing(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    before = own_shop.event_types()
    items: Any = [{"id": slots.item, "quantity": 7}]
    slots.preview(items=items, proration_behavior="always_invoice")
    assert own_shop.event_types() == before
    assert len(totals(slots)) == 1


def test_halfway_through_the_month_half_is_charged(own_shop: Shop) -> None:
    slots = Slots(own_shop, amount=3000)
    middle = slots.start + (slots.end - slots.start) // 2
    own_shop.move({"to": f"{datetime.fromtimestamp(middle, UTC):%Y-%m-%dT%H:%M:%SZ}"})
    slots.change(7, proration_date=middle)
    assert totals(slots) == [15000, 3000]


def test_yen_are_prorated_in_whole_yen(own_shop: Shop) -> None:
    slots = Slots(own_shop, amount=1000, currency="jpy")
    date = slots.start + (slots.end - slots.start) // 3
    own_shop.advance("P15D")
    changed = slots.change(6, proration_date=date)
    assert changed.latest_invoice.total == 4000 - 3333


def test_the_next_renewal_charges_the_new_number_whole(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    own_shop.advance("P10D")
    slots.change(7)
    own_shop.advance("P1M")
    assert totals(slots)[-1] == 7 * 3100


def test_without_prorations_the_number_changes_and_nothing_is_charged(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    given: Any = {
        "items": [{"id": slots.item, "quantity": 2}],
        "proration_behavior": "none",
    }
    own_shop.stripe.subscriptions.update(slots.id, given)
    assert (slots.quantity, totals(slots)) == (2, [15500])


def test_credit_for_fewer_is_kept_for_the_next_invoice(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    date = slots.start + (slots.end - slots.start) // 2
    own_shop.advance("P16D")
    slots.change(3, proration_date=date)
    assert totals(slots)[-1] == -3100
    assert own_shop.stripe.customers.retrieve(slots.customer).balance == -3100
    own_shop.advance("P1M")
    renewed = slots.now().latest_invoice
    assert (renewed.total, renewed.amount_due, renewed.starting_balance) == (9300, 6200, -3100)
    assert own_shop.stripe.customers.retrieve(slots.customer).balance == 0


@pytest.mark.parametrize("answer", ["approve", "fail"])
def test_a_change_that_needs_the_bank_counts_only_once_paid(own_shop: Shop, answer: str) -> None:
    slots = Slots(own_shop)
    _replace_card(slots, "4000002760003184")
    changed = slots.change(7)
    assert changed.latest_invoice.status == "open"
    assert changed.pending_update.subscription_items[0].quantity == 7
    assert changed.status == "active"
    assert slots.quantity == 5
    url = changed.latest_invoice.hosted_invoice_url
    asked = own_shop.http.post(url, data={"card": "4000002760003184"})
    own_shop.http.post(own_shop.base + asked.headers["location"], data={"answer": answer})
    approved = answer == "approve"
    assert slots.quantity == (7 if approved else 5)
    assert (slots.now().pending_update is None) is approved
    told = "customer.subscription.pending_update_applied" in own_shop.event_types()
    assert told is approved


def _replace_card(slots: Slots, card: str) -> None:
    setup = slots.shop.checkout("setup", customer=slots.customer)
    done = slots.shop.pay(setup.id, card, authenticate="approve")
    assert done.status_code == 200
    session = slots.shop.stripe.checkout.sessions.retrieve(setup.id, {"expand": ["setup_intent"]})
    method: Any = session.setup_intent.payment_method  # type: ignore[union-attr]
    slots.shop.stripe.subscriptions.update(slots.id, {"default_payment_method": method})


def test_a_pending_change_that_is_declined_expires_after_23_hours(own_shop: Shop) -> None:
    slots = Slots(own_shop, card="4000000000000341")
    changed = slots.change(7)
    assert changed.pending_update is not None
    assert changed.status == "active"
    moved = own_shop.advance("PT23H")
    types = [event["type"] for event in moved["events"]]
    assert "customer.subscription.pending_update_expired" in types
    assert "invoice.voided" in types
    now = slots.now()
    assert (now.pending_update, now.latest_invoice.status, slots.quantity) == (None, "void", 5)


def test_another_change_takes_the_place_of_a_pending_one(own_shop: Shop) -> None:
    slots = Slots(own_shop, card="4000000000000341")
    first = slots.change(7)
    second = slots.change(9)
    assert second.pending_update.subscription_items[0].quantity == 9
    assert own_shop.stripe.invoices.retrieve(first.latest_invoice.id).status == "void"


def test_a_pending_change_takes_no_metadata(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    with pytest.raises(stripe.InvalidRequestError, match="cannot pass metadata"):
        slots.change(7, metadata={"a": "b"})


def test_a_declined_change_can_leave_everything_as_it_was(own_shop: Shop) -> None:
    slots = Slots(own_shop, card="4000000000000341")
    with pytest.raises(stripe.CardError):
        slots.change(7, payment_behavior="error_if_incomplete")
    assert (slots.quantity, totals(slots)) == (5, [15500])


def test_a_declined_change_can_stand_and_be_overdue(own_shop: Shop) -> None:
    slots = Slots(own_shop, card="4000000000000341")
    changed = slots.change(7, payment_behavior="allow_incomplete")
    assert (changed.status, slots.quantity) == ("past_due", 7)


def test_prorations_left_for_the_next_invoice_are_not_done(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    given: Any = {"items": [{"id": slots.item, "quantity": 7}]}
    with pytest.raises(stripe.APIError, match="create_prorations") as refused:
        own_shop.stripe.subscriptions.update(slots.id, given)
    assert refused.value.http_status == 501


def test_a_proration_date_lies_within_the_period(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    with pytest.raises(stripe.InvalidRequestError, match="within the current period"):
        slots.change(7, proration_date=slots.end + 1)


def test_an_eleventh_invoice_within_a_minute_is_too_many(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    for quantity in range(6, 15):
        slots.change(quantity)
    with pytest.raises(stripe.RateLimitError, match="10 new invoices"):
        slots.change(15)


def test_a_dearer_plan_of_the_same_length_keeps_the_period(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    gold = own_shop.price(6200)
    date = slots.start + (slots.end - slots.start) // 2
    own_shop.advance("P16D")
    items: Any = [{"id": slots.item, "price": gold}]
    changed = slots.change(items=items, proration_date=date)
    assert changed.latest_invoice.total == 5 * 3100 // 2
    assert changed["items"].data[0].current_period_end == slots.end


def test_another_length_begins_a_new_period_at_once(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    yearly = own_shop.price(31000, interval="year")
    items: Any = [{"id": slots.item, "price": yearly}]
    own_shop.advance("P10D")
    changed = slots.change(items=items)
    item = changed["items"].data[0]
    assert item.current_period_start == changed.billing_cycle_anchor
    assert item.current_period_end - item.current_period_start == 365 * DAY
    assert changed.latest_invoice.lines.data[1].amount == 5 * 31000
    assert changed.latest_invoice.lines.data[0].amount < 0


def test_another_length_charges_the_whole_new_period_also_in_the_second_of_the_beginning(
    own_shop: Shop,
) -> None:
    slots = Slots(own_shop)
    items: Any = [{"id": slots.item, "price": own_shop.price(31000, interval="year")}]
    lines = slots.change(items=items).latest_invoice.lines.data
    assert lines[1].amount == 5 * 31000


def test_a_preview_without_changes_is_the_next_renewal(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    upcoming = slots.preview()
    assert (upcoming.total, upcoming.created) == (15500, slots.end)
    own_shop.stripe.subscriptions.update(slots.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError) as none:
        slots.preview()
    assert none.value.code == "invoice_upcoming_none"


def test_fewer_from_the_renewal_on_charges_nothing_before(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    schedule = slots.plan(3)
    assert schedule.status == "active"
    assert slots.now().schedule == schedule.id
    assert slots.preview().total == 3 * 3100
    assert (slots.quantity, totals(slots)) == (5, [15500])
    moved = own_shop.advance("P1M")
    assert slots.quantity == 3
    assert totals(slots) == [15500, 9300]
    types = [event["type"] for event in moved["events"]]
    assert types.count("customer.subscription.updated") == 1
    assert "subscription_schedule.updated" in types
    moved = own_shop.advance("P1M")
    assert "subscription_schedule.released" in [event["type"] for event in moved["events"]]
    assert slots.now().schedule is None
    assert totals(slots) == [15500, 9300, 9300]


def test_another_cycle_from_the_renewal_on(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    yearly = own_shop.price(31000, interval="year")
    slots.plan(5, yearly)
    assert slots.preview().total == 5 * 31000
    own_shop.advance("P1M")
    item = slots.now()["items"].data[0]
    assert (item.price.id, item.current_period_start) == (yearly, slots.end)
    assert item.current_period_end - item.current_period_start == 365 * DAY
    own_shop.advance("P11M")
    assert totals(slots) == [15500, 155000]


def test_a_released_schedule_leaves_the_subscription_as_it_is(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    schedule = slots.plan(3)
    released = own_shop.stripe.subscription_schedules.release(schedule.id)
    assert (released.status, released.released_subscription) == ("released", slots.id)
    own_shop.advance("P1M")
    assert (slots.quantity, totals(slots)) == (5, [15500, 15500])


def test_while_a_schedule_is_attached_the_subscription_is_not_changed_directly(
    own_shop: Shop,
) -> None:
    slots = Slots(own_shop)
    schedule = slots.plan(3)
    for given in ({"cancel_at_period_end": True}, {"cancel_at": slots.end + DAY}):
        with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription"):
            own_shop.stripe.subscriptions.update(slots.id, given)  # type: ignore[arg-type]
    with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription"):
        slots.change(7)
    own_shop.stripe.subscription_schedules.release(schedule.id)
    assert slots.change(7).pending_update is None


def test_a_schedule_ends_with_its_subscription(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    schedule = slots.plan(3)
    own_shop.stripe.subscriptions.cancel(slots.id)
    found = own_shop.stripe.subscription_schedules.retrieve(schedule.id)
    assert found.status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="canceled"):
        own_shop.stripe.subscription_schedules.release(schedule.id)


def test_a_schedule_can_end_the_subscription(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    schedule = slots.plan(3, end_behavior="cancel")
    own_shop.advance("P2M")
    assert slots.now().status == "canceled"
    found = own_shop.stripe.subscription_schedules.retrieve(schedule.id)
    assert found.status == "completed"
    assert totals(slots) == [15500, 9300]


def test_a_subscription_has_one_schedule_at_a_time(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    slots.plan(3)
    with pytest.raises(stripe.InvalidRequestError, match="already attached"):
        own_shop.stripe.subscription_schedules.create({"from_subscription": slots.id})


def test_a_change_made_while_a_renewal_is_overdue_does_not_pay_it(own_shop: Shop) -> None:
    slots = Slots(own_shop, card="4000000000000341")
    own_shop.advance("P1M")
    assert slots.now().status == "past_due"
    renewal = slots.now().latest_invoice.id
    slots.change(7)
    assert own_shop.stripe.invoices.retrieve(renewal).status == "open"
    assert slots.now().status == "past_due"


def test_the_prices_of_a_schedules_phases_can_be_expanded(own_shop: Shop) -> None:
    slots = Slots(own_shop)
    slots.plan(quantity=3)
    expand = ["schedule.phases.items.price"]
    found: Any = own_shop.stripe.subscriptions.retrieve(slots.id, {"expand": expand})
    assert [phase.items[0].price.id for phase in found.schedule.phases] == [slots.price] * 2
