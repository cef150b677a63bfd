"""Loaded first by every Python that `make test-dates` starts.

time.sleep names the moment at which it ends, and libfaketime 0.9.10 moves that moment although it
leaves the monotonic clock alone: such a sleep fails. A wait of a given length is left alone.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
