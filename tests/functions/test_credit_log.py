"""What happened to credits: the log, as pages and as CSV, and sums over time."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import ledger
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.dynamodb.transaction import client as dynamodb
from billing.domain import credits
from billing.domain.credits import Credits
from billing.domain.times import next_month, rfc3339, this_month
from billing.usecases import credit_log
from billing.usecases import credits as sending
from tests.functions.product import Answer, Product
from tests.functions.purse import ANA, cause, grant, move, send, wallet
from tests.functions.team import claims, join


@pytest.fixture
def mia(team: Product) -> str:
    """A member, to whom 10, 20 and 30 of 1,000 credits were sent; she holds 5."""
    member = join(team)
    grant(team, 1000)
    for count in (10, 20, 30):
        send(team, member, count)
    held = cause(team, by=member, reference="download-1")
    move(team, credits.hold(wallet(team, member), Credits(5), held))
    return member


def log(product: Product, **query: str) -> Answer:
    return product.call("GET /credits/log", query=query)


def told(answer: Answer) -> list[tuple[str, int, int | None]]:
    assert answer.status == 200, answer.text
    items = answer.json["items"]
    return [(each["kind"], each["credits"], each["balance_after"]) for each in items]


def test_the_manager_sees_every_movement_newest_first(team: Product, mia: str) -> None:
    assert told(log(team)) == [
        ("hold", 5, 55),
        ("transfer", 30, 940),
        ("transfer", 20, 970),
        ("transfer", 10, 990),
        ("grant", 1000, 1000),
    ]


def test_a_member_sees_their_own_only_with_their_own_balance(team: Product, mia: str) -> None:
    answer = team.call("GET /credits/log", claims=claims())
    assert told(answer) == [
        ("hold", 5, 55),
        ("transfer", 30, 60),
        ("transfer", 20, 30),
        ("transfer", 10, 10),
    ]


def test_a_member_who_asks_for_somebody_else_is_refused(team: Product, mia: str) -> None:
    refused = team.call("GET /credits/log", claims=claims(), query={"member": ANA})
    assert (refused.status, refused.code) == (403, "own_log_only")


def test_the_log_of_one_person_is_theirs(team: Product, mia: str) -> None:
    assert [each[2] for each in told(log(team, member=mia))] == [55, 60, 30, 10]
    assert [each[2] for each in told(log(team, member=ANA))] == [940, 970, 990, 1000]
    assert log(team, member="nobody").code == "member_not_found"


def test_pages_follow_one_another_without_gap_or_repetition(team: Product, mia: str) -> None:
    seen, cursor = [], ""
    for _ in range(9):
        answer = log(team, limit="2", **({"cursor": cursor} if cursor else {}))
        seen += told(answer)
        cursor = answer.json["next_cursor"]
        if cursor is None:
            break
    assert seen == told(log(team))


def test_the_log_is_filtered_by_kind_and_by_time(team: Product, mia: str) -> None:
    assert [each[1] for each in told(log(team, kind="transfer"))] == [30, 20, 10]
    now = runtime.now()
    tomorrow = f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    yesterday = f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    assert len(told(log(team, to=tomorrow, **{"from": yesterday}))) == 5
    assert told(log(team, to=yesterday)) == []
    assert told(log(team, **{"from": tomorrow})) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "gift"),
        ("from", "yesterday"),
        ("to", "2026-13-01T00:00:00Z"),
        ("cursor", "x"),
        ("limit", "101"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(team: Product, name: str, value: str) -> None:
    refused = log(team, **{name: value})
    assert (refused.status, refused.code) == (400, "invalid_input")


def test_few_of_many_are_found_over_several_pages(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request looks at so many entries and no more."""
    monkeypatch.setattr(credit_log, "_LOOKED_AT", 2)
    first = log(team, kind="grant")
    assert told(first) == []
    second = log(team, kind="grant", cursor=first.json["next_cursor"])
    third = log(team, kind="grant", cursor=second.json["next_cursor"])
    assert [each[0] for each in told(third)] == ["grant"]
    assert third.json["next_cursor"] is None


def test_entries_of_two_months_are_in_one_list(team: Product, mia: str) -> None:
    team.advance("P2M")
    later = cause(team, reference="later")
    move(team, credits.grant(wallet(team), Credits(7), later))
    assert [each[1] for each in told(log(team))] == [7, 5, 30, 20, 10, 1000]
    page = log(team, limit="1").json
    assert told(log(team, cursor=page["next_cursor"]))[0][1] == 5


def test_usage_sums_up_each_day_or_month(team: Product, mia: str) -> None:
    first = f"{runtime.now():%Y-%m-%d}"
    team.advance("P1M")
    send(team, mia, 40)
    days = team.call("GET /credits/usage", query={"from": f"{first}T00:00:00Z"}).json["items"]
    assert [(each["period"], each["bought"], each["sent"]) for each in days] == [
        (first, 1000, 60),
        (f"{runtime.now():%Y-%m-%d}", 0, 40),
    ]
    query = {"from": f"{first}T00:00:00Z", "by": "month"}
    months = team.call("GET /credits/usage", query=query).json["items"]
    assert [each["sent"] for each in months] == [60, 40]
    own = team.call("GET /credits/usage", claims=claims(), query=query).json["items"]
    assert [(each["bought"], each["sent"]) for each in own] == [(0, 60), (0, 40)]


