"""How many credits a member may use in a month: setting it, and what it stops."""

from datetime import timedelta
from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts, history
from billing.adapters.dynamodb.marks import Command
from billing.domain.credits import Credits, Entry
from billing.domain.errors import BillingError
from billing.usecases import credits as recording
from billing.usecases.holds import hold_credits, settle_hold
from tests.functions.product import Answer, Product
from tests.functions.purse import ANA, grant, overtaken_by, send, wallet
from tests.functions.team import BEN, MIA, accept, claims, invite, join, remove

GRACE = timedelta(days=14)


@pytest.fixture
def mia(team: Product) -> str:
    """A member with 100 credits."""
    member = join(team)
    grant(team, 100)
    assert send(team, member, 100).status == 201
    return member


def limit(product: Product, member: str, most: Any, **more: Any) -> Answer:
    return product.call(
        "PUT /members/{id}/limit", body={"limit": most}, path={"id": member}, **more
    )


def hold(product: Product, person: str, count: int, name: str = "one") -> Entry:
    return hold_credits(
        product.account,
        person,
        Credits(count),
        Command(name, str(count)),
        reference="download",
        grace=GRACE,
        now=runtime.now(),
    )


def give_back(product: Product, count: int, of: str = "one") -> None:
    settle_hold(
        product.account,
        of,
        Command(f"{of} is returned", str(count)),
        returned=count,
        by="engine",
        now=runtime.now(),
    )


def refused(product: Product, person: str, count: int, name: str = "late") -> str:
    with pytest.raises(BillingError) as told:
        hold(product, person, count, name)
    return told.value.code


def changes(product: Product) -> list[dict[str, Any]]:
    """Of limits, oldest first, as the history tells them."""
    found, _ = history.page(product.account, limit=100)
    told = [dict(event.facts) for _, event in reversed(found) if event.type == "limit.changed"]
    assert {event.by for _, event in found if event.type == "limit.changed"} <= {ANA}
    return told


def test_a_member_uses_no_more_in_a_month_than_their_limit(team: Product, mia: str) -> None:
    hold(team, mia, 30)
    answer = limit(team, mia, 40)
    assert (answer.status, answer.json) == (200, {"limit": 40, "used": 30}), answer.text
    assert refused(team, mia, 11) == "limit_reached"
    hold(team, mia, 10, "two")
    assert wallet(team, mia).used == 40


def test_manager_and_member_see_the_limit_and_what_is_used(team: Product, mia: str) -> None:
    hold(team, mia, 30)
    limit(team, mia, 40)
    for route in ("GET /members", "GET /billing", "GET /credits"):
        shown = team.call(route).json
        people = {each["id"]: each for each in shown.get("members") or shown["items"]}
        assert (people[mia]["limit"], people[mia]["used"]) == (40, 30), route
        assert (people[ANA]["limit"], people[ANA]["used"]) == (None, 0), route
    own = team.call("GET /credits", claims=claims()).json["wallet"]
    assert (own["limit"], own["used"]) == (40, 30)


def test_a_month_later_all_of_it_may_be_used_again(team: Product, mia: str) -> None:
    hold(team, mia, 30)
    limit(team, mia, 30)
    team.advance("P31D")
    assert limit(team, mia, 30).json == {"limit": 30, "used": 0}
    give_back(team, 30)
    hold(team, mia, 30, "two")
    assert refused(team, mia, 1) == "limit_reached"


def test_what_is_returned_in_the_same_month_may_be_used_again(team: Product, mia: str) -> None:
    limit(team, mia, 30)
    hold(team, mia, 30)
    give_back(team, 20)
    assert wallet(team, mia).used == 10
    assert refused(team, mia, 21) == "limit_reached"
    hold(team, mia, 20, "two")


def test_a_limit_may_be_below_what_is_used_and_is_taken_away_by_null(
    team: Product, mia: str
) -> None:
    hold(team, mia, 30)
    assert limit(team, mia, 10).json == {"limit": 10, "used": 30}
    assert refused(team, mia, 1) == "limit_reached"
    assert limit(team, mia, None).json == {"limit": None, "used": 30}
    hold(team, mia, 70, "two")


