"""What the clock brings: renewals, retries, ends."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local.stripe_sandbox import periods
from infra.local.stripe_sandbox.money import prorated, written
from tests.sandbox.shop import Shop, running, wait_for

Begin = Callable[[str], Shop]
"""Start a sandbox whose clock begins at the given time."""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def dates(anchor: str, interval: str, count: int, number: int) -> list[str]:
    found = [periods.boundary(at(anchor), interval, count, n) for n in range(1, number + 1)]
    return [f"{datetime.fromtimestamp(each, UTC):%Y-%m-%dT%H:%M}" for each in found]


def subscription(shop: Shop, id: str) -> Any:
    return shop.stripe.subscriptions.retrieve(id, {"expand": ["latest_invoice"]})


def statuses(shop: Shop, customer: Any) -> list[str | None]:
    """Of the customer's invoices, oldest first."""
    return [invoice.status for invoice in shop.stripe.invoices.list({"customer": customer})][::-1]


def types(moved: dict[str, Any]) -> list[str]:
    return [event["type"] for event in moved["events"]]


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "expected"),
    [
        ("2027-01-31T10:00", "month", 1, ["2027-02-28T10:00", "2027-03-31T10:00"]),
        ("2028-01-31T10:00", "month", 1, ["2028-02-29T10:00", "2028-03-31T10:00"]),
        ("2027-11-30T00:00", "month", 3, ["2028-02-29T00:00", "2028-05-30T00:00"]),
        ("2028-02-29T12:00", "year", 1, ["2029-02-28T12:00", "2030-02-28T12:00"]),
        ("2027-03-27T01:30", "week", 1, ["2027-04-03T01:30", "2027-04-10T01:30"]),
        ("2027-12-31T23:59", "day", 1, ["2028-01-01T23:59", "2028-01-02T23:59"]),
    ],
)
def test_periods_keep_their_anchor_day(
    anchor: str, interval: str, count: int, expected: list[str]
) -> None:
    assert dates(anchor, interval, count, 2) == expected


def test_the_leap_day_comes_back_after_four_years() -> None:
    assert dates("2028-02-29T12:00", "year", 1, 4)[-1] == "2032-02-29T12:00"


def test_the_end_of_a_period_is_the_first_boundary_after_its_start() -> None:
    anchor, february = at("2027-01-31T10:00"), at("2027-02-28T10:00")
    assert periods.end_of_period(anchor, "month", 1, february) == at("2027-03-31T10:00")
    assert periods.end_of_period(anchor, "month", 1, february - 1) == february


@pytest.mark.parametrize(
    ("amount", "part", "whole", "expected"),
    [(1000, 1, 2, 500), (1, 1, 2, 1), (-1, 1, 2, -1), (1000, 1, 3, 333), (2000, 1, 3, 667)],
)
def test_proration_rounds_to_the_nearest_unit(
    amount: int, part: int, whole: int, expected: int
) -> None:
    assert prorated(amount, part, whole) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(123456, "usd", "1,234.56 USD"), (-5, "eur", "-0.05 EUR"), (1200, "jpy", "1,200 JPY")],
)
def test_sums_are_written_with_their_currencys_places(
    amount: int, currency: str, text: str
) -> None:
    assert written(amount, currency) == text


def test_a_month_later_the_next_period_is_paid(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe()
    first = subscribed["items"].data[0]
    moved = own_shop.advance("P1M")
    renewed = subscription(own_shop, subscribed.id)
    second = renewed["items"].data[0]
    assert second.current_period_start == first.current_period_end
    assert renewed.latest_invoice.status == "paid"
    assert renewed.latest_invoice.billing_reason == "subscription_cycle"
    line = renewed.latest_invoice.lines.data[0]
    assert (line.period.start, line.period.end) == (
        second.current_period_start,
        second.current_period_end,
    )
    order = ["invoice.created", "customer.subscription.updated", "invoice.finalized"]
    assert [type for type in types(moved) if type in order] == order
    assert renewed.latest_invoice.number.endswith("-0002")


def test_a_year_is_twelve_renewals_on_the_anchor_day(shop_at: Begin) -> None:
    shop = shop_at("2028-01-31T12:00:00Z")
    subscribed = shop.subscribe()
    shop.advance("P1Y")
    invoices = shop.stripe.invoices.list({"customer": subscribed.customer, "limit": 20}).data
    starts = [invoice.lines.data[0].period.start for invoice in invoices][::-1]
    days = [datetime.fromtimestamp(start, UTC).day for start in starts]
    assert days == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31]
    assert {invoice.status for invoice in invoices} == {"paid"}


def test_a_quarter_is_three_months(shop_at: Begin) -> None:
    shop = shop_at("2027-11-30T12:00:00Z")
    price = shop.price(recurring={"interval": "month", "interval_count": 3})
    subscribed = shop.subscribe(line_items=[{"price": price, "quantity": 1}])
    end = subscribed["items"].data[0].current_period_end
    assert f"{datetime.fromtimestamp(end, UTC):%Y-%m-%d}" == "2028-02-29"


