"""A customer's events, given to the queue again as Stripe lists them."""

import json
from datetime import timedelta

import pytest

from billing import runtime
from billing.adapters import queue
from billing.adapters.stripe.events import EVENT_TYPES
from billing.domain.errors import Unavailable
from billing.usecases import reconciliation
from infra import deployment, replay_events
from tests.functions.product import Product
from tests.functions.purse import buy, order

HOUR = timedelta(hours=1)


def customer_of(product: Product) -> str:
    return product.customers()[0].id


def replay(product: Product) -> list[str]:
    """The ids that were sent, in their order."""
    return [each.id for each in reconciliation.replay(customer_of(product), runtime.now() - HOUR)]


def test_lost_events_are_sent_oldest_first_and_processed(product: Product) -> None:
    product.subscribe()
    wanted = [each["id"] for each in product.happened(*EVENT_TYPES)]
    assert replay(product) == wanted
    assert product.process() == []
    assert product.billing()["subscription"]["status"] == "active"


def test_a_processed_event_is_not_sent_again(product: Product) -> None:
    product.subscribe()
    product.deliver(product.happened("invoice.paid"))
    [paid] = product.happened("invoice.paid")
    sent = replay(product)
    assert sent
    assert paid["id"] not in sent
    assert product.process() == []
    assert replay(product) == []


def test_a_dispute_is_found_by_its_charge(subscribed: Product) -> None:
    order(subscribed, buy(subscribed), "dispute")
    sent = set(replay(subscribed))
    assert {each["id"] for each in subscribed.happened("charge.dispute.created")} <= sent


def test_another_customers_events_are_left_alone(product: Product) -> None:
    product.subscribe()
    other = product.beside(f"{product.account}-2")
    other.subscribe()
    assert replay(other)
    assert product.process() == []
    assert product.billing()["subscription"]["status"] == "none"
    assert other.billing()["subscription"]["status"] == "active"


def test_a_replayed_event_has_the_webhooks_group_and_deduplication(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.subscribe()
    sent: list[dict[str, str]] = []

    class Queue:
        def send_message(self, **asked: str) -> None:
            sent.append(asked)

    monkeypatch.setattr(queue, "_client", Queue())
    for event in product.happened("invoice.paid"):
        product.receive(event)
    by_webhook, sent[:] = list(sent), []
    replay(product)
    [replayed] = [
        each for each in sent if json.loads(each["MessageBody"])["type"] == "invoice.paid"
    ]
    assert [replayed] == by_webhook


def test_the_command_prints_what_was_sent_and_how_far_back_stripe_lists(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    product.subscribe()
    since = deployment.moment("2020-01-31")
    assert replay_events.replay(customer_of(product), since) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Stripe lists 30 days only: from 20")
    assert f"{product.happened('invoice.paid')[0]['id']} invoice.paid" in lines
    assert last == f"{len(lines)} events sent"


def test_the_command_fails_where_the_queue_takes_nothing(
    product: Product, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    product.subscribe()

    def refuse(event: object) -> None:
        raise Unavailable("queue_unavailable", "The event could not be kept.", 5)

    monkeypatch.setattr(queue, "send", refuse)
    assert replay_events.replay(customer_of(product), runtime.now() - HOUR) == 1
    assert capsys.readouterr().out.startswith("0 events sent, then: queue_unavailable")
