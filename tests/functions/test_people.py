"""People change: the claims of a token are the truth about who somebody is (rule 20)."""

from typing import Any

import pytest

from billing.adapters.dynamodb import accounts, keys
from tests.functions.meter import counted_reads
from tests.functions.product import Begin, Product
from tests.functions.purse import grant
from tests.functions.team import (
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

ANA = "user-ana"
NEW = "mia.new@acme.test"


def as_manager(email: str = MIA, **more: Any) -> dict[str, str | None]:
    return claims(email, role="manager", **more)


def person(product: Product, id: str) -> Any:
    return next(each for each in product.billing()["members"] if each["id"] == id)


def wallet(product: Product, who: dict[str, str | None]) -> Any:
    answer = product.call("GET /credits", claims=who)
    assert answer.status == 200, answer.text
    return answer.json["wallet"]


def send(product: Product, to: str, credits: int = 7) -> Any:
    return product.command("POST /credits/transfers", {"to": to, "credits": credits})


def bea(product: Product) -> dict[str, str | None]:
    """A second manager, who has been there."""
    who = as_manager("bea@acme.test")
    assert product.call("GET /billing", claims=who).status == 200
    return who


def test_a_manager_who_is_one_no_more_is_a_member_without_a_slot(team: Product) -> None:
    who = bea(team)
    grant(team, 100)
    assert send(team, "user-bea").status == 201
    left = claims("bea@acme.test")
    assert team.call("GET /billing", claims=left).code == "manager_only"
    assert wallet(team, left)["available"] == 7
    entitled = team.call("GET /entitlements", claims=left).json
    assert (entitled["slot"], entitled["credits_available"]) == (False, 0)
    shown = person(team, "user-bea")
    assert (shown["role"], shown["status"]) == ("member", "waiting")
    assert slots(team) == (1, 0, 0, 1)
    assert send(team, "user-bea").code == "member_not_active"
    assert who["role"] == "manager"


def test_once_they_get_a_slot_they_use_their_credits_again(team: Product) -> None:
    bea(team)
    grant(team, 100)
    send(team, "user-bea")
    left = claims("bea@acme.test")
    wallet(team, left)
    given = invite(team, "bea@acme.test")
    assert (given.json["id"], given.json["status"]) == ("user-bea", "active")
    entitled = team.call("GET /entitlements", claims=left).json
    assert (entitled["slot"], entitled["credits_available"]) == (True, 7)
    assert slots(team) == (1, 1, 0, 0)


def test_who_manages_no_more_has_no_top_up_and_no_alert(team: Product) -> None:
    who = bea(team)
    team.call("PUT /settings/alerts", body={"below": 50}, claims=who)
    left = claims("bea@acme.test")
    assert wallet(team, left)["alert_below"] is None


def test_a_member_who_becomes_manager_frees_their_slot_and_keeps_what_is_theirs(
    team: Product,
) -> None:
    member = join(team)
    grant(team, 100)
    send(team, member)
    seen = team.call("GET /billing", claims=as_manager()).json
    assert [each["id"] for each in seen["members"] if each["role"] == "manager"] == [ANA, member]
    assert wallet(team, as_manager())["available"] == 7
    assert slots(team) == (1, 0, 0, 1)
    back = team.command("POST /credits/transfers", {"to": ANA, "credits": 3}, claims=as_manager())
    assert (back.status, back.json["from"], back.json["by"]) == (201, member, member)


def test_who_was_invited_and_comes_as_manager_gives_the_invitations_slot_back(
    team: Product,
) -> None:
    invited = invite(team).json["id"]
    assert team.call("GET /billing", claims=as_manager()).status == 200
    assert person(team, invited)["role"] == "manager"
    assert slots(team) == (1, 0, 0, 1)


def test_who_was_removed_and_comes_as_manager_finds_their_credits(team: Product) -> None:
    member = join(team)
    grant(team, 100)
    send(team, member)
    remove(team, member)
    assert wallet(team, as_manager())["available"] == 7


@pytest.mark.parametrize("role", ["manager", "member"])
def test_a_changed_address_is_taken_over_and_invites_nobody_else(team: Product, role: str) -> None:
    member = join(team)
    assert team.call("GET /credits", claims=claims(NEW, "user-mia", role=role)).status == 200
    assert person(team, member)["email"] == NEW
    assert invite(team, NEW).code == "already_member"


def test_an_address_that_is_not_verified_or_not_one_changes_nothing(team: Product) -> None:
    member = join(team)
    for email, verified in ((NEW, "false"), ("mia <b>@acme.test", "true"), ("", "true")):
        who = claims(email, "user-mia", email_verified=verified)
        assert team.call("GET /credits", claims=who).status == 200
        assert person(team, member)["email"] == MIA


def test_an_address_that_somebody_left_can_be_invited(team: Product) -> None:
    record(team, slots_subscription(2))
    member = join(team)
    team.call("GET /credits", claims=claims(NEW, "user-mia"))
    other = invite(team, MIA)
    assert other.json["id"] != member
    assert accept(team, MIA, subject="user-mia-2").json["id"] == other.json["id"]
    assert slots(team) == (2, 2, 0, 0)


def test_an_invitation_of_their_new_address_holds_no_second_slot(team: Product) -> None:
    record(team, slots_subscription(2))
    join(team)
    invite(team, NEW)
    team.call("GET /credits", claims=claims(NEW, "user-mia"))
    assert slots(team) == (2, 1, 0, 1)


def test_who_comes_back_with_a_new_address_finds_their_credits(team: Product) -> None:
    member = join(team)
    grant(team, 100)
    send(team, member)
    remove(team, member)
    invite(team, NEW)
    back = accept(team, NEW, subject="user-mia").json
    assert (back["id"], back["email"], back["credits"]) == (member, NEW, 7)
    assert slots(team) == (1, 1, 0, 0)


def test_a_refused_call_costs_nobody_their_invitation(team: Product) -> None:
    member = join(team)
    remove(team, member)
    invite(team, NEW)
    who = claims(NEW, "user-mia")
    for route in ("GET /credits", "GET /entitlements"):
        assert team.call(route, claims=who).code == "membership_inactive"
    assert slots(team) == (1, 1, 1, 0)
    assert accept(team, NEW, subject="user-mia").json["id"] == member


def test_who_waits_for_a_slot_accepts_an_invitation_of_a_new_address(team: Product) -> None:
    bea(team)
    left, new = claims("bea@acme.test"), "bea.new@acme.test"
    wallet(team, left)
    invite(team, new)
    wallet(team, claims(new, "user-bea"))
    assert slots(team) == (1, 1, 1, 0)
    joined = accept(team, new, subject="user-bea").json
    assert (joined["id"], joined["status"]) == ("user-bea", "active")
    assert slots(team) == (1, 1, 0, 0)


def test_who_is_invited_at_an_address_they_had_comes_back_with_another(team: Product) -> None:
    member = join(team)
    remove(team, member)
    assert invite(team, MIA).json["id"] == member
    back = accept(team, NEW, subject="user-mia").json
    assert (back["id"], back["email"], back["status"]) == (member, NEW, "active")
    assert slots(team) == (1, 1, 0, 0)


def test_who_manages_no_more_is_not_let_in_without_an_invitation(team: Product) -> None:
    bea(team)
    assert accept(team, "bea@acme.test").code == "invitation_not_found"
    assert person(team, "user-bea")["role"] == "manager"


def test_receipts_follow_the_manager_to_whom_they_went(team: Product) -> None:
    who = bea(team)
    for subject, email in ((ANA, "ana.new@acme.test"), ("user-bea", "bea.new@acme.test")):
        call = team.call("GET /billing", claims={**who, "sub": subject, "email": email})
        assert call.status == 200
    account = accounts.load(team.account).account
    assert account is not None
    assert account.email == "ana.new@acme.test"


def test_another_manager_takes_off_one_who_has_left(team: Product) -> None:
    bea(team)
    grant(team, 100)
    send(team, "user-bea")
    assert remove(team, "user-bea").status == 204
    assert person(team, "user-bea")["status"] == "removed"
    assert send(team, "user-bea").code == "member_not_active"
    assert team.call("GET /billing", claims=as_manager("bea@acme.test")).status == 200
    assert person(team, "user-bea")["status"] == "active"


def test_an_operator_takes_off_the_last_manager_and_says_why(team: Product) -> None:
    team.billing()
    route = "DELETE /support/accounts/{account_id}/members/{id}"
    path = {"account_id": team.account, "id": ANA}
    refused = team.command(route, {}, path=path)
    assert refused.status == 400
    done = team.command(route, {"reason": "Left the company"}, path=path)
    assert done.status == 204, done.text
    told = team.call("GET /support/accounts/{account_id}/history").json["items"][0]
    assert (told["type"], told["reason"]) == ("member.removed", "Left the company")


def test_a_name_cannot_disguise_itself(team: Product) -> None:
    member = join(team)
    name = "M\u202eia\u0007 \ud800Lee"
    who = claims("mia@acme.test", "user-mia", role="manager", name=name)
    assert team.call("GET /billing", claims=who).status == 200
    assert person(team, member)["name"] == "Mia Lee"


def test_a_half_deleted_account_is_made_whole(begin: Begin) -> None:
    product = begin("half", lambda product: product.billing())
    key = keys.account_key(product.account)
    product.tables.alter(key["pk"], key["sk"], None)
    assert accounts.load(product.account).account is None
    assert product.call("GET /billing").status == 200
    assert accounts.load(product.account).account is not None


def test_rows_of_an_earlier_version_are_linked_at_the_next_call(team: Product) -> None:
    member = join(team)
    key, link = keys.member_key(team.account, member), keys.sign_in_key(team.account, "user-mia")
    row = team.rows()[key["pk"], key["sk"]]
    earlier = {name: value for name, value in row.items() if name != "linked"}
    team.tables.alter(key["pk"], key["sk"], earlier)
    team.tables.alter(link["pk"], link["sk"], None)
    assert accounts.sign_in(team.account, "user-mia") is None
    assert wallet(team, claims())["available"] == 0
    found = accounts.sign_in(team.account, "user-mia")
    assert found is not None
    assert found.person == member


def test_what_a_member_may_use_is_read_by_key_however_large_the_team_is(team: Product) -> None:
    record(team, slots_subscription(60))
    join(team)
    with counted_reads() as alone:
        small = team.call("GET /entitlements", claims=claims()).json
    for number in range(50):
        invite(team, f"m{number}@acme.test")
    with counted_reads() as among_many:
        large = team.call("GET /entitlements", claims=claims()).json
    assert alone == among_many == ["get_item", "query", "get_item"]
    assert small == large


def test_invitations_never_reach_an_address_that_is_none(team: Product) -> None:
    assert invite(team, "mia@acme.test\nbcc: all").status == 400


def test_stripes_receipts_follow_the_manager_to_whom_they_went(subscribed: Product) -> None:
    renamed: dict[str, str | None] = {"email": "ana.new@acme.test"}
    assert subscribed.call("GET /billing", claims=renamed).status == 200
    assert subscribed.customers()[0].email == f"ana@{subscribed.account}.test"
    assert subscribed.sweep() == {"done": 1, "failed": 0}
    assert subscribed.customers()[0].email == "ana.new@acme.test"
    assert subscribed.sweep() == {"done": 0, "failed": 0}


def test_a_change_of_receipts_that_stripe_did_not_take_is_tried_again(subscribed: Product) -> None:
    renamed: dict[str, str | None] = {"email": "ana.new@acme.test"}
    subscribed.call("GET /billing", claims=renamed)
    customer = f"/v1/customers/{subscribed.customers()[0].id}"
    subscribed.order_faults([("POST", customer, "timeout_before")] * 3)
    assert subscribed.sweep()["failed"] == 1
    subscribed.advance("PT2H")
    subscribed.sweep()
    assert subscribed.customers()[0].email == "ana.new@acme.test"


def test_an_address_that_stripe_has_by_another_way_is_changed_back(subscribed: Product) -> None:
    customer = subscribed.customers()[0].id
    subscribed.at_stripe.v1.customers.update(customer, {"email": "late@acme.test"})
    subscribed.catch_up()
    subscribed.sweep()
    assert subscribed.customers()[0].email == f"ana@{subscribed.account}.test"


@pytest.mark.parametrize("gone", ["taken off", "demoted"])
def test_receipts_of_who_manages_no_more_go_to_another_manager(team: Product, gone: str) -> None:
    who = bea(team)
    if gone == "taken off":
        assert team.call("DELETE /members/{id}", path={"id": ANA}, claims=who).status == 204
    else:
        team.call("GET /credits", claims={"sub": ANA, "role": "member"})
    account = accounts.load(team.account).account
    assert account is not None
    assert account.email == who["email"]


def test_receipts_stay_where_they_went_until_a_manager_comes(team: Product) -> None:
    team.call("GET /credits", claims={"sub": ANA, "role": "member"})
    account = accounts.load(team.account).account
    assert account is not None
    assert account.email == f"ana@{team.account}.test"
    who = bea(team)
    account = accounts.load(team.account).account
    assert account is not None
    assert account.email == who["email"]
