from collections.abc import Iterator

import pytest

from tests.simulation.play import Theatre, theatre


@pytest.fixture(scope="module")
def stage() -> Iterator[Theatre]:
    with theatre() as stage:
        yield stage
