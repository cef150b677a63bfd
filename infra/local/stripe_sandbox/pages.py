"""What people see: Checkout, the bank's page, the hosted invoice, the dashboard."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from infra.local.stripe_sandbox import cards
from infra.local.stripe_sandbox.money import written
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

TEMPLATES = Path(__file__).with_name("templates")
COUNTRIES = {
    "US": "United States",
    "AT": "Austria",
    "AU": "Australia",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "IT": "Italy",
    "JP": "Japan",
    "NL": "Netherlands",
    "SE": "Sweden",
}


@dataclass(frozen=True)
class Typed:
    """What the payment form holds."""

    card: str = ""
    expiry: str = ""
    cvc: str = ""
    email: str = ""
    name: str = ""
    country: str = "US"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(), trim_blocks=True
    )
    environment.filters |= {"money": written, "day": day, "every": every, "instant": instant}
    environment.globals |= {"countries": COUNTRIES}
    return environment


def render(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(values)


def day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d %b %Y}"


def instant(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def every(recurring: Body) -> str:
    """`every month`, `every 3 months`."""
    count, interval = recurring["interval_count"], recurring["interval"]
    return f"every {interval}" if count == 1 else f"every {count} {interval}s"


def offered(types: list[str]) -> list[cards.Card]:
    """The test cards and accounts that a payment of these types can be made with."""
    return [card for card in cards.TEST_CARDS + cards.BANK_ACCOUNTS if card.type in types]


def tables(world: World, deliveries: list[Body]) -> list[tuple[str, list[str], list[list[Any]]]]:
    """The dashboard's tables: a name, the heads, the rows."""
    return [
        (
            "Customers",
            ["Id", "Name", "E-mail", "Created"],
            [
                [c["id"], c["name"], c["email"], instant(c["created"])]
                for c in _last(world, "customer")
            ],
        ),
        (
            "Subscriptions",
            ["Id", "Customer", "Status", "Items", "Until", "Cancels"],
            [_subscription(s) for s in _last(world, "subscription")],
        ),
        (
            "Invoices",
            ["Number", "Customer", "Status", "Total", "Created", "Page"],
            [_invoice(i) for i in _last(world, "invoice")],
        ),
        (
            "Payments",
            ["Id", "Customer", "Status", "Amount", "Created"],
            [_payment(p) for p in _last(world, "payment_intent")],
        ),
        (
            "Events",
            ["Id", "Type", "Created", "Deliveries"],
            [_event(e, deliveries) for e in _last(world, "event")],
        ),
    ]


def _last(world: World, kind: str) -> list[Body]:
    return world.find(kind, limit=25)


def _customer(customer: Body) -> list[Any]:
    created = instant(customer["created"])
    return [customer["id"], customer["name"] or "", customer["email"] or "", created]


def _subscription(subscription: Body) -> list[Any]:
    items = subscription["items"]["data"]
    ends = subscription["cancel_at"]
    return [
        subscription["id"],
        subscription["customer"],
        subscription["status"],
        ", ".join(f"{item['quantity']} × {_price(item['price'])}" for item in items),
        instant(items[0]["current_period_end"]),
        instant(ends) if ends else "",
    ]


def _price(price: Body) -> str:
    return str(price["lookup_key"] or price["id"])


def _invoice(invoice: Body) -> list[Any]:
    page = Markup('<a href="/i/{id}">open</a>').format(id=invoice["id"])
    return [
        invoice["number"] or invoice["id"],
        invoice["customer"],
        invoice["status"],
        written(invoice["total"], invoice["currency"]),
        instant(invoice["created"]),
        page,
    ]


def _payment(intent: Body) -> list[Any]:
    amount = written(intent["amount"], intent["currency"])
    created = instant(intent["created"])
    return [intent["id"], intent["customer"] or "", intent["status"], amount, created]


def _event(event: Body, deliveries: list[Body]) -> list[Any]:
    own = [d for d in deliveries if d["event"] == event["id"]]
    told = ", ".join(
        f"{d['state']} ({d['answer']['status'] or 'no answer'})" if d["answer"] else d["state"]
        for d in own
    )
    return [event["id"], event["type"], instant(event["created"]), told]
