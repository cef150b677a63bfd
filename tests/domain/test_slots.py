"""What more slots cost, what a quote is worth, and what Stripe's word makes of SLOTS."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.catalog import Cycle
from billing.domain.errors import TooMany
from billing.domain.money import Money
from billing.domain.slots import (
    PAID_CHANGES_AT_MOST,
    QUOTE_LASTS,
    Purchased,
    Quote,
    SlotChange,
    Slots,
    one_more_paid_change,
    prorated,
    purchased,
)
from billing.domain.subscription import Pending, Status
from tests.factories import NOON, subscription

MINUTE = timedelta(minutes=1)
QUOTE = Quote("sub_1", 3, 4, NOON, Money(2450, "usd"))
THREE = subscription(quantity=3)
BEGUN = datetime(2027, 2, 1, tzinfo=UTC)


def change(**changes: Any) -> SlotChange:
    base: dict[str, Any] = {"id": "one", "by": "ana", "present": 3, "wanted": 4}
    return SlotChange(**(base | {"reserved_at": NOON, "charged_from": NOON} | changes))


def test_a_quote_comes_back_as_it_was_handed_out() -> None:
    assert Quote.read(QUOTE.text) == QUOTE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ü",
        "e30",
        "bnVsbA",
        "W10",
        "W1tbW1tb",
        "MQ==",
        QUOTE.text[:-4],
        "WzEsMiwzLDQsNSw2XQ",
    ],
)
def test_what_was_not_handed_out_is_no_quote(text: str) -> None:
    assert Quote.read(text) is None


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("wrong", [None, 1.5, True, [], {}])
def test_a_quote_with_one_part_of_another_type_is_none(at: int, wrong: object) -> None:
    parts: list[object] = ["sub_1", 3, 4, int(NOON.timestamp()), 2450, "usd"]
    parts[at] = wrong
    text = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    assert Quote.read(text) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_quote(text: str) -> None:
    read = Quote.read(text)
    assert read is None or isinstance(read, Quote)


def test_a_quote_is_good_for_half_an_hour_and_never_before_its_time() -> None:
    assert QUOTE.fresh(NOON)
    assert QUOTE.fresh(NOON + QUOTE_LASTS - MINUTE)
    assert not QUOTE.fresh(NOON + QUOTE_LASTS)
    assert not QUOTE.fresh(NOON - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("price", "day", "due"),
    [
        (Money(4900, "usd"), 1, 4900),
        (Money(4900, "usd"), 15, 2450),
        (Money(500, "jpy"), 15, 250),
        (Money(500, "jpy"), 22, 125),
        (Money(4900, "usd"), 29, 0),
    ],
)
def test_one_more_is_charged_by_the_second_for_what_is_left_of_february(
    price: Money, day: int, due: int
) -> None:
    february = subscription(
        quantity=3,
        price=price,
        period_start=BEGUN,
        period_end=datetime(2027, 3, 1, tzinfo=UTC),
    )
    assert prorated(february, 4, BEGUN + timedelta(days=day - 1)) == Money(due, price.currency)


def test_what_more_slots_cost_in_steps_is_what_they_cost_at_once() -> None:
    at = NOON + timedelta(days=7, seconds=11)
    steps = [prorated(subscription(quantity=each), each + 1, at).amount for each in range(3, 9)]
    assert sum(steps) == prorated(THREE, 9, at).amount


@pytest.mark.parametrize(
    ("changes", "paid"),
    [
        ({}, Purchased(3, 3)),
        ({"pending": Pending(Cycle.MONTHLY, 2, Money(4900, "usd"), "slot")}, Purchased(3, 2)),
        ({"ends_at": THREE.period_end}, Purchased(3, 0)),
        ({"ends_at": THREE.period_end + timedelta(days=99)}, Purchased(3, 3)),
        ({"status": Status.PAST_DUE}, Purchased(3, 3)),
        ({"status": Status.CANCELED}, Purchased(0, 0)),
        ({"status": Status.INCOMPLETE}, Purchased(0, 0)),
    ],
)
def test_what_is_paid_for_is_what_stripe_says(changes: dict[str, Any], paid: Purchased) -> None:
    assert purchased(subscription(**({"quantity": 3} | changes))) == paid


def test_slots_that_end_with_the_base_are_not_lowered() -> None:
    ending = subscription(quantity=3, ends_at=THREE.period_end, ends_with_base=True)
    assert purchased(ending).pending is None


def test_what_is_pending_goes_when_the_renewal_has_taken_effect() -> None:
    assert Slots(1, 2).following(Purchased(2, 2), NOON) == Slots(1)


def test_an_order_under_way_keeps_what_it_reserved_until_it_is_given_up() -> None:
    lowering = Slots(1, 2, change(wanted=2))
    assert lowering.following(Purchased(3, 3), NOON + MINUTE) == lowering
    assert lowering.following(Purchased(3, 2), NOON + MINUTE) == Slots(1, 2)
    assert lowering.following(Purchased(3, 3), NOON + 15 * MINUTE) == Slots(1)


def test_an_order_that_waits_for_its_payment_reserves_nothing_and_stands_for_a_day() -> None:
    waiting = Slots(1, None, change(unpaid=True))
    assert waiting.following(Purchased(3, 2), NOON + 60 * MINUTE) == Slots(1, 2, waiting.change)
    assert waiting.following(Purchased(4, 4), NOON + 60 * MINUTE) == Slots(1)
    assert waiting.following(Purchased(3, 3), NOON + timedelta(days=1)) == Slots(1)


def test_paid_changes_are_counted_over_any_twenty_four_hours() -> None:
    paid: tuple[datetime, ...] = ()
    for each in range(PAID_CHANGES_AT_MOST):
        paid = one_more_paid_change(paid, NOON + each * MINUTE)
    with pytest.raises(TooMany) as refused:
        one_more_paid_change(paid, NOON + 20 * MINUTE)
    assert refused.value.retry_after == 24 * 3600 - 20 * 60
    later = one_more_paid_change(paid, NOON + timedelta(days=1))
    assert len(later) == PAID_CHANGES_AT_MOST
