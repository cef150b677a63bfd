"""What a test counts of the tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing.adapters.dynamodb.transaction import client


@contextmanager
def counted_reads() -> Iterator[list[str]]:
    """The names of the reads that the tables are asked for."""
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for operation in ("get_item", "batch_get_item", "query"):
            patch.setattr(client, operation, _noting(operation, asked))
        yield asked


def _noting(operation: str, asked: list[str]) -> Callable[..., Any]:
    whole = getattr(client, operation)

    def note(**request: Any) -> Any:
        asked.append(operation)
        return whole(**request)

    return note
