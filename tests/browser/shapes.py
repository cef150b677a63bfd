"""What the API answers, as small as a test can say it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKOUT = "https://checkout.test/c/pay/cs_1"
SUPPORT = {"email": "help@sales.test", "url": "https://sales.test/support"}
CARD_PAGE = {"url": "https://checkout.test/setup/cs_2", "expires_at": "2027-01-31T10:00:00Z"}
CARD = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030}
PACKAGE_PAGE = {"url": "https://checkout.test/package/cs_3", "expires_at": "2027-01-31T10:00:00Z"}
NO_CREDITS = dict.fromkeys(("total", "spent", "held", "remaining", "debt", "mine"), 0)
_RAW = Path(__file__).parents[2] / "layers/common/billing/catalog.json"


def money(amount: int, currency: str = "usd") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def no_subscription(**more: Any) -> dict[str, Any]:
    subscription: dict[str, Any] = dict.fromkeys(
        ("plan", "cycle", "price", "renews_at", "ends_at", "next_charge", "pending_cycle", "card")
    )
    subscription |= {"status": "none", "checkout": None}
    return billing({**subscription, **more}, {"state": "none", "until": None})


def open_checkout(status: str = "open") -> dict[str, Any]:
    checkout = {"url": CHECKOUT, "expires_at": "2027-01-31T10:00:00Z", "status": status}
    pending = "pending" if status == "completing" else "none"
    return no_subscription(status=pending, checkout=checkout)


def subscribed(access: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    subscription = {
        "status": "active",
        "plan": {"id": "business", "name": "Business"},
        "cycle": "monthly",
        "price": money(9900),
        "renews_at": "2027-01-31T23:59:59Z",
        "ends_at": None,
        "next_charge": {
            **money(9900),
            "at": "2027-01-31T23:59:59Z",
            "items": [{"kind": "subscription", "amount": 9900}],
            "estimated_at": None,
        },
        "monthly_total": money(9900),
        "charges": None,
        "cancellation": CANCELLATION,
        "pending_plan": None,
        "pending_cycle": None,
        "card": CARD,
        "checkout": None,
        "open_invoice": None,
    }
    return billing({**subscription, **more}, access or {"state": "active", "until": None})


CANCELLATION: dict[str, Any] = {
    "ends_at": "2027-01-31T23:59:59Z",
    "slots_ends_at": None,
    "add_on_ends_at": None,
    "charges": [],
    "keep_slots": None,
}
"""What canceling would do where there is nothing but the plan."""

OPEN_INVOICE: dict[str, Any] = {
    "id": "1700000002-in_2",
    "number": "ACME0001-0002",
    "amount_due": money(9900),
    "url": "https://invoice.test/i/in_2",
}


def overdue(**more: Any) -> dict[str, Any]:
    grace = {"state": "grace", "until": "2027-02-14T00:00:00Z"}
    return subscribed(grace, status="past_due", open_invoice=OPEN_INVOICE, **more)


def ending(**more: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"next_charge": None, "monthly_total": None, "cancellation": None}
    ends: dict[str, Any] = {"ends_at": "2027-01-31T23:59:59Z", "renews_at": None, "charges": []}
    return subscribed(**{**nothing, **ends, **more})


def kept_slots() -> dict[str, Any]:
    """An annual plan that can be canceled with its slots kept for ten more months."""
    charges = [
        {"at": f"2027-{month:02d}-15T10:00:00Z", **money(24500), "for": "slots"}
        for month in range(1, 11)
    ]
    return {
        **CANCELLATION,
        "ends_at": "2027-11-15T10:00:00Z",
        "slots_ends_at": "2027-01-15T10:00:00Z",
        "keep_slots": {
            "purchased": 5,
            "price": money(24500),
            "cycle": "monthly",
            "until": "2027-11-15T10:00:00Z",
            "charges": charges,
        },
    }


def slots(purchased: int, occupied: int = 0, **more: Any) -> dict[str, Any]:
    shown = {
        "purchased": purchased,
        "occupied": occupied,
        "invited": 0,
        "free": purchased - occupied,
        "pending_purchased": None,
        "cycle": "monthly",
        "price": money(4900),
        "renews_at": "2027-01-15T10:00:00Z" if purchased else None,
        "ends_at": None,
        "overdue": None,
    }
    return {**shown, **more}


def member(name: str, status: str = "active", **more: Any) -> dict[str, Any]:
    first = name.split()[0].lower()
    shown = {
        "id": f"id-of-{first}",
        "email": f"{first}@acme.test",
        "name": name,
        "role": "member",
        "status": status,
        "credits": 0,
        "limit": None,
        "used": 0,
        "invited_at": "2026-12-20T09:00:00Z",
        "expires_at": "2027-01-03T09:00:00Z" if status in ("invited", "expired") else None,
    }
    return {**shown, **more}


MANAGER = member("Ana Ruiz", id="ana", role="manager", invited_at=None)


def team(*members: dict[str, Any], purchased: int, **more: Any) -> dict[str, Any]:
    """A subscribed account with slots, of which these members hold some."""
    holding = [each for each in members if each["status"] in ("active", "invited")]
    invited = sum(each["status"] == "invited" for each in members)
    held = slots(purchased, len(holding), invited=invited, **more)
    return {**subscribed(), "slots": held, "members": [MANAGER, *members]}


def with_credits(billing: dict[str, Any], total: int, **more: Any) -> dict[str, Any]:
    """What the whole team has; all of it the manager's own unless told."""
    remaining = total - more.get("spent", 0) - more.get("held", 0) + more.get("debt", 0)
    there = {**NO_CREDITS, "total": total, "remaining": remaining, "mine": remaining, **more}
    return {**billing, "credits": there}


