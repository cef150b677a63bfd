"""Brings a Stripe account in line with catalog.json, and registers the webhook endpoint.

Run it again at any time: what is there already stays as it is. A price at Stripe cannot change,
so a new amount becomes a new price that takes over the lookup key; earlier subscribers keep theirs.

    STRIPE_API_KEY=sk_… python -m infra.stripe_setup --webhook-url https://…/webhooks/stripe

Prints a JSON object; it has the endpoint's `webhook_secret` when the endpoint was made just now,
since Stripe tells it only then.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import stripe

sys.path.insert(0, str(Path(__file__).parent.parent / "layers" / "common"))

from billing.adapters.stripe.events import API_VERSION, EVENT_TYPES  # noqa: E402
from billing.domain.catalog import Cycle, Price, Product, load_catalog  # noqa: E402

_INTERVALS = {
    Cycle.MONTHLY: ("month", 1),
    Cycle.QUARTERLY: ("month", 3),
    Cycle.ANNUAL: ("year", 1),
}


def apply_catalog(client: stripe.StripeClient, products: tuple[Product, ...]) -> list[str]:
    """Makes what is missing and returns what it did, a line each."""
    done: list[str] = []
    for product in products:
        done += _apply_product(client, product)
        for price in product.prices:
            done += _apply_price(client, price)
    return done


def register_webhook(client: stripe.StripeClient, url: str) -> str | None:
    """The secret of the endpoint at `url` if it was made now; None if it was there.

    Stripe keeps an endpoint's API version, so one of another version gives way to a new one.
    """
    subscribed: Any = {"enabled_events": list(EVENT_TYPES)}
    for endpoint in client.v1.webhook_endpoints.list({"limit": 100}).auto_paging_iter():
        if endpoint.url != url:
            continue
        if endpoint.api_version == API_VERSION:
            subscribed["disabled"] = False
            client.v1.webhook_endpoints.update(endpoint.id, subscribed)
            return None
        client.v1.webhook_endpoints.delete(endpoint.id)
    wanted: Any = {**subscribed, "url": url, "api_version": API_VERSION}
    return client.v1.webhook_endpoints.create(wanted).secret


def _apply_product(client: stripe.StripeClient, product: Product) -> list[str]:
    wanted: Any = {"name": product.name, "description": product.description}
    try:
        found = client.v1.products.retrieve(product.id)
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":
            raise
        new: Any = {"id": product.id, **wanted, "metadata": {"kind": str(product.kind)}}
        client.v1.products.create(new)
        return [f"product {product.id} made"]
    if {"name": found.name, "description": found.description} == wanted and found.active:
        return []
    wanted["active"] = True
    client.v1.products.update(product.id, wanted)
    return [f"product {product.id} updated"]


def _apply_price(client: stripe.StripeClient, price: Price) -> list[str]:
    found = client.v1.prices.list({"lookup_keys": [price.lookup_key], "active": True}).data
    if found and _same(found[0], price):
        return []
    wanted: stripe.params.PriceCreateParams = {
        "product": price.product,
        "currency": price.money.currency,
        "unit_amount": price.money.amount,
        "lookup_key": price.lookup_key,
        "transfer_lookup_key": True,
        "metadata": {"kind": str(price.kind)},
    }
    if price.cycle is not None:
        interval, count = _INTERVALS[price.cycle]
        wanted["recurring"] = {"interval": interval, "interval_count": count}
    client.v1.prices.create(wanted)
    for outdated in found:
        client.v1.prices.update(outdated.id, {"active": False})
    return [f"price {price.lookup_key} {'replaced' if found else 'made'}"]


def _same(found: stripe.Price, price: Price) -> bool:
    recurring = found.recurring and (found.recurring.interval, found.recurring.interval_count)
    return (
        found.product == price.product
        and found.unit_amount == price.money.amount
        and found.currency == price.money.currency
        and recurring == (_INTERVALS[price.cycle] if price.cycle else None)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--webhook-url", help="where Stripe sends its events")
    arguments = parser.parse_args()
    client = stripe.StripeClient(
        os.environ["STRIPE_API_KEY"],
        stripe_version=API_VERSION,
        base_addresses={"api": os.environ.get("STRIPE_API_BASE", "https://api.stripe.com")},
        http_client=stripe.RequestsClient(timeout=30),
        max_network_retries=2,
    )
    catalog = load_catalog()
    answer: dict[str, object] = {"done": apply_catalog(client, catalog.products)}
    if arguments.webhook_url:
        answer["webhook_secret"] = register_webhook(client, arguments.webhook_url)
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")


if __name__ == "__main__":
    main()
