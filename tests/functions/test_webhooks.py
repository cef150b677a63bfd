"""Stripe's events, from the webhook to the account's rows."""

import base64
import random
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import boto3
import pytest

import webhook_process
from billing.adapters import queue, secrets
from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.stripe import gateway
from billing.domain.errors import Unavailable
from billing.domain.subscription import Status
from billing.usecases import fulfilment
from tests.factories import api_event
from tests.functions.product import BANK_DEBIT, Product
from tests.planted import caught, fetching_first
from webhook_receive import api as receiver


def test_paying_and_the_webhooks_make_the_subscription_active(product: Product) -> None:
    product.subscribe()
    product.deliver(product.happened())
    billing = product.billing()
    assert billing["subscription"]["status"] == "active"
    assert billing["subscription"]["plan"] == {"id": "starter", "name": "Starter"}
    assert billing["subscription"]["card"]["last4"] == "4242"
    assert billing["access"] == {"state": "active", "until": None}


def test_nothing_is_active_before_stripe_says_so(product: Product) -> None:
    product.subscribe()
    assert product.billing()["subscription"]["status"] == "none"
    assert product.billing()["access"]["state"] == "none"


def test_every_event_twice_changes_nothing_more(product: Product) -> None:
    product.subscribe()
    product.deliver(product.happened())
    once = product.rows()
    product.deliver(product.happened())
    assert product.rows() == once


def test_one_happening_under_two_event_ids_ends_in_the_same_state(product: Product) -> None:
    product.subscribe()
    product.deliver(product.happened())
    once = product.billing()
    product.deliver([{**event, "id": event["id"] + "_twin"} for event in product.happened()])
    assert product.billing() == once
    assert len(product.call("GET /invoices").json["items"]) == 1


@pytest.mark.parametrize("seed", range(5))
def test_events_in_any_order_end_in_the_same_state(product: Product, seed: int) -> None:
    product.subscribe()
    events = product.happened()
    random.Random(seed).shuffle(events)
    product.deliver(events)
    assert product.billing()["subscription"]["status"] == "active"
    assert product.call("GET /invoices").json["items"][0]["status"] == "paid"


def test_a_late_updated_after_deleted_resurrects_nothing(product: Product) -> None:
    product.subscribe()
    product.deliver(product.happened())
    customer = product.customers()[0].id
    bought = product.at_stripe.v1.subscriptions.list({"customer": customer}).data[0]
    product.at_stripe.v1.subscriptions.cancel(bought.id)
    product.deliver(product.happened("customer.subscription.deleted"))
    assert product.billing()["subscription"]["status"] == "canceled"
    late = product.happened("customer.subscription.created")[0]
    late |= {"id": "evt_late", "type": "customer.subscription.updated"}
    product.deliver([late])
    assert product.billing()["subscription"]["status"] == "canceled"
    assert product.billing()["access"]["state"] == "ended"


def test_updated_racing_created_ends_active(product: Product) -> None:
    """The payload of a `created` says incomplete; what is fetched says active."""
    product.subscribe()
    product.deliver(product.happened("checkout.session.completed"))
    created = product.happened("customer.subscription.created")[0]
    created["data"]["object"]["status"] = "incomplete"
    product.deliver([created])
    assert product.billing()["subscription"]["status"] == "active"


def test_related_events_leave_one_row_each(product: Product) -> None:
    product.subscribe()
    product.deliver(product.happened())
    sort_keys = [sk for pk, sk in product.rows() if pk == f"ACCOUNT#{product.account}"]
    assert sorted(sk.split("#")[0] for sk in sort_keys) == [
        "ACCOUNT",
        "CHECKOUT",
        "MEMBER",
        "SUBSCRIPTION",
        "WALLET",
    ]


