"""/slots/preview and PUT /slots: what is charged, what counts, and what is pending."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from billing.adapters.stripe import slots as stripe_slots
from billing.adapters.stripe.snapshots import noted
from billing.domain.times import parse_rfc3339
from billing.usecases import fulfilment
from tests.functions.product import FAILS_AT_RENEWAL, Begin, Product
from tests.functions.slots_page import (
    ALWAYS_3DS,
    approve,
    at_stripe,
    bought,
    invoices,
    preview,
    put,
    quoted,
    shown,
    subscribe,
    subscribe_in_yen,
)
from tests.functions.team import BEN, MIA, invite, join, remove
from tests.planted import caught, nothing


@pytest.fixture
def shop(begin: Begin) -> Product:
    """A subscribed account without slots."""
    return begin("subscribed by Checkout", subscribe)


def test_the_first_slots_are_a_monthly_subscription_charged_at_once(shop: Product) -> None:
    offer = preview(shop, 3).json
    assert offer["due_now"] == offer["from_next_renewal"] == {"amount": 14700, "currency": "usd"}
    answer = put(shop, 3, offer["quote"])
    assert answer.status == 200, answer.text
    assert (answer.json["purchased"], answer.json["free"]) == (3, 3)
    said, renews = map(parse_rfc3339, (offer["effective_at"], answer.json["renews_at"]))
    assert timedelta() <= renews - said < timedelta(minutes=1)
    assert answer.json == shop.billing()["slots"]
    assert (at_stripe(shop), invoices(shop)) == ([("active", 3)], [14700])


def test_more_slots_are_charged_by_the_second_exactly_as_quoted(shop: Product) -> None:
    bought(shop, 3)
    shop.advance("P10DT7H3M11S")
    offer = preview(shop, 5).json
    shop.advance("PT10M")
    answer = put(shop, 5, offer["quote"])
    assert answer.status == 200, answer.text
    assert answer.json["purchased"] == 5
    assert offer["from_next_renewal"]["amount"] == 5 * 4900
    assert offer["effective_at"] == answer.json["renews_at"]
    assert invoices(shop) == [14700, offer["due_now"]["amount"]]
    assert 0 < offer["due_now"]["amount"] < 2 * 4900
    assert at_stripe(shop) == [("active", 5)]


def test_fewer_are_pending_until_the_slots_renewal_and_then_billed(shop: Product) -> None:
    bought(shop, 5)
    offer = preview(shop, 2).json
    assert (offer["due_now"]["amount"], offer["from_next_renewal"]["amount"]) == (0, 2 * 4900)
    lowered = put(shop, 2, offer["quote"]).json
    assert (lowered["purchased"], lowered["pending_purchased"]) == (5, 2)
    assert offer["effective_at"] == lowered["renews_at"]
    assert lowered["free"] == 2
    assert [invite(shop, f"{name}@acme.test").status for name in "abc"] == [201, 201, 409]
    shop.advance("P1M1D")
    shop.catch_up()
    assert invoices(shop) == [5 * 4900, 2 * 4900]
    assert shown(shop) == (2, None)


def test_a_lower_number_can_be_changed_and_taken_back(shop: Product) -> None:
    bought(shop, 5)
    for wanted in (3, 1, 4):
        assert put(shop, wanted).json["pending_purchased"] == wanted
    assert shown(shop) == (5, 4)
    assert put(shop, 5).json["pending_purchased"] is None
    shop.advance("P1M1D")
    shop.catch_up()
    assert invoices(shop) == [5 * 4900, 5 * 4900]


def test_more_in_the_month_of_a_lowering_takes_it_back_and_charges_only_what_is_new(
    shop: Product,
) -> None:
    bought(shop, 3)
    shop.advance("P10D")
    put(shop, 1)
    offer = preview(shop, 4).json
    raised = put(shop, 4, offer["quote"])
    assert (raised.status, raised.json["pending_purchased"]) == (200, None)
    assert invoices(shop) == [3 * 4900, offer["due_now"]["amount"]]
    assert 0 < offer["due_now"]["amount"] < 4900


def test_more_are_bought_in_the_month_after_a_lowering(shop: Product) -> None:
    bought(shop, 3)
    put(shop, 2)
    shop.advance("P1M1D")
    shop.catch_up()
    offer = preview(shop, 3).json
    assert put(shop, 3, offer["quote"]).json["purchased"] == 3
    assert invoices(shop) == [3 * 4900, 2 * 4900, offer["due_now"]["amount"]]


def test_no_slots_ends_them_with_their_period(shop: Product) -> None:
    bought(shop, 2)
    assert put(shop, 0).json["pending_purchased"] == 0
    shop.catch_up()
    assert (shown(shop), invite(shop).code) == ((2, 0), "no_free_slot")
    assert put(shop, 2).json["pending_purchased"] is None
    assert put(shop, 0).json["pending_purchased"] == 0
    shop.advance("P1M1D")
    shop.catch_up()
    assert (invoices(shop), shown(shop)) == ([2 * 4900], (0, None))
    bought(shop, 1)
    assert sorted(at_stripe(shop)) == [("active", 1), ("canceled", 2)]


def test_keeping_a_subscription_that_goes_on_leaves_slots_that_end(shop: Product) -> None:
    bought(shop, 2)
    put(shop, 0)
    assert shop.command("POST /subscription/resume").status == 200
    assert shown(shop) == (2, 0)


def test_fewer_slots_than_are_in_use_is_refused_with_the_list_of_who_holds_them(
    shop: Product,
) -> None:
    bought(shop, 3)
    member = join(shop, BEN)
    invited = invite(shop, MIA, name="Mia").json["id"]
    for refused in (preview(shop, 1), put(shop, 1)):
        assert (refused.status, refused.code) == (409, "slots_in_use")
        assert refused.json["members"] == [
            {"id": member, "email": BEN, "name": "From Token", "status": "active"},
            {"id": invited, "email": MIA, "name": "Mia", "status": "invited"},
        ]
    assert shown(shop) == (3, None)
    remove(shop, invited)
    assert put(shop, 1).json["pending_purchased"] == 1


def test_where_more_are_in_use_than_paid_for_some_can_be_bought(shop: Product) -> None:
    bought(shop, 2)
    join(shop, MIA)
    join(shop, BEN)
    slots = [each.id for each in shop.subscriptions() if noted(each, "kind") == "slots"]
    shop.at_stripe.v1.subscriptions.cancel(slots[0])
    shop.catch_up()
    bought(shop, 1)


@pytest.mark.parametrize("first", [True, False])
def test_slots_that_the_bank_must_approve_count_once_they_are_paid(
    product: Product, first: bool
) -> None:
    subscribe(product, ALWAYS_3DS)
    if not first:
        approve(product, put(product, 2).json["url"])
        product.catch_up()
    before = 0 if first else 2
    offer = quoted(product, 3)
    refused = put(product, 3, offer, key="one")
    assert (refused.status, refused.code) == (402, "payment_needed")
    product.catch_up()
    assert shown(product) == (before, None)
    again = put(product, 3, key="another")
    assert put(product, 3, key="another").json["url"] == again.json["url"]
    assert put(product, 3, offer, key="one").code == "changed_meanwhile"
    approve(product, again.json["url"])
    product.catch_up()
    assert (shown(product), invite(product).status) == ((3, None), 201)
    assert put(product, 3, key="another").json["purchased"] == 3
    assert len(invoices(product)) == (1 if first else 2)
    assert len([each for each in at_stripe(product) if each[0] == "active"]) == 1


def test_a_card_that_is_declined_leaves_nothing_that_counts(product: Product) -> None:
    subscribe(product, FAILS_AT_RENEWAL)
    refused = put(product, 3, key="one")
    assert (refused.status, refused.code) == (402, "payment_needed")
    product.catch_up()
    assert (shown(product), invoices(product)) == ((0, None), [])
    product.advance("P2D")
    product.catch_up()
    assert (at_stripe(product), shown(product)) == ([("incomplete_expired", 3)], (0, None))
    assert put(product, 3, key="one").code == "slots_not_paid"


def test_an_order_that_waits_for_its_payment_gives_way_to_a_later_one(product: Product) -> None:
    subscribe(product, ALWAYS_3DS)
    approve(product, put(product, 2).json["url"])
    product.catch_up()
    waiting = put(product, 5).json["url"]
    assert put(product, 2).json["purchased"] == 2
    with pytest.raises(Exception, match="can no longer be paid"):
        approve(product, waiting)
    assert (shown(product), len(invoices(product, "void"))) == ((2, None), 1)


def test_slots_paid_for_after_the_subscription_was_cancelled_end_with_it(
    product: Product,
) -> None:
    subscribe(product, ALWAYS_3DS)
    url = put(product, 2).json["url"]
    product.command("POST /subscription/cancel")
    product.catch_up()
    approve(product, url)
    product.catch_up()
    assert shown(product) == (2, None)
    assert all(each.cancel_at is not None for each in product.subscriptions())


def test_slots_that_were_to_be_fewer_end_with_a_subscription_that_is_ended_at_stripe(
    shop: Product,
) -> None:
    """As somebody does in Stripe's dashboard, or by cancelling beside the lowering."""
    bought(shop, 5)
    put(shop, 2)
    (base,) = (each for each in shop.subscriptions() if noted(each, "kind") == "subscription")
    shop.at_stripe.v1.subscriptions.update(base.id, {"cancel_at_period_end": True})
    shop.catch_up()
    assert all(each.cancel_at is not None for each in shop.subscriptions())
    shop.advance("P2M")
    shop.catch_up()
    assert {each.status for each in shop.subscriptions()} == {"canceled"}
    assert invoices(shop) == [5 * 4900]


