from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain.access import Access, AccessState, access_at, unlimited_at
from billing.domain.catalog import Kind
from billing.domain.subscription import Status, Subscription
from tests.factories import NOON, subscription

GRACE = timedelta(days=14)
SECOND = timedelta(seconds=1)
END = datetime(2026, 12, 23, 12, tzinfo=UTC)


def test_without_a_subscription_there_is_no_access() -> None:
    assert access_at(NOON, None, GRACE) == Access(AccessState.NONE, None)


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.TRIALING])
def test_a_renewing_subscription_gives_access_without_an_end(status: Status) -> None:
    assert access_at(NOON, subscription(status=status), GRACE) == Access(AccessState.ACTIVE, None)


def test_a_cancelled_subscription_keeps_access_to_the_last_paid_second() -> None:
    ending = subscription(ends_at=END)
    assert access_at(END - SECOND, ending, GRACE) == Access(AccessState.ACTIVE, END)


def test_and_not_one_second_longer() -> None:
    assert access_at(END, subscription(ends_at=END), GRACE) == Access(AccessState.ENDED, END)


def test_an_unpaid_renewal_gives_grace_from_the_day_it_was_due() -> None:
    unpaid = subscription(status=Status.PAST_DUE, period_start=END)
    assert access_at(END + GRACE - SECOND, unpaid, GRACE).state is AccessState.GRACE
    assert access_at(END + GRACE, unpaid, GRACE) == Access(AccessState.ENDED, END + GRACE)


def test_grace_does_not_outlive_the_subscription() -> None:
    ends = END + timedelta(days=3)
    unpaid = subscription(status=Status.PAST_DUE, period_start=END, ends_at=ends)
    assert access_at(END, unpaid, GRACE).until == ends


@pytest.mark.parametrize(
    "status",
    [
        Status.CANCELED,
        Status.UNPAID,
        Status.PAUSED,
        Status.INCOMPLETE,
        Status.INCOMPLETE_EXPIRED,
    ],
)
def test_every_other_status_gives_none(status: Status) -> None:
    ended = access_at(NOON, subscription(status=status, period_start=END), GRACE)
    assert ended == Access(AccessState.ENDED, END)


def add_on(**changes: Any) -> Subscription:
    return subscription(id="sub_2", kind=Kind.ADD_ON, plan="data_unlimited", **changes)


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.PAST_DUE])
def test_an_add_on_means_what_it_says_while_the_base_gives_access(status: Status) -> None:
    access = access_at(NOON, subscription(), GRACE)
    assert unlimited_at(NOON, access, add_on(status=status), GRACE)


@pytest.mark.parametrize("status", [Status.UNPAID, Status.PAUSED, Status.CANCELED])
def test_an_add_on_that_is_not_paid_for_means_nothing(status: Status) -> None:
    access = access_at(NOON, subscription(), GRACE)
    assert not unlimited_at(NOON, access, add_on(status=status), GRACE)


def test_an_add_on_means_nothing_without_the_bases_access() -> None:
    access = access_at(END, subscription(ends_at=END), GRACE)
    assert not unlimited_at(END, access, add_on(), GRACE)


def test_who_has_no_add_on_pays_for_contacts() -> None:
    access = access_at(NOON, subscription(), GRACE)
    assert not unlimited_at(NOON, access, None, GRACE)
