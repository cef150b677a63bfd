"""Packages: paid, refunded, disputed; whatever Stripe tells of it, in whatever order."""

import random
from typing import Any
from unittest.mock import patch

import pytest

from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.stripe import payments
from billing.adapters.stripe.snapshots import noted
from billing.domain.credits import Entry, EntryKind
from billing.domain.errors import Unavailable
from billing.domain.purchases import Payment
from billing.domain.subscription import Status
from billing.http import Request
from billing.usecases import purchases as recording
from tests.factories import subscription
from tests.functions.product import BANK_DEBIT, Product
from tests.functions.purse import ANA, buy, entries, open_page, order, send, wallet
from tests.functions.team import join, record, slots_subscription
from tests.planted import caught, fetching_first


@pytest.fixture
def shop(subscribed: Product) -> Product:
    """A team that subscribed at Stripe."""
    return subscribed


def kinds(product: Product) -> list[str]:
    """Of the ledger, oldest first."""
    return [entry.kind for entry in reversed(entries(product))]


def test_paid_for_n_exactly_n_credits(shop: Product) -> None:
    buy(shop, "credits_500", extra={"quantity": 3})
    shop.catch_up()
    assert wallet(shop).available == 1500
    [entry] = entries(shop)
    assert (entry.kind, entry.credits, entry.target, entry.by) == ("grant", 1500, ANA, ANA)
    assert shop.billing()["credits"]["total"] == 1500


def test_a_package_is_in_the_invoice_history(shop: Product) -> None:
    buy(shop)
    shop.catch_up()
    [invoice] = shop.call("GET /invoices", query={"kind": "package"}).json["items"]
    assert (invoice["status"], invoice["total"]["amount"]) == ("paid", 5000)


def test_nothing_is_granted_because_a_browser_came_back(shop: Product) -> None:
    buy(shop)
    assert wallet(shop).available == 0


def test_the_same_payment_delivered_twice_or_as_two_different_events_grants_once(
    shop: Product,
) -> None:
    buy(shop)
    [completed] = shop.happened("checkout.session.completed")[-1:]
    shop.deliver([completed, completed, {**completed, "id": "evt_twin"}])
    assert wallet(shop).available == 500
    assert len(entries(shop)) == 1


