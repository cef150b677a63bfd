"""Stripe's events: verified, parsed, and reduced to a reference to the object they are about.

Needs no import of the stripe package. Nothing of an event's object is believed but its id and its
time of creation: what is recorded is fetched again.
"""

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Any, Self

API_VERSION = "2026-08-26.dahlia"
TOLERANCE_SECONDS = 300

EVENT_TYPES = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "invoice.finalized",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.finalization_failed",
    "charge.refunded",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "customer.updated",
    "customer.deleted",
    "payment_method.attached",
    "payment_method.updated",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "subscription_schedule.created",
    "subscription_schedule.updated",
    "subscription_schedule.released",
    "subscription_schedule.completed",
    "subscription_schedule.canceled",
    "subscription_schedule.aborted",
)
"""What the webhook endpoint subscribes to. Not `invoice.created`: failing that one delays the
invoice by days."""


class BadSignature(Exception):
    """Not from Stripe, or too old, or from the future."""


class MalformedEvent(Exception):
    """Signed, but not an event as Stripe describes it."""


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """`customer` is empty where the object has none. `object_created` is in epoch seconds.

    `account` is set on events of a connected account, none of which are ours.
    """

    id: str
    type: str
    api_version: str
    livemode: bool
    account: str
    object_id: str
    object_created: int
    customer: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises MalformedEvent."""
        try:
            raw = json.loads(body)
            return cls.of(raw)
        except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
            raise MalformedEvent(str(error)) from error
        except RecursionError as error:
            raise MalformedEvent(str(error)) from error

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Self:
        """From an event's JSON. Raises KeyError, TypeError or ValueError."""
        subject = raw["data"]["object"]
        return cls(
            id=_name(raw["id"]),
            type=_name(raw["type"]),
            api_version=raw.get("api_version") or "",
            livemode=raw["livemode"] is True,
            account=raw.get("account") or "",
            object_id=_text(subject.get("id", "")),
            object_created=int(subject.get("created", 0)),
            customer=_customer(subject) or _customer(raw["data"].get("previous_attributes") or {}),
        )

    @property
    def concerns_a_customer(self) -> bool:
        """A dispute does too, but only its charge says which one."""
        return bool(self.customer) or self.type.startswith(("charge.dispute.", "refund."))

    def message(self) -> str:
        """As the queue carries it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_message(cls, message: str) -> Self:
        return cls(**json.loads(message))

    @property
    def group(self) -> str:
        """What is processed one by one: a customer's events."""
        return self.customer or self.object_id or self.id


def verify(body: bytes, header: str, secrets: tuple[str, ...], wall_time: float) -> None:
    """Raises BadSignature unless one of `secrets` signed `body` within the tolerance of now.

    Both directions count: a time in the future is as suspect as an old one.
    """
    pairs = [part.split("=", 1) for part in header.split(",") if "=" in part]
    stamps = [value for name, value in pairs if name.strip() == "t"]
    signatures = [value for name, value in pairs if name.strip() == "v1"]
    if len(stamps) != 1 or not stamps[0].isdecimal() or len(stamps[0]) > 12:
        raise BadSignature("no single timestamp")
    if abs(wall_time - int(stamps[0])) > TOLERANCE_SECONDS:
        raise BadSignature("the timestamp is not of now")
    payload = stamps[0].encode() + b"." + body
    for secret in filter(None, secrets):
        expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().encode()
        if any(hmac.compare_digest(expected, given.encode()) for given in signatures):
            return
    raise BadSignature("no signature of ours")


def _customer(subject: dict[str, Any]) -> str:
    """The customer of an event's object: itself, or what it belongs to."""
    if subject.get("object") == "customer":
        return _text(subject["id"])
    customer = subject.get("customer") or ""
    return _text(customer["id"] if isinstance(customer, dict) else customer)


def _name(value: Any) -> str:
    if not _text(value):
        raise ValueError("expected a name, got nothing")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r:.40}")
    return value
