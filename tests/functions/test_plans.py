"""PUT /subscription/plan, and what an operator decides about a plan."""

from typing import Any

import pytest

from billing.usecases import acts
from tests.functions.back_office import (
    NEEDS_3DS,
    OLGA,
    halfway,
    pay_at,
    renew,
    subscribe,
    told,
    totals,
)
from tests.functions.product import Answer, Begin, Product

OPERATORS = "PUT /support/accounts/{account_id}/plan"


@pytest.fixture
def subscribed(begin: Begin) -> Product:
    return begin("subscribed by Checkout", subscribe)


@pytest.fixture
def self_service(subscribed: Product, monkeypatch: pytest.MonkeyPatch) -> Product:
    monkeypatch.setattr("subscription._SELF_SERVICE", True)
    return subscribed


def plan(product: Product) -> Any:
    return product.billing()["subscription"]


def ask(product: Product, wanted: str, **more: Any) -> Answer:
    return product.command("PUT /subscription/plan", {"plan": wanted}, **more)


def decide(product: Product, wanted: str, *, key: str = "", **body: Any) -> Answer:
    body = {"plan": wanted, "reason": "Agreed by phone.", **body}
    return product.command(OPERATORS, body, key=key)


def change_cycle(product: Product, cycle: str) -> Answer:
    return product.command("PUT /subscription/cycle", {"cycle": cycle})


def test_another_plan_points_to_support_and_records_the_request(subscribed: Product) -> None:
    for _ in range(2):
        answer = ask(subscribed, "business")
        assert (answer.status, answer.code) == (409, "contact_support")
    (request,) = subscribed.call("GET /support-requests").json["items"]
    assert request["topic"] == "upgrade"
    assert request["message"] == "Plan wanted: Business. Present plan: Starter."
    assert plan(subscribed)["plan"]["id"] == "starter"


def test_a_cheaper_plan_is_asked_for_as_a_downgrade(product: Product) -> None:
    product.pay(product.open_checkout(plan="business").json["url"])
    product.hear("checkout.session.completed")
    assert ask(product, "starter").code == "contact_support"
    (request,) = product.call("GET /support-requests").json["items"]
    assert request["topic"] == "downgrade"


def test_who_asks_for_the_plan_they_have_is_told_how_things_stand(subscribed: Product) -> None:
    answer = ask(subscribed, "starter")
    assert (answer.status, answer.json["plan"]) == (200, {"id": "starter", "name": "Starter"})
    assert subscribed.call("GET /support-requests").json["items"] == []


def test_asking_support_needs_no_idempotency_key(subscribed: Product) -> None:
    answer = subscribed.call(
        "PUT /subscription/plan", body={"plan": "business"}, headers={"idempotency-key": None}
    )
    assert answer.code == "contact_support"


def test_changing_it_oneself_does(self_service: Product) -> None:
    answer = self_service.call(
        "PUT /subscription/plan", body={"plan": "business"}, headers={"idempotency-key": None}
    )
    assert (answer.status, answer.code) == (400, "idempotency_key_required")


def test_what_is_no_plan_is_refused(subscribed: Product) -> None:
    for wanted in ("gold", "slot", "data_unlimited", "credits_500"):
        answer = ask(subscribed, wanted)
        assert (answer.status, answer.code) == (422, "unknown_plan")
        assert decide(subscribed, wanted).code == "unknown_plan"


def test_without_a_subscription_there_is_no_plan_to_change(product: Product) -> None:
    product.billing()
    assert ask(product, "business").code == "not_subscribed"
    assert decide(product, "business").code == "not_subscribed"


def test_a_dearer_plan_is_there_at_once_and_charged_for_the_rest_of_the_period(
    self_service: Product,
) -> None:
    before = plan(self_service)
    halfway(self_service)
    answer = ask(self_service, "business")
    assert answer.json == {
        "plan": {"id": "business", "name": "Business"},
        "cycle": "monthly",
        "pending_plan": None,
        "pending_cycle": None,
        "effective_at": None,
    }
    now = plan(self_service)
    assert (now["plan"]["id"], now["price"]["amount"]) == ("business", 9900)
    assert now["renews_at"] == before["renews_at"]
    # Half of 99.00 for half of 59.00.
    assert totals(self_service) == [2000, 5900]
    renew(self_service)
    assert totals(self_service) == [9900, 2000, 5900]


def test_a_cheaper_plan_comes_with_the_renewal(self_service: Product) -> None:
    ask(self_service, "business")
    renews_at = plan(self_service)["renews_at"]
    assert ask(self_service, "starter").json == {
        "plan": {"id": "business", "name": "Business"},
        "cycle": "monthly",
        "pending_plan": {"id": "starter", "name": "Starter"},
        "pending_cycle": None,
        "effective_at": renews_at,
    }
    now = plan(self_service)
    assert now["pending_plan"] == {"id": "starter", "name": "Starter"}
    assert now["next_charge"]["amount"] == 5900
    renew(self_service)
    assert totals(self_service)[0] == 5900
    now = plan(self_service)
    assert (now["plan"]["id"], now["pending_plan"]) == ("starter", None)


def test_a_pending_plan_is_taken_back_by_asking_for_the_present_one(self_service: Product) -> None:
    ask(self_service, "business")
    ask(self_service, "starter")
    assert ask(self_service, "business").json["pending_plan"] is None
    renew(self_service)
    assert totals(self_service)[0] == 9900


