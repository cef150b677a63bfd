"""What is made of things that never change."""

from collections.abc import Callable
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_MOST_KNOWN = 5_000


class Once(Generic[Given, Made]):
    """Made of each only once: rows, and what is decoded of them, are read often."""

    def __init__(self, make: Callable[[Given], Made]) -> None:
        self._make = make
        self._known: dict[int, tuple[Given, Made]] = {}

    def __call__(self, given: Given) -> Made:
        found = self._known.get(id(given))
        if found is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            # With what it was made of, whose id is nobody else's as long as it is kept.
            found = self._known[id(given)] = (given, self._make(given))
        return found[1]
