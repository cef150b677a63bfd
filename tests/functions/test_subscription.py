"""Cycle, card, cancel, keep; paying an open invoice."""

from typing import Any
from unittest.mock import patch

import pytest

from billing.adapters.stripe import changes, endings
from billing.domain.errors import Unavailable
from tests.functions.product import FAILS_AT_RENEWAL, VISA, Begin, Product
from tests.planted import caught, nothing

NEEDS_3DS = "4000002500003155"


def plan(product: Product) -> Any:
    return product.billing()["subscription"]


def change_cycle(product: Product, cycle: str, **more: Any) -> Any:
    return product.command("PUT /subscription/cycle", {"cycle": cycle}, **more)


def test_a_change_of_cycle_takes_effect_at_the_renewal(subscribed: Product) -> None:
    renews_at = plan(subscribed)["renews_at"]
    answer = change_cycle(subscribed, "annual")
    assert answer.json == {
        "cycle": "monthly",
        "pending_cycle": "annual",
        "effective_at": renews_at,
    }
    subscribed.advance("P1M1D")
    subscribed.catch_up()
    assert (plan(subscribed)["cycle"], plan(subscribed)["pending_cycle"]) == ("annual", None)
    totals = [each["total"]["amount"] for each in subscribed.call("GET /invoices").json["items"]]
    assert totals == [58800, 5900]


def test_until_then_it_is_shown_with_what_it_will_cost(subscribed: Product) -> None:
    change_cycle(subscribed, "quarterly")
    assert plan(subscribed)["pending_cycle"] == "quarterly"
    assert plan(subscribed)["next_charge"]["amount"] == 15900
    subscribed.catch_up()
    assert plan(subscribed)["pending_cycle"] == "quarterly"


def test_it_can_be_changed_again_and_taken_back(subscribed: Product) -> None:
    change_cycle(subscribed, "annual")
    assert change_cycle(subscribed, "quarterly").json["pending_cycle"] == "quarterly"
    assert change_cycle(subscribed, "monthly").json == {
        "cycle": "monthly",
        "pending_cycle": None,
        "effective_at": None,
    }
    subscribed.advance("P1M1D")
    subscribed.catch_up()
    assert plan(subscribed)["cycle"] == "monthly"


def test_the_same_key_gets_the_first_answer_again(subscribed: Product) -> None:
    first = change_cycle(subscribed, "annual", key="one")
    change_cycle(subscribed, "monthly", key="two")
    assert change_cycle(subscribed, "annual", key="one").json == first.json
    assert plan(subscribed)["pending_cycle"] is None
    assert change_cycle(subscribed, "quarterly", key="one").code == "idempotency_key_reused"


def test_a_change_that_was_cut_off_is_finished_by_its_repetition(subscribed: Product) -> None:
    subscribed.order_faults([("POST", "/v1/subscription_schedules", "timeout_after")] * 3)
    assert change_cycle(subscribed, "annual", key="one").code == "stripe_unavailable"
    assert change_cycle(subscribed, "annual", key="one").json["pending_cycle"] == "annual"


@pytest.mark.parametrize(
    ("cycle", "code"), [("weekly", "unknown_cycle"), ("", "invalid_input"), (3, "invalid_input")]
)
def test_an_unknown_cycle_is_refused(subscribed: Product, cycle: Any, code: str) -> None:
    assert change_cycle(subscribed, cycle).code == code


@pytest.mark.parametrize(
    "route", ["PUT /subscription/cycle", "POST /subscription/card", "POST /subscription/cancel"]
)
def test_without_a_subscription_there_is_nothing_to_change(product: Product, route: str) -> None:
    body = {"cycle": "annual"} if "cycle" in route else None
    assert product.command(route, body).code == "not_subscribed"


