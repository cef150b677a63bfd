"""Print what a test run waits for, past pytest's capture."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from infra.local.progress import EVERY_SECONDS

PATIENCE_SECONDS = 120
"""How long tests wait for what other processes do, on a machine that may be busy."""

_terminal = [2]


def remember_terminal() -> None:
    """Call while pytest captures nothing."""
    _terminal.append(os.dup(2))


@contextmanager
def waiting_for(what: str, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Name `what` at the terminal, again and again, for as long as the block takes."""
    done = Event()

    def announce() -> None:
        seconds = every
        while not done.wait(every):
            os.write(_terminal[-1], f"\nWaiting for {what} ({seconds:.0f} s)\n".encode())
            seconds += every

    thread = Thread(target=announce, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
