"""What time does to an account: reminders, renewals nobody told of, the end of access."""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts, history, keys
from billing.adapters.dynamodb.accounts import AccountRows
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import endings, gateway
from billing.domain.agenda import Act, Due, agenda, due
from billing.domain.catalog import Kind
from billing.domain.charges import due_next
from billing.domain.errors import NotFound
from billing.domain.events import SCHEDULE, STRIPE, Event, Fact
from billing.domain.members import lapsed
from billing.domain.subscription import OVERDUE, Subscription
from billing.domain.times import rfc3339
from billing.usecases.members import expire_invitations
from billing.usecases.slots import settle_order
from billing.usecases.snapshots import put_snapshot, record
from billing.usecases.top_ups import Terms, see_to_wallet

_TRIES = 5


def do_what_is_due(account: str, terms: Terms, now: datetime) -> None:
    """Everything, once: what was done is written with its effect. Raises Unavailable."""
    rows = accounts.load(account)
    if any(lapsed(member, now) for member in rows.members.values()):
        expire_invitations(account, now)
    if rows.slots.change is not None:
        settle_order(account, now)
    for kind, moment in rows.due.items():
        if moment <= now:
            _advance(account, kind, terms.grace, now)
    _see_to_wallets(rows, terms, now)
    if rows.account is not None and rows.account.email_is_behind:
        _follow_receipts(account)


def _follow_receipts(account: str) -> None:
    """The customer's address at Stripe becomes the account's. Where an earlier call to Stripe comes
    late, `customer.updated` tells of it, and this is due again."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        present = rows.account
        if present is None or present.customer is None or not present.email_is_behind:
            return
        try:
            gateway.set_customer_email(present.customer, present.email)
        except NotFound:
            # Deleted just now: `customer.deleted` unlinks it.
            return
        write = Transaction()
        version = rows.version_of(keys.account_key(account))
        followed = replace(present, customer_email=present.email)
        accounts.put_account(write, followed, version=version)
        try:
            write.commit()
        except StaleWrite:
            continue
        return
    raise unavailable()


def _see_to_wallets(rows: AccountRows, terms: Terms, now: datetime) -> None:
    """One that cannot be seen to keeps nobody else's waiting."""
    failed: Exception | None = None
    for person, wallet in rows.wallets.items():
        top_up = rows.top_ups.get(person)
        ordered = top_up is not None and top_up.order is not None
        if ordered or (wallet.look_at is not None and wallet.look_at <= now):
            try:
                see_to_wallet(rows.id, person, terms, now)
            except Exception as error:
                failed = error
    if failed is not None:
        raise failed


def _advance(account: str, kind: Kind, grace: timedelta, now: datetime) -> None:
    """Stripe is asked first: what is due is decided by what it says, not by what we remember."""
    for _ in range(_TRIES):
        rows = accounts.load(account)
        present = rows.subscriptions[kind]
        moment = rows.due.get(kind)
        if moment is None or moment > now:
            return
        fresh, handled = _as_it_is(present), rows.handled[kind]
        acts = due(fresh, handled, grace, now)
        by = STRIPE
        if any(each.act is Act.END for each in acts):
            by = SCHEDULE
            if not _end(rows, fresh, now):
                continue
            fresh = _as_it_is(present)
            # When it ended at Stripe is another moment of the same end, and may be after `now`.
            acts += [each for each in agenda(fresh, grace) if each.act is Act.END]
        write = Transaction()
        names = tuple(each.name for each in acts)
        if not put_snapshot(write, rows, fresh, by=by, at=now, handled=names):
            return
        _tell(write, account, fresh, acts, now)
        try:
            write.commit()
        except StaleWrite:
            continue
        return
    raise unavailable()


def _end(rows: AccountRows, fresh: Subscription, now: datetime) -> bool:
    """It is over, with all that goes with it, and nothing is owed for it any more; False where it
    was paid meanwhile."""
    if fresh.status in OVERDUE:
        if not endings.end_unpaid(fresh.id):
            return False
    else:
        endings.end_now(fresh.id)
    if fresh.kind is Kind.SUBSCRIPTION:
        for each in rows.subscriptions.values():
            if each.kind is not Kind.SUBSCRIPTION:
                endings.end_now(each.id)
                record(rows.id, each.id, SCHEDULE, now)
    return True


def _tell(
    write: Transaction, account: str, fresh: Subscription, acts: list[Due], now: datetime
) -> None:
    """Of several reminders that are late only one; of one that is too late, none."""
    done = {each.act for each in acts}
    if Act.END in done and fresh.kind is Kind.SUBSCRIPTION:
        _append(write, account, "access.ended", {"at": rfc3339(fresh.ends_at or now)}, now)
    elif Act.REMIND in done and now < fresh.period_end:
        charge = due_next([fresh])
        assert charge is not None
        facts: dict[str, Fact] = {
            "subscription": fresh.id,
            "amount": charge.money.amount,
            "currency": charge.money.currency,
            "at": rfc3339(fresh.period_end),
        }
        _append(write, account, "renewal.coming", facts, now)


def _append(
    write: Transaction, account: str, type_: str, facts: dict[str, Fact], now: datetime
) -> None:
    history.append(write, account, Event(type=type_, at=now, by=SCHEDULE, facts=facts))


def _as_it_is(present: Subscription) -> Subscription:
    fresh = gateway.subscription(present.id)
    if fresh is None:
        raise LookupError(f"{present.id} is no longer ours")
    return fresh