def test_sums_are_kept_of_a_whole_month_that_has_been_over_for_a_day(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit_log, "_MANY", 0)
    start, end = this_month(runtime.now()), next_month(runtime.now())
    hour = timedelta(hours=1)

    def kept(since: datetime, until: datetime, now: datetime) -> int:
        how: Any = {"since": since, "until": until, "monthly": True, "now": now}
        found = [credit_log.sum_up(team.account, None, **how) for _ in range(2)]
        sent = {f"{start:%Y-%m}": {"grant": 1000, "transfer": 60, "hold": 5}}
        assert found == [sent, sent]
        return sum(pk.endswith("#USAGE") for pk, _ in team.rows())

    assert kept(start, end, end + 23 * hour) == 0
    assert kept(start - hour, end - timedelta(seconds=1), end + 25 * hour) == 0
    assert kept(start, end, end + 25 * hour) == 1
    part: Any = {"since": start, "until": start + hour / 3600, "monthly": True, "now": end}
    assert credit_log.sum_up(team.account, None, **part) == {}


@pytest.mark.parametrize(
    "query",
    [
        {"by": "week"},
        {"from": "2026-01-01T00:00:00Z", "to": "2027-01-03T00:00:00Z"},
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
    ],
)
def test_usage_is_of_days_or_months_and_of_a_year_at_most(
    team: Product, query: dict[str, str]
) -> None:
    assert team.call("GET /credits/usage", query=query).code == "invalid_input"


def test_no_partition_of_the_ledger_holds_more_than_a_month(team: Product, mia: str) -> None:
    team.advance("P1M")
    send(team, mia, 1)
    rows = team.tables.rows("ledger").values()
    mine = [row for row in rows if row["account"]["S"] == team.account]
    for index in ("by_account", "by_owner"):
        assert all(row[index]["S"].endswith("#" + row["at"]["S"][:7]) for row in mine)


def test_a_page_reads_no_more_of_the_ledger_than_it_shows(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = dynamodb.query

    def counting(**request: Any) -> Any:
        answer = whole(**request)
        if request["TableName"] == "ledger":
            read.append(len(answer["Items"]))
        return answer

    monkeypatch.setattr(dynamodb, "query", counting)
    log(team, limit="2")
    assert sum(read) == 3


@pytest.fixture
def busy(team: Product, mia: str, monkeypatch: pytest.MonkeyPatch) -> Product:
    """The wallets are never as they were read."""
    whole = Transaction.replace

    def stale(write: Transaction, item: Any, *, version: int) -> None:
        if item["sk"].startswith("WALLET#"):
            version += 1000
        whole(write, item, version=version)

    monkeypatch.setattr(Transaction, "replace", stale)
    return team


def test_a_wallet_that_is_never_as_it_was_read_is_taken_from_all_the_same(
    busy: Product, mia: str
) -> None:
    before = wallet(busy), wallet(busy, mia)
    sent = send(busy, mia, 100)
    assert (sent.status, sent.json["balance_after"]) == (201, None)
    after = wallet(busy), wallet(busy, mia)
    assert [each.balance for each in after] == [before[0].balance - 100, before[1].balance + 100]
    assert (after[0].sent, after[1].received) == (160, 160)


def test_it_is_still_refused_what_is_not_there(busy: Product, mia: str) -> None:
    assert send(busy, mia, 941).code == "insufficient_credits"
    assert wallet(busy).balance == 940


def test_what_was_there_when_it_was_read_and_is_taken_meanwhile_is_refused(
    busy: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last condition is in the same transaction as its effect."""
    whole = ledger.append_blind
    taken: list[str] = []

    def overtaken(write: Transaction, movement: Any, before: Any) -> None:
        if not taken:
            taken.append(movement.entries[0].id)
            assert send(busy, mia, 900).status == 201
        whole(write, movement, before)

    monkeypatch.setattr(ledger, "append_blind", overtaken)
    assert send(busy, mia, 100).code == "insufficient_credits"
    assert wallet(busy).balance == 40


def test_the_log_tells_the_balance_that_a_busy_wallet_had(busy: Product, mia: str) -> None:
    for count in (100, 200):
        assert send(busy, mia, count).status == 201
    assert [each[2] for each in told(log(busy, limit="2"))] == [640, 840]
    assert [each[2] for each in told(log(busy, member=mia, limit="2"))] == [355, 155]
    again = send(busy, mia, 1, key="k")
    assert send(busy, mia, 1, key="k").json == again.json


def test_the_first_credits_of_somebody_have_a_balance_where_many_moved_at_once(
    team: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = join(team)
    grant(team, 1000)
    monkeypatch.setattr(sending, "_EXACT_TRIES", 0)
    for count in (100, 10):
        send(team, mia, count)
    assert [each[2] for each in told(team.call("GET /credits/log", claims=claims()))] == [110, 100]
    assert [each[2] for each in told(log(team))] == [890, 900, 1000]


def test_what_was_before_the_time_that_is_asked_for_is_not_taken_for_nothing(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.advance("PT1H")
    since = rfc3339(runtime.now())
    monkeypatch.setattr(sending, "_EXACT_TRIES", 0)
    for _ in range(2):
        send(team, mia, 1)
    assert [each[2] for each in told(log(team, **{"from": since}))] == [938, None]
    assert [each[2] for each in told(log(team, limit="1"))] == [938]
    assert [each[2] for each in told(log(team))][:2] == [938, 939]


def test_what_follows_credits_that_came_in_a_crowd_is_behind_them_in_the_log(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the same second, and where the giver's entries are more than the receiver's."""
    now = runtime.now()
    monkeypatch.setattr(runtime, "now", lambda: now)
    for _ in range(9):
        grant(team, 1)
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_EXACT_TRIES", 0)
        send(team, mia, 100)
    grant(team, 7, mia)
    assert [each[2] for each in told(log(team, member=mia, limit="2"))] == [162, 155]
