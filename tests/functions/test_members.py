"""/members and /invitations/accept, and what they change for everybody."""

from typing import Any

import pytest

from billing.adapters.dynamodb import accounts
from billing.domain.access import AccessState
from billing.domain.subscription import Status
from tests.factories import subscription
from tests.functions.product import APIS, Product
from tests.functions.team import (
    BEN,
    MIA,
    accept,
    claims,
    invite,
    join,
    record,
    remove,
    slots,
    slots_subscription,
)

ROUTES = {key: route for api in APIS.values() for key, route in api.routes.items()}


def test_an_invitation_takes_a_slot_for_fourteen_days(team: Product) -> None:
    assert slots(team) == (1, 0, 0, 1)
    answer = invite(team, " Mia@Acme.test ", name="Mia Meyer")
    assert answer.status == 201
    member = answer.json
    assert (member["email"], member["name"], member["role"]) == (MIA, "Mia Meyer", "member")
    assert member["status"] == "invited"
    assert member["invited_at"][:4] <= member["expires_at"][:4]
    assert slots(team) == (1, 1, 1, 0)


def test_slots_are_what_stripe_says_was_bought(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    bought = product.buy_slots(2)
    product.catch_up()
    shown = product.billing()["slots"]
    assert (shown["purchased"], shown["free"], shown["price"]["amount"]) == (2, 2, 4900)
    assert shown["renews_at"] is not None
    assert [invite(product, email).status for email in (MIA, BEN, "z@a.test")] == [201, 201, 409]
    product.at_stripe.v1.subscriptions.cancel(bought.id)
    product.catch_up()
    assert slots(product) == (0, 2, 2, 0)


def test_with_every_slot_in_use_nobody_more_is_invited(team: Product) -> None:
    invite(team, MIA)
    refused = invite(team, BEN)
    assert (refused.status, refused.code) == (409, "no_free_slot")
    assert slots(team) == (1, 1, 1, 0)


def test_the_same_address_twice_is_one_invitation_sent_again(team: Product) -> None:
    first = invite(team, MIA, name="Mia")
    team.advance("P3D")
    second = invite(team, "MIA@acme.test")
    assert (second.status, second.json["id"]) == (201, first.json["id"])
    assert second.json["name"] == "Mia"
    assert second.json["expires_at"] > first.json["expires_at"]
    assert slots(team) == (1, 1, 1, 0)


def test_a_member_is_not_invited_again(team: Product) -> None:
    join(team)
    again = invite(team)
    assert (again.status, again.code) == (409, "already_member")


def test_the_manager_is_not_invited(team: Product) -> None:
    refused = invite(team, f"ANA@{team.account}.test")
    assert (refused.status, refused.code) == (409, "already_member")
    assert slots(team) == (1, 0, 0, 1)


@pytest.mark.parametrize("status", [Status.CANCELED, Status.UNPAID])
def test_without_access_nobody_is_invited(team: Product, status: Status) -> None:
    record(team, subscription(status=status))
    refused = invite(team)
    assert (refused.status, refused.code) == (409, "no_access")


def test_an_account_that_never_subscribed_has_no_access(product: Product) -> None:
    assert invite(product).code == "no_access"
    assert product.rows() == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": None}, "email"),
        ({"email": ["mia@acme.test"]}, "email"),
        ({"email": "mia"}, "email"),
        ({"email": f"{'m' * 250}@acme.test"}, "email"),
        ({"email": "mia\x00@acme.test"}, "email"),
        ({"email": "mia\ud800@acme.test"}, "email"),
        ({"email": MIA, "name": "x" * 101}, "name"),
        ({"email": MIA, "name": "Mia\nMeyer"}, "name"),
        ({"email": MIA, "role": "manager"}, "role"),
        ({"email": MIA, "status": "active"}, "status"),
        ({"email": MIA, "account_id": "globex"}, "account_id"),
    ],
)
def test_a_body_that_is_no_invitation_is_refused(
    team: Product, body: dict[str, Any], field: str
) -> None:
    answer = team.call("POST /members", body=body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert slots(team) == (1, 0, 0, 1)


def test_accepting_works_with_every_slot_in_use_and_lets_the_member_in(team: Product) -> None:
    invited = invite(team).json
    assert team.call("GET /entitlements", claims=claims()).code == "membership_inactive"
    joined = accept(team)
    assert (joined.status, joined.json["id"]) == (200, invited["id"])
    assert (joined.json["status"], joined.json["name"]) == ("active", "From Token")
    assert joined.json["expires_at"] is None
    assert slots(team) == (1, 1, 0, 0)
    entitlements = team.call("GET /entitlements", claims=claims()).json
    assert (entitlements["access"], entitlements["slot"]) == ("active", True)


def test_accepting_twice_is_the_same_answer(team: Product) -> None:
    invite(team)
    first = accept(team)
    before = team.rows()
    assert accept(team, "MIA@ACME.TEST").json == first.json
    assert team.rows() == before


@pytest.mark.parametrize("verified", ["false", None, "", "1", "yes"])
def test_only_a_verified_address_accepts(team: Product, verified: str | None) -> None:
    invite(team)
    refused = accept(team, email_verified=verified)
    assert (refused.status, refused.code) == (403, "email_not_verified")
    assert slots(team) == (1, 1, 1, 0)


@pytest.mark.parametrize("email", [BEN, "", "mia@acme.test.evil.test", "mia"])
def test_only_who_was_invited_accepts(team: Product, email: str) -> None:
    invite(team, MIA)
    refused = accept(team, email, subject="user-other")
    assert (refused.status, refused.code) == (404, "invitation_not_found")


def test_an_invitation_is_of_the_tokens_own_account(team: Product) -> None:
    invite(team, MIA)
    elsewhere = team.call("POST /invitations/accept", claims=claims(account_id="globex"))
    assert (elsewhere.status, elsewhere.code) == (404, "invitation_not_found")


def test_a_manager_accepts_nothing(team: Product) -> None:
    refused = team.call("POST /invitations/accept")
    assert (refused.status, refused.code) == (403, "member_only")


def test_one_sign_in_is_one_member_and_the_second_invitation_gives_its_slot_back(
    team: Product,
) -> None:
    record(team, slots_subscription(2))
    member = join(team, MIA)
    invite(team, BEN)
    again = accept(team, BEN, subject="user-mia")
    assert (again.status, again.json["id"], again.json["email"]) == (200, member, BEN)
    assert slots(team) == (2, 1, 0, 1)


def test_an_expired_invitation_frees_its_slot_and_cannot_be_accepted(team: Product) -> None:
    invite(team, MIA)
    team.advance("P14D")
    assert slots(team) == (1, 0, 0, 1)
    assert [each["status"] for each in team.billing()["members"]] == ["active", "expired"]
    late = accept(team, MIA)
    assert (late.status, late.code) == (409, "invitation_expired")
    assert invite(team, BEN).status == 201
    assert accept(team, MIA).code == "invitation_expired"
    assert slots(team) == (1, 1, 1, 0)
    assert invite(team, MIA).code == "no_free_slot"


def test_an_invitation_is_accepted_up_to_its_last_second(team: Product) -> None:
    invite(team)
    team.advance("P13DT23H59M")
    assert accept(team).status == 200


def test_removing_a_member_frees_the_slot(team: Product) -> None:
    assert remove(team, join(team)).status == 204
    assert slots(team) == (1, 0, 0, 1)
    assert invite(team, BEN).status == 201


def test_withdrawing_an_invitation_frees_the_slot(team: Product) -> None:
    invited = invite(team).json["id"]
    answer = remove(team, invited)
    assert (answer.status, answer.text) == (204, "")
    assert slots(team) == (1, 0, 0, 1)
    assert team.billing()["members"][1]["status"] == "withdrawn"
    assert accept(team).code == "invitation_not_found"


def test_removing_again_changes_nothing(team: Product) -> None:
    member = join(team)
    remove(team, member)
    before = team.rows()
    assert remove(team, member).status == 204
    assert team.rows() == before


@pytest.mark.parametrize("member", ["nobody", "", "../x", "MEMBER#x"])
def test_who_is_not_there_cannot_be_removed(team: Product, member: str) -> None:
    answer = remove(team, member)
    assert (answer.status, answer.code) == (404, "member_not_found")


def test_a_manager_takes_nobody_off_who_is_themselves(team: Product) -> None:
    manager = team.billing()["members"][0]["id"]
    answer = remove(team, manager)
    assert (answer.status, answer.code) == (409, "manager_stays")


def test_another_accounts_member_is_not_found(team: Product) -> None:
    member = join(team)
    answer = remove(team, member, claims={"account_id": "globex"})
    assert (answer.status, answer.code) == (404, "member_not_found")
    assert slots(team) == (1, 1, 0, 0)


def test_a_removed_members_token_is_refused_from_that_instant_on(team: Product) -> None:
    others = ("anyone", "Stripe", "operator")
    signed_in = {key for key, route in ROUTES.items() if route.who not in others}
    remove(team, join(team))
    before = team.rows()
    more: dict[str, Any] = {
        "claims": claims(scope=None),
        "path": {"id": "1795435200-in_1", "file": "x", "account_id": team.account},
        "headers": {"idempotency-key": "one"},
    }
    refused = {route: team.call(route, **more).status for route in signed_in}
    assert refused.pop("POST /invitations/accept") == 404
    assert set(refused.values()) == {403}
    assert team.rows() == before


def test_members_are_let_in_by_what_is_on_record_at_that_instant(
    team: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(team)
    whole, asked = accounts.load, []

    def watched(account: str, *, consistent: bool = True) -> Any:
        asked.append(consistent)
        return whole(account, consistent=consistent)

    monkeypatch.setattr(accounts, "load", watched)
    team.call("GET /credits", claims=claims())
    assert asked == [True]


def test_who_was_removed_and_invited_again_is_the_same_member(team: Product) -> None:
    member = join(team)
    remove(team, member)
    assert invite(team).json["id"] == member
    assert team.call("GET /catalog", claims=claims()).code == "membership_inactive"
    assert accept(team).json["id"] == member
    assert team.call("GET /catalog", claims=claims()).status == 200


def test_who_comes_after_somebody_with_the_same_address_gets_a_wallet_of_their_own(
    team: Product,
) -> None:
    before = join(team)
    remove(team, before)
    invite(team)
    after = accept(team, subject="user-mia-2").json["id"]
    assert after != before
    assert team.call("GET /catalog", claims=claims(subject="user-mia-2")).status == 200
    assert team.call("GET /catalog", claims=claims()).code == "membership_inactive"
    statuses = {each["id"]: each["status"] for each in team.billing()["members"]}
    assert (statuses[before], statuses[after]) == ("removed", "active")
    assert slots(team) == (1, 1, 0, 0)


def test_a_member_has_no_slot_once_it_is_no_longer_paid_for(team: Product) -> None:
    join(team)
    record(team, slots_subscription(1, status=Status.CANCELED))
    entitlements = team.call("GET /entitlements", claims=claims()).json
    assert (entitlements["access"], entitlements["slot"]) == (AccessState.ACTIVE, False)
    record(team, slots_subscription(1))
    assert team.call("GET /entitlements", claims=claims()).json["slot"] is True


def test_the_list_goes_by_pages_managers_first(team: Product) -> None:
    record(team, slots_subscription(4))
    for name in ("kim", "ben", "zoe", "mia"):
        invite(team, f"{name}@acme.test")
    listed: list[str] = []
    cursor: dict[str, str] = {}
    pages = 0
    while pages == 0 or cursor:
        page = team.call("GET /members", query={"limit": "2", **cursor}).json
        listed += [each["email"].split("@")[0] for each in page["items"]]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        pages += 1
    assert (pages, listed) == (3, ["ana", "ben", "kim", "mia", "zoe"])


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "x"}, {"cursor": ""}]
)
def test_a_list_asked_for_wrongly_is_refused(team: Product, query: dict[str, str]) -> None:
    answer = team.call("GET /members", query=query)
    assert (answer.status, answer.code) == (400, "invalid_input")