def test_cancelled_keeps_access_to_the_last_paid_second_and_is_never_billed_again(
    subscribed: Product,
) -> None:
    renews_at = plan(subscribed)["renews_at"]
    answer = subscribed.command("POST /subscription/cancel", {"reason": "too_expensive"})
    assert answer.json["ends_at"] == renews_at
    billing = subscribed.billing()
    assert billing["access"] == {"state": "active", "until": renews_at}
    assert billing["subscription"]["next_charge"] is None
    subscribed.advance("P2M")
    subscribed.catch_up()
    assert subscribed.billing()["access"]["state"] == "ended"
    assert len(subscribed.call("GET /invoices").json["items"]) == 1


def test_cancelling_releases_what_was_pending(subscribed: Product) -> None:
    change_cycle(subscribed, "annual")
    assert subscribed.command("POST /subscription/cancel").status == 200
    assert plan(subscribed)["pending_cycle"] is None


def test_cancelling_twice_is_cancelling_once(subscribed: Product) -> None:
    first = subscribed.command("POST /subscription/cancel").json
    assert subscribed.command("POST /subscription/cancel").json == first


def test_keep_undoes_a_cancellation_wholly(subscribed: Product) -> None:
    subscribed.buy_slots_at_stripe(3)
    subscribed.catch_up()
    renews_at = plan(subscribed)["renews_at"]
    subscribed.command("POST /subscription/cancel")
    assert subscribed.command("POST /subscription/resume").json["renews_at"] == renews_at
    assert all(
        each.cancel_at is None and not each.cancel_at_period_end
        for each in subscribed.subscriptions()
    )
    subscribed.advance("P1M1D")
    subscribed.catch_up()
    assert plan(subscribed)["status"] == "active"


