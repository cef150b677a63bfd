from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.sandbox.shop import Listener, Shop, listening, running


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One sandbox for all tests that leave its clock and its deliveries alone."""
    with running(tmp_path_factory.mktemp("sandbox") / "state.sqlite3") as shop:
        yield shop


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Shop]:
    """A sandbox of the test's own, for tests that move its clock."""
    with running(tmp_path / "state.sqlite3") as shop:
        yield shop


@pytest.fixture
def shop_at(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    """Start a sandbox of the test's own, with a clock that begins at the given time."""
    with ExitStack() as stack:
        yield lambda begins: stack.enter_context(running(tmp_path / "state.sqlite3", begins))


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener
