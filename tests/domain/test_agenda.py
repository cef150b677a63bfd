"""What time has to do to a subscription, on any calendar."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.access import access_at
from billing.domain.agenda import Act, Due, agenda, due, next_due
from billing.domain.catalog import Cycle, Kind
from billing.domain.subscription import Status
from billing.domain.times import parse_rfc3339
from infra.local.stripe_sandbox import periods
from tests.factories import NOON, subscription

GRACE = timedelta(days=14)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
END = datetime(2026, 12, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [Due(END - 3 * DAY, Act.REMIND), Due(END + HOUR, Act.ASK)]),
        (
            {"cycle": Cycle.ANNUAL},
            [
                Due(END - 30 * DAY, Act.REMIND),
                Due(END - 7 * DAY, Act.REMIND),
                Due(END + HOUR, Act.ASK),
            ],
        ),
        ({"ends_at": END}, [Due(END, Act.END), Due(END + HOUR, Act.ASK)]),
        ({"status": Status.CANCELED, "ends_at": END}, [Due(END, Act.END)]),
        ({"status": Status.PAST_DUE}, [Due(NOON + GRACE, Act.END), Due(END + HOUR, Act.ASK)]),
        ({"status": Status.UNPAID}, [Due(NOON, Act.END), Due(END + HOUR, Act.ASK)]),
        ({"status": Status.PAUSED}, [Due(END + HOUR, Act.ASK)]),
        ({"kind": Kind.SLOTS}, [Due(END + HOUR, Act.ASK)]),
        ({"kind": Kind.SLOTS, "status": Status.CANCELED, "ends_at": END}, []),
    ],
)
def test_a_snapshot_says_what_time_will_do(changes: dict[str, Any], expected: list[Due]) -> None:
    assert agenda(subscription(**changes), GRACE) == expected


def test_what_was_handled_is_not_due_again() -> None:
    [reminder] = due(subscription(), (), GRACE, END - 2 * DAY)
    assert due(subscription(), (reminder.name,), GRACE, END - 2 * DAY) == []
    assert next_due(subscription(), (reminder.name,), GRACE) == END + HOUR


def test_cancelling_and_keeping_repeats_no_reminder() -> None:
    [reminder] = due(subscription(), (), GRACE, END - 2 * DAY)
    handled = (reminder.name,)
    assert due(subscription(ends_at=END), handled, GRACE, END - DAY) == []
    assert due(subscription(), handled, GRACE, END - DAY) == []


def test_what_has_ended_and_was_handled_is_never_due() -> None:
    ended = subscription(status=Status.CANCELED, ends_at=END)
    [end] = due(ended, (), GRACE, END)
    assert next_due(ended, (end.name,), GRACE) is None


@pytest.mark.parametrize("grace", [timedelta(0), GRACE, timedelta(days=60)])
@pytest.mark.parametrize(
    "changes",
    [
        {"ends_at": END},
        {"status": Status.PAST_DUE},
        {"status": Status.PAST_DUE, "ends_at": NOON + 5 * DAY},
        {"status": Status.UNPAID},
    ],
)
def test_the_end_is_due_at_the_first_second_without_access(
    changes: dict[str, Any], grace: timedelta
) -> None:
    snapshot = subscription(**changes)
    [end] = [each for each in agenda(snapshot, grace) if each.act is Act.END]
    assert not access_at(end.at, snapshot, grace).granted
    if end.at > NOON:
        assert access_at(end.at - timedelta(seconds=1), snapshot, grace).granted


anchors = st.datetimes(
    min_value=datetime(2024, 1, 1), max_value=datetime(2031, 12, 31), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=0))


@given(anchor=anchors, cycle=st.sampled_from(Cycle), periods=st.integers(1, 30))
def test_every_period_has_its_reminders_once_and_inside_it(
    anchor: datetime, cycle: Cycle, periods: int
) -> None:
    """On the 31st, in leap years, in each cycle: as Stripe counts periods."""
    handled: list[str] = []
    start = anchor
    for number in range(1, periods + 1):
        end = _end(anchor, cycle, number)
        snapshot = subscription(cycle=cycle, created=anchor, period_start=start, period_end=end)
        reminders = [each for each in due(snapshot, handled, GRACE, end) if each.act is Act.REMIND]
        assert len(reminders) == (2 if cycle is Cycle.ANNUAL else 1)
        assert all(start < each.at < end for each in reminders)
        handled += [each.name for each in reminders]
        start = end
    assert len(set(handled)) == len(handled)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@given(anchor=anchors)
def test_a_daylight_saving_change_never_shifts_or_doubles_a_period(
    zone: str, anchor: datetime
) -> None:
    """The same instants, however a clock on a wall shows them."""
    end = _end(anchor, Cycle.MONTHLY, 1)
    shown = [moment.astimezone(ZoneInfo(zone)).isoformat() for moment in (anchor, end)]
    start, read = map(parse_rfc3339, shown)
    assert agenda(subscription(period_start=start, period_end=read), GRACE) == agenda(
        subscription(period_start=anchor, period_end=end), GRACE
    )


def test_an_anchor_on_the_31st_is_reminded_of_before_each_months_last_day() -> None:
    anchor = datetime(2027, 1, 31, 12, tzinfo=UTC)
    ends = [_end(anchor, Cycle.MONTHLY, number) for number in range(1, 5)]
    reminded = [
        next(
            each.at
            for each in agenda(subscription(period_start=end - 28 * DAY, period_end=end), GRACE)
        )
        for end in ends
    ]
    assert [f"{moment:%m-%d}" for moment in reminded] == ["02-25", "03-28", "04-27", "05-28"]


def test_a_leap_day_is_a_day_of_its_own() -> None:
    anchor = datetime(2028, 2, 29, 12, tzinfo=UTC)
    end = _end(anchor, Cycle.ANNUAL, 1)
    year = subscription(cycle=Cycle.ANNUAL, period_start=anchor, period_end=end)
    assert [f"{each.at:%Y-%m-%d}" for each in agenda(year, GRACE)] == [
        "2029-01-29",
        "2029-02-21",
        "2029-02-28",
    ]


def _end(anchor: datetime, cycle: Cycle, number: int) -> datetime:
    return periods.moved(anchor, months=cycle.months * number)