def test_what_ends_or_is_overdue_buys_no_slots(shop: Product) -> None:
    shop.command("POST /subscription/cancel")
    assert (preview(shop, 1).code, put(shop, 1).code) == ("subscription_ending",) * 2
    assert at_stripe(shop) == []


def test_without_a_subscription_there_are_no_slots(product: Product) -> None:
    assert (preview(product, 1).code, put(product, 1).code) == ("not_subscribed",) * 2


@pytest.mark.parametrize("purchased", [-1, 1001, 1.5, "3", None, True])
def test_a_number_that_cannot_be_is_refused(product: Product, purchased: Any) -> None:
    for refused in (preview(product, purchased), put(product, purchased)):
        assert (refused.status, refused.code) == (400, "invalid_input")


def test_yen_are_never_multiplied_by_100_prorations_included(product: Product) -> None:
    charged = subscribe_in_yen(product, price=500, quantity=2)
    product.advance("P10D")
    offer = preview(product, 4).json
    answer = put(product, 4, offer["quote"])
    assert (answer.status, answer.json["price"]) == (200, {"amount": 500, "currency": "jpy"})
    assert offer["from_next_renewal"] == {"amount": 2000, "currency": "jpy"}
    assert offer["due_now"]["currency"] == "jpy"
    assert 600 <= offer["due_now"]["amount"] <= 720
    assert invoices(product) == [charged, offer["due_now"]["amount"]]
    put(product, 1)
    assert preview(product, 5).json["due_now"]["amount"] in range(300, 361)


test_an_order_that_has_the_key_of_every_other_one_is_seen = caught(
    test_more_slots_are_charged_by_the_second_exactly_as_quoted,
    patch.object(stripe_slots, "_key", lambda change: f"slots-{change.attempt}"),
)
test_a_late_order_that_does_not_follow_the_base_is_seen = caught(
    test_slots_paid_for_after_the_subscription_was_cancelled_end_with_it,
    patch.object(fulfilment, "follow_base", nothing),
)
