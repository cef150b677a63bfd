from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.times import from_epoch, next_month, parse_rfc3339, rfc3339


@given(st.integers(0, 4_000_000_000))
def test_a_time_survives_the_wire(seconds: int) -> None:
    assert parse_rfc3339(rfc3339(from_epoch(seconds))) == from_epoch(seconds)


def test_times_are_written_in_utc_with_a_z() -> None:
    berlin = datetime(2026, 3, 29, 3, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(berlin) == "2026-03-29T01:00:00Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        parse_rfc3339("2026-11-23T12:00:00")


def test_reading_gives_utc() -> None:
    assert parse_rfc3339("2026-11-23T13:00:00+01:00").tzinfo is UTC


def test_the_next_month_of_december_is_in_the_next_year() -> None:
    assert next_month(datetime(2026, 12, 24, 18, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