def test_a_writer_that_fetched_earlier_never_overwrites_a_later_one(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one event's snapshot waits to be written, another event records the end."""
    product.subscribe()
    product.deliver(product.happened())
    customer = product.customers()[0].id
    bought = product.at_stripe.v1.subscriptions.list({"customer": customer}).data[0]
    slow = {**product.happened("customer.subscription.created")[0], "id": "evt_slow"}
    whole = gateway.subscription
    overtaken: list[str] = []

    def overtaking(subscription_id: str) -> Any:
        fetched = whole(subscription_id)
        if not overtaken:
            overtaken.append(subscription_id)
            product.at_stripe.v1.subscriptions.cancel(bought.id)
            (deleted,) = product.happened("customer.subscription.deleted")
            assert product.record(deleted) == []
        return fetched

    monkeypatch.setattr(gateway, "subscription", overtaking)
    assert product.record(slow) == []
    assert overtaken
    assert product.billing()["subscription"]["status"] == "canceled"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is shown again at once, as if its time had passed."""
    whole = queue.try_again_in
    monkeypatch.setattr(queue, "try_again_in", lambda receipt, seconds: whole(receipt, 0))


@pytest.mark.usefixtures("impatient")
def test_an_event_that_fails_stays_in_the_queue_with_its_customers_later_ones(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.subscribe()
    events = product.happened(
        "customer.subscription.created", "invoice.paid", "checkout.session.completed"
    )
    for event in events:
        product.receive(event)
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "subscription", _unavailable)
        patch.setattr(gateway, "checkout_facts", _unavailable)
        patch.setattr(gateway, "invoice", _unavailable)
        assert product.process() == [events[0]["id"]]
    assert product.billing()["subscription"]["status"] == "none"
    assert product.process() == []
    assert product.billing()["subscription"]["status"] == "active"


def _unavailable(*args: Any) -> None:
    raise Unavailable("stripe_unavailable", "No answer.", 5)


@pytest.mark.usefixtures("impatient")
def test_a_failure_before_the_effect_leaves_no_mark_so_redelivery_processes_it(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.subscribe()
    completed = product.happened("checkout.session.completed")[0]
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", _unavailable)
        product.receive(completed)
        assert product.process() == [completed["id"]]
    assert not marks.stripe_event_done(completed["id"])
    assert product.process() == []
    assert product.billing()["subscription"]["status"] == "active"


def test_an_event_for_a_customer_not_known_yet_is_retried_not_dropped(product: Product) -> None:
    customer = product.at_stripe.v1.customers.create({"metadata": {"account_id": product.account}})
    event = _event("customer.updated", {"id": customer.id, "object": "customer", "created": 1})
    assert product.receive(event).status == 200
    assert product.process() == [event["id"]]


def test_an_event_of_a_customer_that_is_not_ours_is_passed_over(product: Product) -> None:
    customer = product.at_stripe.v1.customers.create({})
    event = _event("customer.updated", {"id": customer.id, "object": "customer", "created": 1})
    before = product.rows()
    product.deliver([event])
    assert product.rows() == before


def test_an_incomplete_expired_subscription_is_never_adopted(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.subscribe()
    whole = gateway.subscription

    def expired(subscription_id: str) -> Any:
        fetched = whole(subscription_id)
        assert fetched is not None
        return replace(fetched, status=Status.INCOMPLETE_EXPIRED)

    monkeypatch.setattr(gateway, "subscription", expired)
    product.deliver(product.happened())
    assert product.billing()["subscription"]["status"] == "none"


def test_a_customer_deleted_at_stripe_is_unlinked_and_the_next_checkout_makes_another(
    product: Product,
) -> None:
    product.open_checkout("one")
    first = product.customers()[0].id
    product.at_stripe.v1.customers.delete(first)
    product.catch_up()
    product.advance("PT2H")
    assert product.open_checkout("two").status == 201
    assert [each.id for each in product.customers()] != [first]


def test_an_unknown_type_is_answered_and_not_kept(product: Product) -> None:
    answer = product.receive(_event("invoice.created", {"id": "in_1", "created": 1}))
    assert (answer.status, answer.json, product.queued()) == (200, {"received": True}, 0)


def test_an_event_of_a_connected_account_is_answered_and_not_kept(product: Product) -> None:
    event = _event("invoice.paid", {"id": "in_1", "created": 1, "customer": "cus_1"})
    assert product.receive({**event, "account": "acct_other"}).status == 200
    assert product.queued() == 0


def test_an_event_whose_api_version_is_not_the_pinned_one_is_refused_and_alerted(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    event = _event("invoice.paid", {"id": "in_1", "created": 1, "customer": "cus_1"})
    answer = product.receive({**event, "api_version": "2019-02-11"})
    assert (answer.status, answer.code, product.queued()) == (400, "wrong_api_version", 0)
    assert '"Alert":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_an_event_of_live_mode_is_refused_by_a_test_deployment(product: Product) -> None:
    event = _event("invoice.paid", {"id": "in_1", "created": 1, "customer": "cus_1"})
    answer = product.receive({**event, "livemode": True})
    assert (answer.status, answer.code) == (400, "wrong_mode")


@pytest.mark.parametrize("fault", [{"secret": "whsec_other"}, {"age": 301}, {"age": -301}])
def test_what_stripe_did_not_sign_just_now_is_refused(
    product: Product, fault: dict[str, Any]
) -> None:
    event = _event("invoice.paid", {"id": "in_1", "created": 1, "customer": "cus_1"})
    answer = product.receive(event, **fault)
    assert (answer.status, answer.code, product.queued()) == (400, "bad_signature", 0)


def test_a_body_in_base64_is_verified_untouched(product: Product) -> None:
    event = api_event("webhook_receive")
    event["body"] = base64.b64encode(b'{"id":"\xff"}').decode()
    event["isBase64Encoded"] = True
    assert receiver(event, None)["statusCode"] == 400


@pytest.mark.parametrize("secret", ["{}", '{"api_key":"k","webhook_secrets":[""]}', '{"a":'])
def test_without_a_webhook_secret_nothing_is_accepted(
    product: Product, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setattr(secrets, "_SECRET", f"stripe-{hash(secret)}")
    name = secrets._SECRET
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=secret)
    event = _event("invoice.paid", {"id": "in_1", "created": 1, "customer": "cus_1"})
    assert product.receive(event, secret="").status == 500
    assert product.queued() == 0


def test_an_event_that_the_queue_does_not_take_is_not_acknowledged(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/gone")
    event = _event("invoice.paid", {"id": "in_1", "created": 1, "customer": "cus_1"})
    assert product.receive(event).status == 503


def _event(kind: str, subject: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": f"evt_{kind}_{subject['id']}",
        "object": "event",
        "api_version": "2026-08-26.dahlia",
        "created": 1,
        "livemode": False,
        "type": kind,
        "data": {"object": subject},
    }
    return event


@pytest.mark.parametrize("succeed", [True, False])
def test_a_payment_that_settles_later_is_pending_until_it_comes_or_fails(
    product: Product, succeed: bool
) -> None:
    paid = product.pay(product.open_checkout().json["url"], BANK_DEBIT).json()
    product.catch_up()
    assert product.billing()["access"]["state"] in ("none", "active")
    product.settle(paid["intent"], succeed=succeed)
    product.catch_up()
    billing = product.billing()
    assert billing["subscription"]["checkout"] is None
    assert (billing["access"]["state"] == "active") == succeed


def test_a_customer_deleted_at_stripe_has_no_access_any_more(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    product.at_stripe.v1.customers.delete(product.customers()[0].id)
    product.catch_up()
    assert product.billing()["access"]["state"] == "ended"
    assert product.open_checkout("again").status == 201


_fetching_first = fetching_first(gateway, "subscription")(fulfilment.record_subscription)

test_a_subscription_fetched_before_its_row_is_read_is_seen = caught(
    test_a_writer_that_fetched_earlier_never_overwrites_a_later_one,
    patch.dict(webhook_process.HANDLERS, {"customer.subscription.created": _fetching_first}),
)
