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
from billing.adapters.stripe.client import KeySpent
from billing.adapters.stripe.gateway import CheckoutFacts
from billing.domain.account import Account, Checkout, CheckoutStatus
from billing.domain.catalog import Kind, Price
from billing.domain.errors import Conflict
from billing.domain.events import STRIPE
from billing.domain.people import Claims
from billing.domain.times import rfc3339
from billing.usecases.accounts import arrive
from billing.usecases.rate_limits import limit_pages
from billing.usecases.refusals import final
from billing.usecases.snapshots import record
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
    account: str, claims: Claims, command: Command, choice: Choice, now: datetime
) -> LinkView:
    """The hosted page on which this account pays for `choice`.

    A second request for the same choice gets the first one's page; one for another choice takes
    the reservation over, closes the first page, and opens its own.

    Raises Conflict `already_subscribed`, `checkout_completing`, `checkout_expired`,
    `idempotency_key_reused`; TooMany `too_many_pages`; Unavailable.
    """
    for _ in range(_TRIES):
        accepted = marks.find_command(account, command)
        if accepted is not None and accepted.answer is not None:
            return LinkView(url=accepted.answer["url"], expires_at=accepted.answer["expires_at"])
        rows = arrive(account, claims, now).rows
        try:
            if accepted is not None:
                name = accepted.about
            else:
                with final(account, command, now):
                    name = _reserve(rows, command, choice, now)
            return _open(account, name, command, choice, now)
        except (StaleWrite, AlreadyDone):
            continue
    raise unavailable()


def _reserve(rows: AccountRows, command: Command, choice: Choice, now: datetime) -> str:
    """Makes the account's reservation, or joins the one for the same choice; returns its id."""
    if rows.base is not None and rows.base.live:
        raise _subscribed()
    present = rows.checkout
    write = Transaction()
    if present is not None and _joins(present, choice, now):
        write.unchanged(keys.checkout_key(rows.id), version=_version(rows))
        name = present.id
    else:
        name = command.id
        reserved = Checkout(
            id=name,
            price=choice.price.lookup_key,
            return_to=choice.return_to,
            status=CheckoutStatus.RESERVED,
            reserved_at=now,
            expires_at=now + _OPEN_FOR,
            replaces=_pages_in_the_way(rows, choice, now),
        )
        accounts.put_checkout(write, rows.id, reserved, version=_version(rows))
        limit_pages(write, rows.id, reserved.expires_at, now)
        _note_customer_request(write, rows, now)
    base_key = keys.subscription_key(rows.id, choice.price.kind)
    write.unchanged(base_key, version=rows.version_of(base_key))
    marks.accept_command(write, rows.id, command, about=name, now=now)
    write.commit()
    return name


def _joins(present: Checkout, choice: Choice, now: datetime) -> bool:
    """Whether the same is wanted of a page that can still be paid."""
    if not present.blocks(now) or present.price != choice.price.lookup_key:
        return False
    if present.session is None:
        return True
    facts = gateway.checkout_facts(present.session)
    if facts.complete:
        raise _completing()
    return facts.open


def _pages_in_the_way(rows: AccountRows, choice: Choice, now: datetime) -> tuple[str, ...]:
    """Sessions at Stripe that must be closed before another one may be opened.

    One that was reserved and never recorded as open may exist at Stripe all the same: it is asked
    for once more, to learn its name. Nobody can pay it: its page was never handed out.
    """
    present = rows.checkout
    if present is None:
        return ()
    if present.status is CheckoutStatus.CLOSED:
        return present.replaces
    if present.status is CheckoutStatus.COMPLETED:
        if not present.paid:
            raise _completing()
        return ()
    session = present.session
    if present.status is CheckoutStatus.RESERVED and present.blocks(now):
        session = _session_of(rows, present, choice, now).session
    return (*present.replaces, *filter(None, [session]))


