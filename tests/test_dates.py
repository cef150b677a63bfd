"""What `make test-dates` runs, and what it says where that is not possible."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests import clock
from tests.dates import DATES, ROOT, Date, Unable

CROSSED = timedelta(seconds=30)


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("2028-02-29", "2028-02-29T00:00:00+00:00"),
        ("2027-12-31T23:59:50", "2027-12-31T23:59:50+00:00"),
        ("Europe/Berlin@2027-10-31T02:59:40", "2027-10-31T00:59:40+00:00"),
    ],
)
def test_a_date_is_utc_unless_it_names_a_time_zone(name: str, moment: str) -> None:
    assert Date.read(name).moment == datetime.fromisoformat(moment)


@pytest.mark.parametrize("name", ["2027-02-29", "Europe/Nowhere@2027-03-28", "tomorrow", "@", ""])
def test_what_is_no_date_is_refused(name: str) -> None:
    with pytest.raises(Unable, match="is no date such as 2028-02-29"):
        Date.read(name)


def test_on_four_nights_the_clocks_change_while_the_tests_run() -> None:
    offsets = set()
    for date in (Date.read(name) for name in DATES if "@" in name):
        zone = ZoneInfo(date.zone)
        offset = date.moment.astimezone(zone).utcoffset()
        later = (date.moment + CROSSED).astimezone(zone).utcoffset()
        assert later != offset, date.name
        offsets.add(offset)
    assert len(offsets) == 4


def test_where_faketime_is_missing_that_is_said() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.dates"],
        cwd=ROOT,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == "faketime is not installed. On Debian: apt install faketime\n"


def test_the_next_day_of_a_name_is_noon_and_after() -> None:
    noon = datetime(2027, 11, 23, 12, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert clock.the_next(11, 23, after=noon - second) == noon
    assert clock.the_next(11, 23, after=noon) == noon.replace(year=2028)
    assert clock.the_next(3, 10, after=datetime(2028, 2, 29, tzinfo=UTC)).year == 2028
