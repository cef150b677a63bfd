"""Bugs that are planted to see that a test which names them fails.

Those that many histories show are in `tests/simulation/bugs.py`; these need one interleaving.
"""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest


def caught(test: Callable[..., None], bug: AbstractContextManager[Any], **given: Any) -> Any:
    """A test that passes where `test` fails while `bug` is in the code. `given` are the parameters
    of `test` that are no fixtures. The run's summary names both."""

    def broken(
        request: pytest.FixtureRequest,
        record_property: Callable[[str, object], None],
        **fixtures: Any,
    ) -> None:
        name = request.node.name.removeprefix("test_").removesuffix("_is_seen")
        record_property("planted", name.replace("_", " "))
        record_property("by", test.__name__)
        with bug, pytest.raises(AssertionError):
            test(**fixtures, **given)

    own = list(inspect.signature(broken).parameters.values())[:2]
    wanted = inspect.signature(test).parameters.values()
    parameters = [*own, *(each for each in wanted if each.name not in given)]
    broken.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return broken


def nothing(*_: Any, **__: Any) -> None:
    return


def fetching_first(fetches: Any, name: str) -> Callable[[Any], Any]:
    """The object at Stripe is fetched, and only then are the rows read."""

    def made(whole: Any) -> Any:
        def record(object_id: Any, *given: Any, **more: Any) -> Any:
            fetched = getattr(fetches, name)(getattr(object_id, "object_id", object_id))
            with patch.object(fetches, name, lambda _: fetched):
                return whole(object_id, *given, **more)

        return record

    return made
