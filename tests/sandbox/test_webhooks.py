"""Webhooks: signed, in order, tried again, and out of order where that is ordered."""

import json
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.sandbox.shop import Listener, Shop, listening, running, wait_for


def tell(shop: Shop, listener: Listener, *types: str) -> str:
    """Register the listener; returns the secret."""
    events: Any = list(types or ["*"])
    made = shop.stripe.webhook_endpoints.create({"url": listener.url, "enabled_events": events})
    return str(made.secret)


def states(shop: Shop) -> list[str]:
    return [delivery["state"] for delivery in shop.read("deliveries")["deliveries"]]


def all_delivered(shop: Shop) -> bool:
    return set(states(shop)) == {"delivered"}


def test_an_event_arrives_signed_as_stripe_signs(own_shop: Shop, listener: Listener) -> None:
    secret = tell(own_shop, listener)
    customer = own_shop.customer()
    wait_for(lambda: listener.received)
    received = listener.received[0]
    stripe.WebhookSignature.verify_header(
        received.body.decode(), received.signature, secret, tolerance=300
    )
    event = stripe.Webhook.construct_event(received.body, received.signature, secret)
    assert event.type == "customer.created"
    assert event.data.object.id == customer
    assert (event.api_version, event.livemode) == ("2026-08-26.dahlia", False)
    request = listener.events()[0]["request"]
    assert request["id"].startswith("req_")
    assert request["idempotency_key"]


