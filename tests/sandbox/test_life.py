"""Every object and every event of a full life is what Stripe's description says.

The check is the test's own: plain jsonschema over the trimmed description.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from infra.local.stripe_sandbox import trim_description
from tests.sandbox.shop import KEY, Listener, Shop

[FILE] = Path(trim_description.__file__).parent.glob("description-*.json.gz")
DESCRIPTION: dict[str, Any] = json.loads(gzip.decompress(FILE.read_bytes()))
LISTS = """charges checkout/sessions customers disputes events invoice_payments invoiceitems
    invoices payment_intents payment_methods prices products refunds setup_intents
    subscription_schedules subscriptions webhook_endpoints"""


def live(shop: Shop) -> None:
    """All that can happen to an account, more or less."""
    buy_subscriptions(shop)
    pay_once(shop)
    renewing = shop.subscribe()
    begin_without_checkout(shop, renewing)
    invoice_by_hand(shop, renewing)
    change(shop, renewing)
    shop.advance("P1M")
    shop.advance("P20D")
    leave(shop, renewing)


def buy_subscriptions(shop: Shop) -> None:
    shop.pay(shop.checkout(customer=shop.customer()).id, "4000000000000002")
    shop.pay(shop.checkout().id, "4000002760003184", authenticate="approve")
    shop.pay(shop.checkout().id, "4000002760003184", authenticate="fail")
    debits = [shop.pay(shop.checkout().id, "000123456789").json() for _ in range(2)]
    shop.order(f"payments/{debits[0]['intent']}/settle", {"succeed": False})
    euros = shop.price(900, currency="eur")
    sepa = shop.checkout(line_items=[{"price": euros, "quantity": 1}])
    shop.pay(sepa.id, "AT611904300234573201")
    shop.checkout(automatic_tax={"enabled": True})
    shop.stripe.checkout.sessions.expire(shop.checkout().id)


def pay_once(shop: Shop) -> None:
    shop.pay(shop.checkout("setup", customer=shop.customer()).id)
    shop.pay(shop.checkout("setup", customer=shop.customer()).id, "4000000000000002")
    package = shop.checkout("payment", customer=shop.customer(), invoice_creation={"enabled": True})
    paid = shop.pay(package.id, "378282246310005").json()["intent"]
    shop.order(f"payments/{paid}/refund", {"amount": 100})
    shop.order(f"payments/{paid}/refund", {"amount": 50, "fail": True})
    for outcome in ("won", "lost"):
        sold = shop.pay(shop.checkout("payment").id).json()["intent"]
        shop.order(f"payments/{sold}/dispute", {"outcome": outcome})


def begin_without_checkout(shop: Shop, known: Any) -> None:
    incomplete: Any = {
        "customer": known.customer,
        "items": [{"price": shop.price()}],
        "payment_behavior": "default_incomplete",
        "default_payment_method": known.default_payment_method,
    }
    made = [shop.stripe.subscriptions.create(incomplete) for _ in range(2)]
    shop.stripe.invoices.void_invoice(str(made[0].latest_invoice))
    shop.stripe.invoices.mark_uncollectible(str(made[1].latest_invoice))


def invoice_by_hand(shop: Shop, known: Any) -> None:
    """Paid, voided, thrown away."""
    price = shop.price(900, interval=None)
    made = [shop.stripe.invoices.create({"customer": known.customer}).id for _ in range(3)]
    for invoice in made:
        item: Any = {"customer": known.customer, "invoice": invoice, "pricing": {"price": price}}
        shop.stripe.invoice_items.create(item)
    shop.stripe.invoices.pay(made[0], {"payment_method": known.default_payment_method})
    shop.stripe.invoices.finalize_invoice(made[1])
    shop.stripe.invoices.void_invoice(made[1])
    shop.stripe.invoices.delete(made[2])


def change(shop: Shop, renewing: Any) -> None:
    """More of each, paid or pending; then schedules, one of which the dunning ends."""
    shop.stripe.subscriptions.update(renewing.id, {"cancel_at_period_end": True})
    shop.stripe.subscriptions.update(renewing.id, {"cancel_at_period_end": False})
    for subscription in (renewing, shop.subscribe(card="4000000000000341")):
        more: Any = {
            "items": [{"id": subscription["items"].data[0].id, "quantity": 2}],
            "proration_behavior": "always_invoice",
            "payment_behavior": "pending_if_incomplete",
        }
        shop.stripe.subscriptions.update(subscription.id, more)
        shop.stripe.subscription_schedules.create({"from_subscription": subscription.id})


def leave(shop: Shop, renewing: Any) -> None:
    shop.stripe.subscriptions.cancel(renewing.id)
    shop.stripe.payment_methods.detach(str(renewing.default_payment_method))
    shop.stripe.customers.delete(shop.customer())
    spare = shop.stripe.products.create({"name": "Never sold"})
    shop.stripe.products.delete(spare.id)


def faults(body: dict[str, Any]) -> list[str]:
    schema = {"$ref": f"#/$defs/{body['object']}", "$defs": DESCRIPTION["$defs"]}
    return [
        f"{body['object']} {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(body)
    ]


def everything(shop: Shop, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    if path == "subscriptions":
        query["status"] = "all"
    while True:
        page = shop.http.get(f"{shop.base}/v1/{path}", params=query, auth=(KEY, "")).json()
        found.extend(page["data"])
        if not page["has_more"]:
            return found
        query["starting_after"] = found[-1]["id"]


def test_every_object_and_event_of_a_full_life_is_as_described(
    own_shop: Shop, listener: Listener
) -> None:
    endpoint: Any = {"url": listener.url, "enabled_events": ["*"]}
    own_shop.stripe.webhook_endpoints.create(endpoint)
    live(own_shop)
    objects = {path: everything(own_shop, path) for path in LISTS.split()}
    assert all(objects.values()), [path for path, found in objects.items() if not found]
    for event in listener.events():
        assert faults(event) == [], event["type"]
        assert faults(event["data"]["object"]) == [], event["type"]
    wrong = [fault for found in objects.values() for body in found for fault in faults(body)]
    assert wrong == []
    known = set(
        DESCRIPTION["operations"]["POST /v1/webhook_endpoints"]["request"]["properties"][
            "enabled_events"
        ]["items"]["enum"]
    )
    happened = {event["type"] for event in listener.events()}
    assert happened <= known
    assert len(happened) >= 45, sorted(happened)


def test_the_check_sees_a_wrong_object(own_shop: Shop) -> None:
    own_shop.stripe.products.create({"name": "Team plan"})
    [good] = everything(own_shop, "products")
    assert faults(good) == []
    assert faults(good | {"surprise": 1})
    assert faults(good | {"name": None})
    assert faults({key: value for key, value in good.items() if key != "active"})


def test_the_description_is_trimmed_without_prose() -> None:
    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        if isinstance(value, dict):
            names = {key for key, inner in value.items() if isinstance(inner, str)}
            return names.union(*map(keys, value.values()))
        return set()

    assert keys(DESCRIPTION) <= {"version", "type", "format", "pattern", "$ref"}


@pytest.fixture
def full() -> dict[str, Any]:
    """A description in small, as Stripe writes them."""
    coin = {
        "type": "object",
        "description": "prose",
        "properties": {
            "object": {"type": "string", "enum": ["product"]},
            "owner": {
                "anyOf": [
                    {"type": "string"},
                    {"$ref": "#/components/schemas/account"},
                ],
                "nullable": True,
                "x-expansionResources": {"oneOf": []},
            },
            "side": {"type": "string", "enum": ["head", "tail"], "nullable": True},
        },
        "x-expandableFields": ["owner"],
    }
    account = {"type": "object", "properties": {"object": {"enum": ["account"]}}}
    return {"components": {"schemas": {"product": coin, "account": account}}}


def test_trimming_closes_objects_and_rewrites_nullable(full: dict[str, Any]) -> None:
    schema = trim_description.Trimmer(full["components"]["schemas"]).schema(
        full["components"]["schemas"]["product"]
    )
    assert schema["additionalProperties"] is False
    assert "description" not in schema
    assert schema["properties"]["owner"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "x-expandable": True,
    }
    assert schema["properties"]["side"] == {
        "type": ["string", "null"],
        "enum": ["head", "tail", None],
    }
