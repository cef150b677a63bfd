"""What is asked of Stripe, before anything goes over the wire."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from billing.adapters.stripe import gateway


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("https://x.test/", "https://x.test/?checkout=success"),
        (
            "https://x.test/settings?tab=billing",
            "https://x.test/settings?tab=billing&checkout=success",
        ),
    ],
)
def test_the_way_back_keeps_the_query_that_the_page_has(page: str, address: str) -> None:
    assert gateway.with_query(page, "checkout=success") == address


def test_an_event_of_no_interest_is_passed_over_whatever_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of types that we never asked for the shape is not known."""
    listed = [_event("balance.available", None), _event("invoice.paid", {"id": "in_1"})]
    page = SimpleNamespace(auto_paging_iter=lambda: iter(listed))
    events = SimpleNamespace(list=lambda wanted: page)
    monkeypatch.setattr(
        gateway, "client", lambda: SimpleNamespace(v1=SimpleNamespace(events=events))
    )
    found = gateway.events_since(datetime(2026, 3, 1, tzinfo=UTC))
    assert [each.object_id for each in found] == ["in_1"]


def _event(type: str, subject: Any) -> Any:
    raw = {"id": "evt_1", "type": type, "livemode": False, "data": {"object": subject}}
    return SimpleNamespace(type=type, to_dict=lambda: raw)
