"""A log of many entries: what a request for it reads, counted."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import ledger
from billing.adapters.dynamodb.items import encode_item
from billing.adapters.dynamodb.transaction import client as dynamodb
from billing.domain.credits import Credits, Entry, EntryKind
from billing.domain.members import member_id
from billing.usecases import credit_log
from tests import clock
from tests.factories import subscription
from tests.functions.product import Answer, Begin, Product
from tests.functions.purse import ANA
from tests.functions.team import claims, join, record, slots_subscription

ENTRIES = 12_000
YEAR = timedelta(days=365)
MONTHS = 13
MIA = f"mia@{'long-name.' * 24}test"
BEN = "ben@acme.test"
ANSWER_AT_MOST = 6_000_000
"""Of a function's answer as JSON, in bytes."""


@dataclass(frozen=True)
class Read:
    """One query of the ledger, and what it answered."""

    partition: str
    rows: list[Any]


@pytest.fixture
def year(begin: Begin) -> Product:
    """Two members, and a year of credits that are bought, sent, held and spent."""
    return begin("a long year", _live)


def _live(product: Product) -> None:
    # How many months a page crosses depends on the day.
    product.go_to(clock.the_next(11, 23, after=runtime.now()))
    product.billing()
    record(product, subscription(), slots_subscription(2))
    people = join(product, MIA), join(product, BEN)
    product.advance("P1Y")
    entries = _entries(product.account, *people)
    while some := [ledger._row(entry) for entry in islice(entries, 100)]:
        items = [{"Put": {"TableName": "ledger", "Item": encode_item(row)}} for row in some]
        product.tables.transact_write_items(TransactItems=items)


def _entries(account: str, mia: str, ben: str) -> Iterator[Entry]:
    """Of ten: one is bought, two are sent to Mia, one to Ben, who holds and spends the rest."""
    end = runtime.now().replace(microsecond=0)
    for number in range(ENTRIES):
        kind, source, target = {
            0: (EntryKind.GRANT, None, ANA),
            1: (EntryKind.TRANSFER, ANA, mia),
            2: (EntryKind.TRANSFER, ANA, mia),
            3: (EntryKind.TRANSFER, ANA, ben),
        }.get(number % 10, ((EntryKind.HOLD, EntryKind.SPEND)[number % 2], ben, None))
        yield Entry(
            id=f"{number:032d}",
            account=account,
            at=end - (ENTRIES - 1 - number) * (YEAR / ENTRIES),
            sequence=number,
            kind=kind,
            credits=Credits(1 + number % 7),
            source=source,
            target=target,
            by=source or "stripe",
            reference=f"{number:066d}",
            fingerprint=f"{number:064x}",
            source_after=None if source is None else number,
            target_after=None if target is None else number,
        )


@pytest.fixture
def reads(year: Product, monkeypatch: pytest.MonkeyPatch) -> list[Read]:
    found: list[Read] = []
    whole = dynamodb.query

    def noting(**request: Any) -> Any:
        answer = whole(**request)
        if request["TableName"] == "ledger":
            partition = request["ExpressionAttributeValues"][":partition"]["S"]
            found.append(Read(partition, answer["Items"]))
        return answer

    monkeypatch.setattr(dynamodb, "query", noting)
    return found


def rows(reads: list[Read]) -> int:
    return sum(len(read.rows) for read in reads)


def log(product: Product, *, own: bool = False, csv: bool = False, **query: str) -> Answer:
    """The manager's, or Mia's `own`."""
    given: Any = {"claims": claims(MIA)} if own else {}
    if csv:
        given["headers"] = {"accept": "text/csv"}
    query = {name: value for name, value in query.items() if value}
    answer = product.call("GET /credits/log", query=query, **given)
    assert answer.status == 200, answer.text
    return answer


def numbers(answer: Answer) -> list[int]:
    return [int(each["reference"]) for each in answer.json["items"]]


def before(product: Product, number: int) -> str:
    """The cursor of the page that begins with the entry `number`."""
    key = f"ENTRY#{product.account}#{number + 1:032d}", "ENTRY"
    return str(product.tables.rows("ledger")[key]["position"]["S"])


