"""What a top-up counts against its cap, and when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.domain.catalog import load_catalog
from billing.domain.credits import Wallet
from billing.domain.money import Money
from billing.domain.top_ups import Hindrance, TopUp, begun, switched_on

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
SOLD = load_catalog().package_price("credits_500", "usd")
CHOSEN = TopUp(person="ana").chosen(200, "credits_500", Money(10_000, "usd"))
LOW = switched_on(Wallet(person="ana", balance=100), 200, "fall", NOVEMBER)


def under_way(top_up: TopUp = CHOSEN, now: datetime = NOVEMBER) -> TopUp:
    ordered, _, _ = begun(top_up, LOW, SOLD, access=True, now=now)
    assert ordered.order is not None
    return ordered


def test_what_is_under_way_counts() -> None:
    assert under_way().charged_in("2026-11") == 5_000


def test_begun_in_one_month_and_paid_in_the_next_it_counts_in_both() -> None:
    assert under_way().completed(5_000, DECEMBER).charged_in("2026-12") == 5_000


def test_paid_in_the_month_in_which_it_began_it_counts_once() -> None:
    assert under_way().completed(5_000, NOVEMBER).charged_in("2026-11") == 5_000


def test_what_is_given_up_does_not_count() -> None:
    assert under_way().without_order().charged_in("2026-11") == 0


def test_taxes_that_the_cap_has_room_for_count() -> None:
    ordered = under_way()
    assert ordered.hindrance(Money(10_000, "usd"), access=True) is None
    assert ordered.counting(Money(10_000, "usd")).charged_in("2026-11") == 10_000
    assert ordered.hindrance(Money(10_001, "usd"), access=True) is Hindrance.CAP


def test_what_is_paid_counts_whatever_was_expected() -> None:
    assert under_way().completed(6_000, NOVEMBER).charged_in("2026-11") == 6_000


@pytest.mark.parametrize(
    ("changed", "access", "why"),
    [
        (lambda top_up: top_up.switched_off(), True, Hindrance.NOT_WANTED),
        (lambda top_up: replace(top_up, package="credits_2000"), True, Hindrance.NOT_WANTED),
        (lambda top_up: top_up, False, Hindrance.NO_ACCESS),
        (lambda top_up: replace(top_up, cap=Money(4_999, "usd")), True, Hindrance.CAP),
        (lambda top_up: replace(top_up, cap=Money(10_000, "eur")), True, Hindrance.CAP),
    ],
)
def test_whether_it_may_be_charged_is_asked_again_just_before_that(
    changed: Callable[[TopUp], TopUp], access: bool, why: Hindrance
) -> None:
    ordered = under_way()
    assert ordered.order is not None
    assert changed(ordered).hindrance(ordered.order.due, access=access) is why


def test_a_clock_that_is_behind_forgets_no_month() -> None:
    paid = under_way().completed(5_000, DECEMBER)
    assert paid.charged_in("2026-11") == 5_000


def test_another_currency_begins_to_count_anew() -> None:
    paid = under_way().completed(5_000, NOVEMBER)
    assert paid.chosen(200, "credits_500", Money(9_000, "eur")).charged == 0


def test_no_two_tries_have_the_same_number() -> None:
    """It is part of Stripe's key: under the same one the invoice that was given up comes again."""
    order = under_way().order
    assert order is not None
    again = under_way().trying_again(order).without_order()
    later = under_way(again).order
    assert later is not None
    assert later.attempt == order.attempt + 2


def test_the_cap_is_exact() -> None:
    exactly = replace(CHOSEN, cap=Money(5_000, "usd"))
    assert under_way(exactly).charged == 5_000
    short = replace(CHOSEN, cap=Money(4_999, "usd"))
    _, wallet, told = begun(short, LOW, SOLD, access=True, now=NOVEMBER)
    assert wallet.look_at == DECEMBER
    assert told == ("top_up.waiting", {"wallet": "ana", "until": "2026-12-01T00:00:00Z"})


def test_a_fall_has_one_name_for_as_long_as_it_lasts() -> None:
    lower = replace(LOW, balance=50).watched("another", DECEMBER)
    assert (lower.fell, lower.look_at) == ("fall", NOVEMBER)
    filled = replace(lower, balance=200).watched("another", DECEMBER)
    assert (filled.fell, filled.look_at) == (None, None)
