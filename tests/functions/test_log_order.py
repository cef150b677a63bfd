"""The log's order and balances where several commands move credits of one wallet at once."""

from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import ledger
from billing.usecases import credits as sending
from tests.functions.product import Answer, Product
from tests.functions.purse import ANA, grant, overtaken_by, send, wallet
from tests.functions.team import join


@pytest.fixture
def mia(team: Product) -> str:
    """A member; the manager has 1,000 credits."""
    member = join(team)
    grant(team, 1000)
    return member


def contradictions(answer: Answer, start: int = 0) -> list[tuple[int, int]]:
    """Pairs of the balance a manager's line should have and the one shown, oldest first."""
    found, before = [], start
    for line in reversed(answer.json["items"]):
        after = before + (line["credits"] if line["kind"] == "grant" else -line["credits"])
        if line["balance_after"] not in (None, after):
            found.append((after, line["balance_after"]))
        before = after
    return found


def test_a_command_that_was_overtaken_is_listed_after_the_one_that_overtook_it(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both had read the same wallets, and commit in the same second."""
    now = runtime.now()
    monkeypatch.setattr(runtime, "now", lambda: now)
    monkeypatch.setattr(sending, "_EXACT_TRIES", 0)
    for first in (30, 40, 50, 60):
        with monkeypatch.context() as patch:
            overtaken_by(patch, lambda first=first: send(team, mia, first))
            send(team, mia, first + 1)
    answer = team.call("GET /credits/log")
    order = [line["credits"] for line in answer.json["items"]]
    assert order == [61, 60, 51, 50, 41, 40, 31, 30, 1000]
    assert contradictions(answer) == []
    assert [line["balance_after"] for line in answer.json["items"]][:2] == [636, 697]


def test_who_is_overtaken_between_numbering_and_commit_takes_another_number(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_EXACT_TRIES", 0)
    whole = ledger.append_blind
    late: list[None] = []

    def overtaken(*given: Any) -> None:
        whole(*given)
        if not late:
            late.append(None)
            assert send(team, mia, 200).status == 201

    monkeypatch.setattr(ledger, "append_blind", overtaken)
    assert send(team, mia, 100).status == 201
    answer = team.call("GET /credits/log")
    assert [line["credits"] for line in answer.json["items"]] == [100, 200, 1000]
    assert [line["balance_after"] for line in answer.json["items"]] == [700, 800, 1000]
    assert wallet(team, ANA).balance == 700
