"""Play the tests that need neither the stack nor a browser on days that calendars are known for.

    python -m tests.dates 2028-02-29 Europe/Berlin@2027-03-28T01:59:40

A date is a time, UTC's unless a time zone is named before it. Debian's `faketime` sets the clock:
the functions', the sandbox's and the tests'. Time goes on from there, so that a run that begins
just before midnight crosses it. The monotonic clock stays, so that waiting takes what it takes.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parents[1]
DATES = (
    "2027-02-28",
    "2028-02-29",
    "2027-03-31",
    "2027-11-30",
    "2027-12-31T23:59:50",
    "2028-01-01",
    "Europe/Berlin@2027-03-28T01:59:40",
    "Europe/Berlin@2027-10-31T02:59:40",
    "America/New_York@2027-03-14T01:59:40",
    "America/New_York@2027-11-07T01:59:40",
)
PLAYED = (
    # The other simulated histories have a clock of their own, which begins on the same day always.
    "tests/domain",
    "tests/adapters",
    "tests/functions",
    "tests/sandbox",
    "tests/simulation/test_found.py",
)
PROCESSES = 2
MISSING = "faketime is not installed. On Debian: apt install faketime"
NOT_FAKED = "faketime does not set this Python's clock, so nothing would be tested."


class Unable(Exception):
    """The message says what to do."""


@dataclass(frozen=True)
class Date:
    """The moment at which a run begins, and the time zone of the machine."""

    name: str
    zone: str
    moment: datetime

    @classmethod
    def read(cls, name: str) -> "Date":
        """Raises Unable."""
        zone, _, text = name.rpartition("@")
        try:
            local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone or "UTC"))
        except (ValueError, KeyError) as error:
            raise Unable(f"{name} is no date such as 2028-02-29 or {DATES[6]}") from error
        return cls(name, zone or "UTC", local.astimezone(UTC))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Python so that it begins at this moment."""
        away = self.moment - datetime.now(UTC)
        faked = ["faketime", "-m", "--exclude-monotonic", "-f", f"{round(away.total_seconds()):+d}"]
        return subprocess.run(
            [*faked, sys.executable, *command],
            cwd=ROOT,
            env=self._environment(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _environment(self, given: Mapping[str, str]) -> dict[str, str]:
        return {
            **given,
            "TZ": self.zone,
            "TESTS_CLOCK": "machine",
            "PYTHONPATH": str(ROOT / "tests" / "faketime"),
            # Otherwise the interpreter's own lock is waited for in a busy loop.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


def check() -> None:
    """Raises Unable unless faketime is there and sets the clock."""
    if shutil.which("faketime") is None:
        raise Unable(MISSING)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    told = Date("", "UTC", tomorrow).run("-c", "import time; print(time.time())").stdout
    try:
        off = abs(float(told) - tomorrow.timestamp())
    except ValueError:
        raise Unable(f"{NOT_FAKED}\n{told}") from None
    if off > 60:
        raise Unable(NOT_FAKED)


def play(dates: list[Date]) -> Iterator[bool]:
    """Whether each date's tests passed; says so, and what failed."""
    command = ["-m", "pytest", f"--numprocesses={PROCESSES}", *PLAYED]
    for date in dates:
        began = time.monotonic()
        run = date.run(*command)
        passed = run.returncode == 0
        *_, summary = run.stdout.strip().splitlines() or [""]
        say("" if passed else run.stdout)
        say(f"{date.name:38} {time.monotonic() - began:4.0f} s  {summary.split(' in ')[0]}")
        yield passed


def say(text: str) -> None:
    if text:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def main(names: list[str]) -> int | str:
    try:
        dates = [Date.read(name) for name in names or DATES]
        check()
    except Unable as error:
        return str(error)
    return int(not all(list(play(dates))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
