"""What a transaction does about answers that say nothing."""

import uuid
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from billing import runtime
from billing.adapters.dynamodb import transaction
from billing.adapters.dynamodb.transaction import Transaction
from tests.planted import caught
from tests.simulation.store import Store, tables_of
from tests.simulation.table_port import failed_late

ROOT = Path(__file__).parents[2]
ROW = {"pk": "ACCOUNT#acme", "sk": "ACCOUNT"}


def _failing_once(store: Store) -> Any:
    failures = [failed_late]

    def transact_write_items(**asked: Any) -> Any:
        def write() -> Any:
            return store.transact_write_items(**asked)

        return failures.pop()(write) if failures else write()

    return transact_write_items


def test_what_was_done_before_the_server_failed_is_done_and_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(tables_of(ROOT / "infra" / "data.yaml"))
    monkeypatch.setattr(transaction.client, "transact_write_items", _failing_once(store))
    monkeypatch.setattr(runtime, "sleep", lambda _: None)
    write = Transaction()
    write.insert(ROW, otherwise=AssertionError("It is refused as if somebody else had done it."))
    write.commit()


_whole = Store.transact_write_items


def _under_a_new_token(self: Store, **asked: Any) -> Any:
    return _whole(self, **{**asked, "ClientRequestToken": str(uuid.uuid4())})


test_a_token_that_is_new_at_each_try_is_seen = caught(
    test_what_was_done_before_the_server_failed_is_done_and_not_refused,
    patch.object(Store, "transact_write_items", _under_a_new_token),
)
