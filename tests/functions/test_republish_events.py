"""Events that the tables' streams lost, published again from the history and the ledger."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing import runtime
from billing.adapters import bus
from billing.adapters.dynamodb.stream import telling
from billing.adapters.dynamodb.transaction import TABLE
from billing.usecases.republishing import republish
from infra import republish_events
from tests.functions.product import Product
from tests.functions.purse import grant, send
from tests.functions.team import join, remove
from tests.functions.test_publish_events import Bus

SECOND = timedelta(seconds=1)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Bus:
    monkeypatch.setattr("billing.runtime.sleep", lambda seconds: None)
    listener = Bus()
    monkeypatch.setattr(bus, "_client", listener)
    return listener


@pytest.fixture
def busy(team: Product) -> Product:
    """A team in which somebody joined, got credits and was removed."""
    member = join(team)
    grant(team, 1000)
    send(team, member, 100)
    remove(team, member)
    return team


def today() -> tuple[datetime, datetime]:
    return runtime.now() - timedelta(days=1), runtime.now() + SECOND


def heard(listener: Bus) -> list[dict[str, Any]]:
    return [json.loads(entry["Detail"]) for entry in listener.heard]


def streamed(product: Product) -> list[dict[str, Any]]:
    """What the streams carried of the account."""
    rows = [row for table in (TABLE, "ledger") for row in product.tables.rows(table).values()]
    found = [telling(row) for row in rows]
    return [dict(each) for each in found if each is not None and each["account"] == product.account]


def test_the_bus_gets_what_the_streams_carried(busy: Product, listener: Bus) -> None:
    assert republish(busy.account, *today()) == len(streamed(busy)) == 5
    by_id = {each["id"]: each for each in streamed(busy)}
    assert {each["id"]: each for each in heard(listener)} == by_id


def test_events_go_out_oldest_first(busy: Product, listener: Bus) -> None:
    busy.advance("PT1H")
    remove(busy, join(busy, "zoe@acme.test"))
    republish(busy.account, *today())
    times = [each["at"] for each in heard(listener)]
    assert times == sorted(times)
    assert len(set(times)) > 1


def test_only_events_of_the_given_time_are_published(busy: Product, listener: Bus) -> None:
    busy.advance("PT1H")
    after = runtime.now()
    remove(busy, join(busy, "zoe@acme.test"))
    republish(busy.account, after, after + timedelta(minutes=5))
    assert [each["type"] for each in heard(listener)] == [
        "member.invited",
        "member.joined",
        "member.removed",
    ]
    assert republish(busy.account, after + timedelta(hours=1), after + timedelta(hours=2)) == 0


def test_an_event_that_the_bus_refused_is_sent_again(busy: Product, listener: Bus) -> None:
    second = streamed(busy)[1]["id"]
    refused = [second]

    class Throttled(Bus):
        def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
            listener.refused = {refused.pop()} if refused else set()
            return listener.put_events(Entries=Entries)

    bus._client = Throttled()  # type: ignore[assignment]
    republish(busy.account, *today())
    assert {each["id"] for each in heard(listener)} == {each["id"] for each in streamed(busy)}


def test_an_account_whose_events_are_refused_is_counted_and_holds_up_no_other(
    busy: Product, listener: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    other = busy.beside(f"{busy.account}-2")
    other.billing()
    grant(other, 1)
    listener.refused = {each["id"] for each in streamed(busy)}
    failed = republish_events.republish_all([busy.account, other.account], *today())
    assert failed == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{busy.account}: cannot be published: Unavailable")
    assert last.endswith("1 accounts failed")
    assert {each["id"] for each in streamed(other)} == {each["id"] for each in heard(listener)}
