from collections.abc import Iterator
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
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener
