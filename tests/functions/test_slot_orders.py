"""Orders of slots that meet each other, are cut off, repeated, or come with an old quote."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts, history, keys, marks
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.adapters.stripe import gateway
from billing.adapters.stripe import slots as stripe_slots
from billing.adapters.stripe.client import KeySpent
from billing.domain.catalog import Cycle
from billing.domain.money import Money
from billing.domain.slots import Quote
from billing.domain.subscription import Status
from billing.usecases import slot_prices
from billing.usecases import slots as usecase
from tests.functions.product import Answer, Begin, Product
from tests.functions.slots_page import (
    at_stripe,
    bought,
    invoices,
    preview,
    put,
    quoted,
    shown,
    subscribe,
)
from tests.functions.team import BEN, MIA, invite, join
from tests.planted import caught, nothing

Meanwhile = Callable[[], None]
Point = Callable[[pytest.MonkeyPatch, Meanwhile], None]


@pytest.fixture
def shop(begin: Begin) -> Product:
    """Three slots, bought ten days ago."""

    def live(product: Product) -> None:
        subscribe(product)
        bought(product, 3)
        product.advance("P10D")

    return begin("three slots for ten days", live)


def once(patch: pytest.MonkeyPatch, owner: Any, name: str, instead: Callable[..., Any]) -> None:
    """The next call of `name` is `instead`, which is handed what it replaces."""
    whole = getattr(owner, name)

    def first(*args: Any, **kwargs: Any) -> Any:
        patch.setattr(owner, name, whole)
        return instead(whole, *args, **kwargs)

    patch.setattr(owner, name, first)


def after(owner: Any, name: str) -> Point:
    def point(patch: pytest.MonkeyPatch, meanwhile: Meanwhile) -> None:
        def overtaken(whole: Any, *args: Any, **kwargs: Any) -> Any:
            found = whole(*args, **kwargs)
            meanwhile()
            return found

        once(patch, owner, name, overtaken)

    return point


BEFORE_THE_ORDER_IS_RESERVED = [
    after(accounts, "load_slots"),
    after(accounts, "load"),
    after(stripe_slots, "find"),
    after(stripe_slots, "price_more"),
]


def must_work(answer: Answer) -> None:
    assert answer.status == 200, answer.text


def confirmed(product: Product, answer: Answer) -> Answer:
    """The page shows the new quote, and the manager confirms it."""
    assert (answer.status, answer.code) == (409, "quote_stale")
    offer = answer.json["preview"]
    return put(product, offer["purchased"], offer["quote"])


@pytest.mark.parametrize("point", BEFORE_THE_ORDER_IS_RESERVED)
def test_two_tabs_that_each_add_one_end_at_two_more_and_slots_charged_equal_slots_granted(
    shop: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    mine, theirs = quoted(shop, 4), quoted(shop, 4)
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(put(shop, 4, theirs).status))
    late = put(shop, 4, mine)
    assert meanwhile == [200]
    assert confirmed(shop, late).json["purchased"] == 5
    charged = invoices(shop)
    assert (at_stripe(shop), shown(shop), len(charged)) == ([("active", 5)], (5, None), 3)
    assert abs(charged[1] - charged[2]) <= 1


def test_a_tab_that_adds_one_while_another_is_being_charged_waits_and_then_adds_its_own(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = quoted(shop, 4), quoted(shop, 4)
    waited: list[Answer] = []
    monkeypatch.setattr(runtime, "sleep", lambda seconds: None)
    charged = after(stripe_slots, "buy_more")
    charged(monkeypatch, lambda: waited.append(put(shop, 4, theirs, key="theirs")))
    assert put(shop, 4, mine).json["purchased"] == 4
    assert (waited[0].status, waited[0].code) == (503, "busy")
    assert confirmed(shop, put(shop, 4, theirs, key="theirs")).json["purchased"] == 5
    assert (at_stripe(shop), shown(shop), len(invoices(shop))) == ([("active", 5)], (5, None), 3)


def test_first_slots_of_two_tabs_are_one_subscription(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(product)
    mine, theirs = quoted(product, 1), quoted(product, 1)
    meanwhile: list[int] = []

    def faster() -> None:
        # Its period begins later than the request that it overtakes.
        product.advance("PT2S")
        meanwhile.append(put(product, 1, theirs).status)

    after(accounts, "load")(monkeypatch, faster)
    assert confirmed(product, put(product, 1, mine)).json["purchased"] == 2
    assert (meanwhile, at_stripe(product), shown(product)) == ([200], [("active", 2)], (2, None))


@pytest.mark.parametrize("point", BEFORE_THE_ORDER_IS_RESERVED[:3])
def test_an_invitation_beside_a_lowering_never_ends_above_what_will_be_paid_for(
    shop: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    join(shop, BEN)
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(invite(shop, MIA).status))
    lowered = put(shop, 1)
    assert (meanwhile, lowered.status, lowered.code) == ([201], 409, "slots_in_use")
    assert shown(shop) == (3, None)


@pytest.mark.parametrize("point", [after(accounts, "load_slots"), after(accounts, "load")])
def test_a_lowering_beside_an_invitation_leaves_no_room_for_it(
    shop: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    join(shop, BEN)
    meanwhile: list[int] = []
    point(monkeypatch, lambda: meanwhile.append(put(shop, 1).status))
    assert (invite(shop, MIA).code, meanwhile) == ("no_free_slot", [200])


@pytest.mark.parametrize("point", BEFORE_THE_ORDER_IS_RESERVED[1:3])
def test_a_subscription_that_is_cancelled_meanwhile_buys_no_slots(
    shop: Product, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    point(monkeypatch, lambda: must_work(shop.command("POST /subscription/cancel")))
    assert put(shop, 4).code == "subscription_ending"
    assert len(invoices(shop)) == 1


def test_nobody_is_invited_beyond_a_lowering_that_stripe_was_not_told_yet(shop: Product) -> None:
    join(shop, BEN)
    shop.order_faults([("POST", "/v1/subscription_schedules", "timeout_before")] * 3)
    assert put(shop, 1, key="one").code == "stripe_unavailable"
    assert invite(shop, MIA).code == "no_free_slot"
    assert put(shop, 1, key="one").json["pending_purchased"] == 1


def test_the_same_key_gets_the_first_answer_again_and_charges_once(shop: Product) -> None:
    offer = quoted(shop, 4)
    first = put(shop, 4, offer, key="one")
    bought(shop, 6)
    assert put(shop, 4, offer, key="one").json == first.json
    assert put(shop, 5, offer, key="one").code == "idempotency_key_reused"
    assert (shown(shop), len(invoices(shop))) == ((6, None), 3)


@pytest.mark.parametrize("fault", ["timeout_after", "500"])
def test_timeout_with_unknown_outcome_then_the_user_tries_again_one_charge(
    product: Product, fault: str
) -> None:
    subscribe(product)
    product.order_faults([("POST", "/v1/subscriptions", fault)] * 3)
    assert put(product, 2, key="one").status == 503
    assert _until_answered(product, 2, "one").json["purchased"] == 2
    assert (at_stripe(product), shown(product)) == ([("active", 2)], (2, None))
    assert len(invoices(product)) == 1


def test_more_slots_after_any_fault_are_charged_once(shop: Product) -> None:
    for wanted, fault in enumerate(("timeout_before", "timeout_after", "500", "409"), 4):
        shop.order_faults([("POST", "/v1/subscriptions/*", fault)] * 3)
        assert put(shop, wanted, key=fault).status == 503
        assert _until_answered(shop, wanted, fault).json["purchased"] == wanted
        assert len(invoices(shop)) == wanted - 2


def test_a_first_order_whose_answer_stripe_lost_and_spent_is_found_again(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(product)

    def spent(whole: Any, *args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        raise KeySpent("stripe_unavailable", "No answer.", 5)

    once(monkeypatch, stripe_slots, "buy_first", spent)
    assert put(product, 2, key="one").status == 503
    assert put(product, 2, key="one").json["purchased"] == 2
    assert at_stripe(product) == [("active", 2)]


def test_an_order_that_died_after_stripe_is_fulfilled_by_the_webhook_and_told_as_the_managers(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(usecase, "_fulfil", dies)
        assert put(shop, 4, key="one").status == 500
    assert shown(shop) == (3, None)
    shop.catch_up()
    assert shown(shop) == (4, None)
    again = put(shop, 4, key="one")
    assert (again.status, again.json["purchased"]) == (200, 4)
    assert len(invoices(shop)) == 2
    assert who_changed(shop) == [("user-ana", 3, 4)]


def test_an_order_that_is_fulfilled_while_it_is_asked_again_gets_its_answer(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try has seen that the first one was accepted, and not yet that it is done."""
    with monkeypatch.context() as patch:
        patch.setattr(usecase, "_fulfil", dies)
        assert put(shop, 4, key="one").status == 500

    def fulfilled() -> None:
        assert shop.catch_up()

    after(marks, "find_command")(monkeypatch, fulfilled)
    again = put(shop, 4, key="one")
    assert (again.status, again.json["purchased"]) == (200, 4)


