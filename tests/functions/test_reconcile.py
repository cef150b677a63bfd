"""The scheduled reconciler."""

from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

import reconcile
from billing import runtime
from billing.adapters.dynamodb import marks
from billing.usecases import reconciliation
from tests.factories import event_file
from tests.functions.product import Product
from tests.planted import caught


def run(milliseconds_left: int = 300_000) -> int:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds_left)
    return int(reconcile.handler(event_file("reconcile"), context)["queued"])


def test_it_finds_what_lost_webhooks_missed(product: Product) -> None:
    product.subscribe()
    assert product.billing()["subscription"]["status"] == "none"
    product.catch_up()
    assert product.billing()["subscription"]["status"] == "active"
    assert product.call("GET /invoices").json["items"][0]["status"] == "paid"


def test_what_is_on_record_is_not_queued_again(product: Product) -> None:
    product.subscribe()
    product.catch_up()
    product.advance("PT2H")
    product.catch_up()
    assert run() == 0


def test_what_is_not_of_our_making_is_gone_through_once(product: Product) -> None:
    stranger = product.at_stripe.v1.customers.create({"email": "stranger@x.test"})
    product.at_stripe.v1.customers.update(stranger.id, {"name": "Stranger"})
    assert product.catch_up() == 1
    assert product.catch_up() == 0


def test_a_run_that_was_cut_off_is_continued(product: Product) -> None:
    product.subscribe()
    before = marks.reconciled_until()
    run(milliseconds_left=0)
    assert marks.reconciled_until() == before
    product.catch_up()
    assert marks.reconciled_until() != before
    assert product.billing()["subscription"]["status"] == "active"


def test_what_happens_while_our_clock_is_ahead_of_stripes_is_found(product: Product) -> None:
    """Stripe stamps an event by its own clock, and lists some a little late."""
    ahead = runtime.now() + timedelta(minutes=30)
    reconciliation.reconcile(ahead, lambda: True)
    product.subscribe()
    assert reconciliation.reconcile(ahead + timedelta(minutes=1), lambda: True) > 0


test_a_reconciler_that_does_not_look_back_is_seen = caught(
    test_what_happens_while_our_clock_is_ahead_of_stripes_is_found,
    patch.object(reconciliation, "_OVERLAP", timedelta()),
)