def test_a_cheaper_plan_and_another_cycle_come_together(self_service: Product) -> None:
    ask(self_service, "business")
    change_cycle(self_service, "annual")
    assert ask(self_service, "starter").json["pending_cycle"] == "annual"
    assert plan(self_service)["next_charge"]["amount"] == 58800
    renew(self_service)
    assert totals(self_service)[0] == 58800
    assert plan(self_service)["plan"]["id"] == "starter"


def test_taking_the_plan_back_leaves_the_cycle_that_is_pending(self_service: Product) -> None:
    ask(self_service, "business")
    ask(self_service, "starter")
    change_cycle(self_service, "quarterly")
    back = ask(self_service, "business").json
    assert (back["pending_plan"], back["pending_cycle"]) == (None, "quarterly")
    assert plan(self_service)["next_charge"]["amount"] == 26700


def test_taking_the_cycle_back_leaves_the_plan_that_is_pending(self_service: Product) -> None:
    ask(self_service, "business")
    ask(self_service, "starter")
    change_cycle(self_service, "quarterly")
    assert change_cycle(self_service, "monthly").json["pending_cycle"] is None
    now = plan(self_service)
    assert (now["pending_plan"]["id"], now["next_charge"]["amount"]) == ("starter", 5900)


def test_the_same_key_gets_the_first_answer_again_and_charges_once(self_service: Product) -> None:
    first = ask(self_service, "business", key="one")
    assert ask(self_service, "business", key="one").json == first.json
    assert ask(self_service, "starter", key="one").code == "idempotency_key_reused"
    assert totals(self_service) == [4000, 5900]


def test_a_dearer_plan_counts_only_once_it_is_paid(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscription._SELF_SERVICE", True)
    subscribe(product, NEEDS_3DS)
    answer = ask(product, "business")
    assert (answer.status, answer.code) == (402, "action_needed")
    product.hear("customer.subscription.updated")
    assert plan(product)["plan"]["id"] == "starter"
    assert ask(product, "business", key="again").json["url"] == answer.json["url"]
    pay_at(answer.json["url"])
    product.hear("customer.subscription.updated")
    assert plan(product)["plan"]["id"] == "business"
    assert totals(product) == [4000, 5900]


def test_a_plan_whose_answer_was_lost_is_charged_once(self_service: Product) -> None:
    (base,) = self_service.subscriptions()
    path = f"/v1/subscriptions/{base.id}"
    self_service.order_faults([("POST", path, "timeout_after")] * 3)
    assert ask(self_service, "business", key="one").code == "stripe_unavailable"
    assert ask(self_service, "business", key="one").json["plan"]["id"] == "business"
    assert totals(self_service) == [4000, 5900]


def test_a_pending_cycle_is_planned_again_by_the_repetition_of_what_was_cut_off(
    self_service: Product,
) -> None:
    change_cycle(self_service, "annual")
    self_service.order_faults([("POST", "/v1/subscription_schedules", "500")])
    assert ask(self_service, "business", key="one").code == "stripe_unavailable"
    assert ask(self_service, "business", key="one").json["pending_cycle"] == "annual"


def test_what_ends_cannot_change_its_plan(self_service: Product) -> None:
    self_service.command("POST /subscription/cancel")
    assert ask(self_service, "business").code == "subscription_ending"
    assert decide(self_service, "business").code == "subscription_ending"


def test_an_operator_decides_about_the_cycle_too(subscribed: Product) -> None:
    answer = decide(subscribed, "business", cycle="annual").json
    assert (answer["cycle"], answer["pending_cycle"]) == ("monthly", "annual")
    renew(subscribed)
    assert totals(subscribed) == [94800, 4000, 5900]


def test_who_did_it_and_why_is_in_the_history_and_at_stripe(subscribed: Product) -> None:
    decide(subscribed, "business", reason="  Agreed with Ana.  ")
    subscribed.hear("customer.subscription.updated")
    why = (OLGA, "Agreed with Ana.")
    assert ("subscription.plan_agreed", *why) in told(subscribed)
    assert ("subscription.plan_changed", *why) in told(subscribed)
    (base,) = subscribed.subscriptions()
    assert base.metadata is not None
    noted = base.metadata.to_dict()
    assert (noted["changed_by"], noted["reason"]) == why
    assert (noted["account_id"], noted["kind"]) == (subscribed.account, "subscription")


def test_an_operators_act_is_told_once_however_often_it_is_repeated(
    subscribed: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the same request is done wholly just before the first one is answered."""
    whole = acts.answer

    def overtaken(*given: Any) -> None:
        monkeypatch.setattr(acts, "answer", whole)
        assert decide(subscribed, "business", key="one").status == 200
        whole(*given)

    monkeypatch.setattr(acts, "answer", overtaken)
    for _ in range(2):
        assert decide(subscribed, "business", key="one").json["plan"]["id"] == "business"
    assert [each[0] for each in told(subscribed)].count("subscription.plan_agreed") == 1


@pytest.mark.parametrize("reason", [None, "", "   ", "x" * 401, "a\nb", 7])
def test_an_operator_says_why(product: Product, reason: Any) -> None:
    body = {"plan": "business"} if reason is None else {"plan": "business", "reason": reason}
    answer = product.command(OPERATORS, body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert [error["field"] for error in answer.json["errors"]] == ["reason"]