def test_a_webhook_that_read_before_the_order_tells_it_as_the_managers_all_the_same(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(whole: Any, name: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(usecase, "_fulfil", dies)
            assert put(shop, 4).status == 500
        return whole(name)

    event = shop.happened("customer.subscription.created")[-1]
    once(monkeypatch, gateway, "subscription", overtaken)
    assert shop.record(event) == []
    assert (shown(shop), who_changed(shop)) == ((4, None), [("user-ana", 3, 4)])


def test_what_a_dead_order_reserved_is_given_back_within_the_half_hour(shop: Product) -> None:
    shop.order_faults([("POST", "/v1/subscription_schedules", "timeout_before")] * 3)
    assert put(shop, 1, key="one").status == 503
    assert shop.sweep() == {"done": 0, "failed": 0}
    shop.advance("PT16M")
    assert shop.sweep() == {"done": 1, "failed": 0}
    assert (shown(shop), shop.sweep()) == ((3, None), {"done": 0, "failed": 0})
    assert put(shop, 1, key="one").code == "changed_meanwhile"
    assert put(shop, 2).json["pending_purchased"] == 2


def test_a_dead_order_that_stripe_knows_is_fulfilled_by_the_sweep(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(usecase, "_fulfil", dies)
        assert put(shop, 2, key="one").status == 500
    shop.advance("PT16M")
    shop.sweep()
    assert (shown(shop), put(shop, 2, key="one").json["pending_purchased"]) == ((3, 2), 2)


def who_changed(product: Product) -> list[tuple[str, Any, Any]]:
    """As the history tells it, with the number before and after."""
    told = [event for _, event in history.page(product.account, limit=50)[0]]
    changed = [event for event in told if event.type == "slots.changed"]
    return [(event.by, event.facts["from"], event.facts["to"]) for event in changed]


def dies(*args: Any) -> None:
    raise RuntimeError("killed")


def test_another_order_finishes_one_that_was_cut_off(shop: Product) -> None:
    shop.order_faults([("POST", "/v1/subscriptions*", "timeout_before")] * 3)
    assert put(shop, 4, quoted(shop, 4), key="one").status == 503
    shop.advance("PT1M")
    late = put(shop, 4, quoted(shop, 4), key="two")
    assert confirmed(shop, late).json["purchased"] == 5
    assert put(shop, 4, key="one").code == "idempotency_key_reused"
    assert len(invoices(shop)) == 3


def test_a_quote_gone_stale_is_refused_with_the_new_one(shop: Product) -> None:
    old = quoted(shop, 5)
    shop.advance("PT31M")
    late = put(shop, 5, old)
    assert shown(shop) == (3, None)
    assert late.json["preview"]["due_now"] == preview(shop, 5).json["due_now"]
    assert confirmed(shop, late).json["purchased"] == 5


def test_a_sum_that_stripe_sees_otherwise_once_the_schedule_is_gone_is_not_charged(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shop, 2)
    with monkeypatch.context() as patch:
        patch.setattr(slot_prices, "prorated", lambda *_: Money(1, "usd"))
        late = put(shop, 4, quoted(shop, 4))
    assert (shown(shop), len(invoices(shop))) == ((3, None), 1)
    assert late.json["preview"]["due_now"]["amount"] > 1
    assert confirmed(shop, late).json["purchased"] == 4


def test_a_quote_of_fewer_never_charges(shop: Product) -> None:
    fewer = quoted(shop, 2)
    put(shop, 1)
    shop.advance("P1M")
    shop.catch_up()
    late = put(shop, 2, fewer)
    assert (late.code, shown(shop)) == ("quote_stale", (1, None))


def test_nothing_is_had_cheaper_by_changing_a_quote(shop: Product) -> None:
    given, now = Quote.read(quoted(shop, 4)), runtime.now()
    found = stripe_slots.find(shop.customers()[0].id)
    later = now + timedelta(days=10)
    assert given is not None
    for forged in (
        replace(given, due=Money(1, "usd")),
        replace(given, at=later),
        replace(given, at=later, due=stripe_slots.price_more(found, 4, later)),
        replace(given, subscription="sub_other"),
        replace(given, wanted=40),
    ):
        assert put(shop, 4, forged.text).code == "quote_stale"
    assert put(shop, 4, "no quote").code == "quote_stale"
    assert len(invoices(shop)) == 1


def test_the_twenty_first_paid_change_of_a_day_is_refused_until_the_first_is_a_day_old(
    shop: Product,
) -> None:
    rows = accounts.load(shop.account)
    times = tuple(runtime.now() - timedelta(minutes=each) for each in range(19, -1, -1))
    write = Transaction()
    version = rows.version_of(keys.slots_key(shop.account))
    accounts.put_slots(
        write, shop.account, replace(rows.slots, paid_changes=times), version=version
    )
    write.commit()
    refused = put(shop, 4)
    assert (refused.status, refused.code) == (429, "too_many_slot_changes")
    assert 23 * 3600 < int(refused.headers["retry-after"]) < 24 * 3600
    assert put(shop, 2).json["pending_purchased"] == 2
    shop.advance("P1D")
    bought(shop, 4)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"status": Status.PAST_DUE}, "payment_due"), ({"cycle": Cycle.ANNUAL}, "contact_support")],
)
def test_slots_that_are_overdue_or_yearly_are_not_changed_from_here(
    shop: Product, monkeypatch: pytest.MonkeyPatch, changes: Any, code: str
) -> None:
    found = stripe_slots.find(shop.customers()[0].id)
    assert found.bought is not None
    pretended = replace(found, bought=replace(found.bought, **changes))
    monkeypatch.setattr(stripe_slots, "find", lambda customer: pretended)
    assert (preview(shop, 4).code, put(shop, 4).code) == (code, code)


def test_an_order_that_is_overtaken_every_time_gives_up_and_says_so(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(write: Transaction) -> None:
        raise StaleWrite("SLOTS")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", overtaken)
        answer = put(shop, 4)
    assert (answer.status, answer.code) == (503, "busy")


def _until_answered(product: Product, wanted: int, key: str) -> Answer:
    """The user tries again, and perhaps once more."""
    for _ in range(2):
        answer = put(product, wanted, key=key)
        if answer.status != 503:
            break
    return answer


test_an_order_that_does_not_ask_for_its_base_is_seen = caught(
    test_a_subscription_that_is_cancelled_meanwhile_buys_no_slots,
    patch.object(Transaction, "unchanged", nothing),
    point=BEFORE_THE_ORDER_IS_RESERVED[2],
)
