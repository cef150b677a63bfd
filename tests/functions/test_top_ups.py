"""A package is bought when a wallet falls below what its owner chose, once for each fall."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import stripe

import top_up
from billing import runtime
from billing.adapters.dynamodb import accounts, history
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.adapters.stripe import top_ups as charges
from billing.adapters.stripe.snapshots import noted
from billing.domain.errors import Unavailable
from billing.domain.times import next_month, parse_rfc3339
from billing.usecases import credits as sending
from billing.usecases import top_ups as answering
from tests.factories import event_file
from tests.functions.product import BANK_DEBIT, FAILS_AT_RENEWAL, VISA, Begin, Product
from tests.functions.purse import ANA, buy, entries, grant, order, overtaken_by, send, wallet

BEA = "user-bea"
NEEDS_APPROVAL = "4000002760003184"


def choose(
    product: Product, below: Any = 200, cap: int = 10_000, claims: Any = None, **more: Any
) -> Any:
    wanted = {
        "below": below,
        "package": "credits_500",
        "monthly_cap": {"amount": cap, "currency": "usd"},
        **more,
    }
    return product.call("PUT /settings/top-up", body=wanted, claims=claims)


def switch_off(product: Product) -> Any:
    return product.call("PUT /settings/top-up", body={"below": None})


def chosen(product: Product) -> Any:
    return product.call("GET /credits").json["top_up"]


def told(product: Product, type_: str) -> list[dict[str, Any]]:
    """The facts of each such event, oldest first."""
    found, _ = history.page(product.account, limit=100)
    return [dict(event.facts) for _, event in reversed(found) if event.type == type_]


def hear(product: Product) -> None:
    """The bus tells of the fall."""
    event = event_file("top_up")
    event["detail"] |= {"account": product.account, "facts": {"wallet": ANA, "balance": 0}}
    top_up.handler(event, None)


def fall(product: Product, by: int = 600) -> None:
    """Ana's credits go to another manager."""
    assert send(product, BEA, by).status == 201


def top_ups_at_stripe(product: Product) -> list[stripe.Invoice]:
    listed = product.at_stripe.v1.invoices.list({"customer": product.customers()[0].id})
    return [each for each in listed.data if noted(each, "top_up")]


def statuses(product: Product) -> list[str]:
    return sorted(str(each.status) for each in top_ups_at_stripe(product))


def pay_with(product: Product, card: str) -> None:
    page = product.command("POST /subscription/card").json["url"]
    paid = product.pay(
        page, card, **({"authenticate": "approve"} if card == NEEDS_APPROVAL else {})
    )
    assert paid.status_code == 200, paid.text
    product.catch_up()


def open_shop(product: Product, card: str = VISA) -> None:
    """A manager with 700 credits, and another one; below 200 another package is bought."""
    paid = product.pay(product.open_checkout().json["url"], card)
    if card == BANK_DEBIT:
        product.settle(paid.json()["intent"], succeed=True)
    product.catch_up()
    product.call("GET /credits", claims={"sub": BEA, "email": "bea@acme.test"})
    grant(product, 700)
    assert choose(product).status == 200


@pytest.fixture
def shop(begin: Begin) -> Product:
    return begin("topped up", open_shop)


def test_a_wallet_that_falls_gets_a_package_with_the_card_on_file(shop: Product) -> None:
    fall(shop)
    assert (wallet(shop).available, chosen(shop)["status"]) == (100, "under_way")
    hear(shop)
    assert wallet(shop).available == 600
    [newest, *_] = entries(shop)
    [invoice] = top_ups_at_stripe(shop)
    assert (newest.kind, newest.by, newest.reference) == ("grant", "schedule", invoice.id)
    assert chosen(shop) == {
        "below": 200,
        "package": "credits_500",
        "monthly_cap": {"amount": 10_000, "currency": "usd"},
        "charged": {"amount": 5_000, "currency": "usd"},
        "status": "active",
        "stopped": None,
        "resumes_at": None,
    }