def _note_customer_request(write: Transaction, rows: AccountRows, now: datetime) -> None:
    account = rows.account
    assert account is not None
    if account.customer is None and account.customer_requested_at is None:
        version = rows.version_of(keys.account_key(rows.id))
        asked = replace(account, customer_requested_at=now, customer_email=account.email)
        accounts.put_account(write, asked, version=version)


def _open(account: str, name: str, command: Command, choice: Choice, now: datetime) -> LinkView:
    """Closes what is in the way of the reservation `name`, asks Stripe for its session unless
    that has been done, and records it."""
    rows = accounts.load(account)
    checkout = rows.checkout
    if checkout is None or checkout.id != name or not checkout.blocks(now):
        raise _expired()
    write = Transaction()
    if checkout.url is None:
        _close_pages(rows, checkout)
        facts = _session_of(rows, checkout, choice, now)
        checkout = replace(
            checkout,
            status=CheckoutStatus.OPEN,
            session=facts.session,
            url=facts.url,
            replaces=(),
        )
        accounts.put_checkout(write, account, checkout, version=_version(rows))
    assert checkout.url is not None
    link = LinkView(url=checkout.url, expires_at=rfc3339(checkout.expires_at))
    marks.answer_command(write, account, command, dict(link))
    write.commit()
    return link


def _close_pages(rows: AccountRows, checkout: Checkout) -> None:
    """Only who has the reservation closes what it replaces; a page that was paid wins over it, and
    stays in the way of every other until its outcome is on record."""
    if all([gateway.close_checkout(session) for session in checkout.replaces]):
        return
    write = Transaction()
    closed = replace(checkout, status=CheckoutStatus.CLOSED)
    accounts.put_checkout(write, rows.id, closed, version=_version(rows))
    write.commit()
    raise _completing()


def _session_of(
    rows: AccountRows, checkout: Checkout, choice: Choice, now: datetime
) -> CheckoutFacts:
    assert rows.account is not None
    customer = rows.account.customer or _make_customer(rows, rows.account, checkout, now)
    _require_none_at_stripe(rows, customer, now)
    try:
        return gateway.open_checkout(
            rows.id, customer, checkout, automatic_tax=choice.automatic_tax
        )
    except KeySpent:
        write = Transaction()
        again = replace(checkout, attempt=checkout.attempt + 1)
        accounts.put_checkout(write, rows.id, again, version=_version(rows))
        write.commit()
        raise


def _require_none_at_stripe(rows: AccountRows, customer: str, now: datetime) -> None:
    """A table that was restored to an earlier moment may have forgotten what Stripe bills. It is
    put on record again, and nothing is sold twice. Raises Conflict `already_subscribed`."""
    found = gateway.live_subscriptions(customer)
    for each in found:
        record(rows.id, each.id, STRIPE, now)
    if any(each.kind is Kind.SUBSCRIPTION for each in found):
        raise _subscribed()


def _make_customer(rows: AccountRows, account: Account, checkout: Checkout, now: datetime) -> str:
    """The account's customer at Stripe, made once and linked in both directions.

    An earlier try may have made it without our hearing of it. For a day Stripe's memory of the key
    finds it; later, or under another key, it is looked for.
    """
    asked_at = account.customer_requested_at or now
    customer = gateway.customer_made_for(account.id)
    late = now - asked_at > _STRIPE_FORGETS_KEYS_AFTER
    if customer is None and (late or account.customer_generation > 0):
        customer = gateway.find_customer(account, asked_at)
    version = rows.version_of(keys.account_key(account.id))
    write = Transaction()
    try:
        customer = customer or gateway.create_customer(account)
    except KeySpent:
        again = replace(account, customer_generation=account.customer_generation + 1)
        accounts.put_account(write, again, version=version)
        write.commit()
        raise
    accounts.put_account(write, replace(account, customer=customer), version=version)
    accounts.link_customer(write, account.id, customer)
    write.commit()
    return customer


def _version(rows: AccountRows) -> int:
    return rows.version_of(keys.checkout_key(rows.id))


def _subscribed() -> Conflict:
    return Conflict("already_subscribed", "This account has a subscription already.")


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