def test_two_workers_settle_the_same_payment_at_once_it_is_settled_once(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(shop)
    [completed] = shop.happened("checkout.session.completed")[-1:]
    whole = payments.payment_of
    overtaken: list[str] = []

    def overtaking(session: str) -> Any:
        found = whole(session)
        if not overtaken:
            overtaken.append(session)
            assert shop.record({**completed, "id": "evt_other_worker"}) == []
        return found

    monkeypatch.setattr(payments, "payment_of", overtaking)
    assert shop.record(completed) == []
    assert overtaken
    assert wallet(shop).available == 500


def test_grant_and_the_mark_against_doing_it_again_commit_together(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(shop)
    [completed] = shop.happened("checkout.session.completed")[-1:]
    whole = Transaction.commit

    def cut_off(write: Transaction) -> None:
        raise Unavailable("busy", "Cut off.", 1)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", cut_off)
        assert shop.record(completed) == [completed["id"]]
    assert (wallet(shop).available, entries(shop)) == (0, [])

    def answer_lost(write: Transaction) -> None:
        whole(write)
        raise Unavailable("busy", "The answer was lost.", 1)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", answer_lost)
        assert shop.record(completed) == [completed["id"]]
    assert shop.record(completed) == []
    assert (wallet(shop).available, len(entries(shop))) == (500, 1)


@pytest.mark.parametrize("succeed", [True, False])
def test_a_checkout_that_completed_unpaid_grants_nothing_its_later_success_grants_once(
    shop: Product, succeed: bool
) -> None:
    """And its failure grants nothing."""
    intent = buy(shop, card=BANK_DEBIT)
    shop.catch_up()
    assert wallet(shop).available == 0
    shop.settle(intent, succeed=succeed)
    shop.catch_up()
    shop.deliver(shop.happened("checkout.session.completed"))
    assert wallet(shop).available == (500 if succeed else 0)


def test_the_same_key_opens_the_same_page(shop: Product) -> None:
    first = open_page(shop, key="one")
    assert open_page(shop, key="one").json == first.json
    other = open_page(shop, "credits_2000", key="one")
    assert (other.status, other.code) == (409, "idempotency_key_reused")


def test_another_manager_does_not_get_the_page_whose_credits_are_the_first_ones(
    shop: Product,
) -> None:
    open_page(shop, key="one")
    bea: dict[str, str | None] = {"sub": "user-bea", "email": "bea@acme.test"}
    assert open_page(shop, key="one", claims=bea).code == "idempotency_key_reused"


def test_a_timeout_with_unknown_outcome_and_another_try_make_one_page(shop: Product) -> None:
    shop.order_faults([("POST", "/v1/checkout/sessions", "timeout_after")] * 3)
    assert open_page(shop, key="one").code == "stripe_unavailable"
    assert open_page(shop, key="one").status == 201
    customer = shop.customers()[0].id
    sessions = shop.at_stripe.v1.checkout.sessions.list({"customer": customer}).data
    assert [session.mode for session in sessions].count("payment") == 1


def test_a_failure_that_stripe_keeps_under_the_key_does_not_lock_the_request_out(
    shop: Product,
) -> None:
    shop.order_faults([("POST", "/v1/checkout/sessions", "500")])
    assert open_page(shop, key="one").status == 201


@pytest.mark.parametrize(
    ("extra", "status", "code"),
    [
        ({"package": "credits_1"}, 422, "unknown_package"),
        ({"package": "slot"}, 422, "unknown_package"),
        ({"quantity": 0}, 400, "invalid_input"),
        ({"quantity": 101}, 400, "invalid_input"),
        ({"price": "price_1"}, 400, "invalid_input"),
        ({"credits": 10**6}, 400, "invalid_input"),
    ],
)
def test_only_packages_of_the_catalog_are_sold(
    team: Product, extra: dict[str, Any], status: int, code: str
) -> None:
    refused = open_page(team, extra=extra)
    assert (refused.status, refused.code) == (status, code)


def test_without_access_no_credits_are_sold(product: Product) -> None:
    assert open_page(product).code == "no_access"
    record(product, subscription(status=Status.CANCELED))
    assert open_page(product).code == "no_access"


def test_a_refund_claws_back_once_and_a_shortfall_is_recorded(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    record(shop, slots_subscription(1))
    send(shop, join(shop), 300)
    order(shop, intent, "refund")
    refunded = shop.happened("charge.refunded")
    shop.deliver([*refunded, *refunded, {**refunded[0], "id": "evt_twin"}])
    after = wallet(shop)
    assert (after.available, after.debt, after.clawed_back) == (0, 300, 500)
    assert kinds(shop) == ["grant", "transfer", "clawback"]
    assert shop.billing()["credits"] == {
        "total": 0,
        "spent": 0,
        "held": 0,
        "remaining": 300,
        "debt": 300,
        "mine": 0,
    }


def test_a_later_purchase_pays_off_the_debt_first(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    record(shop, slots_subscription(1))
    send(shop, join(shop), 300)
    order(shop, intent, "refund")
    shop.catch_up()
    buy(shop)
    shop.catch_up()
    assert (wallet(shop).available, wallet(shop).debt) == (200, 0)


def test_partial_refunds_claw_back_their_share_and_all_of_them_everything(shop: Product) -> None:
    intent = buy(shop)
    for amount, left in ((1001, 400), (2499, 150), (1500, 0)):
        order(shop, intent, "refund", amount=amount)
        shop.catch_up()
        assert wallet(shop).available == left
    assert wallet(shop).clawed_back == 500


def test_a_refund_that_fails_gives_back_what_it_took(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    order(shop, intent, "refund")
    shop.deliver(shop.happened("charge.refunded"))
    assert (wallet(shop).available, wallet(shop).clawed_back) == (0, 500)
    order(shop, intent, "fail-refund")
    shop.deliver(shop.happened("refund.failed"))
    assert (wallet(shop).available, wallet(shop).clawed_back) == (500, 0)
    assert kinds(shop) == ["grant", "clawback", "return"]


def test_who_saw_a_refund_before_it_failed_records_it_no_more(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the one who saw it fail found nothing to do."""
    intent = buy(shop)
    shop.catch_up()
    order(shop, intent, "refund")
    [refunded] = shop.happened("charge.refunded")
    whole = payments.payment_of
    overtaken: list[str] = []

    def overtaking(purchase: str) -> Any:
        found = whole(purchase)
        if not overtaken:
            overtaken.append(purchase)
            order(shop, intent, "fail-refund")
            [failed] = shop.happened("refund.failed")
            assert shop.record(failed) == []
        return found

    monkeypatch.setattr(payments, "payment_of", overtaking)
    assert shop.record(refunded) == []
    assert (wallet(shop).available, wallet(shop).clawed_back) == (500, 0)


def test_a_refund_told_before_the_purchase_ends_in_the_same_state(shop: Product) -> None:
    intent = buy(shop)
    order(shop, intent, "refund", amount=2500)
    shop.deliver(shop.happened("charge.refunded"))
    shop.deliver(shop.happened())
    assert wallet(shop).available == 250
    assert kinds(shop) == ["grant", "clawback"]


def test_a_dispute_opened_freezes_it_does_not_debit(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    record(shop, slots_subscription(1))
    send(shop, join(shop), 200)
    order(shop, intent, "dispute")
    shop.catch_up()
    after = wallet(shop)
    assert (after.available, after.held, after.debt, after.clawed_back) == (0, 300, 0, 0)


def test_a_dispute_won_gives_back_exactly_what_was_frozen(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    order(shop, intent, "dispute")
    shop.catch_up()
    order(shop, intent, "dispute", outcome="won")
    shop.catch_up()
    assert (wallet(shop).available, wallet(shop).held) == (500, 0)
    assert kinds(shop) == ["grant", "hold", "return"]


def test_a_dispute_lost_claws_back_all_of_the_purchase(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    record(shop, slots_subscription(1))
    send(shop, join(shop), 200)
    order(shop, intent, "dispute")
    shop.catch_up()
    order(shop, intent, "dispute", outcome="lost")
    shop.catch_up()
    after = wallet(shop)
    assert (after.available, after.held, after.debt, after.clawed_back) == (0, 0, 200, 500)


def test_a_dispute_freezes_nothing_of_a_later_purchase(shop: Product) -> None:
    """What came first was used first."""
    intent = buy(shop)
    shop.catch_up()
    record(shop, slots_subscription(1))
    send(shop, join(shop), 500)
    buy(shop)
    shop.catch_up()
    order(shop, intent, "dispute")
    shop.catch_up()
    assert (wallet(shop).available, wallet(shop).held) == (500, 0)


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_refunds_around_a_dispute_net_out(shop: Product, outcome: str) -> None:
    intent = buy(shop)
    shop.catch_up()
    order(shop, intent, "refund", amount=1000)
    order(shop, intent, "dispute")
    shop.catch_up()
    assert (wallet(shop).held, wallet(shop).clawed_back) == (400, 100)
    order(shop, intent, "dispute", outcome=outcome)
    if outcome == "won":
        order(shop, intent, "refund")
    shop.catch_up()
    after = wallet(shop)
    assert (after.balance, after.held, after.clawed_back) == (0, 0, 500)


@pytest.mark.parametrize("seed", range(3))
def test_events_of_a_payment_in_any_order_and_twice_end_in_the_same_state(
    shop: Product, seed: int
) -> None:
    intent = buy(shop)
    order(shop, intent, "refund", amount=1000)
    order(shop, intent, "dispute", outcome="lost")
    events = [event for event in shop.happened() if not event["type"].startswith("customer.")]
    told = events + [{**event, "id": f"{event['id']}_twin"} for event in events]
    random.Random(seed).shuffle(told)
    shop.deliver(told)
    after = wallet(shop)
    assert (after.balance, after.held, after.clawed_back) == (0, 0, 500)
    assert kinds(shop) == [EntryKind.GRANT, EntryKind.CLAWBACK]


def test_a_refund_of_something_else_changes_no_credits(shop: Product) -> None:
    customer = shop.customers()[0].id
    [charge] = shop.at_stripe.v1.charges.list({"customer": customer}).data
    shop.at_stripe.v1.refunds.create({"charge": charge.id})
    shop.deliver(shop.happened("charge.refunded"))
    assert entries(shop) == []


def test_a_page_that_is_asked_for_again_minutes_later_is_the_same_one(shop: Product) -> None:
    """Asked again minutes later, Stripe finds what the first try made."""
    shop.order_faults([("POST", "/v1/checkout/sessions", "timeout_after")] * 3)
    assert open_page(shop, key="one").code == "stripe_unavailable"
    shop.advance("PT9M")
    assert open_page(shop, key="one").status == 201
    customer = shop.customers()[0].id
    sessions = shop.at_stripe.v1.checkout.sessions.list({"customer": customer}).data
    assert [session.mode for session in sessions].count("payment") == 1


def test_a_page_that_was_asked_for_too_long_ago_needs_a_new_key(shop: Product) -> None:
    shop.order_faults([("POST", "/v1/checkout/sessions", "timeout_after")] * 3)
    assert open_page(shop, key="one").code == "stripe_unavailable"
    shop.advance("PT1H")
    assert open_page(shop, key="one").code == "checkout_expired"
    assert open_page(shop, key="two").status == 201


def test_the_lines_of_an_invoice_sum_to_its_total_exactly(shop: Product) -> None:
    """Also those of a part of a month."""
    buy(shop, extra={"quantity": 3})
    shop.buy_slots_at_stripe(3)
    shop.advance("P10DT7H")
    [slots] = [each for each in shop.subscriptions() if noted(each, "kind") == "slots"]
    more: Any = {
        "items": [{"id": slots["items"].data[0].id, "quantity": 7}],
        "proration_behavior": "always_invoice",
    }
    shop.at_stripe.v1.subscriptions.update(slots.id, more)
    shop.catch_up()
    found = shop.call("GET /invoices").json["items"]
    assert max(len(invoice["lines"]) for invoice in found) == 2
    for invoice in found:
        lines = sum(line["total"]["amount"] for line in invoice["lines"])
        assert lines == invoice["total"]["amount"]


def _rounded_up(self: Payment, amount: int) -> int:
    return -(-self.credits * min(amount, self.amount) // (self.amount or 1))


def _counting_itself(rows: Any, granted: Entry, payment: Payment, *more: Any) -> int:
    return max(0, _left(rows, granted, payment, *more) - granted.credits)


_left = recording._left
_record = fetching_first(payments, "payment_of")(recording.record_purchase)

test_a_payment_fetched_before_its_row_is_read_is_seen = caught(
    test_who_saw_a_refund_before_it_failed_records_it_no_more,
    patch.object(recording, "record_purchase", _record),
)
test_a_share_of_a_refund_that_is_rounded_up_is_seen = caught(
    test_partial_refunds_claw_back_their_share_and_all_of_them_everything,
    patch.object(Payment, "_share", _rounded_up),
)
test_a_dispute_that_counts_its_own_grant_is_seen = caught(
    test_a_dispute_opened_freezes_it_does_not_debit,
    patch.object(recording, "_left", _counting_itself),
)
test_a_command_that_is_anybodys_who_has_its_key_is_seen = caught(
    test_another_manager_does_not_get_the_page_whose_credits_are_the_first_ones,
    patch.object(Request, "fingerprint", lambda self, about=None: str(about or self.json())),
)
