"""GET /billing, /catalog, /entitlements, /health."""

import pytest

from billing.adapters.dynamodb import accounts, reading
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.account import Member, MemberStatus, Role
from tests.factories import subscription
from tests.functions.product import Product
from tests.functions.team import record

MIA: dict[str, str | None] = {"sub": "user-mia", "role": "member"}


def join(product: Product, status: MemberStatus) -> None:
    write = Transaction()
    member = Member(
        id="member-1",
        email="mia@x.test",
        name="Mia",
        role=Role.MEMBER,
        status=status,
        subject="user-mia",
    )
    accounts.put_member(write, product.account, member, version=0)
    write.commit()


def test_the_first_call_of_a_manager_makes_the_account(product: Product) -> None:
    assert product.billing()["account"] == {"id": product.account, "me": "user-ana"}
    assert (f"ACCOUNT#{product.account}", "ACCOUNT") in product.rows()


def test_later_calls_write_nothing(product: Product) -> None:
    product.billing()
    before = product.rows()
    product.billing()
    assert product.rows() == before


def test_a_second_manager_joins_the_account(product: Product) -> None:
    product.billing()
    product.call("GET /billing", claims={"sub": "user-zoe", "email": "zoe@x.test"})
    assert [member["role"] for member in product.billing()["members"]] == ["manager", "manager"]


def test_an_account_without_a_subscription_has_none(product: Product) -> None:
    billing = product.billing()
    assert billing["subscription"]["status"] == "none"
    assert billing["access"] == {"state": "none", "until": None}
    assert billing["subscription"]["next_charge"] is None


def test_two_first_calls_at_once_make_one_account(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = accounts.load, []

    def overtaken(account: str, *, consistent: bool = True) -> accounts.AccountRows:
        """Between this reading and what follows from it another manager comes."""
        found = whole(account, consistent=consistent)
        calls.append(account)
        if len(calls) == 1:
            answer = product.call("GET /billing", claims={"sub": "user-zoe", "email": "zoe@x.test"})
            assert answer.status == 200
        return found

    monkeypatch.setattr(accounts, "load", overtaken)
    assert {member["email"] for member in product.billing()["members"]} == {
        "zoe@x.test",
        f"ana@{product.account}.test",
    }


def test_while_a_subscription_lives_no_checkout_is_shown(product: Product) -> None:
    product.open_checkout()
    record(product, subscription())
    assert product.billing()["subscription"]["checkout"] is None


def test_an_open_checkout_is_shown_to_other_tabs(product: Product) -> None:
    link = product.open_checkout().json
    assert product.billing()["subscription"]["checkout"] == {
        "status": "open",
        "plan": "starter",
        "cycle": "monthly",
        "currency": "usd",
        **link,
    }


def test_a_checkout_page_that_ran_out_is_not_shown(product: Product) -> None:
    product.open_checkout()
    product.advance("PT61M")
    assert product.billing()["subscription"]["checkout"] is None


@pytest.mark.parametrize(("cycle", "price"), [("monthly", 5900), ("annual", 58800)])
def test_an_active_subscription_shows_its_next_charge(
    product: Product, cycle: str, price: int
) -> None:
    product.subscribe(cycle)
    product.catch_up()
    subscription = product.billing()["subscription"]
    assert (subscription["cycle"], subscription["price"]["amount"]) == (cycle, price)
    assert subscription["next_charge"] == {
        "amount": price,
        "currency": "usd",
        "at": subscription["renews_at"],
        "items": [{"kind": "subscription", "amount": price}],
        "estimated_at": None,
    }


def test_the_catalog_names_products_and_prices_but_nothing_of_stripe(product: Product) -> None:
    answer = product.call("GET /catalog")
    assert [plan["id"] for plan in answer.json["plans"]] == ["starter", "business"]
    assert "price_" not in answer.text
    assert "lookup" not in answer.text


def test_a_member_reads_the_catalog(product: Product) -> None:
    join(product, MemberStatus.ACTIVE)
    assert product.call("GET /catalog", claims=MIA).status == 200


@pytest.mark.parametrize("status", [MemberStatus.INVITED, MemberStatus.REMOVED])
@pytest.mark.parametrize("route", ["GET /catalog", "GET /entitlements"])
def test_the_token_of_who_is_not_an_active_member_is_refused(
    product: Product, status: MemberStatus, route: str
) -> None:
    join(product, status)
    answer = product.call(route, claims=MIA)
    assert (answer.status, answer.code) == (403, "membership_inactive")


def test_entitlements_follow_the_subscription(product: Product) -> None:
    assert product.call("GET /entitlements").json["access"] == "none"
    product.subscribe()
    product.catch_up()
    assert product.call("GET /entitlements").json == {
        "access": "active",
        "until": None,
        "slot": True,
        "data_unlimited": False,
        "credits_available": 0,
    }


def test_health_is_well_while_the_table_answers(product: Product) -> None:
    assert product.call("GET /health", signed_in=False).json == {"status": "ok"}


def test_and_not_well_without_it(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TABLE", "gone")
    assert product.call("GET /health", signed_in=False).status == 500