def test_a_top_up_is_in_the_invoice_history(shop: Product) -> None:
    fall(shop)
    hear(shop)
    shop.catch_up()
    [invoice] = shop.call("GET /invoices", query={"kind": "package"}).json["items"]
    assert (invoice["status"], invoice["total"]["amount"]) == ("paid", 5000)
    assert wallet(shop).available == 600


def test_the_fall_is_told_to_the_bus_once(shop: Product) -> None:
    fall(shop)
    fall(shop, 50)
    assert told(shop, "top_up.due") == [{"wallet": ANA, "balance": 100}]


def test_a_top_up_never_happens_twice_for_one_fall(shop: Product) -> None:
    fall(shop)
    hear(shop)
    fall(shop, 10)
    hear(shop)
    shop.catch_up()
    assert shop.sweep()["failed"] == 0
    assert (wallet(shop).available, statuses(shop)) == (590, ["paid"])


def test_a_fall_that_nobody_told_of_is_answered_by_the_sweep(shop: Product) -> None:
    fall(shop)
    assert shop.sweep() == {"done": 1, "failed": 0}
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])
    assert shop.sweep() == {"done": 0, "failed": 0}


def test_the_next_fall_gets_the_next_package(shop: Product) -> None:
    for _ in range(2):
        fall(shop, wallet(shop).available - 100)
        hear(shop)
    assert statuses(shop) == ["paid", "paid"]
    assert chosen(shop)["charged"]["amount"] == 10_000


def test_never_more_than_the_cap_is_charged_in_a_month(shop: Product) -> None:
    for _ in range(3):
        fall(shop, wallet(shop).available - 100)
        hear(shop)
    assert (wallet(shop).available, statuses(shop)) == (100, ["paid", "paid"])
    resumes = next_month(runtime.now())
    state = chosen(shop)
    assert (state["status"], parse_rfc3339(state["resumes_at"])) == ("waiting", resumes)
    assert len(told(shop, "top_up.waiting")) == 1
    shop.go_to(resumes + timedelta(minutes=1))
    shop.sweep()
    assert (wallet(shop).available, chosen(shop)["charged"]["amount"]) == (600, 5_000)


def test_who_raises_the_cap_need_not_wait(shop: Product) -> None:
    choose(shop, cap=5_000)
    for _ in range(2):
        fall(shop, wallet(shop).available - 100)
        hear(shop)
    assert chosen(shop)["status"] == "waiting"
    assert choose(shop, cap=20_000).json["status"] == "under_way"
    hear(shop)
    assert statuses(shop) == ["paid", "paid"]


def test_what_is_bought_by_hand_meanwhile_ends_the_waiting(shop: Product) -> None:
    choose(shop, cap=5_000)
    for _ in range(2):
        fall(shop, wallet(shop).available - 100)
        hear(shop)
    buy(shop)
    shop.catch_up()
    assert chosen(shop)["status"] == "active"
    shop.go_to(next_month(runtime.now()) + timedelta(minutes=1))
    shop.sweep()
    assert statuses(shop) == ["paid"]


@pytest.mark.parametrize("card", [FAILS_AT_RENEWAL, NEEDS_APPROVAL])
def test_a_declined_card_stops_it_and_its_owner_is_told(shop: Product, card: str) -> None:
    pay_with(shop, card)
    fall(shop)
    hear(shop)
    assert (wallet(shop).available, statuses(shop)) == (100, ["void"])
    state = chosen(shop)
    assert (state["status"], state["stopped"]["because"]) == ("stopped", "declined")
    assert state["charged"]["amount"] == 0
    assert told(shop, "top_up.stopped") == [{"wallet": ANA, "because": "declined"}]
    fall(shop, 50)
    hear(shop)
    shop.sweep()
    assert statuses(shop) == ["void"]


def test_chosen_again_after_a_new_card_it_goes_on(shop: Product) -> None:
    pay_with(shop, FAILS_AT_RENEWAL)
    fall(shop)
    hear(shop)
    pay_with(shop, VISA)
    assert choose(shop).json["status"] == "under_way"
    hear(shop)
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid", "void"])


