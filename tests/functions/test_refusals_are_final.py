"""Who was refused under a key is not served under it afterwards, by a try that is still at work."""

from collections.abc import Callable
from typing import Any

import pytest

from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.transaction import Transaction
from tests.functions.product import Answer, Begin, Product
from tests.functions.purse import entries, grant, send
from tests.functions.slots_page import bought, invoices, put, subscribe
from tests.functions.team import MIA, join, remove

Try = Callable[[], Answer]


@pytest.fixture
def shop(begin: Begin) -> Product:
    """Three slots, and fifty credits."""

    def live(product: Product) -> None:
        subscribe(product)
        bought(product, 3)
        grant(product, 50)

    return begin("three slots and fifty credits", live)


def tried_twice(
    patch: pytest.MonkeyPatch, ask: Try, before: Callable[[], Any], after: Callable[[], Any]
) -> tuple[Answer, Answer]:
    """The first try is about to write; `before` happens, the second try is answered, `after`
    happens, and the first one goes on."""
    whole = Transaction.commit
    second: list[Answer] = []

    def commit(self: Transaction, **how: Any) -> None:
        patch.setattr(Transaction, "commit", whole)
        before()
        second.append(ask())
        after()
        whole(self, **how)

    patch.setattr(Transaction, "commit", commit)
    return ask(), second[0]


def refused(*answers: Answer) -> str:
    """The code that all were refused with."""
    [code] = {answer.code for answer in answers}
    return code


def test_credits_that_were_refused_are_not_sent_later(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = join(shop, MIA)
    tries = tried_twice(
        monkeypatch,
        lambda: send(shop, mia, 40, key="one"),
        before=lambda: send(shop, mia, 30, key="another"),
        after=lambda: grant(shop, 500),
    )
    assert refused(*tries) == "insufficient_credits"
    assert [each.credits for each in entries(shop) if each.kind == "transfer"] == [30]
    assert refused(send(shop, mia, 40, key="one")) == "insufficient_credits"
    assert refused(send(shop, mia, 1, key="one")) == "idempotency_key_reused"
    assert send(shop, mia, 40, key="two").status == 201


def test_credits_are_not_sent_to_who_comes_back_later(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = join(shop, MIA)
    tries = tried_twice(
        monkeypatch,
        lambda: send(shop, mia, 5, key="one"),
        before=lambda: remove(shop, mia),
        after=lambda: join(shop, MIA),
    )
    assert refused(*tries) == "member_not_active"


def cancel(shop: Product) -> None:
    assert shop.command("POST /subscription/cancel").status == 200


def resume(shop: Product) -> None:
    assert shop.command("POST /subscription/resume").status == 200


def test_slots_that_were_refused_are_not_charged_later(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tried_twice(
        monkeypatch,
        lambda: put(shop, 5, key="one"),
        before=lambda: cancel(shop),
        after=lambda: resume(shop),
    )
    assert refused(*tries) == "subscription_ending"
    assert len(invoices(shop)) == 1
    assert put(shop, 5, key="two").status == 200


def test_a_cycle_that_was_refused_is_not_planned_later(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tried_twice(
        monkeypatch,
        lambda: shop.command("PUT /subscription/cycle", {"cycle": "annual"}, key="one"),
        before=lambda: cancel(shop),
        after=lambda: resume(shop),
    )
    assert refused(*tries) == "subscription_ending"
    assert shop.billing()["subscription"]["pending_cycle"] is None


@pytest.mark.parametrize(
    ("route", "body", "code"),
    [
        ("POST /credits/checkout", {"package": "credits_500"}, "no_access"),
        ("POST /subscription/card", None, "not_subscribed"),
        ("PUT /subscription/cycle", {"cycle": "annual"}, "not_subscribed"),
    ],
)
def test_what_was_refused_before_there_was_a_subscription_stays_refused(
    product: Product, route: str, body: Any, code: str
) -> None:
    assert refused(product.command(route, body, key="one")) == code
    product.subscribe()
    product.catch_up()
    assert refused(product.command(route, body, key="one")) == code
    assert product.command(route, body, key="two").status in (200, 201)


def test_a_checkout_that_was_refused_opens_no_page_later(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def subscribed() -> None:
        product.pay(product.open_checkout("another").json["url"])
        product.catch_up()

    def ended() -> None:
        [base] = product.subscriptions()
        product.at_stripe.v1.subscriptions.cancel(base.id)
        product.catch_up()

    product.billing()
    tries = tried_twice(
        monkeypatch, lambda: product.open_checkout("one"), before=subscribed, after=ended
    )
    assert refused(*tries) == "already_subscribed"
    assert product.open_checkout("two").status == 201


def test_a_refusal_says_the_same_again(shop: Product) -> None:
    join(shop, MIA)
    join(shop, "ben@acme.test")
    first, again = (put(shop, 1, key="one") for _ in range(2))
    assert refused(first) == "slots_in_use"
    assert (again.status, again.json) == (first.status, first.json)


def test_a_try_that_was_accepted_meanwhile_is_not_refused(
    shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = marks.refuse_command
    accepted: list[Answer] = []

    def overtaken(*given: Any) -> None:
        monkeypatch.setattr(marks, "refuse_command", whole)
        resume(shop)
        accepted.append(put(shop, 5, key="one"))
        whole(*given)

    cancel(shop)
    monkeypatch.setattr(marks, "refuse_command", overtaken)
    late = put(shop, 5, key="one")
    assert [late.code, accepted[0].status] == ["busy", 200]
    assert put(shop, 5, key="one").json == accepted[0].json


def test_a_command_that_was_cut_off_and_then_refused_stays_refused(shop: Product) -> None:
    def ask() -> Answer:
        return shop.command("PUT /subscription/cycle", {"cycle": "annual"}, key="one")

    shop.order_faults([("POST", "/v1/subscription_schedules", "timeout_before")] * 3)
    assert ask().status == 503
    shop.advance("PT1M")
    cancel(shop)
    assert refused(ask()) == "subscription_ending"
    resume(shop)
    assert refused(ask()) == "subscription_ending"
