"""What is charged next, and what is charged until an end."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.domain.catalog import Cycle, Kind
from billing.domain.charges import charges_until, due_next, next_charge, per_month
from billing.domain.money import Money
from billing.domain.subscription import InvoicePreview, Pending, Status, Subscription, UnpaidInvoice
from billing.domain.times import end_of_period
from infra.local.stripe_sandbox import periods
from tests.factories import NOON, subscription


def at(year: int, month: int, day: int, hour: int = 12) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def slots(**changes: Any) -> Subscription:
    facts = {"id": "sub_2", "kind": Kind.SLOTS, "price": Money(4900, "usd"), "quantity": 5}
    return subscription(**{**facts, **changes})


def preview(**changes: int) -> InvoicePreview:
    sums = {"subtotal": 5900, "discount": 0, "tax": 0, "total": 5900, "balance": 0}
    return InvoicePreview(**{**sums, **changes}, made_at=NOON)


@pytest.mark.parametrize("anchor", [at(2027, 1, 31), at(2028, 2, 29), at(2027, 3, 1, 0)])
@pytest.mark.parametrize("months", [1, 3, 12])
def test_periods_end_where_stripes_do(anchor: datetime, months: int) -> None:
    start = anchor
    for _ in range(40):
        end = end_of_period(anchor, months, start)
        wanted = periods.end_of_period(
            int(anchor.timestamp()), "month", months, int(start.timestamp())
        )
        assert end.timestamp() == wanted
        start = end


def test_what_renews_is_charged_at_the_end_of_its_period() -> None:
    charge = next_charge(slots())
    assert charge is not None
    assert (charge.at, charge.money) == (at(2026, 12, 23), Money(24500, "usd"))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.PAST_DUE},
        {"status": Status.CANCELED, "ends_at": at(2026, 12, 1)},
        {"ends_at": at(2026, 12, 23)},
    ],
)
def test_what_ends_or_is_overdue_has_no_next_charge(changes: dict[str, Any]) -> None:
    assert next_charge(subscription(**changes)) is None


def test_an_end_set_months_ahead_leaves_the_charges_until_then() -> None:
    ends = at(2027, 2, 6)
    found = [(each.at, each.money.amount) for each in charges_until(slots(ends_at=ends), ends)]
    # 14 of the 31 days from 23 January are left in the last period.
    assert found == [(at(2026, 12, 23), 24500), (at(2027, 1, 23), 11065)]
    assert next_charge(slots(ends_at=ends)) is not None


def test_a_renewal_that_is_not_charged_yet_comes_first() -> None:
    charge = next_charge(subscription(unpaid_invoice=UnpaidInvoice("in_1", 7000)))
    assert charge is not None
    assert (charge.at, charge.money.amount) == (NOON, 7000)


def test_everything_that_falls_due_on_one_day_is_one_charge() -> None:
    base = subscription()
    due = due_next([base, slots(period_end=at(2026, 12, 23, 18))])
    assert due is not None
    assert due.parts == {"subscription": 5900, "slots": 24500}
    assert (due.at, due.money, due.estimated_at) == (base.period_end, Money(30400, "usd"), None)


def test_the_plan_comes_first_whatever_was_bought_first() -> None:
    due = due_next([slots(), subscription(period_end=slots().period_end)])
    assert due is not None
    assert list(due.parts) == ["subscription", "slots"]


def test_what_falls_due_later_is_not_in_the_next_charge() -> None:
    due = due_next([subscription(period_end=at(2027, 11, 23)), slots()])
    assert due is not None
    assert due.parts == {"slots": 24500}


def test_taxes_discounts_and_the_balance_are_stripes() -> None:
    adjusted = preview(discount=590, tax=1009, total=6319, balance=-1000)
    due = due_next([subscription(preview=adjusted)])
    assert due is not None
    parts = {"subscription": 5900, "discount": -590, "tax": 1009, "balance": -1000}
    assert (due.parts, due.money.amount, due.estimated_at) == (parts, 5319, NOON)


def test_a_balance_pays_once_and_no_more_than_there_is_to_pay() -> None:
    rich = preview(balance=-50000)
    due = due_next([subscription(preview=rich), slots(preview=preview(balance=-50000))])
    assert due is not None
    assert (due.parts["balance"], due.money.amount) == (-11800, 0)


def test_a_year_and_slots_cost_so_much_a_month() -> None:
    annual = subscription(cycle=Cycle.ANNUAL, price=Money(58800, "usd"))
    assert [per_month(each).amount for each in (annual, slots())] == [4900, 24500]


def test_a_monthly_share_counts_what_stripes_preview_adds() -> None:
    annual = subscription(cycle=Cycle.ANNUAL, price=Money(58800, "usd"))
    assert per_month(replace(annual, preview=preview(tax=1200, total=60000))).amount == 5000


def test_a_change_planned_for_the_renewal_decides_what_is_charged_from_then() -> None:
    planned = Pending(Cycle.ANNUAL, 1, Money(58800, "usd"), "starter")
    base = subscription(pending=planned)
    charge = next_charge(base)
    assert charge is not None
    assert (charge.money.amount, per_month(base).amount) == (58800, 4900)
