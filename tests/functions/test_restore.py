"""A table that was restored to an earlier moment: what Stripe bills is found again (runbook)."""

from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts, keys
from billing.usecases.resync import resync
from tests.functions.product import Begin, Product

FORGOTTEN = ("SUBSCRIPTION#", "CHECKOUT", "ACCOUNT")


@pytest.fixture
def restored(begin: Begin) -> Product:
    """Subscribed with slots and a package, of which the table knows nothing any more."""

    def live(product: Product) -> None:
        product.subscribe()
        product.catch_up()
        product.buy_slots_at_stripe(3)
        url = product.command("POST /credits/checkout", {"package": "credits_500"}).json["url"]
        assert product.pay(url).status_code == 200
        product.catch_up()
        product.advance("PT10M")

    product = begin("to be restored", live)
    customer = product.customers()[0].id
    kept = {pk: sk for pk, sk in product.rows() if pk.endswith(product.account)}
    assert kept
    for pk, sk in product.rows():
        gone = sk.startswith(FORGOTTEN[:2]) or pk.endswith(("#INVOICES", "#PURCHASES"))
        if gone:
            product.tables.alter(pk, sk, None)
    account = product.rows()[f"ACCOUNT#{product.account}", "ACCOUNT"]
    earlier: Any = {**account, "customer": {"NULL": True}}
    product.tables.alter(f"ACCOUNT#{product.account}", "ACCOUNT", earlier)
    link = keys.customer_key(customer)
    product.tables.alter(link["pk"], link["sk"], None)
    assert product.billing()["subscription"]["status"] == "none"
    return product


def test_no_second_subscription_is_sold(restored: Product) -> None:
    answer = restored.open_checkout("again")
    assert (answer.status, answer.code) == (409, "already_subscribed")
    billing = restored.billing()
    assert billing["subscription"]["status"] == "active"
    assert billing["slots"]["purchased"] == 3
    assert len(restored.customers()) == 1
    assert len(restored.subscriptions()) == 2


def test_everything_is_rebuilt_from_stripe_and_a_second_run_finds_nothing(
    restored: Product,
) -> None:
    before = len(restored.subscriptions())
    found = resync(restored.account, runtime.now())
    assert len(found) == 1 + 2 + 3
    billing = restored.billing()
    assert (billing["subscription"]["status"], billing["slots"]["purchased"]) == ("active", 3)
    assert len(restored.call("GET /invoices").json["items"]) == 3
    assert billing["credits"]["total"] == 500
    assert accounts.account_of(restored.customers()[0].id) == restored.account
    assert resync(restored.account, runtime.now()) == []
    assert len(restored.subscriptions()) == before


def test_a_purchase_that_the_ledger_lost_is_granted_once(restored: Product) -> None:
    pk = next(pk for pk, _ in restored.tables.rows("ledger") if restored.account in pk)
    for sk in list(restored.tables.partition(pk, "ledger")):
        restored.tables.alter(pk, sk, None, "ledger")
    restored.tables.alter(f"ACCOUNT#{restored.account}", "WALLET#user-ana", None)
    assert restored.billing()["credits"]["total"] == 0
    found = resync(restored.account, runtime.now())
    assert sum("not granted" in line for line in found) == 1
    assert restored.billing()["credits"]["total"] == 500
    assert resync(restored.account, runtime.now()) == []
    assert restored.billing()["credits"]["total"] == 500


def test_an_account_that_nobody_knows_is_said(product: Product) -> None:
    with pytest.raises(LookupError):
        resync(product.account, runtime.now())
