"""From the stream to the bus."""

import copy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

import publish_events
from billing.adapters import bus
from billing.adapters.dynamodb import ledger, stream
from billing.adapters.dynamodb.items import encode_item
from billing.domain.credits import Credits, Entry, EntryKind
from tests.factories import NOON, event_file


class Bus:
    """Takes what comes, but for the ids that it is told to refuse."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self.silent = False
        self.calls = 0

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls += 1
        if self.silent:
            raise ClientError({"Error": {"Code": "InternalException"}}, "PutEvents")
        assert len(Entries) <= 10
        answers = []
        for entry in Entries:
            refused = json.loads(entry["Detail"])["id"] in self.refused
            answers.append({"ErrorCode": "Throttled"} if refused else {"EventId": "1"})
            if not refused:
                self.heard.append(entry)
        return {"Entries": answers}


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Bus:
    listener = Bus()
    monkeypatch.setattr(bus, "_client", listener)
    return listener


def records(count: int) -> list[dict[str, Any]]:
    (first,) = event_file("publish_events")["Records"]
    made = [copy.deepcopy(first) for _ in range(count)]
    for number, record in enumerate(made):
        record["dynamodb"]["SequenceNumber"] = str(number)
        record["dynamodb"]["NewImage"]["sk"]["S"] = f"2026-11-23T12:00:00Z-{number}"
    return made


def publish(given: list[dict[str, Any]]) -> list[str]:
    """The sequence numbers from which the stream comes again."""
    answer = publish_events.handler({"Records": given}, None)
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_the_bus_hears_who_did_what_when_and_under_which_id(listener: Bus) -> None:
    assert publish(event_file("publish_events")["Records"]) == []
    [entry] = listener.heard
    assert (entry["Source"], entry["DetailType"]) == ("billing", "subscription.renewed")
    assert json.loads(entry["Detail"]) == {
        "id": "2026-11-23T12:00:00Z-1795435200000000-0123456789ab",
        "account": "acme",
        "type": "subscription.renewed",
        "at": "2026-11-23T12:00:00Z",
        "by": "stripe",
        "facts": {"subscription": "sub_1", "amount": 5900, "currency": "usd"},
    }


def test_a_large_batch_goes_in_the_bus_own_measure_and_in_order(listener: Bus) -> None:
    assert publish(records(25)) == []
    assert listener.calls == 3
    ids = [json.loads(entry["Detail"])["id"] for entry in listener.heard]
    assert [name.split("-")[-1] for name in ids] == [str(number) for number in range(25)]


def test_from_the_first_that_the_bus_refused_the_stream_comes_again(listener: Bus) -> None:
    given = records(25)
    listener.refused = {"2026-11-23T12:00:00Z-13", "2026-11-23T12:00:00Z-17"}
    assert publish(given) == ["13"]
    listener.refused = set()
    assert publish(given[13:]) == []
    heard = {json.loads(entry["Detail"])["id"] for entry in listener.heard}
    assert len(heard) == 25


def test_while_the_bus_does_not_answer_the_stream_waits(listener: Bus) -> None:
    listener.silent = True
    assert publish(records(25)) == ["0"]


def test_a_malformed_row_is_named_after_those_before_it_were_told(listener: Bus) -> None:
    given = records(4)
    del given[2]["dynamodb"]["NewImage"]["by"]
    assert publish(given) == ["2"]
    assert len(listener.heard) == 2


def test_a_row_that_is_no_event_tells_nothing(listener: Bus) -> None:
    [record] = records(1)
    del record["dynamodb"]["NewImage"]["event"]
    assert publish([record]) == []
    assert listener.calls == 0


@pytest.mark.parametrize("kind", EntryKind)
def test_an_entry_of_the_ledger_is_told_as_it_stands_there(kind: EntryKind) -> None:
    told = stream.telling(encode_item(ledger._row(entry(kind))))
    assert told is not None
    assert (told["id"], told["account"], told["by"]) == ("entry-1", "acme", "user-ana")
    assert told["type"].startswith("credits.")
    assert (told["facts"]["credits"], told["facts"]["target"]) == (5, "mia")


def entry(kind: EntryKind) -> Entry:
    return Entry(
        id="entry-1",
        account="acme",
        at=NOON,
        sequence=1,
        kind=kind,
        credits=Credits(5),
        source="ana",
        target="mia",
        by="user-ana",
        reference="",
        fingerprint="",
    )