def test_a_limit_of_none_at_all_is_one(team: Product, mia: str) -> None:
    limit(team, mia, 0)
    assert refused(team, mia, 1) == "limit_reached"


def test_a_change_is_told_once(team: Product, mia: str) -> None:
    for most in (10, 10, None, None):
        limit(team, mia, most)
    assert changes(team) == [{"member": mia, "limit": 10}, {"member": mia, "limit": None}]


def test_somebody_unknown_invited_or_removed_or_a_manager_is_refused(
    team: Product, mia: str
) -> None:
    remove(team, mia)
    invited = invite(team, BEN).json["id"]
    for person, status, code in (
        ("nobody", 404, "member_not_found"),
        (invited, 409, "member_not_active"),
        (mia, 409, "member_not_active"),
        (ANA, 422, "managers_have_no_limit"),
    ):
        answer = limit(team, person, 5)
        assert (answer.status, answer.code) == (status, code)
    assert changes(team) == []


def test_a_removed_members_limit_is_there_when_they_return(team: Product, mia: str) -> None:
    limit(team, mia, 5)
    remove(team, mia)
    invite(team, MIA)
    assert accept(team, MIA).json["limit"] == 5
    assert refused(team, mia, 6) == "limit_reached"


def test_who_is_removed_meanwhile_gets_no_limit(
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
    answer = limit(team, mia, 5)
    assert meanwhile == [204]
    assert (answer.status, answer.code) == (409, "member_not_active")
    assert wallet(team, mia).limit is None


@pytest.mark.parametrize("most", [-1, 1.5, "10", True, 10**13])
def test_a_limit_is_a_whole_number_from_zero(team: Product, mia: str, most: Any) -> None:
    answer = limit(team, mia, most)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [each["field"] for each in answer.json["errors"]] == ["limit"]


def test_a_member_sets_no_limit(team: Product, mia: str) -> None:
    assert limit(team, mia, 5, claims=claims()).code == "manager_only"


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wallet stays as it was read."""
    monkeypatch.setattr(recording, "_EXACT_TRIES", 0)


@pytest.mark.usefixtures("busy")
def test_a_busy_wallet_counts_as_well(team: Product, mia: str) -> None:
    limit(team, mia, 40)
    hold(team, mia, 30)
    assert refused(team, mia, 11) == "limit_reached"
    give_back(team, 5)
    hold(team, mia, 15, "two")
    team.advance("P31D")
    hold(team, mia, 35, "three")
    give_back(team, 15, "two")
    assert (wallet(team, mia).used, wallet(team, mia).balance) == (35, 40)


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("used_before", [0, 10])
def test_two_at_once_in_a_busy_wallet_keep_within_the_limit(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch, used_before: int
) -> None:
    """Also where they are the first of the month."""
    limit(team, mia, 40 + used_before)
    if used_before:
        hold(team, mia, used_before, "before")
    overtaken_by(monkeypatch, lambda: hold(team, mia, 30, "first"))
    assert refused(team, mia, 11) == "limit_reached"
    assert wallet(team, mia).used == 30 + used_before


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("most", [20, 0])
def test_a_limit_that_is_set_meanwhile_holds_in_a_busy_wallet_too(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    hold(team, mia, 10)
    overtaken_by(monkeypatch, lambda: limit(team, mia, most))
    assert refused(team, mia, 11) == "limit_reached"
    assert wallet(team, mia).used == 10


@pytest.mark.usefixtures("busy")
def test_a_return_that_is_overtaken_by_a_new_month_takes_nothing_from_it(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(team, mia, 10)

    def next_month() -> None:
        team.advance("P31D")
        hold(team, mia, 12, "two")

    overtaken_by(monkeypatch, next_month)
    give_back(team, 10)
    assert wallet(team, mia).used == 12


@pytest.mark.usefixtures("busy")
def test_the_first_of_a_month_that_is_overtaken_by_a_return_begins_anew_all_the_same(
    team: Product, mia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(team, mia, 10)
    team.advance("P31D")
    overtaken_by(monkeypatch, lambda: give_back(team, 10))
    hold(team, mia, 12, "two")
    assert wallet(team, mia).used == 12
