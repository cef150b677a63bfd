"""Opening the one Checkout that an account may have open for its subscription.

The reservation is written first, under a condition; Stripe is asked under the reservation's id.
So two tabs meet at the row, and a request that was cut off anywhere is finished by its repetition.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts, keys, marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import gateway
from billing.adapters.stripe.gateway import CheckoutFacts
from billing.domain.account import Account, Checkout, CheckoutStatus, Member
from billing.domain.catalog import Price
from billing.domain.errors import Conflict
from billing.domain.times import rfc3339
from billing.usecases.accounts import ensure_manager
from billing.views import LinkView

_TRIES = 5
_OPEN_FOR = timedelta(hours=1)
_STRIPE_FORGETS_KEYS_AFTER = timedelta(hours=20)
"""Stripe keeps idempotency keys for 24 hours at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the manager wants, and where Checkout returns to."""

    price: Price
    return_to: str
    automatic_tax: bool


def open_subscription_checkout(
    account: str, manager: Member, command: Command, choice: Choice, now: datetime
) -> LinkView:
    """The hosted page on which this account pays for `choice`.

    A second request for the same choice gets the first one's page; one for another choice closes
    the first page before it opens its own. Raises Conflict `already_subscribed`,
    `checkout_completing`, `checkout_expired`, `idempotency_key_reused`; Unavailable.
    """
    for _ in range(_TRIES):
        accepted = marks.find_command(account, command)
        if accepted is not None and accepted.answer is not None:
            return LinkView(url=accepted.answer["url"], expires_at=accepted.answer["expires_at"])
        rows = ensure_manager(accounts.load(account), manager, now)
        try:
            if accepted is None:
                _reserve(rows, command, choice, now)
            elif rows.checkout is None or rows.checkout.id != accepted.about:
                raise _expired()
            return _open(account, command, choice, now)
        except (StaleWrite, AlreadyDone):
            continue
    raise unavailable()


def _reserve(rows: AccountRows, command: Command, choice: Choice, now: datetime) -> None:
    """Makes the account's reservation, or joins the one for the same choice."""
    if rows.base is not None and rows.base.live:
        raise Conflict("already_subscribed", "This account has a subscription already.")
    present = rows.checkout
    write = Transaction()
    if present is not None and present.blocks(now) and present.price == choice.price.lookup_key:
        write.unchanged(keys.checkout_key(rows.id), version=_version(rows))
        checkout = present
    else:
        _make_room(rows, choice, now)
        checkout = _reservation(command.id, choice, now)
        accounts.put_checkout(write, rows.id, checkout, version=_version(rows))
        _note_customer_request(write, rows, now)
    base_key = keys.subscription_key(rows.id, choice.price.kind)
    write.unchanged(base_key, version=rows.version_of(base_key))
    marks.accept_command(write, rows.id, command, about=checkout.id, now=now)
    write.commit()


def _make_room(rows: AccountRows, choice: Choice, now: datetime) -> None:
    """Closes a page that is open for another choice, so that it cannot be paid as well.

    One that was reserved and never recorded as open may exist at Stripe all the same: it is asked
    for once more, to learn its name.
    """
    present = rows.checkout
    if present is None:
        return
    if present.status is CheckoutStatus.COMPLETED and not present.paid:
        raise _completing()
    session = present.session
    if present.status is CheckoutStatus.RESERVED and present.blocks(now):
        session = _session_of(rows, present, choice, now).session
    elif present.status is not CheckoutStatus.OPEN:
        return
    if session is not None and not gateway.close_checkout(session):
        raise _completing()


def _reservation(checkout_id: str, choice: Choice, now: datetime) -> Checkout:
    return Checkout(
        id=checkout_id,
        price=choice.price.lookup_key,
        return_to=choice.return_to,
        status=CheckoutStatus.RESERVED,
        reserved_at=now,
        expires_at=now + _OPEN_FOR,
    )


def _note_customer_request(write: Transaction, rows: AccountRows, now: datetime) -> None:
    account = rows.account
    assert account is not None
    if account.customer is None and account.customer_requested_at is None:
        version = rows.version_of(keys.account_key(rows.id))
        accounts.put_account(write, replace(account, customer_requested_at=now), version=version)


def _open(account: str, command: Command, choice: Choice, now: datetime) -> LinkView:
    """Asks Stripe for the reservation's session unless that has been done, and records it."""
    rows = accounts.load(account)
    checkout = rows.checkout
    if checkout is None or not checkout.blocks(now):
        raise _expired()
    write = Transaction()
    if checkout.url is None:
        facts = _session_of(rows, checkout, choice, now)
        checkout = replace(
            checkout, status=CheckoutStatus.OPEN, session=facts.session, url=facts.url
        )
        accounts.put_checkout(write, account, checkout, version=_version(rows))
    assert checkout.url is not None
    link = LinkView(url=checkout.url, expires_at=rfc3339(checkout.expires_at))
    marks.answer_command(write, account, command, dict(link))
    write.commit()
    return link


def _session_of(
    rows: AccountRows, checkout: Checkout, choice: Choice, now: datetime
) -> CheckoutFacts:
    assert rows.account is not None
    customer = rows.account.customer or _make_customer(rows, rows.account, now)
    return gateway.open_checkout(rows.id, customer, checkout, automatic_tax=choice.automatic_tax)


def _make_customer(rows: AccountRows, account: Account, now: datetime) -> str:
    """The account's customer at Stripe, made once and linked in both directions.

    Within a day Stripe's own memory of the key finds an earlier try's; later it is looked for.
    """
    asked_at = account.customer_requested_at or now
    customer = None
    if now - asked_at > _STRIPE_FORGETS_KEYS_AFTER:
        customer = gateway.find_customer(account, asked_at)
    customer = customer or gateway.create_customer(account)
    write = Transaction()
    version = rows.version_of(keys.account_key(account.id))
    accounts.put_account(write, replace(account, customer=customer), version=version)
    accounts.link_customer(
        write, account.id, customer, otherwise=StaleWrite(f"{customer} is linked already")
    )
    write.commit()
    return customer


def _version(rows: AccountRows) -> int:
    return rows.version_of(keys.checkout_key(rows.id))


def _completing() -> Conflict:
    return Conflict(
        "checkout_completing",
        "A payment for this account has just been made and is being confirmed.",
    )


def _expired() -> Conflict:
    return Conflict(
        "checkout_expired",
        "The Checkout of this request is closed. Ask again with a new Idempotency-Key.",
    )