def test_an_event_that_is_recorded_while_somebody_keeps_ends_no_slots(
    subscribed: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed.buy_slots_at_stripe(3)
    subscribed.catch_up()
    subscribed.command("POST /subscription/cancel")
    whole = endings.keep

    def watched(subscription_id: str) -> None:
        whole(subscription_id)
        subscribed.catch_up()

    monkeypatch.setattr(endings, "keep", watched)
    assert subscribed.command("POST /subscription/resume").status == 200
    subscribed.catch_up()
    assert [each.cancel_at for each in subscribed.subscriptions()] == [None, None]


def test_slots_are_kept_with_the_subscription_also_where_keeping_was_cut_off(
    subscribed: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed.buy_slots_at_stripe(3)
    subscribed.catch_up()
    subscribed.command("POST /subscription/cancel")
    whole = endings.keep
    kept: list[str] = []

    def cut_off(subscription_id: str) -> None:
        if kept:
            raise Unavailable("stripe_unavailable", "", 5)
        kept.append(subscription_id)
        whole(subscription_id)

    with monkeypatch.context() as patch:
        patch.setattr(endings, "keep", cut_off)
        assert subscribed.command("POST /subscription/resume").status == 503
    subscribed.catch_up()
    assert [each.cancel_at for each in subscribed.subscriptions()] == [None, None]


def test_slots_that_were_to_end_by_themselves_still_do_once_the_subscription_is_kept(
    subscribed: Product,
) -> None:
    slots = subscribed.buy_slots_at_stripe(3)
    subscribed.at_stripe.v1.subscriptions.update(slots, {"cancel_at_period_end": True})
    subscribed.catch_up()
    subscribed.command("POST /subscription/cancel")
    subscribed.command("POST /subscription/resume")
    subscribed.catch_up()
    ending = [each.id for each in subscribed.subscriptions() if each.cancel_at is not None]
    assert ending == [slots]


def test_cancel_keep_cancel_ends_in_the_end(subscribed: Product) -> None:
    subscribed.command("POST /subscription/cancel")
    subscribed.command("POST /subscription/resume")
    subscribed.command("POST /subscription/cancel")
    assert plan(subscribed)["ends_at"] is not None
    assert all(each.cancel_at is not None for each in subscribed.subscriptions())


def test_what_ends_cannot_change_its_cycle(subscribed: Product) -> None:
    subscribed.command("POST /subscription/cancel")
    assert change_cycle(subscribed, "annual").code == "subscription_ending"


def test_after_the_end_a_new_subscription_begins(subscribed: Product) -> None:
    subscribed.command("POST /subscription/cancel")
    subscribed.advance("P1M1D")
    subscribed.catch_up()
    assert subscribed.command("POST /subscription/resume").code == "not_subscribed"
    paid = subscribed.pay(subscribed.open_checkout("again", cycle="annual").json["url"])
    assert paid.status_code == 200
    subscribed.catch_up()
    assert (plan(subscribed)["status"], plan(subscribed)["cycle"]) == ("active", "annual")
    assert len(subscribed.customers()) == 1


@pytest.fixture
def overdue(begin: Begin) -> Product:
    def live(product: Product) -> None:
        product.pay(product.open_checkout().json["url"], FAILS_AT_RENEWAL)
        product.catch_up()
        product.advance("P1M1D")
        product.catch_up()
        assert plan(product)["status"] == "past_due"

    return begin("overdue", live)


def new_card(product: Product, card: str = VISA) -> None:
    url = product.command("POST /subscription/card").json["url"]
    assert product.pay(url, card, authenticate="approve").status_code == 200
    product.catch_up()


def test_a_new_card_pays_from_now_on(subscribed: Product) -> None:
    new_card(subscribed, "5555555555554444")
    assert plan(subscribed)["card"]["brand"] == "mastercard"
    subscribed.advance("P1M1D")
    subscribed.catch_up()
    assert plan(subscribed)["status"] == "active"


def test_a_page_for_a_card_is_the_one_managers_who_asked_for_it(subscribed: Product) -> None:
    first = subscribed.command("POST /subscription/card", key="one")
    assert subscribed.command("POST /subscription/card", key="one").json == first.json
    bea: dict[str, str | None] = {"sub": "user-bea", "email": "bea@acme.test"}
    other = subscribed.command("POST /subscription/card", key="one", claims=bea)
    assert other.code == "idempotency_key_reused"


def test_a_new_card_settles_an_open_invoice_at_once(overdue: Product) -> None:
    new_card(overdue)
    overdue.catch_up()
    assert plan(overdue)["status"] == "active"
    assert overdue.billing()["access"] == {"state": "active", "until": None}


def test_a_new_card_for_what_has_ended_meanwhile_is_recorded(subscribed: Product) -> None:
    """Nothing of the end has reached the product when the card's page is completed."""
    page = subscribed.command("POST /subscription/card").json["url"]
    subscribed.at_stripe.v1.subscriptions.cancel(subscribed.subscriptions()[0].id)
    assert subscribed.pay(page).status_code == 200
    (completed,) = subscribed.happened("checkout.session.completed")[-1:]
    assert subscribed.record(completed) == []
    assert plan(subscribed)["status"] == "canceled"


def test_the_same_key_opens_the_same_card_page(subscribed: Product) -> None:
    first = subscribed.command("POST /subscription/card", key="one").json
    assert subscribed.command("POST /subscription/card", key="one").json == first


def test_the_same_key_at_the_same_time_gets_the_answer_that_is_on_record(
    subscribed: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one request opens its page, its repetition opens one and answers first."""
    whole = changes.open_card_page
    overtaken: list[Any] = []

    def overtaking(*args: Any) -> str:
        if not overtaken:
            overtaken.append(None)
            overtaken.append(subscribed.command("POST /subscription/card", key="one").json)
        return whole(*args)

    monkeypatch.setattr(changes, "open_card_page", overtaking)
    answer = subscribed.command("POST /subscription/card", key="one")
    assert answer.json == overtaken[1]
    assert subscribed.command("POST /subscription/card", key="one").json == answer.json


def test_an_overdue_account_sees_what_to_pay(overdue: Product) -> None:
    owed = plan(overdue)["open_invoice"]
    assert owed["amount_due"] == {"amount": 5900, "currency": "usd"}
    assert owed["url"].startswith(overdue.sandbox)


def test_a_declined_card_asks_for_payment_with_a_page_to_pay_on(overdue: Product) -> None:
    owed = plan(overdue)["open_invoice"]
    answer = overdue.command("POST /invoices/{id}/pay", path={"id": owed["id"]})
    assert (answer.status, answer.json["url"]) == (402, owed["url"])
    assert plan(overdue)["status"] == "past_due"


def test_an_invoice_that_is_paid_already_is_not_paid_again(subscribed: Product) -> None:
    (item,) = subscribed.call("GET /invoices").json["items"]
    answer = subscribed.command("POST /invoices/{id}/pay", path={"id": item["id"]})
    assert (answer.status, answer.code) == (409, "invoice_not_open")


def test_another_accounts_invoice_cannot_be_paid(overdue: Product) -> None:
    owed = plan(overdue)["open_invoice"]
    answer = overdue.command(
        "POST /invoices/{id}/pay", path={"id": owed["id"]}, claims={"account_id": "globex"}
    )
    assert (answer.status, answer.code) == (404, "invoice_not_found")


def test_a_renewal_that_needs_3d_secure_gives_grace_and_a_link_to_finish_it(
    product: Product,
) -> None:
    product.pay(product.open_checkout().json["url"], NEEDS_3DS, authenticate="approve")
    product.catch_up()
    new_card(product, "4000002760003184")
    product.advance("P1M1D")
    product.catch_up()
    billing = product.billing()
    assert billing["access"]["state"] == "grace"
    owed = billing["subscription"]["open_invoice"]
    answer = product.command("POST /invoices/{id}/pay", path={"id": owed["id"]})
    assert (answer.status, answer.json["url"]) == (402, owed["url"])


def test_who_cancels_while_overdue_ends_at_once_and_owes_nothing(overdue: Product) -> None:
    ends = overdue.command("POST /subscription/cancel").json["ends_at"]
    overdue.catch_up()
    assert overdue.billing()["access"] == {"state": "ended", "until": ends}
    statuses = [each["status"] for each in overdue.call("GET /invoices").json["items"]]
    assert statuses == ["void", "paid"]
    overdue.advance("P2M")
    overdue.catch_up()
    assert len(overdue.call("GET /invoices").json["items"]) == 2


def test_grace_that_runs_out_ends_access(overdue: Product) -> None:
    assert plan(overdue)["renews_at"] is None
    overdue.advance("P14D")
    overdue.catch_up()
    assert overdue.billing()["access"]["state"] == "ended"


def test_an_invoice_that_was_settled_meanwhile_is_an_answer(overdue: Product) -> None:
    owed = plan(overdue)["open_invoice"]
    overdue.at_stripe.v1.invoices.void_invoice(owed["id"].partition("-")[2])
    answer = overdue.command("POST /invoices/{id}/pay", path={"id": owed["id"]})
    assert (answer.status, answer.json) == (200, {"status": "void"})


def test_without_a_card_there_is_a_page_to_pay_on(overdue: Product) -> None:
    owed = plan(overdue)["open_invoice"]
    for subscription in overdue.subscriptions():
        method = str(subscription.default_payment_method)
        overdue.at_stripe.v1.payment_methods.detach(method)
    answer = overdue.command("POST /invoices/{id}/pay", path={"id": owed["id"]})
    assert (answer.status, answer.code, answer.json["url"]) == (402, "card_needed", owed["url"])


def test_a_cancellation_that_is_resumed_meanwhile_says_so(
    subscribed: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = endings.end_with_period

    def overtaken(*args: Any) -> None:
        whole(*args)
        endings.keep(args[0])

    monkeypatch.setattr(endings, "end_with_period", overtaken)
    answer = subscribed.command("POST /subscription/cancel")
    assert (answer.status, answer.code) == (409, "changed_meanwhile")


test_a_card_that_is_the_customers_only_is_seen = caught(
    test_a_new_card_pays_from_now_on, patch.object(changes, "_pay_with", nothing)
)
