"""What ends when, and what is still charged, once a manager has canceled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain.cancellation import cancellation, if_cancelled, slots_to_keep, strays
from billing.domain.catalog import Cycle, Kind
from billing.domain.money import Money
from billing.domain.subscription import Pending, Status, Subscription, UnpaidInvoice
from tests.factories import NOON, subscription

DAY = timedelta(days=1)
NOW = NOON + 10 * DAY
UNPAID = UnpaidInvoice("in_1", 24500)
MONTH_END = datetime(2026, 12, 23, 12, tzinfo=UTC)
YEAR_END = datetime(2027, 11, 23, 12, tzinfo=UTC)


def annual(**changes: Any) -> Subscription:
    facts = {"cycle": Cycle.ANNUAL, "price": Money(58800, "usd"), "period_end": YEAR_END}
    return subscription(**{**facts, **changes})


def slots(**changes: Any) -> Subscription:
    facts = {"id": "sub_2", "kind": Kind.SLOTS, "price": Money(4900, "usd"), "quantity": 5}
    return subscription(**{**facts, **changes})


def test_each_ends_with_what_is_paid_for_it_and_nothing_is_charged() -> None:
    found = if_cancelled(annual(), [slots()], NOW)
    assert (found.ends_at, found.slots_ends_at) == (YEAR_END, MONTH_END)
    assert (found.add_on_ends_at, found.charges, found.kept_slots) == (None, (), 0)


def test_slots_never_outlive_the_plan() -> None:
    found = if_cancelled(subscription(), [slots(cycle=Cycle.ANNUAL, period_end=YEAR_END)], NOW)
    assert found.slots_ends_at == MONTH_END


def test_slots_that_are_kept_are_charged_every_month_until_the_plan_ends() -> None:
    found = if_cancelled(annual(), [slots()], NOW, keep_slots=5)
    assert (found.slots_ends_at, found.kept_slots) == (YEAR_END, 5)
    assert len(found.charges) == 11
    assert {each.money.amount for each in found.charges} == {24500}
    assert (found.charges[0].at, found.charges[-1].at) == (MONTH_END, YEAR_END - 31 * DAY)


def test_the_last_month_of_slots_that_are_kept_is_charged_in_part() -> None:
    later = slots(anchor=NOW, period_end=NOW + 31 * DAY)
    *_, last = if_cancelled(annual(), [later], NOW, keep_slots=5).charges
    assert last.money.amount < 24500


@pytest.mark.parametrize("unpaid", [{"status": Status.PAST_DUE}, {"unpaid_invoice": UNPAID}])
def test_what_is_not_paid_for_ends_at_once(unpaid: dict[str, Any]) -> None:
    assert if_cancelled(subscription(**unpaid), [slots()], NOW).slots_ends_at == NOW
    found = if_cancelled(annual(), [slots(**unpaid)], NOW)
    assert (found.ends_at, found.slots_ends_at, found.charges) == (YEAR_END, NOW, ())


def test_an_end_that_somebody_set_at_stripe_names_what_is_charged_until_then() -> None:
    ends = datetime(2027, 2, 23, 12, tzinfo=UTC)
    found = cancellation(subscription(ends_at=ends), [slots()], NOW)
    assert found is not None
    assert found.slots_ends_at == ends
    assert [each.money.amount for each in found.charges] == [5900, 24500, 5900, 24500]


def test_what_was_to_end_sooner_by_itself_still_does() -> None:
    found = if_cancelled(annual(), [slots(ends_at=MONTH_END)], NOW, keep_slots=5)
    assert (found.slots_ends_at, found.charges) == (MONTH_END, ())


@pytest.mark.parametrize(
    ("base", "bought", "kept"),
    [
        (annual(), slots(), 5),
        (annual(), slots(pending=Pending(Cycle.MONTHLY, 3, Money(4900, "usd"), "slot")), 3),
        (subscription(), slots(), 0),
        (annual(), slots(ends_at=MONTH_END), 0),
        (annual(), slots(status=Status.PAST_DUE), 0),
        (annual(status=Status.PAST_DUE), slots(), 0),
        (annual(), slots(status=Status.CANCELED, ends_at=NOW), 0),
        (annual(), None, 0),
    ],
)
def test_slots_are_kept_where_they_would_end_before_the_plan(
    base: Subscription, bought: Subscription | None, kept: int
) -> None:
    assert slots_to_keep(base, bought) == kept


def test_slots_stray_until_they_end_as_the_plan_wants_it() -> None:
    ending = annual(ends_at=YEAR_END, ends_with_period=True)
    keeping = annual(ends_at=YEAR_END, ends_with_period=True, kept_slots=5)
    beside = {"ends_with_base": True}
    assert strays(ending, slots(), NOW)
    assert strays(ending, slots(ends_at=YEAR_END, **beside), NOW)
    assert not strays(ending, slots(ends_at=MONTH_END, **beside), NOW)
    assert strays(keeping, slots(ends_at=MONTH_END, **beside), NOW)
    assert not strays(keeping, slots(ends_at=YEAR_END, **beside), NOW)
    assert not strays(keeping, slots(ends_at=MONTH_END), NOW)
    assert strays(annual(), slots(ends_at=MONTH_END, **beside), NOW)
    assert not strays(annual(), slots(ends_at=MONTH_END), NOW)


def test_what_has_ended_does_not_stray() -> None:
    assert not strays(annual(ends_at=YEAR_END), slots(status=Status.CANCELED), NOW)
