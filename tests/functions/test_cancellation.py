"""*Cancel*: everything ends with what is paid for it, and nothing is billed but what was named."""

from typing import Any

import pytest

from billing import runtime
from billing.adapters.stripe import endings
from billing.domain.errors import Unavailable
from billing.domain.times import from_epoch, parse_rfc3339, rfc3339
from billing.usecases.snapshots import record
from tests.functions.product import FAILS_AT_RENEWAL, Begin, Product

ROUTE = "POST /subscription/cancel"
PRICE = {"monthly": 5900, "quarterly": 15900, "annual": 58800}
SLOTS = 4900


def cancel(product: Product, **body: Any) -> Any:
    answer = product.command(ROUTE, body)
    assert answer.status == 200, answer.text
    return answer.json


def resume(product: Product) -> Any:
    answer = product.command("POST /subscription/resume")
    assert answer.status == 200, answer.text
    return answer.json


def charged(product: Product) -> list[tuple[str, int, str]]:
    """What was paid for subscriptions, the oldest first: when, how much and what for."""
    wanted: Any = {"customer": product.customers()[0].id, "limit": 100, "status": "paid"}
    found = product.at_stripe.v1.invoices.list(wanted).auto_paging_iter()
    return [
        (rfc3339(from_epoch(each.created)), each.total, _kind(each)) for each in reversed([*found])
    ]


def _kind(invoice: Any) -> str:
    return str(invoice.parent.subscription_details.metadata["kind"])


def named(answer: Any) -> list[tuple[str, int, str]]:
    return [(each["at"], each["amount"], each["for"]) for each in answer["charges"]]


def ends_at_stripe(product: Product) -> dict[str, str | None]:
    """By kind; of what lives."""
    return {
        each.metadata["kind"]: rfc3339(from_epoch(each.cancel_at)) if each.cancel_at else None
        for each in product.subscriptions()
        if each.status != "canceled"
    }


def live_through(product: Product, cycle: str, slots: int, moment: str) -> None:
    product.subscribe(cycle)
    product.catch_up()
    if slots:
        product.advance("P10D")
        product.buy_slots_at_stripe(slots)
        product.catch_up()
    for step in moment.split():
        product.advance(step)
        product.catch_up()


# The shortest month has 28 days, and the slots are bought on the tenth.
MOMENTS = {"the next day": "P1D", "after 40 days": "P40D", "just before a renewal": "P17D"}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
@pytest.mark.parametrize("keep", [False, True], ids=["all end", "slots kept"])
@pytest.mark.parametrize("cycle", PRICE)
def test_after_a_cancellation_only_what_it_named_is_billed(
    begin: Begin, cycle: str, keep: bool, moment: str
) -> None:
    product = begin(f"{cycle} {moment}", lambda it: live_through(it, cycle, 5, moment))
    before = charged(product)
    answer = cancel(product, keep_slots=keep)
    product.catch_up()
    assert ends_at_stripe(product) == {
        "subscription": answer["ends_at"],
        "slots": answer["slots_ends_at"],
    }
    assert answer["slots_ends_at"] <= answer["ends_at"]
    assert bool(answer["charges"]) == (keep and cycle != "monthly") or cycle == "monthly"
    product.go_to(parse_rfc3339(answer["ends_at"]))
    product.advance("P2M")
    product.catch_up()
    assert charged(product) == before + named(answer)
    assert {each.status for each in product.subscriptions()} == {"canceled"}
    assert product.billing()["access"]["state"] == "ended"