def test_a_tampered_body_does_not_verify(own_shop: Shop, listener: Listener) -> None:
    secret = tell(own_shop, listener)
    own_shop.customer()
    wait_for(lambda: listener.received)
    received = listener.received[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(
            received.body.decode() + " ", received.signature, secret
        )


def test_an_endpoint_hears_only_the_types_it_asked_for(own_shop: Shop, listener: Listener) -> None:
    tell(own_shop, listener, "invoice.paid", "checkout.session.completed")
    own_shop.subscribe()
    wait_for(lambda: len(listener.received) == 2)
    assert [e["type"] for e in listener.events()] == ["invoice.paid", "checkout.session.completed"]


def test_events_arrive_in_the_order_they_happened(own_shop: Shop, listener: Listener) -> None:
    tell(own_shop, listener)
    own_shop.subscribe()
    wait_for(lambda: all_delivered(own_shop))
    assert [e["type"] for e in listener.events()] == own_shop.event_types()


def test_an_update_tells_what_was_before(own_shop: Shop, listener: Listener) -> None:
    tell(own_shop, listener, "customer.updated")
    customer = own_shop.customer(metadata={"a": "1", "b": "2"})
    own_shop.stripe.customers.update(customer, {"name": "Bea", "metadata": {"a": "3"}})
    wait_for(lambda: listener.received)
    previous = listener.events()[0]["data"]["previous_attributes"]
    assert previous == {"name": "Ana", "metadata": {"a": "1"}}


def test_an_update_that_changes_nothing_is_no_event(own_shop: Shop) -> None:
    customer = own_shop.customer()
    own_shop.stripe.customers.update(customer, {"name": "Ana"})
    assert "customer.updated" not in own_shop.event_types()


def test_a_failing_endpoint_is_tried_again(own_shop: Shop) -> None:
    with listening(failures=1) as listener:
        tell(own_shop, listener)
        own_shop.customer()
        wait_for(lambda: all_delivered(own_shop))
        assert len({event["id"] for event in listener.events()}) == 1
        assert len(listener.received) == 2
        assert own_shop.read("deliveries")["deliveries"][0]["attempts"] == 2


def test_three_failures_end_in_failed_and_are_listed_as_such(own_shop: Shop) -> None:
    with listening(status=503) as listener:
        tell(own_shop, listener, "customer.created")
        own_shop.customer()
        wait_for(lambda: listener.received)
        own_shop.advance("P1D")
        assert states(own_shop) == ["failed"]
        answer = own_shop.read("deliveries")["deliveries"][0]["answer"]
        assert answer["status"] == 503
    undelivered = own_shop.stripe.events.list({"delivery_success": False}).data
    assert [event.type for event in undelivered] == ["customer.created"]
    delivered = own_shop.stripe.events.list({"delivery_success": True}).data
    assert "customer.created" not in [event.type for event in delivered]


def test_an_endpoint_that_cannot_be_reached_is_recorded_so(own_shop: Shop) -> None:
    with listening() as listener:
        url = listener.url
    own_shop.stripe.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    own_shop.customer()
    wait_for(lambda: own_shop.read("deliveries")["deliveries"][0]["attempts"] > 0)
    assert own_shop.read("deliveries")["deliveries"][0]["answer"]["status"] is None


def test_duplicates_are_the_same_event_twice(own_shop: Shop, listener: Listener) -> None:
    tell(own_shop, listener)
    own_shop.order("deliveries", {"duplicate": True})
    own_shop.customer()
    wait_for(lambda: len(listener.received) == 2)
    assert listener.events()[0] == listener.events()[1]


def test_twins_are_two_events_for_one_happening(own_shop: Shop, listener: Listener) -> None:
    tell(own_shop, listener)
    own_shop.order("deliveries", {"twin": True})
    own_shop.customer()
    wait_for(lambda: len(listener.received) == 2)
    first, second = listener.events()
    assert first["id"] != second["id"]
    assert (first["type"], first["data"]) == (second["type"], second["data"])


def test_held_events_go_out_once_released_reversed_if_so_ordered(
    own_shop: Shop, listener: Listener
) -> None:
    tell(own_shop, listener)
    own_shop.order("deliveries", {"hold": True})
    own_shop.subscribe()
    own_shop.advance("PT1M")
    assert listener.received == []
    own_shop.order("deliveries", {"hold": False, "reorder": True})
    wait_for(lambda: all_delivered(own_shop))
    assert [e["type"] for e in listener.events()] == own_shop.event_types()[::-1]


def test_an_event_can_be_sent_again_even_while_others_are_held(
    own_shop: Shop, listener: Listener
) -> None:
    tell(own_shop, listener)
    own_shop.customer()
    wait_for(lambda: listener.received)
    own_shop.order("deliveries", {"hold": True})
    id = listener.events()[0]["id"]
    assert own_shop.order(f"deliveries/{id}/resend", {}).status_code == 200
    assert [event["id"] for event in listener.events()] == [id, id]


def test_an_unknown_event_cannot_be_sent_again(own_shop: Shop) -> None:
    assert own_shop.order("deliveries/evt_no/resend", {}).status_code == 404


@pytest.mark.parametrize("order", [{"shuffle": True}, {"hold": "yes"}])
def test_an_unknown_order_is_refused(own_shop: Shop, order: Any) -> None:
    assert own_shop.order("deliveries", order).status_code == 400


def test_a_disabled_or_deleted_endpoint_hears_nothing(own_shop: Shop, listener: Listener) -> None:
    endpoints = own_shop.stripe.webhook_endpoints
    tell(own_shop, listener)
    id = endpoints.list().data[0].id
    assert endpoints.update(id, {"disabled": True}).status == "disabled"
    own_shop.customer()
    endpoints.delete(id)
    own_shop.customer()
    own_shop.advance("PT1M")
    assert listener.received == []


def test_the_outbox_survives_a_restart(tmp_path: Path, listener: Listener) -> None:
    state = tmp_path / "state.sqlite3"
    with running(state) as before:
        tell(before, listener)
        before.order("deliveries", {"hold": True})
        customer = before.customer()
    with running(state) as after:
        after.order("deliveries", {"hold": False})
        wait_for(lambda: listener.received)
        assert listener.events()[0]["data"]["object"]["id"] == customer


def test_events_are_found_by_type_time_and_id(own_shop: Shop) -> None:
    own_shop.subscribe()
    types: Any = ["invoice.paid", "customer.created"]
    found = own_shop.stripe.events.list({"types": types}).data
    assert [event.type for event in found] == ["invoice.paid", "customer.created"]
    later = own_shop.stripe.events.list({"created": {"gte": found[0].created + 60}}).data
    assert later == []
    assert own_shop.stripe.events.retrieve(found[0].id).type == "invoice.paid"


def test_events_are_kept_for_thirty_days(own_shop: Shop) -> None:
    own_shop.customer()
    own_shop.advance("P31D")
    assert own_shop.stripe.events.list().data == []


def test_hosted_addresses_in_events_can_be_opened(own_shop: Shop, listener: Listener) -> None:
    tell(own_shop, listener, "invoice.paid")
    own_shop.subscribe()
    wait_for(lambda: listener.received)
    url = json.loads(listener.received[0].body)["data"]["object"]["hosted_invoice_url"]
    assert url.startswith(own_shop.base)
