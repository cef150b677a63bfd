"""Everything kept as it is, and gone back to."""

import time

from tests.sandbox.shop import Shop


def keep(shop: Shop, name: str) -> None:
    assert shop.order(f"snapshots/{name}", {}).status_code == 200


def restore(shop: Shop, name: str) -> None:
    assert shop.order(f"snapshots/{name}/restore", {}).status_code == 200


def test_what_was_kept_is_there_again_and_what_came_after_is_gone(own_shop: Shop) -> None:
    ana = own_shop.customer(name="Ana")
    keep(own_shop, "one customer")
    own_shop.customer(name="Ben")
    own_shop.stripe.customers.update(ana, {"name": "Anna"})
    restore(own_shop, "one customer")
    assert [each.name for each in own_shop.stripe.customers.list().data] == ["Ana"]


def test_it_can_be_gone_back_to_again_and_again(own_shop: Shop) -> None:
    keep(own_shop, "nothing")
    for _ in range(2):
        own_shop.customer()
        restore(own_shop, "nothing")
        assert own_shop.stripe.customers.list().data == []


def test_the_clock_goes_back_too(own_shop: Shop) -> None:
    own_shop.subscribe()
    keep(own_shop, "subscribed")
    own_shop.order("clock", {"advance": "P3M"})
    assert len(own_shop.stripe.invoices.list().data) == 4
    restore(own_shop, "subscribed")
    assert len(own_shop.stripe.invoices.list().data) == 1
    own_shop.order("clock", {"advance": "P1M"})
    assert len(own_shop.stripe.invoices.list().data) == 2


def test_the_time_that_passes_meanwhile_does_not_count(own_shop: Shop) -> None:
    keep(own_shop, "then")
    before = own_shop.customer()
    time.sleep(2.1)
    made_before = own_shop.stripe.customers.retrieve(before).created
    restore(own_shop, "then")
    made = own_shop.stripe.customers.retrieve(own_shop.customer()).created
    assert made - made_before <= 1


def test_what_was_never_kept_is_refused(own_shop: Shop) -> None:
    answer = own_shop.order("snapshots/dream/restore", {})
    assert answer.status_code == 400
    assert "Nothing was kept as dream" in answer.json()["error"]["message"]