def test_the_page_names_before_what_canceling_does(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    shown = product.billing()["subscription"]["cancellation"]
    kept = shown.pop("keep_slots")
    assert (kept["purchased"], kept["price"]["amount"], kept["cycle"]) == (5, 24500, "monthly")
    assert kept["until"] == shown["ends_at"]
    with_them = cancel(product, keep_slots=True)
    assert with_them["charges"] == kept["charges"]
    assert cancel(product) == shown


def test_until_then_the_page_says_what_will_still_be_billed(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    answer = cancel(product, keep_slots=True)
    billing = product.billing()
    subscription, slots = billing["subscription"], billing["slots"]
    assert (subscription["charges"], subscription["cancellation"]) == (answer["charges"], None)
    assert subscription["next_charge"]["items"] == [{"kind": "slots", "amount": 24500}]
    assert (slots["ends_at"], slots["renews_at"]) == (
        answer["slots_ends_at"],
        answer["charges"][0]["at"],
    )


def test_the_add_on_ends_with_its_own_month(begin: Begin) -> None:
    def live(product: Product) -> None:
        live_through(product, "annual", 0, "P5D")
        product.buy_slots_at_stripe(1, kind="add_on")
        product.catch_up()

    product = begin("an add-on", live)
    before = charged(product)
    answer = cancel(product, keep_slots=True)
    assert (answer["slots_ends_at"], answer["charges"]) == (None, [])
    assert answer["add_on_ends_at"] < answer["ends_at"]
    product.go_to(parse_rfc3339(answer["ends_at"]))
    assert charged(product) == before


def test_a_later_cancellation_may_choose_otherwise(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    first = cancel(product)
    kept = cancel(product, keep_slots=True)
    assert kept["slots_ends_at"] == kept["ends_at"] > first["slots_ends_at"]
    assert cancel(product) == first
    product.catch_up()
    assert ends_at_stripe(product)["slots"] == first["slots_ends_at"]


def test_fewer_slots_that_were_planned_are_those_that_are_kept(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    assert product.command("PUT /slots", {"purchased": 3}).status == 200
    before = charged(product)
    answer = cancel(product, keep_slots=True)
    assert {each["amount"] for each in answer["charges"][:-1]} == {3 * SLOTS}
    product.go_to(parse_rfc3339(answer["ends_at"]))
    product.advance("P1D")
    assert charged(product) == before + named(answer)


@pytest.mark.parametrize("cut_off", ["end_with_base", "lower_quantity"])
def test_a_cancellation_that_was_cut_off_keeps_the_number_that_was_planned(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    assert product.command("PUT /slots", {"purchased": 3}).status == 200
    with monkeypatch.context() as patch:
        patch.setattr(endings, cut_off, _lost)
        assert product.command(ROUTE, {"keep_slots": True}).status == 503
    product.hear_of_subscriptions()
    answer = cancel(product, keep_slots=True)
    assert {each["amount"] for each in answer["charges"][:-1]} == {3 * SLOTS}


def _lost(*_: Any, **__: Any) -> None:
    raise Unavailable("stripe_unavailable", "No answer.", 5)


def test_a_cancellation_that_was_cut_off_after_the_base_is_completed_by_the_webhook(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    with monkeypatch.context() as patch:
        patch.setattr(endings, "end_with_base", _lost)
        assert product.command(ROUTE, {"keep_slots": True}).status == 503
    product.catch_up()
    ends = ends_at_stripe(product)
    assert ends["slots"] == ends["subscription"] is not None


def test_a_renewal_that_is_not_charged_yet_never_is(begin: Begin) -> None:
    """Stripe drafts the invoice at the renewal and charges it an hour later."""
    product = begin("monthly P1D", lambda it: live_through(it, "monthly", 5, "P1D"))
    before = charged(product)
    renews_at = product.billing()["subscription"]["renews_at"]
    product.go_to(parse_rfc3339(renews_at))
    product.hear_of_subscriptions()
    shown = product.billing()["subscription"]["cancellation"]
    assert shown["ends_at"] == renews_at
    answer = cancel(product)
    assert (answer["ends_at"], answer["slots_ends_at"]) == (renews_at, renews_at)
    product.advance("P2M")
    product.catch_up()
    assert charged(product) == before


def test_once_the_renewal_is_charged_its_period_is_what_is_paid_for(begin: Begin) -> None:
    product = begin("monthly P1D", lambda it: live_through(it, "monthly", 5, "P1D"))
    product.advance("P1M")
    product.catch_up()
    assert product.rows()[f"ACCOUNT#{product.account}", "SUBSCRIPTION#subscription"][
        "unpaid_invoice"
    ] == {"NULL": True}
    assert cancel(product)["ends_at"] > rfc3339(runtime.now())


def test_slots_that_are_overdue_end_at_once_while_the_plan_goes_on(begin: Begin) -> None:
    def live(product: Product) -> None:
        live_through(product, "annual", 5, "P1D")
        product.pay(product.command("POST /subscription/card").json["url"], FAILS_AT_RENEWAL)
        product.catch_up()
        product.advance("P1M2D")
        product.catch_up()
        assert product.billing()["slots"]["overdue"] is not None

    product = begin("overdue slots", live)
    before = charged(product)
    answer = cancel(product, keep_slots=True)
    assert answer["charges"] == []
    assert answer["slots_ends_at"] < answer["ends_at"]
    assert "slots" not in ends_at_stripe(product)
    product.go_to(parse_rfc3339(answer["ends_at"]))
    assert charged(product) == before


def test_more_slots_that_wait_for_their_payment_are_withdrawn(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    url = product.command("POST /subscription/card").json["url"]
    assert product.pay(url, "4000002760003184", authenticate="approve").status_code == 200
    product.catch_up()
    assert product.command("PUT /slots", {"purchased": 7}).status == 402
    before = charged(product)
    cancel(product)
    product.catch_up()
    assert all(each.pending_update is None for each in product.subscriptions())
    product.advance("P2M")
    product.catch_up()
    assert charged(product) == before
    assert product.billing()["slots"]["pending_purchased"] is None


def test_an_end_set_months_ahead_in_stripes_dashboard_says_what_is_charged_until_then(
    begin: Begin,
) -> None:
    product = begin("monthly P1D", lambda it: live_through(it, "monthly", 5, "P1D"))
    base = next(each for each in product.subscriptions() if each.metadata["kind"] != "slots")
    ends = base["items"].data[0].current_period_end + 40 * 86_400
    product.at_stripe.v1.subscriptions.update(base.id, {"cancel_at": ends})
    product.catch_up()
    before, shown = charged(product), product.billing()["subscription"]
    assert shown["ends_at"] == rfc3339(from_epoch(ends))
    assert len(shown["charges"]) >= 3
    assert shown["next_charge"]["items"] == [{"kind": "subscription", "amount": 5900}]
    product.go_to(from_epoch(ends))
    product.advance("P2M")
    product.catch_up()
    assert charged(product) == before + named(shown)


def test_canceling_before_an_end_that_was_set_at_stripe_bills_nothing_more(begin: Begin) -> None:
    product = begin("monthly P1D", lambda it: live_through(it, "monthly", 5, "P1D"))
    base = next(each for each in product.subscriptions() if each.metadata["kind"] != "slots")
    ends = base["items"].data[0].current_period_end + 40 * 86_400
    product.at_stripe.v1.subscriptions.update(base.id, {"cancel_at": ends})
    product.catch_up()
    before = charged(product)
    assert cancel(product)["charges"] == []
    product.advance("P4M")
    assert charged(product) == before


def test_resuming_brings_back_all_that_has_not_ended(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    renews_at = product.billing()["subscription"]["renews_at"]
    cancel(product, keep_slots=True)
    answer = resume(product)
    assert answer == {"renews_at": renews_at, "slots_ended_at": None, "add_on_ended_at": None}
    product.catch_up()
    assert ends_at_stripe(product) == {"subscription": None, "slots": None}
    assert cancel(product)["charges"] == []


def test_once_the_slots_have_ended_resuming_brings_back_the_plan_and_says_so(
    begin: Begin,
) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    ended = cancel(product)["slots_ends_at"]
    product.advance("P40D")
    product.catch_up()
    assert resume(product)["slots_ended_at"] == ended
    billing = product.billing()
    assert billing["subscription"]["ends_at"] is None
    assert billing["slots"]["purchased"] == 0
    assert product.command("PUT /slots", {"purchased": 2}).json["purchased"] == 2


def test_what_falls_due_next_is_itemized_with_a_total_per_month(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    shown = product.billing()["subscription"]
    assert shown["next_charge"]["items"] == [{"kind": "slots", "amount": 24500}]
    assert shown["next_charge"]["estimated_at"] is None
    assert shown["monthly_total"]["amount"] == PRICE["annual"] // 12 + 24500


def as_it_was_canceled_before(product: Product) -> None:
    """An earlier version let slots renew until the plan ended."""
    slots, base = product.subscriptions()
    product.at_stripe.v1.subscriptions.update(base.id, {"cancel_at_period_end": True})
    product.hear_of_subscriptions()
    ends = base["items"].data[0].current_period_end
    product.at_stripe.v1.subscriptions.update(
        slots.id, {"cancel_at": ends, "metadata": {"ends_with": "base"}}
    )
    for each in (base.id, slots.id):
        record(product.account, each, "user-ana", runtime.now())


def test_who_canceled_under_an_earlier_rule_is_not_billed_again_and_is_told(
    begin: Begin,
) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    slots_end = product.billing()["slots"]["renews_at"]
    as_it_was_canceled_before(product)
    before = charged(product)
    product.sweep()
    assert product.billing()["slots"]["ends_at"] == slots_end
    product.sweep()
    told = product.call("GET /support/accounts/{account_id}/history").json["items"]
    assert [each["type"] for each in told].count("cancellation.corrected") == 1
    product.advance("P3M")
    assert charged(product) == before


def test_who_keeps_their_slots_has_nothing_corrected(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    kept = cancel(product, keep_slots=True)
    product.sweep()
    assert product.billing()["slots"]["ends_at"] == kept["slots_ends_at"]


def test_a_balance_counts_in_the_next_charge_as_stripe_works_it_out(begin: Begin) -> None:
    product = begin("annual P1D", lambda it: live_through(it, "annual", 5, "P1D"))
    product.at_stripe.v1.customers.balance_transactions.create(
        product.customers()[0].id, {"amount": -1000, "currency": "usd"}
    )
    product.catch_up()
    charge = product.billing()["subscription"]["next_charge"]
    assert charge["items"] == [
        {"kind": "slots", "amount": 24500},
        {"kind": "balance", "amount": -1000},
    ]
    assert (charge["amount"], charge["estimated_at"] is None) == (23500, False)
    product.go_to(parse_rfc3339(charge["at"]))
    product.advance("P1D")
    wanted: Any = {"customer": product.customers()[0].id, "limit": 1}
    (invoice,) = product.at_stripe.v1.invoices.list(wanted).data
    assert invoice.amount_paid == charge["amount"]