def test_a_renewal_that_fails_is_retried_then_cancelled(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe(card="4000000000000341")
    moved = own_shop.advance("P1M")
    overdue = subscription(own_shop, subscribed.id)
    assert overdue.status == "past_due"
    assert overdue.latest_invoice.status == "open"
    assert overdue.latest_invoice.attempt_count == 1
    assert "invoice.payment_failed" in types(moved)
    waits = []
    while (due := overdue.latest_invoice.next_payment_attempt) is not None:
        waits.append(due - at(own_shop.read("clock")["now"].removesuffix("Z")))
        own_shop.advance(f"P{round(waits[-1] / 86_400)}D")
        overdue = subscription(own_shop, subscribed.id)
    assert [round(wait / 86_400) for wait in waits] == [3, 5, 7]
    assert overdue.latest_invoice.attempt_count == 4
    assert overdue.status == "canceled"
    assert overdue.cancellation_details.reason == "payment_failed"
    own_shop.advance("P2M")
    assert statuses(own_shop, subscribed.customer) == ["paid", "open"]


def test_the_account_may_choose_unpaid_instead(tmp_path: Path) -> None:
    with running(tmp_path / "state.sqlite3", after_retries="unpaid") as shop:
        subscribed = shop.subscribe(card="4000000000000341")
        shop.advance("P1M")
        shop.advance("P16D")
        assert subscription(shop, subscribed.id).status == "unpaid"
        shop.advance("P1M")
        assert statuses(shop, subscribed.customer) == ["paid", "open", "draft"]


def test_a_new_card_saves_an_overdue_subscription(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe(card="4000000000000341")
    own_shop.advance("P1M")
    setup = own_shop.checkout("setup", customer=subscribed.customer)
    own_shop.pay(setup.id)
    done = own_shop.stripe.checkout.sessions.retrieve(setup.id, {"expand": ["setup_intent"]})
    card: Any = done.setup_intent.payment_method  # type: ignore[union-attr]
    own_shop.stripe.subscriptions.update(subscribed.id, {"default_payment_method": card})
    overdue = subscription(own_shop, subscribed.id).latest_invoice
    assert own_shop.stripe.invoices.pay(overdue.id).status == "paid"
    assert subscription(own_shop, subscribed.id).status == "active"
    own_shop.advance("P32D")
    assert statuses(own_shop, subscribed.customer) == ["paid", "paid", "paid"]


def test_a_renewal_that_needs_the_bank_is_finished_on_the_hosted_page(own_shop: Shop) -> None:
    opened = own_shop.checkout(customer=own_shop.customer())
    paid = own_shop.pay(opened.id, "4000002760003184", authenticate="approve").json()
    moved = own_shop.advance("P1M")
    assert "invoice.payment_action_required" in types(moved)
    overdue = subscription(own_shop, paid["subscription"])
    assert overdue.status == "past_due"
    url = overdue.latest_invoice.hosted_invoice_url
    asked = own_shop.http.post(url, data={"card": "4000002760003184", "expiry": "12/40"})
    assert asked.status_code == 303
    bank = f"{own_shop.base}{asked.headers['location']}"
    answered = own_shop.http.post(bank, data={"answer": "approve"})
    assert answered.headers["location"] == f"/i/{overdue.latest_invoice.id}"
    assert subscription(own_shop, paid["subscription"]).status == "active"


def test_a_card_that_was_set_up_once_renews_without_the_bank(own_shop: Shop) -> None:
    opened = own_shop.checkout(customer=own_shop.customer())
    paid = own_shop.pay(opened.id, "4000002500003155", authenticate="approve").json()
    own_shop.advance("P1M")
    assert subscription(own_shop, paid["subscription"]).latest_invoice.status == "paid"


def test_cancelled_at_period_end_it_ends_then_and_is_never_billed_again(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe()
    end = subscribed["items"].data[0].current_period_end
    flagged = own_shop.stripe.subscriptions.update(subscribed.id, {"cancel_at_period_end": True})
    assert (flagged.status, flagged.cancel_at, flagged.cancel_at_period_end) == (
        "active",
        end,
        True,
    )
    moved = own_shop.advance("P1M")
    ended = subscription(own_shop, subscribed.id)
    assert (ended.status, ended.ended_at) == ("canceled", end)
    assert types(moved) == ["customer.subscription.deleted"]
    own_shop.advance("P1Y")
    assert statuses(own_shop, subscribed.customer) == ["paid"]


@pytest.mark.parametrize("undo", [{"cancel_at": ""}, {"cancel_at_period_end": False}])
def test_a_cancellation_can_be_taken_back(own_shop: Shop, undo: Any) -> None:
    subscribed = own_shop.subscribe()
    update = own_shop.stripe.subscriptions.update
    update(subscribed.id, {"cancel_at_period_end": True})
    kept = update(subscribed.id, undo)
    assert (kept.cancel_at, kept.cancel_at_period_end, kept.canceled_at) == (None, False, None)
    own_shop.advance("P1M")
    assert statuses(own_shop, subscribed.customer) == ["paid", "paid"]


def test_a_cancellation_by_date_is_not_undone_by_the_other_flag(own_shop: Shop) -> None:
    subscribed = own_shop.subscribe()
    later = subscribed["items"].data[0].current_period_end + 86_400
    update = own_shop.stripe.subscriptions.update
    update(subscribed.id, {"cancel_at": later})
    assert update(subscribed.id, {"cancel_at_period_end": False}).cancel_at == later


def test_the_last_period_of_a_cancellation_by_date_is_paid_in_part(shop_at: Begin) -> None:
    shop = shop_at("2027-01-01T00:00:00Z")
    price = shop.price(3100)
    subscribed = shop.subscribe(line_items=[{"price": price, "quantity": 1}])
    anchor = subscribed["items"].data[0].current_period_end
    end = anchor + 14 * 86_400
    shop.stripe.subscriptions.update(subscribed.id, {"cancel_at": end})
    shop.advance("P2M")
    ended = subscription(shop, subscribed.id)
    assert (ended.status, ended.ended_at) == ("canceled", end)
    assert ended.latest_invoice.total == 1550
    assert ended.latest_invoice.lines.data[0].period.end == end


def test_a_first_payment_that_never_comes_expires_the_subscription(own_shop: Shop) -> None:
    made = own_shop.stripe.subscriptions.create(
        {
            "customer": own_shop.customer(),
            "items": [{"price": own_shop.price()}],
            "payment_behavior": "default_incomplete",
        }
    )
    assert made.status == "incomplete"
    own_shop.advance("PT24H")
    expired = subscription(own_shop, made.id)
    assert expired.status == "incomplete_expired"
    assert expired.latest_invoice.status == "void"


def test_a_checkout_expires_after_a_day(own_shop: Shop) -> None:
    opened = own_shop.checkout(customer=own_shop.customer())
    moved = own_shop.advance("PT24H")
    assert types(moved) == ["checkout.session.expired"]
    assert own_shop.stripe.checkout.sessions.retrieve(opened.id).status == "expired"


def test_a_debit_left_alone_settles_in_days(own_shop: Shop) -> None:
    opened = own_shop.checkout(customer=own_shop.customer())
    failing = own_shop.checkout(customer=own_shop.customer())
    own_shop.pay(opened.id, "000123456789")
    own_shop.pay(failing.id, "000222222227")
    moved = own_shop.advance("P4D")
    assert "checkout.session.async_payment_succeeded" in types(moved)
    assert "checkout.session.async_payment_failed" in types(moved)


def test_a_draft_waits_where_the_account_wants_it_to(tmp_path: Path) -> None:
    with running(tmp_path / "state.sqlite3", draft_seconds=3600) as shop:
        subscribed = shop.subscribe()
        shop.advance("P1M")
        assert statuses(shop, subscribed.customer) == ["paid", "draft"]
        shop.advance("PT1H")
        assert statuses(shop, subscribed.customer) == ["paid", "paid"]


def test_the_clock_moves_forward_only_and_by_what_it_can_read(own_shop: Shop) -> None:
    orders = [
        {"to": "2020-01-01T00:00:00Z"},
        {"to": "tomorrow"},
        {"to": "2030-01-01T00:00:00"},
        {"advance": "P"},
        {"advance": "1 month"},
        {"advance": "P1D", "to": "2030-01-01T00:00:00Z"},
        {},
    ]
    assert [own_shop.order("clock", order).status_code for order in orders] == [400] * len(orders)


def test_objects_carry_the_sandboxs_time(shop_at: Begin) -> None:
    shop = shop_at("2030-02-01T00:00:00Z")
    shop.go_to("2031-05-01T00:00:00Z")
    created = shop.stripe.customers.retrieve(shop.customer()).created
    assert datetime.fromtimestamp(created, UTC).year == 2031
    clock = shop.read("clock")
    assert clock["now"].startswith("2031-05-01T00:00")
    assert clock["offset_seconds"] == pytest.approx(at(clock["now"][:-1]) - time.time(), abs=10)


def test_a_clock_begins_when_it_is_told_to_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with running(state, "2024-02-29T23:00:00Z") as shop:
        assert shop.read("clock")["now"].startswith("2024-02-29T23:00")
        shop.advance("P1Y")
    with running(state, "2024-02-29T23:00:00Z") as shop:
        assert shop.read("clock")["now"].startswith("2025-02-28T23:00")


def test_what_is_due_is_done_while_nobody_moves_the_clock(own_shop: Shop) -> None:
    opened = own_shop.checkout()
    nearly = datetime.fromtimestamp(opened.expires_at - 2, UTC)
    assert own_shop.go_to(f"{nearly:%Y-%m-%dT%H:%M:%SZ}")["events"] == []
    find = own_shop.stripe.checkout.sessions.retrieve
    wait_for(lambda: find(opened.id).status == "expired")
