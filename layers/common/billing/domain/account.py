"""The paying team, its people, and its one open Checkout."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

_ID = re.compile(r"[A-Za-z0-9_.:@|-]{1,128}")


def well_formed_id(text: str) -> bool:
    """Whether `text` may be an account's or a person's id: it becomes part of keys."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`customer` is Stripe's id, None until the first Checkout.

    `email` is a manager's, where receipts go. `customer_email` is the address with which Stripe was
    asked to make the customer, or the one that it has, as far as is known. `customer_requested_at`
    is when the first try to make the customer began; `customer_generation` counts those deleted at
    Stripe and the keys that Stripe spent on a failure.
    """

    id: str
    email: str
    created_at: datetime
    customer: str | None = None
    customer_generation: int = 0
    customer_requested_at: datetime | None = None
    customer_email: str = ""

    @property
    def email_is_behind(self) -> bool:
        """Whether Stripe's receipts go to another address than `email`."""
        return self.customer is not None and self.customer_email != self.email


class Role(StrEnum):
    MANAGER = "manager"
    MEMBER = "member"


class MemberStatus(StrEnum):
    """`expired` and `withdrawn` are invitations that nobody accepted. Who is `waiting` managed the
    team before and has no slot yet."""

    INVITED = "invited"
    ACTIVE = "active"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One person, by an `id` that stays: the subject of who came as manager, or made of the address
    that was invited. `subject` is their sign-in, None before the first one, and `linked` says that
    it has a row of its own. `expires_at` is an invitation's. `email` is empty where none is
    verified.
    """

    id: str
    email: str
    name: str
    role: Role
    status: MemberStatus
    subject: str | None = None
    linked: bool = False
    invited_at: datetime | None = None
    expires_at: datetime | None = None


OPENING_TAKES_AT_MOST = timedelta(minutes=20)
"""A reservation for which Stripe was not asked by then is given up: nobody knows its page, and
Stripe refuses a session that has less than half an hour to live."""


class CheckoutStatus(StrEnum):
    RESERVED = "reserved"
    OPEN = "open"
    COMPLETED = "completed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The account's reservation of the one Checkout that may be open for its subscription.

    Reserved before Stripe is asked, so that two tabs meet here; `id` names the intent and is what
    Stripe's idempotency key is made of. `price` is the lookup key of what is bought, `return_to`
    the page that Checkout leads back to. `session` and `url` are Stripe's, once it has answered.
    `paid` tells a completed one whose money has come from one that settles later. `replaces` are
    the sessions to close before this one is opened; `attempt` counts the keys that Stripe spent on
    a failure.
    """

    id: str
    price: str
    return_to: str
    status: CheckoutStatus
    reserved_at: datetime
    expires_at: datetime
    session: str | None = None
    url: str | None = None
    paid: bool = False
    replaces: tuple[str, ...] = ()
    attempt: int = 0

    def blocks(self, now: datetime) -> bool:
        """Whether it is still under way, so that no other may be opened beside it."""
        match self.status:
            case CheckoutStatus.RESERVED:
                return now < self.reserved_at + OPENING_TAKES_AT_MOST
            case CheckoutStatus.OPEN:
                return now < self.expires_at
        return False
