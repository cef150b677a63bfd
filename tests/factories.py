"""Values and events that tests begin with; each test changes what it is about."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from billing.domain.account import Checkout, CheckoutStatus
from billing.domain.catalog import Cycle, Kind
from billing.domain.invoices import Invoice, InvoiceLine, InvoiceStatus
from billing.domain.money import Money
from billing.domain.subscription import Status, Subscription

EVENTS = Path(__file__).parent / "events"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def event_file(name: str) -> dict[str, Any]:
    """The event of a function, as `sam local invoke` takes it."""
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return content


def api_event(name: str, route: str | None = None, **changes: Any) -> dict[str, Any]:
    """The function's event file with another route, `claims` (None: no token), `body`,
    `headers`, `query` or `path` parameters."""
    event = copy.deepcopy(event_file(name))
    context = event["requestContext"]
    if route is not None:
        event["routeKey"] = context["routeKey"] = route
        context["http"]["method"], context["http"]["path"] = route.split(" ")
        event["rawPath"] = context["http"]["path"]
    if "claims" in changes and changes["claims"] is None:
        context.pop("authorizer", None)
    elif "claims" in changes:
        context["authorizer"]["jwt"]["claims"] |= changes["claims"]
    if "body" in changes:
        body = changes["body"]
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    for name_, value in changes.get("headers", {}).items():
        event["headers"].pop(name_, None)
        if value is not None:
            event["headers"][name_] = value
    if "query" in changes:
        event["queryStringParameters"] = changes["query"]
    if "path" in changes:
        event["pathParameters"] = changes["path"]
    return event


def subscription(**changes: Any) -> Subscription:
    base = Subscription(
        id="sub_1",
        kind=Kind.SUBSCRIPTION,
        status=Status.ACTIVE,
        plan="starter",
        plan_name="Starter",
        cycle=Cycle.MONTHLY,
        price=Money(5900, "usd"),
        quantity=1,
        created=NOON,
        period_start=NOON,
        period_end=datetime(2026, 12, 23, 12, tzinfo=UTC),
        ends_at=None,
        card={"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030},
    )
    return replace(base, **changes)


def checkout(**changes: Any) -> Checkout:
    base = Checkout(
        id="intent-1",
        price="starter_monthly_usd",
        return_to="https://page.example.com/",
        status=CheckoutStatus.OPEN,
        reserved_at=NOON,
        expires_at=datetime(2026, 11, 23, 13, tzinfo=UTC),
        session="cs_1",
        url="https://checkout.example.com/cs_1",
    )
    return replace(base, **changes)


def invoice(**changes: Any) -> Invoice:
    base = Invoice(
        stripe_id="in_1",
        number="ACME-0001",
        at=NOON,
        kind="subscription",
        status=InvoiceStatus.PAID,
        total=Money(5900, "usd"),
        amount_due=Money(0, "usd"),
        lines=(InvoiceLine("1 × Starter", 1, Money(5900, "usd")),),
        hosted_url=None,
    )
    return replace(base, **changes)