def entry(number: int, kind: str, credits: int, **more: Any) -> dict[str, Any]:
    """The higher the number, the later."""
    shown = {
        "id": f"entry-{number}",
        "at": f"2026-11-{number:02d}T14:05:00Z",
        "kind": kind,
        "credits": credits,
        "from": None,
        "to": None,
        "by": "ana",
        "balance_after": 500,
        "reference": "",
    }
    return {**shown, **more}


def log(*entries: dict[str, Any], next_cursor: str | None = None) -> dict[str, Any]:
    return {"items": list(entries), "next_cursor": next_cursor}


def usage(**periods: dict[str, int]) -> dict[str, Any]:
    """By period, whose name begins with an underscore: `_2026_11={"bought": 500}`."""
    nothing = dict.fromkeys(("bought", "sent", "spent", "returned", "clawed_back"), 0)
    named = {name.strip("_").replace("_", "-"): sums for name, sums in periods.items()}
    return {"items": [{"period": name, **nothing, **sums} for name, sums in named.items()]}


def wallet(available: int, **more: Any) -> dict[str, Any]:
    """A member's own."""
    shown: dict[str, Any] = dict.fromkeys(("held", "spent", "sent", "debt", "used"), 0)
    shown |= {"available": available, "received": available, "limit": None, "alert_below": None}
    shown |= more
    return {**dict.fromkeys(("account", "members", "top_up")), "wallet": shown}


def settings(below: int | None = None, **top_up: Any) -> dict[str, Any]:
    """What a manager has set; automatic top-up is off unless told."""
    return {**wallet(0, alert_below=below), "top_up": top_up_of(**top_up)}


def top_up_of(status: str = "off", **more: Any) -> dict[str, Any]:
    """Below 200, 500 credits are bought, at most 200 dollars a month; 50 are charged."""
    names = ("below", "package", "monthly_cap", "charged", "stopped", "resumes_at")
    nothing: dict[str, Any] = dict.fromkeys(names)
    chosen = {"below": 200, "package": "credits_500", "monthly_cap": money(20000)}
    chosen |= {"charged": money(5000)}
    return {**nothing, **(chosen if status != "off" else {}), "status": status, **more}


def requests(*topics: str) -> dict[str, Any]:
    sent = [
        {"id": f"2026-12-0{day}-1", "topic": topic, "at": f"2026-12-0{day}T09:00:00Z"}
        for day, topic in enumerate(topics, 1)
    ]
    return {"items": sent[::-1], "next_cursor": None}


def billing(subscription: dict[str, Any], access: dict[str, Any]) -> dict[str, Any]:
    return {
        "account": {"id": "acme", "me": "ana"},
        "subscription": subscription,
        "access": access,
        "slots": slots(0),
        "members": [MANAGER],
        "credits": NO_CREDITS,
        "add_ons": {"data_unlimited": {"status": "none"}},
        "support": SUPPORT,
    }


def catalog() -> dict[str, Any]:
    raw = json.loads(_RAW.read_text())
    plans = [{**plan, "prices": _prices(plan["prices"])} for plan in raw["plans"]]
    packages = [{**each, "prices": _prices({None: each["price"]})} for each in raw["packages"]]
    return {"currencies": raw["currencies"], "plans": plans, "packages": packages}


def _prices(cycles: Mapping[Any, dict[str, int]]) -> list[dict[str, Any]]:
    return [
        {**money(amount, currency), "cycle": cycle}
        for cycle, amounts in cycles.items()
        for currency, amount in amounts.items()
    ]


def invoice(number: int, **more: Any) -> dict[str, Any]:
    shown = {
        "id": f"17000000{number:02d}-in_{number}",
        "number": f"ACME0001-{number:04d}",
        "at": f"2026-{number % 12 + 1:02d}-28T09:30:00Z",
        "kind": "subscription",
        "status": "paid",
        "total": money(9900),
        "lines": [{"description": "Business, monthly", "quantity": 1, "total": money(9900)}],
    }
    return {**shown, **more}


def invoices(*items: dict[str, Any], next_cursor: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": next_cursor}
