"""Two commands on one team at once, each overtaken where it hurts most."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from billing.adapters.dynamodb import accounts, keys
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.domain.rate_limits import ADDRESSES_AN_HOUR, SENDS_A_DAY
from billing.domain.subscription import Status, Subscription
from tests.factories import subscription
from tests.functions.product import Product
from tests.functions.team import (
    BEN,
    MIA,
    accept,
    invite,
    record,
    remove,
    slots,
    slots_subscription,
)
from tests.planted import caught

Point = Callable[[pytest.MonkeyPatch, Callable[[], None]], None]


def before_the_members_are_read(patch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    _overtaken_after(patch, "load_slots", meanwhile)


def before_it_is_written(patch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    _overtaken_after(patch, "load", meanwhile)


def while_the_members_are_read(patch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """The query sees the members as they were, and SLOTS as it has become."""
    whole = accounts.load
    _once(patch, "load", lambda account, **how: _torn(whole(account), meanwhile, whole, account))


def _torn(before: Any, meanwhile: Callable[[], None], whole: Any, account: str) -> Any:
    meanwhile()
    after = whole(account)
    slots_key = keys.slots_key(account)
    versions = {**before.versions, slots_key["sk"]: after.version_of(slots_key)}
    return replace(before, slots=after.slots, versions=versions)


def _overtaken_after(patch: pytest.MonkeyPatch, name: str, meanwhile: Callable[[], None]) -> None:
    whole = getattr(accounts, name)

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        found = whole(*args, **kwargs)
        meanwhile()
        return found

    _once(patch, name, overtaken)


def _once(patch: pytest.MonkeyPatch, name: str, instead: Callable[..., Any]) -> None:
    whole = getattr(accounts, name)
    calls: list[str] = []

    def first(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return (instead if len(calls) == 1 else whole)(*args, **kwargs)

    patch.setattr(accounts, name, first)


POINTS = [before_the_members_are_read, while_the_members_are_read, before_it_is_written]


@pytest.mark.parametrize("point", POINTS)
def test_one_slot_left_and_two_invitations_one_wins(
    team: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(invite(team, BEN).status))
    loser = invite(team, MIA)
    assert meanwhile == [201]
    assert (loser.status, loser.code) == (409, "no_free_slot")
    assert slots(team) == (1, 1, 1, 0)


@pytest.mark.parametrize("point", POINTS)
def test_one_slot_left_and_many_invitations_one_wins(
    team: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    """Each is overtaken by the next one before it can finish."""
    answers: list[int] = []

    def next_one(left: int) -> None:
        if left:
            point(monkeypatch, lambda: next_one(left - 1))
            answers.append(invite(team, f"m{left}@acme.test").status)

    next_one(5)
    assert sorted(answers) == [201, 409, 409, 409, 409]
    assert slots(team) == (1, 1, 1, 0)


@pytest.mark.parametrize("point", POINTS)
def test_two_invitations_for_two_slots_both_win(
    team: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    record(team, slots_subscription(2))
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(invite(team, BEN).status))
    assert invite(team, MIA).status == 201
    assert meanwhile == [201]
    assert slots(team) == (2, 2, 2, 0)


@pytest.mark.parametrize("snapshot", [slots_subscription(0), subscription(status=Status.CANCELED)])
def test_slots_that_end_while_somebody_is_invited_are_not_used(
    team: Product, monkeypatch: pytest.MonkeyPatch, snapshot: Subscription
) -> None:
    before_it_is_written(monkeypatch, lambda: record(team, snapshot))
    assert invite(team).status == 409
    assert slots(team)[1] == 0


@pytest.mark.parametrize("point", POINTS)
def test_one_sign_in_accepting_two_invitations_at_once_is_one_member(
    team: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    record(team, slots_subscription(2))
    invite(team, MIA)
    invite(team, BEN)
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(accept(team, BEN, subject="user-one").status))
    loser = accept(team, MIA, subject="user-one")
    assert meanwhile == [200]
    assert loser.status == 200
    statuses = [each["status"] for each in team.billing()["members"] if each["role"] == "member"]
    assert sorted(statuses) == ["active", "withdrawn"]
    assert slots(team) == (2, 1, 0, 1)


@pytest.mark.parametrize("point", POINTS)
def test_an_invitation_withdrawn_while_it_is_accepted_is_withdrawn(
    team: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    invited = invite(team).json["id"]
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(remove(team, invited).status))
    assert accept(team).code == "invitation_not_found"
    assert meanwhile == [204]
    assert slots(team) == (1, 0, 0, 1)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("other", [MIA, BEN])
def test_one_invitation_left_and_two_at_once_one_is_sent(
    team: Product, monkeypatch: pytest.MonkeyPatch, point: Point, other: str
) -> None:
    """Of the day's for one address, or of the hour's for the team."""
    record(team, slots_subscription(ADDRESSES_AN_HOUR + 1))
    if other == MIA:
        earlier = [MIA] * (SENDS_A_DAY - 1)
    else:
        earlier = [f"m{number}@acme.test" for number in range(ADDRESSES_AN_HOUR)]
    assert {invite(team, each).status for each in earlier} == {201}
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(invite(team, other).status))
    assert (invite(team, MIA).status, meanwhile) == (429, [201])


def test_a_command_that_is_overtaken_every_time_gives_up_and_says_so(
    team: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(write: Transaction) -> None:
        raise StaleWrite("SLOTS")

    monkeypatch.setattr("billing.runtime.sleep", lambda seconds: None)
    monkeypatch.setattr(Transaction, "commit", overtaken)
    answer = invite(team)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "busy", "2")


def _over_whatever_is_there(self: Transaction, item: Any, *, version: int) -> None:
    if item["sk"] == "SLOTS":
        self.ensure({**item, "version": version + 1})
    else:
        _replace(self, item, version=version)


_replace = Transaction.replace

test_an_invitation_that_does_not_ask_for_its_slot_is_seen = caught(
    test_one_slot_left_and_two_invitations_one_wins,
    patch.object(Transaction, "replace", _over_whatever_is_there),
    point=before_it_is_written,
)
