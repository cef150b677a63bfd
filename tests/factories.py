"""Values and events that tests begin with; each test changes what it is about."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from billing.domain.account import Checkout, CheckoutStatus, Member, MemberStatus, Role
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


def api_event(
    name: str,
    route: str | None = None,
    *,
    claims: dict[str, str | None] | None = None,
    body: Any = None,
    headers: dict[str, str | None] | None = None,
    query: dict[str, str] | None = None,
    path: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The function's event file, changed: another route, other claims or headers (None takes one
    away), a body (text as it is, anything else as JSON), query and path parameters."""
    event = copy.deepcopy(event_file(name))
    context = event["requestContext"]
    if route is not None:
        event["routeKey"] = context["routeKey"] = route
    if claims is not None and "authorizer" in context:
        _change(context["authorizer"]["jwt"]["claims"], claims)
    _change(event["headers"], headers or {})
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    given = {"queryStringParameters": query, "pathParameters": path}
    return event | {name: value for name, value in given.items() if value is not None}


def _change(present: dict[str, Any], changes: dict[str, Any]) -> None:
    present |= changes
    for name in [name for name, value in present.items() if value is None]:
        del present[name]


def unsigned(event: dict[str, Any]) -> dict[str, Any]:
    """The event as it is without a token."""
    del event["requestContext"]["authorizer"]
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
        anchor=NOON,
        period_start=NOON,
        period_end=datetime(2026, 12, 23, 12, tzinfo=UTC),
        ends_at=None,
        card={"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030},
    )
    return replace(base, **changes)


def member(name: str, **changes: Any) -> Member:
    """An active member, who accepted at noon."""
    base = Member(
        id=name,
        email=f"{name}@acme.test",
        name=name.title(),
        role=Role.MEMBER,
        status=MemberStatus.ACTIVE,
        subject=f"user-{name}",
        invited_at=NOON,
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