@pytest.mark.parametrize("succeed", [True, False])
def test_money_that_comes_later_gives_credits_later_or_stops_it(
    product: Product, succeed: bool
) -> None:
    shop = product
    open_shop(shop, BANK_DEBIT)
    fall(shop)
    hear(shop)
    assert (wallet(shop).available, chosen(shop)["status"]) == (100, "under_way")
    [payment] = shop.at_stripe.v1.invoice_payments.list(
        {"invoice": str(top_ups_at_stripe(shop)[0].id)}
    ).data
    shop.settle(str(payment.payment.payment_intent), succeed=succeed)
    shop.catch_up()
    shop.sweep()
    assert wallet(shop).available == (600 if succeed else 100)
    assert chosen(shop)["status"] == ("active" if succeed else "stopped")
    assert statuses(shop) == ["paid" if succeed else "void"]


CALLS = [
    ("GET", "/v1/subscriptions/*"),
    ("POST", "/v1/invoices"),
    ("POST", "/v1/invoiceitems"),
    ("GET", "/v1/invoices/*"),
    ("POST", "/v1/invoices/*/finalize"),
    ("POST", "/v1/invoices/*/pay"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_whatever_fails_at_stripe_one_package_is_charged(
    shop: Product, method: str, path: str
) -> None:
    """Done, and the answer lost; and then a failure that Stripe keeps under the key."""
    fall(shop)
    shop.order_faults([(method, path, "timeout_after")] * 3 + [(method, path, "500")])
    for _ in range(3):
        try_to_hear(shop)
    shop.catch_up()
    shop.sweep()
    shop.advance("PT2H")
    shop.sweep()
    assert (wallet(shop).available, statuses(shop).count("paid")) == (600, 1)


def try_to_hear(product: Product) -> None:
    try:
        hear(product)
    except Exception:
        return


@pytest.mark.parametrize("write", range(1, 4))
@pytest.mark.parametrize("done", [False, True])
def test_cut_off_at_any_write_it_is_brought_to_its_end_and_charged_once(
    shop: Product, monkeypatch: pytest.MonkeyPatch, write: int, done: bool
) -> None:
    fall(shop)
    whole = Transaction.commit
    commits: list[int] = []

    def cut_off(self: Transaction, **more: Any) -> None:
        commits.append(1)
        if len(commits) == write:
            if done:
                whole(self, **more)
            raise KeyboardInterrupt
        whole(self, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            hear(shop)
    assert shop.sweep() == {"done": 0 if done and write == 3 else 1, "failed": 0}
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


def test_two_at_once_charge_once(shop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bus tells twice, and each is overtaken before each step."""
    steps = ("draft_invoice", "find", "finalize", "pay")
    for step in steps:
        _overtaken(monkeypatch, step, lambda: hear(shop))
    fall(shop)
    hear(shop)
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


def _overtaken(monkeypatch: pytest.MonkeyPatch, step: str, overtake: Callable[[], object]) -> None:
    whole = getattr(charges, step)
    seen: list[str] = []

    def overtaking(*given: Any, **more: Any) -> Any:
        if not seen:
            seen.append(step)
            overtake()
        return whole(*given, **more)

    monkeypatch.setattr(charges, step, overtaking)


def test_whatever_is_told_of_its_invoice_in_any_order_and_twice_grants_once(
    shop: Product,
) -> None:
    fall(shop)
    hear(shop)
    events = shop.happened() * 2
    random.Random(1).shuffle(events)
    shop.deliver([{**event, "id": f"{event['id']}_{at}"} for at, event in enumerate(events)])
    assert (wallet(shop).available, len(entries(shop))) == (600, 3)


def test_paid_before_we_knew_of_it_the_top_up_is_done(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after the charge; the webhook grants, and the sweep finds nothing left to do."""
    fall(shop)
    with monkeypatch.context() as patch:
        patch.setattr("billing.usecases.top_ups._record", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            hear(shop)
    shop.catch_up()
    assert (wallet(shop).available, chosen(shop)["status"]) == (600, "active")
    shop.sweep()
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


def _cut_off(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_taxes_count_against_the_cap(shop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invoice says more than the catalog: it is not paid where that is above the cap."""
    choose(shop, cap=5_500)
    price = dearer(shop, 6_000)
    monkeypatch.setattr(charges, "price_id", lambda _: price)
    fall(shop)
    hear(shop)
    assert (wallet(shop).available, statuses(shop)) == (100, ["void"])
    assert (chosen(shop)["status"], chosen(shop)["charged"]["amount"]) == ("waiting", 0)
    choose(shop, cap=6_000)
    hear(shop)
    assert (wallet(shop).available, chosen(shop)["charged"]["amount"]) == (600, 6_000)


def dearer(product: Product, amount: int) -> str:
    """A package that costs more than in the catalog, as with taxes."""
    prices = product.at_stripe.v1.prices
    old = prices.list({"lookup_keys": ["credits_500_usd"]}).data[0]
    made = prices.create({"product": str(old.product), "currency": "usd", "unit_amount": amount})
    return made.id


def test_a_refund_of_a_top_up_claws_back_its_credits(shop: Product) -> None:
    fall(shop)
    hear(shop)
    [payment] = shop.at_stripe.v1.invoice_payments.list(
        {"invoice": str(top_ups_at_stripe(shop)[0].id)}
    ).data
    order(shop, str(payment.payment.payment_intent), "refund", amount=2_500)
    shop.catch_up()
    assert (wallet(shop).available, wallet(shop).clawed_back) == (350, 250)


def topped_up(product: Product) -> str:
    """The payment of a top-up that came, of which 100 credits are left."""
    fall(product)
    hear(product)
    [payment] = product.at_stripe.v1.invoice_payments.list(
        {"invoice": str(top_ups_at_stripe(product)[0].id)}
    ).data
    fall(product, wallet(product).available - 300)
    return str(payment.payment.payment_intent)


@pytest.mark.parametrize(
    ("what", "given", "balance"),
    [("refund", {}, -200), ("refund", {"amount": 2_500}, 50), ("dispute", {}, 0)],
)
def test_a_reversal_charges_nothing_and_stops_the_top_up_until_it_is_switched_on_again(
    shop: Product, what: str, given: dict[str, int], balance: int
) -> None:
    order(shop, topped_up(shop), what, **given)
    shop.catch_up()
    hear(shop)
    shop.sweep()
    assert (wallet(shop).balance, statuses(shop)) == (balance, ["paid"])
    state = chosen(shop)
    assert (state["status"], state["stopped"]["because"]) == ("stopped", "reversed")
    assert told(shop, "top_up.stopped") == [{"wallet": ANA, "because": "reversed"}]
    assert choose(shop).json["status"] == "under_way"
    hear(shop)
    assert statuses(shop) == ["paid", "paid"]


def test_a_reversal_that_takes_not_one_credit_stops_it_as_well(shop: Product) -> None:
    order(shop, topped_up(shop), "refund", amount=1)
    shop.catch_up()
    assert (wallet(shop).clawed_back, chosen(shop)["stopped"]["because"]) == (0, "reversed")


def test_a_reversal_of_a_package_that_was_bought_by_hand_stops_it(shop: Product) -> None:
    intent = buy(shop)
    shop.catch_up()
    order(shop, intent, "refund")
    shop.catch_up()
    assert chosen(shop)["stopped"]["because"] == "reversed"


def test_a_reversal_that_is_heard_of_again_does_not_stop_what_was_switched_on_again(
    shop: Product,
) -> None:
    intent = topped_up(shop)
    order(shop, intent, "dispute")
    shop.catch_up()
    choose(shop)
    hear(shop)
    order(shop, intent, "dispute", outcome="lost")
    shop.catch_up()
    assert chosen(shop)["status"] == "active"
    assert len(told(shop, "top_up.stopped")) == 1


def test_a_reversal_while_a_package_is_under_way_ends_that_unpaid(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = buy(shop)
    shop.catch_up()
    fall(shop, wallet(shop).available - 100)
    cut_off_before(shop, monkeypatch, "pay")
    order(shop, intent, "dispute")
    shop.catch_up()
    shop.sweep()
    assert statuses(shop) == ["void"]
    assert chosen(shop)["stopped"]["because"] == "reversed"
    assert chosen(shop)["charged"]["amount"] == 0


def test_who_has_no_top_up_is_told_nothing_of_it(shop: Product) -> None:
    intent = topped_up(shop)
    switch_off(shop)
    order(shop, intent, "refund")
    shop.catch_up()
    assert told(shop, "top_up.stopped") == []


def test_switched_on_while_the_wallet_is_that_low_it_buys_at_once_and_once(shop: Product) -> None:
    assert switch_off(shop).json["status"] == "off"
    fall(shop)
    assert choose(shop).json["status"] == "under_way"
    assert choose(shop).json["status"] == "under_way"
    assert len(told(shop, "top_up.due")) == 1
    hear(shop)
    assert choose(shop).json["status"] == "active"
    hear(shop)
    shop.sweep()
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


def test_switched_off_nothing_is_bought(shop: Product) -> None:
    fall(shop)
    switch_off(shop)
    hear(shop)
    shop.sweep()
    assert (wallet(shop).available, top_ups_at_stripe(shop)) == (100, [])


def test_switched_off_while_the_card_is_charged_the_credits_still_come(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    _overtaken(monkeypatch, "pay", lambda: switch_off(shop))
    fall(shop)
    hear(shop)
    assert (wallet(shop).available, chosen(shop)["status"]) == (600, "off")


def test_without_access_it_stops(shop: Product) -> None:
    fall(shop)
    base = shop.subscriptions()[0].id
    shop.at_stripe.v1.subscriptions.cancel(base)
    shop.catch_up()
    hear(shop)
    assert chosen(shop)["stopped"]["because"] == "no_access"
    assert top_ups_at_stripe(shop) == []


def test_a_fall_among_many_at_once_is_found_by_the_sweep(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a wallet is never as it was read, what it falls to is not known when it is written."""
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", crowded())
        fall(shop)
    assert told(shop, "top_up.due") == []
    assert shop.sweep() == {"done": 1, "failed": 0}
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


def crowded() -> Callable[..., None]:
    """The first tries find the wallet changed: what is written then does not know its balance."""
    whole = Transaction.commit
    tries: list[int] = []

    def commit(self: Transaction, **more: Any) -> None:
        tries.append(1)
        if len(tries) <= 2:
            raise StaleWrite("another one was faster")
        whole(self, **more)

    return commit


def test_switched_on_while_a_busy_wallet_falls_it_buys(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_off(shop)
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_EXACT_TRIES", 0)
        overtaken_by(patch, lambda: choose(shop))
        fall(shop)
    assert shop.sweep() == {"done": 1, "failed": 0}
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"package": "credits_1"}, 422, "unknown_package"),
        ({"package": "slot"}, 422, "unknown_package"),
        ({"monthly_cap": {"amount": 10_000, "currency": "eur"}}, 422, "unknown_currency"),
        ({"cap": 4_999}, 422, "cap_too_low"),
        ({"below": 501}, 422, "package_too_small"),
        ({"below": 0}, 400, "invalid_input"),
        ({"below": 1.5}, 400, "invalid_input"),
        ({"below": "200"}, 400, "invalid_input"),
        ({"below": None}, 400, "invalid_input"),
        ({"package": None}, 400, "invalid_input"),
        ({"monthly_cap": 10_000}, 400, "invalid_input"),
        ({"monthly_cap": {"amount": 0, "currency": "usd"}}, 400, "invalid_input"),
        ({"wallet": BEA}, 400, "invalid_input"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    shop: Product, changes: dict[str, Any], status: int, code: str
) -> None:
    before = chosen(shop)
    refused = choose(shop, **changes)
    assert (refused.status, refused.code) == (status, code)
    assert chosen(shop) == before


def test_without_a_subscription_there_is_no_top_up(product: Product) -> None:
    assert choose(product).code == "no_access"
    assert switch_off(product).json["status"] == "off"


def test_each_manager_has_one_of_their_own(shop: Product) -> None:
    bea: Any = {"sub": BEA, "email": "bea@acme.test"}
    assert shop.call("GET /credits", claims=bea).json["top_up"]["status"] == "off"
    fall(shop)
    hear(shop)
    assert accounts.load(shop.account).wallets[BEA].available == 600


def cut_off_before(product: Product, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The bus tells, and that run ends before `step` at Stripe."""
    with monkeypatch.context() as patch:
        patch.setattr(charges, step, _cut_off)
        with pytest.raises(KeyboardInterrupt):
            hear(product)


STEPS = ("draft_invoice", "finalize", "pay")


@pytest.mark.parametrize("step", STEPS)
def test_cut_off_and_switched_off_before_the_card_is_asked_nothing_is_charged(
    shop: Product, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fall(shop)
    cut_off_before(shop, monkeypatch, step)
    switch_off(shop)
    assert shop.sweep()["failed"] == 0
    assert (wallet(shop).available, statuses(shop).count("paid")) == (100, 0)
    assert "open" not in statuses(shop)
    assert told(shop, "top_up.stopped") == []


@pytest.mark.parametrize("step", STEPS)
def test_a_cap_that_is_lowered_before_the_card_is_asked_holds(
    shop: Product, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fall(shop)
    hear(shop)
    fall(shop, wallet(shop).available - 100)
    cut_off_before(shop, monkeypatch, step)
    choose(shop, cap=5_000)
    shop.sweep()
    assert statuses(shop).count("paid") == 1
    assert (chosen(shop)["status"], chosen(shop)["charged"]["amount"]) == ("waiting", 5_000)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("at_once", [True, False])
def test_cancelled_before_the_card_is_asked_nothing_is_charged(
    shop: Product, monkeypatch: pytest.MonkeyPatch, step: str, at_once: bool
) -> None:
    fall(shop)
    cut_off_before(shop, monkeypatch, step)
    if at_once:
        shop.at_stripe.v1.subscriptions.cancel(shop.subscriptions()[0].id)
        shop.catch_up()
    else:
        assert shop.call("POST /subscription/cancel", body={}).status == 200
    shop.sweep()
    assert (wallet(shop).available, statuses(shop).count("paid")) == (100, 0)
    assert chosen(shop)["stopped"]["because"] == "no_access"


def test_what_is_chosen_anew_meanwhile_is_bought_instead(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    fall(shop)
    cut_off_before(shop, monkeypatch, "pay")
    choose(shop, package="credits_2000", cap=20_000)
    hear(shop)
    assert (wallet(shop).available, statuses(shop)) == (2_100, ["paid", "void"])
    assert chosen(shop)["charged"]["amount"] == 16_000


def test_while_the_subscription_is_set_to_end_the_top_up_is_paused(shop: Product) -> None:
    """Nothing would be bought, so it is not active; resumed, it goes on as it was chosen."""
    assert shop.call("POST /subscription/cancel", body={}).status == 200
    shop.catch_up()
    state = chosen(shop)
    assert (state["status"], state["below"], state["resumes_at"]) == ("paused", 200, None)
    assert shop.call("POST /subscription/resume").status == 200
    shop.catch_up()
    assert chosen(shop)["status"] == "active"


def test_a_low_wallet_is_paused_not_under_way_once_the_subscription_is_set_to_end(
    shop: Product,
) -> None:
    fall(shop)
    assert chosen(shop)["status"] == "under_way"
    shop.call("POST /subscription/cancel", body={})
    shop.catch_up()
    assert chosen(shop)["status"] == "paused"
    hear(shop)
    assert (chosen(shop)["status"], statuses(shop)) == ("stopped", [])


def test_when_access_has_ended_the_top_up_is_paused(shop: Product) -> None:
    shop.call("POST /subscription/cancel", body={})
    shop.catch_up()
    shop.advance("P2M")
    shop.catch_up()
    assert chosen(shop)["status"] == "paused"


def test_a_cancelled_subscription_has_no_top_up(shop: Product) -> None:
    assert shop.call("POST /subscription/cancel", body={}).status == 200
    assert choose(shop, below=300).code == "subscription_ending"
    fall(shop)
    hear(shop)
    assert (statuses(shop), chosen(shop)["stopped"]["because"]) == ([], "no_access")


def test_a_new_card_pays_no_invoice_that_is_above_the_cap(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(shop, cap=5_500)
    price = dearer(shop, 6_000)
    monkeypatch.setattr(charges, "price_id", lambda _: price)
    fall(shop)
    cut_off_before(shop, monkeypatch, "give_up")
    pay_with(shop, VISA)
    assert statuses(shop) == ["open"]
    shop.sweep()
    assert (statuses(shop), chosen(shop)["status"]) == (["void"], "waiting")


def test_the_card_that_pays_now_is_charged(shop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    pay_with(shop, FAILS_AT_RENEWAL)
    fall(shop)
    cut_off_before(shop, monkeypatch, "pay")
    pay_with(shop, VISA)
    shop.sweep()
    assert (wallet(shop).available, statuses(shop)) == (600, ["paid"])


def test_an_invoice_that_is_gone_at_stripe_stops_it_and_somebody_is_called(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts: list[str] = []
    monkeypatch.setattr(answering, "alert", lambda message, **_: alerts.append(message))
    fall(shop)
    cut_off_before(shop, monkeypatch, "finalize")
    [draft] = top_ups_at_stripe(shop)
    shop.at_stripe.v1.invoices.delete(str(draft.id))
    assert shop.sweep() == {"done": 1, "failed": 0}
    assert (chosen(shop)["stopped"]["because"], alerts) == ("refused", ["a top-up is refused"])
    choose(shop)
    hear(shop)
    assert wallet(shop).available == 600


def test_a_customer_who_is_gone_at_stripe_stops_it(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    fall(shop)
    cut_off_before(shop, monkeypatch, "draft_invoice")
    shop.at_stripe.v1.customers.delete(shop.customers()[0].id)
    shop.catch_up()
    assert shop.sweep()["failed"] == 0
    assert chosen(shop)["status"] == "stopped"


def test_a_top_up_that_does_not_begin_for_a_day_calls_somebody(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts: list[str] = []
    monkeypatch.setattr(answering, "alert", lambda message, **_: alerts.append(message))

    def not_for_sale(_: str) -> str:
        raise Unavailable("catalog_not_applied", "Not yet.", 60)

    monkeypatch.setattr(charges, "price_id", not_for_sale)
    fall(shop)
    try_to_hear(shop)
    assert shop.sweep()["failed"] == 1
    assert alerts == []
    shop.advance("P1DT2H")
    shop.sweep()
    assert alerts == ["a top-up does not come to its end"]


def test_one_that_cannot_be_seen_to_keeps_no_other_wallet_waiting(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    bea: Any = {"sub": BEA, "email": "bea@acme.test"}
    choose(shop, claims=bea)
    fall(shop)
    whole = charges.draft_invoice

    def not_anas(order: Any, account: str, person: str, *given: Any, **more: Any) -> str:
        if person == ANA:
            raise Unavailable("stripe_unavailable", "No answer.", 5)
        return whole(order, account, person, *given, **more)

    monkeypatch.setattr(charges, "draft_invoice", not_anas)
    try_to_hear(shop)
    assert send(shop, ANA, 500, claims=bea).status == 201
    assert shop.sweep()["failed"] == 1
    assert wallet(shop, BEA).available == 600


def test_waiting_is_told_once(shop: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(shop, cap=5_000)
    for _ in range(2):
        fall(shop, wallet(shop).available - 100)
        hear(shop)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Transaction, "commit", crowded())
            fall(shop, 10)
        shop.sweep()
    assert len(told(shop, "top_up.waiting")) == 1


def test_declined_after_it_was_switched_off_nobody_is_told_that_it_stopped(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_with(shop, FAILS_AT_RENEWAL)
    _overtaken(monkeypatch, "pay", lambda: switch_off(shop))
    fall(shop)
    hear(shop)
    assert (statuses(shop), told(shop, "top_up.stopped")) == (["void"], [])
    assert chosen(shop)["status"] == "off"
