"""Sending credits, and who sees how many there are."""

import json
import math
from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts, history
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.dynamodb.transaction import client as dynamodb
from billing.domain.credits import effects
from billing.domain.subscription import Status
from billing.usecases import credits as sending
from tests.factories import subscription
from tests.functions.product import Product
from tests.functions.purse import ANA, entries, grant, overtaken_by, send, wallet
from tests.functions.team import MIA, accept, claims, invite, join, record, remove


@pytest.fixture
def mia(team: Product) -> str:
    """A member of a team whose manager has 1,000 credits."""
    member = join(team)
    grant(team, 1000)
    return member


def test_credits_go_from_the_manager_to_the_member(team: Product, mia: str) -> None:
    sent = send(team, mia, 100)
    assert sent.status == 201, sent.text
    assert (wallet(team).available, wallet(team, mia).available) == (900, 100)
    told = sent.json
    assert {name: told[name] for name in ("kind", "credits", "from", "to", "by")} == {
        "kind": "transfer",
        "credits": 100,
        "from": ANA,
        "to": mia,
        "by": ANA,
    }
    assert told["balance_after"] == 900


def test_a_transfer_is_one_transaction_of_three_items_and_six_write_units(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write in a transaction is two units for each kilobyte that its row begins."""
    whole = dynamodb.transact_write_items
    written: list[Any] = []

    def counting(**asked: Any) -> Any:
        written.append(asked["TransactItems"])
        return whole(**asked)

    monkeypatch.setattr(dynamodb, "transact_write_items", counting)
    assert send(team, mia, 100).status == 201
    [items] = written
    sizes = [len(json.dumps(item["Put"]["Item"])) for item in items]
    assert len(sizes) == 3
    assert sum(2 * math.ceil(size / 1024) for size in sizes) == 6


def test_the_credits_view_is_one_query(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("query", "get_item"):
        _count(monkeypatch, name, asked)
    assert team.call("GET /credits").status == 200
    assert asked == ["query"]


def _count(patch: pytest.MonkeyPatch, name: str, asked: list[str]) -> None:
    whole = getattr(dynamodb, name)

    def counting(**request: Any) -> Any:
        asked.append(name)
        return whole(**request)

    patch.setattr(dynamodb, name, counting)


def test_the_manager_sees_the_totals_and_everybodys_credits(team: Product, mia: str) -> None:
    send(team, mia, 300)
    shown = team.call("GET /credits").json
    assert shown["wallet"]["available"] == 700
    assert shown["account"] == {
        "total": 1000,
        "spent": 0,
        "held": 0,
        "remaining": 1000,
        "debt": 0,
        "mine": 700,
    }
    assert {each["id"]: each["credits"] for each in shown["members"]} == {ANA: 700, mia: 300}
    assert team.billing()["credits"] == shown["account"]
    assert team.billing()["members"] == shown["members"]


def test_a_member_sees_their_own_wallet_only(team: Product, mia: str) -> None:
    send(team, mia, 300)
    shown = team.call("GET /credits", claims=claims()).json
    assert (shown["wallet"]["available"], shown["wallet"]["received"]) == (300, 300)
    assert (shown["account"], shown["members"]) == (None, None)
    assert team.call("GET /entitlements", claims=claims()).json["credits_available"] == 300


def test_the_check_and_the_debit_of_a_transfer_are_one_atomic_step(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another transfer of everything commits between the reading and the writing."""
    whole = accounts.load
    meanwhile: list[int] = []

    def overtaken(account: str, **how: Any) -> Any:
        rows = whole(account, **how)
        if not meanwhile:
            meanwhile.append(0)
            meanwhile[0] = send(team, mia, 1000).status
        return rows

    monkeypatch.setattr(accounts, "load", overtaken)
    late = send(team, mia, 1)
    assert meanwhile == [201]
    assert (late.status, late.code) == (422, "insufficient_credits")
    assert (wallet(team).balance, wallet(team, mia).balance) == (0, 1000)


def test_credits_sent_to_somebody_who_is_removed_meanwhile_stay_where_they_are(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = accounts.load
    meanwhile: list[int] = []

    def overtaken(account: str, **how: Any) -> Any:
        rows = whole(account, **how)
        if not meanwhile:
            meanwhile.append(0)
            meanwhile[0] = remove(team, mia).status
        return rows

    monkeypatch.setattr(accounts, "load", overtaken)
    late = send(team, mia, 1)
    assert meanwhile == [204]
    assert (late.status, late.code) == (409, "member_not_active")
    assert wallet(team).balance == 1000


@pytest.mark.parametrize("count", [0, -1, 1.5, 1.0, "100", True, None, 10**13])
def test_a_transfer_of_zero_less_than_zero_a_fraction_or_a_string_is_refused_before_anything_is_written(  # noqa: E501
    team: Product, mia: str, count: Any
) -> None:
    before = team.rows()
    refused = send(team, mia, count)
    assert (refused.status, refused.code) == (400, "invalid_input")
    assert team.rows() == before
    assert len(entries(team)) == 1


def test_the_same_key_with_another_body_is_a_conflict_with_the_same_the_first_answer_again(
    team: Product, mia: str
) -> None:
    first = send(team, mia, 1000, key="one")
    again = send(team, mia, 1000, key="one")
    assert (again.status, again.json) == (201, first.json)
    other = send(team, mia, 999, key="one")
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert wallet(team, mia).balance == 1000


def test_another_manager_with_the_same_key_does_not_get_the_first_ones_answer(
    team: Product, mia: str
) -> None:
    """Their credits do not move, so they must not read that they did."""
    bea: dict[str, str | None] = {"sub": "user-bea", "email": "bea@acme.test"}
    team.call("GET /credits", claims=bea)
    send(team, "user-bea", 50)
    assert send(team, mia, 10, key="one").status == 201
    other = send(team, mia, 10, key="one", claims=bea)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert wallet(team, mia).balance == 10


def test_the_first_answer_comes_again_also_a_year_later_and_when_it_would_be_refused(
    team: Product, mia: str
) -> None:
    first = send(team, mia, 10, key="one")
    remove(team, mia)
    record(team, subscription(status=Status.CANCELED, ends_at=runtime.now()))
    team.advance("P1Y")
    assert send(team, mia, 10, key="one").json == first.json


def test_nobody_sends_credits_to_themselves(team: Product, mia: str) -> None:
    assert send(team, ANA, 1).code == "own_wallet"


def test_an_unknown_person_is_not_found(team: Product, mia: str) -> None:
    unknown = send(team, "nobody", 1)
    assert (unknown.status, unknown.code) == (404, "member_not_found")


def test_a_member_of_another_team_is_not_found(team: Product, mia: str) -> None:
    other = team.beside(f"other-{team.account}")
    other.billing()
    record(other, subscription())
    grant(other, 50)
    assert send(other, mia, 1).code == "member_not_found"


def test_who_is_only_invited_gets_no_credits(team: Product) -> None:
    grant(team, 100)
    invited = invite(team).json["id"]
    refused = send(team, invited, 1)
    assert (refused.status, refused.code) == (409, "member_not_active")


def test_who_was_removed_gets_no_credits_and_has_theirs_again_when_they_return(
    team: Product, mia: str
) -> None:
    send(team, mia, 40)
    remove(team, mia)
    assert send(team, mia, 1).code == "member_not_active"
    assert team.call("GET /credits", claims=claims()).code == "membership_inactive"
    assert invite(team, MIA).json["credits"] == 40
    assert accept(team, MIA).json["credits"] == 40
    assert send(team, mia, 1).status == 201
    assert wallet(team, mia).balance == 41


def test_without_access_no_credits_are_sent(team: Product, mia: str) -> None:
    record(team, subscription(status=Status.CANCELED, ends_at=runtime.now()))
    refused = send(team, mia, 1)
    assert (refused.status, refused.code) == (409, "no_access")
    assert team.call("GET /entitlements").json["credits_available"] == 0


def test_a_member_sends_nothing(team: Product, mia: str) -> None:
    refused = send(team, ANA, 1, claims=claims())
    assert (refused.status, refused.code) == (403, "manager_only")


def test_every_balance_is_the_sum_of_its_entries(team: Product, mia: str) -> None:
    for count in (5, 7, 11):
        send(team, mia, count)
    for person in (ANA, mia):
        found = [effects(entry, person).get("balance", 0) for entry in entries(team)]
        assert sum(found) == wallet(team, person).balance


def test_entries_are_listed_in_the_order_in_which_they_happened(team: Product, mia: str) -> None:
    """Also those of one second."""
    for count in (1, 2, 3, 4, 5):
        send(team, mia, count)
    assert [entry.source_after for entry in entries(team)] == [985, 990, 994, 997, 999, None]
    assert [entry.target_after for entry in entries(team, mia)] == [15, 10, 6, 3, 1]


def told_low(product: Product) -> list[dict[str, Any]]:
    """Of the history, oldest first."""
    found, _ = history.page(product.account, limit=100)
    return [dict(event.facts) for _, event in reversed(found) if event.type == "credits.low"]


def alert_below(product: Product, below: int | None) -> None:
    answer = product.call("PUT /settings/alerts", body={"below": below})
    assert (answer.status, answer.json) == (200, {"below": below}), answer.text


def test_a_low_balance_is_told_once_for_each_crossing(team: Product, mia: str) -> None:
    alert_below(team, 900)
    send(team, mia, 100)
    assert told_low(team) == []
    send(team, mia, 1)
    send(team, mia, 1)
    low = {"wallet": ANA, "balance": 899, "below": 900}
    assert told_low(team) == [low]
    grant(team, 2)
    send(team, mia, 5)
    assert told_low(team) == [low, {**low, "balance": 895}]


def test_what_is_below_already_is_not_told(team: Product, mia: str) -> None:
    alert_below(team, 5000)
    send(team, mia, 1)
    assert told_low(team) == []
    assert team.call("GET /credits").json["wallet"]["alert_below"] == 5000


def test_nobody_is_told_who_does_not_want_to(team: Product, mia: str) -> None:
    alert_below(team, 900)
    alert_below(team, None)
    send(team, mia, 1000)
    assert told_low(team) == []
    assert team.call("GET /credits").json["wallet"]["alert_below"] is None


def test_an_alert_that_is_set_meanwhile_is_told_in_a_busy_wallet_too(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_EXACT_TRIES", 0)
        overtaken_by(patch, lambda: alert_below(team, 950))
        assert send(team, mia, 100).status == 201
    assert team.sweep()["failed"] == 0
    assert told_low(team) == [{"wallet": ANA, "balance": 900, "below": 950}]


@pytest.mark.parametrize("below", [0, -1, 1.5, "10"])
def test_an_alert_is_below_a_whole_number_from_one(team: Product, below: Any) -> None:
    assert team.call("PUT /settings/alerts", body={"below": below}).code == "invalid_input"


class Killed(BaseException):
    """The function's time is up: nothing of ours runs any more, no `finally` either."""


@pytest.mark.parametrize("after_the_effect", [False, True])
def test_a_start_close_to_the_functions_time_limit_cannot_wedge_the_retries(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch, after_the_effect: bool
) -> None:
    whole = Transaction.commit

    def cut_off(write: Transaction, **how: Any) -> None:
        if after_the_effect:
            whole(write, **how)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", cut_off)
        with pytest.raises(Killed):
            send(team, mia, 100, key="one")
    assert send(team, mia, 100, key="one").status == 201
    assert wallet(team, mia).balance == 100
