"""What two snapshots of a subscription tell."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.domain.account import MemberStatus
from billing.domain.catalog import Cycle, Kind
from billing.domain.events import of_member, of_subscription
from billing.domain.money import Money
from billing.domain.subscription import Pending, Status
from tests.factories import NOON, member, subscription

END = datetime(2026, 12, 23, 12, tzinfo=UTC)
NEXT_END = datetime(2027, 1, 23, 12, tzinfo=UTC)
NEXT = {"period_start": END, "period_end": NEXT_END}
ANNUAL = Pending(Cycle.ANNUAL, 1, Money(58800, "usd"), "starter")
FEWER = Pending(Cycle.MONTHLY, 2, Money(4900, "usd"), "slot")
SLOTS = {"id": "sub_slots", "kind": Kind.SLOTS, "plan": "slot"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {}, []),
        ({}, NEXT, ["renewed"]),
        ({}, {**NEXT, "status": Status.PAST_DUE}, ["payment_failed"]),
        ({"status": Status.PAST_DUE}, {"status": Status.UNPAID}, []),
        ({"status": Status.PAST_DUE}, {}, ["payment_recovered"]),
        ({"status": Status.PAST_DUE}, {"status": Status.CANCELED, "ends_at": END}, ["ended"]),
        ({}, {"pending": ANNUAL}, ["change_planned"]),
        ({"pending": ANNUAL}, {"pending": ANNUAL}, []),
        ({"pending": ANNUAL}, {}, ["change_withdrawn"]),
        ({"pending": ANNUAL}, {**NEXT, "cycle": Cycle.ANNUAL}, ["renewed", "cycle_changed"]),
        ({"pending": ANNUAL}, {"ends_at": END}, ["change_withdrawn", "cancelled"]),
        ({}, {"ends_at": END}, ["cancelled"]),
        ({"ends_at": END}, {}, ["kept"]),
        ({"ends_at": END}, {"ends_at": END, "status": Status.CANCELED}, ["ended"]),
        ({}, {"plan": "business"}, ["plan_changed"]),
        ({}, {"card": None}, ["card_changed"]),
    ],
)
def test_the_plans_changes_are_told(
    before: dict[str, Any], after: dict[str, Any], told: list[str]
) -> None:
    found = of_subscription(subscription(**before), subscription(**after))
    assert [type_ for type_, _ in found] == [f"subscription.{each}" for each in told]
    assert all(facts["subscription"] == "sub_1" for _, facts in found)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"quantity": 3}, {"quantity": 5}, [("slots.changed", {"from": 3, "to": 5})]),
        ({"quantity": 3}, {"quantity": 3, "card": None}, []),
    ],
)
def test_the_slots_changes_are_told(
    before: dict[str, Any], after: dict[str, Any], told: list[Any]
) -> None:
    found = of_subscription(subscription(**SLOTS, **before), subscription(**SLOTS, **after))
    assert found == [(type_, {"subscription": "sub_slots", **facts}) for type_, facts in told]


def test_fewer_slots_to_come_are_told_with_what_they_will_cost() -> None:
    [(type_, facts)] = of_subscription(
        subscription(**SLOTS, quantity=3), subscription(**SLOTS, quantity=3, pending=FEWER)
    )
    assert type_ == "slots.change_planned"
    assert (facts["quantity"], facts["amount"]) == (2, 9800)
    assert facts["at"] == "2026-12-23T12:00:00Z"


@pytest.mark.parametrize("before", [None, subscription(id="sub_0", status=Status.CANCELED)])
def test_one_that_was_not_known_has_started(before: Any) -> None:
    assert of_subscription(before, subscription()) == [
        (
            "subscription.started",
            {
                "subscription": "sub_1",
                "plan": "starter",
                "cycle": "monthly",
                "quantity": 1,
                "amount": 5900,
                "currency": "usd",
                "renews_at": "2026-12-23T12:00:00Z",
            },
        )
    ]


@pytest.mark.parametrize("status", MemberStatus)
def test_no_address_is_told_of_a_member(status: MemberStatus) -> None:
    told = of_member(None, member("mia", status=status, expires_at=NOON))
    assert told is not None
    type_, facts = told
    assert type_.startswith("member.")
    assert facts["member"] == "mia"
    assert "@" not in str(facts)
