"""Opening the page on which a package of credits is paid."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from billing.adapters.dynamodb import marks
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.stripe import payments
from billing.adapters.stripe.payments import Order
from billing.domain.account import Member
from billing.domain.catalog import Catalog
from billing.domain.errors import Conflict
from billing.domain.people import Claims
from billing.domain.times import rfc3339
from billing.usecases.accounts import arrive, require_access
from billing.usecases.pages import accept_page
from billing.usecases.refusals import final
from billing.views import LinkView


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChoice:
    """What the manager wants, and where the page returns to."""

    package: str
    quantity: int
    return_to: str
    automatic_tax: bool


def open_package_checkout(
    account: str,
    claims: Claims,
    command: Command,
    choice: PackageChoice,
    catalog: Catalog,
    *,
    grace: timedelta,
    now: datetime,
) -> LinkView:
    """The hosted page on which the manager pays for a package, in the subscription's currency.

    Raises Conflict `no_access`, `checkout_expired`, `idempotency_key_reused`; RuleRefused
    `unknown_package`, `unknown_currency`; TooMany `too_many_pages`; Unavailable.
    """
    accepted = marks.find_command(account, command)
    if accepted is not None and accepted.answer is not None:
        return cast(LinkView, accepted.answer)
    here = arrive(account, claims, now)
    rows = here.rows
    with final(account, command, now):
        require_access(rows, grace, now)
        order = _order(rows, here.person, choice, catalog, now)
    order = replace(order, expires_at=accept_page(account, command, now))
    url = payments.open_package_page(order, command.id)
    answer = LinkView(url=url, expires_at=rfc3339(order.expires_at))
    write = Transaction()
    marks.answer_command(write, account, command, dict(answer))
    # Otherwise the same request at the same time was faster, and got the same page.
    with suppress(AlreadyDone):
        write.commit()
    return answer


def _order(
    rows: AccountRows,
    manager: Member,
    choice: PackageChoice,
    catalog: Catalog,
    expires_at: datetime,
) -> Order:
    assert rows.base is not None
    package, price = catalog.package_price(choice.package, rows.base.price.currency)
    if rows.account is None or rows.account.customer is None:
        raise Conflict("no_access", "Credits can be bought while the team has a subscription.")
    return Order(
        account=rows.id,
        customer=rows.account.customer,
        wallet=manager.id,
        package=package.id,
        price=price.lookup_key,
        quantity=choice.quantity,
        credits=package.credits * choice.quantity,
        return_to=choice.return_to,
        expires_at=expires_at,
        automatic_tax=choice.automatic_tax,
    )