@pytest.mark.parametrize("number", [ENTRIES - 2, ENTRIES // 2, 300])
def test_a_page_reads_what_it_shows_wherever_in_a_long_log_it_is(
    year: Product, reads: list[Read], number: int
) -> None:
    page = log(year, cursor=before(year, number))
    assert numbers(page) == list(range(number, number - 20, -1))
    assert (len(reads), rows(reads)) == (1, 22)


def test_what_is_not_found_in_a_long_log_is_looked_for_in_bounded_steps(
    year: Product, reads: list[Read]
) -> None:
    first = log(year, kind="clawback")
    assert first.json["items"] == []
    assert rows(reads) <= credit_log._LOOKED_AT + 1000
    assert len(reads) <= credit_log._LOOKED_AT // 1000 + 3 * MONTHS
    reads.clear()
    last = log(year, kind="clawback", cursor=first.json["next_cursor"])
    assert last.json == {"items": [], "next_cursor": None}
    assert rows(reads) == 1 + ENTRIES - credit_log._LOOKED_AT


def test_a_year_as_csv_comes_in_parts_that_fit_with_every_entry_once_and_in_order(
    year: Product, reads: list[Read]
) -> None:
    text, cursor = "", ""
    for _ in range(1 + ENTRIES // 5000):
        part = log(year, csv=True, cursor=cursor)
        assert len(json.dumps({"body": part.text, "headers": part.headers})) < ANSWER_AT_MOST
        text += part.text
        cursor = part.headers.get("x-next-cursor", "")
    assert cursor == ""
    lines = list(csv.reader(io.StringIO(text)))[1:]
    assert [int(line[7]) for line in lines] == list(range(ENTRIES - 1, -1, -1))
    assert {line[4] for line in lines} == {f"ana@{year.account}.test", MIA, BEN, ""}
    # A part reads one more to see whether another one follows, and queries bring 1,000.
    assert rows(reads) <= ENTRIES * 1.2
    assert len(reads) <= ENTRIES // 1000 * 1.2 + MONTHS


def test_usage_of_a_year_reads_each_entry_once_and_only_what_it_sums(
    year: Product, reads: list[Read]
) -> None:
    since = f"{runtime.now() - YEAR:%Y-%m-%dT%H:%M:%SZ}"
    query = {"from": since, "by": "month"}
    months = year.call("GET /credits/usage", query=query).json["items"]
    assert len(months) == MONTHS
    sent = (1 + number % 7 for number in range(ENTRIES) if number % 10 in (1, 2, 3))
    assert sum(month["sent"] for month in months) == sum(sent)
    assert rows(reads) == ENTRIES
    assert len(reads) <= ENTRIES // year.tables.page + MONTHS
    attributes = {name for read in reads for row in read.rows for name in row}
    assert attributes == {"position", "kind", "credits"}


def test_a_month_that_is_over_is_summed_once(
    year: Product, reads: list[Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit_log, "_MANY", 100)
    whole, own = usage(year), usage(year, own=True)
    reads.clear()
    assert usage(year) == whole
    # The first and the present month, and the one before it until a day later.
    assert rows(reads) <= ENTRIES / MONTHS * 3.3
    hers = sum(1 + number % 7 for number in range(ENTRIES) if number % 10 in (1, 2))
    assert usage(year, own=True) == own
    assert sum(day["sent"] for day in own) == hers
    half = usage(year, YEAR / 2)
    assert half[1:] == whole[1 - len(half) :]


def usage(product: Product, back: timedelta = YEAR, *, own: bool = False) -> list[Any]:
    """By day."""
    query = {"from": f"{runtime.now() - back:%Y-%m-%dT%H:%M:%SZ}"}
    who: Any = claims(MIA) if own else None
    answer = product.call("GET /credits/usage", query=query, claims=who)
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json["items"]
    return found


def test_a_members_log_of_a_year_reads_no_entry_of_anybody_else(
    year: Product, reads: list[Read]
) -> None:
    lines = log(year, csv=True, own=True).text.splitlines()[1:]
    assert len(lines) == rows(reads) == ENTRIES // 5
    reads.clear()
    assert len(numbers(log(year, own=True))) == 20
    assert (len(reads), rows(reads)) == (1, 21)
    own = f"{year.account}#{member_id(year.account, MIA)}#"
    assert all(read.partition.startswith(own) for read in reads)
