"""Tell the person at the terminal what is being done, and for how long."""

import sys
import time

EVERY_SECONDS = 5


def say(text: str) -> None:
    """Write a line to stderr, so that a command's output stays its own."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Waiting:
    """Repeats `doing` with the seconds that have passed, each time it is called after a while."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._began = self._said = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._said >= EVERY_SECONDS:
            self._said = now
            say(f"{self._doing} ({now - self._began:.0f} s)")
