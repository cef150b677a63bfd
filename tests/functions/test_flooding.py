"""Nobody's inbox is flooded by invitations, and Stripe not with pages."""

from collections.abc import Iterator

import pytest

from billing.adapters.dynamodb import history
from billing.domain.rate_limits import ADDRESSES_AN_HOUR, OPEN_PAGES, SENDS_A_DAY
from tests.factories import subscription
from tests.functions.product import Answer, Product
from tests.functions.purse import open_page
from tests.functions.team import BEN, MIA, invite, join, record, remove, slots, slots_subscription


def refused(answer: Answer) -> str:
    """The code of a limit that says when to try again, in words too."""
    assert answer.status == 429, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "again" in answer.json["detail"]
    return answer.code


def sent(product: Product) -> int:
    found, _ = history.page(product.account, limit=100)
    return sum(event.type == "member.invited" for _, event in found)


def addresses() -> Iterator[str]:
    return (f"m{number}@acme.test" for number in range(1_000))


def test_one_address_gets_five_invitations_a_day(team: Product) -> None:
    for _ in range(SENDS_A_DAY):
        assert invite(team).status == 201
    before = team.rows()
    assert refused(invite(team)) == "invitation_sent_too_often"
    assert (team.rows(), sent(team)) == (before, SENDS_A_DAY)
    team.advance("P1D")
    assert invite(team).status == 201


@pytest.mark.parametrize("spelling", [MIA, MIA.upper(), f" {MIA} "])
def test_withdrawing_and_inviting_again_does_not_go_around_it(team: Product, spelling: str) -> None:
    for _ in range(SENDS_A_DAY):
        remove(team, invite(team).json["id"])
    assert refused(invite(team, spelling)) == "invitation_sent_too_often"
    assert slots(team) == (1, 0, 0, 1)
    assert invite(team, BEN).status == 201


def test_nor_do_leaving_and_coming_back(team: Product) -> None:
    for _ in range(SENDS_A_DAY):
        remove(team, join(team))
    assert refused(invite(team)) == "invitation_sent_too_often"


def test_a_team_invites_twenty_new_addresses_an_hour(team: Product) -> None:
    given = addresses()
    for _ in range(ADDRESSES_AN_HOUR):
        last = invite(team, next(given)).json
        remove(team, last["id"])
    assert refused(invite(team, next(given))) == "too_many_invitations"
    assert invite(team, last["email"]).status == 201
    remove(team, last["id"])
    team.advance("PT1H")
    assert invite(team, next(given)).status == 201


def test_with_more_slots_it_invites_as_many_as_it_has(team: Product) -> None:
    most = ADDRESSES_AN_HOUR + 5
    record(team, slots_subscription(most))
    answers = [invite(team, each).status for each, _ in zip(addresses(), range(most), strict=False)]
    assert answers == [201] * most
    remove(team, team.billing()["members"][1]["id"])
    assert refused(invite(team, "one.more@acme.test")) == "too_many_invitations"


def test_what_is_refused_for_another_reason_does_not_count(team: Product) -> None:
    assert invite(team, BEN).status == 201
    for _ in range(SENDS_A_DAY):
        assert invite(team).code == "no_free_slot"
    record(team, slots_subscription(2))
    assert invite(team).status == 201


def test_another_account_has_limits_of_its_own(team: Product) -> None:
    for _ in range(SENDS_A_DAY):
        invite(team)
    other = team.beside(f"{team.account}-2")
    other.billing()
    record(other, subscription(), slots_subscription(1))
    assert invite(other).status == 201


@pytest.mark.parametrize("route", ["POST /subscription/card", "POST /credits/checkout"])
def test_an_account_has_twenty_pages_of_stripe_open(subscribed: Product, route: str) -> None:
    def open_one() -> Answer:
        if route == "POST /credits/checkout":
            return open_page(subscribed)
        return subscribed.command(route)

    # The one of the subscription itself was opened within this hour, too.
    assert [open_one().status for _ in range(OPEN_PAGES - 1)] == [201] * (OPEN_PAGES - 1)
    before = subscribed.rows()
    assert refused(open_one()) == "too_many_pages"
    assert subscribed.rows() == before
    subscribed.advance("PT1H1M")
    assert open_one().status == 201


def test_who_changes_their_mind_without_end_is_stopped(product: Product) -> None:
    cycles = ["monthly", "annual"] * (OPEN_PAGES // 2)
    opened = [
        product.open_checkout(f"tab {number}", cycle=cycle) for number, cycle in enumerate(cycles)
    ]
    assert {answer.status for answer in opened} == {201}
    assert refused(product.open_checkout("one more", cycle="monthly")) == "too_many_pages"
    assert product.open_checkout("the same", cycle="annual").json["url"] == opened[-1].json["url"]
    assert product.open_checkout("tab 19", cycle="annual").json == opened[-1].json


def test_a_repetition_opens_no_page_and_counts_none(subscribed: Product) -> None:
    for _ in range(OPEN_PAGES + 1):
        assert open_page(subscribed, key="one").status == 201
