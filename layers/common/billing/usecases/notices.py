"""Whom an event concerns, and what they are told by mail."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.adapters.dynamodb import accounts, invoices, support_requests
from billing.adapters.dynamodb.accounts import AccountRows
from billing.domain import mails
from billing.domain.access import access_at
from billing.domain.account import MemberStatus, Role
from billing.domain.cancellation import Cancellation, cancellation
from billing.domain.catalog import Kind
from billing.domain.mails import Facts, Mail, Sender
from billing.domain.people import person_of
from billing.domain.subscription import OVERDUE

_WHAT = {
    Kind.SUBSCRIPTION: "subscription",
    Kind.SLOTS: "team member slots",
    Kind.ADD_ON: "add-on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event as it comes from the bus."""

    id: str
    account: str
    type: str
    by: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What does not depend on the event."""

    sender: Sender
    support_email: str
    grace: timedelta
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`recipient` names who gets it, in marks, where no address belongs."""

    recipient: str
    to: str
    mail: Mail
    reply_to: str = ""


def notices(heard: Heard, setting: Setting) -> list[Notice]:
    """Nobody is told what is no longer so."""
    write = _WRITERS.get(heard.type)
    return [] if write is None else write(heard, accounts.load(heard.account), setting)


def _subscription_started(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    mail = mails.subscription_started(setting.sender, heard.facts, _plan(rows))
    return _to_managers(rows, mail)


def _renewal_coming(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    return _to_managers(rows, mails.renewal_coming(setting.sender, heard.facts, _plan(rows)))


def _payment_failed(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    kind = Kind(heard.type.partition(".")[0])
    subscription = rows.subscriptions.get(kind)
    if subscription is None or subscription.status not in OVERDUE:
        return []
    until = access_at(setting.now, subscription, setting.grace).until
    found, _ = invoices.page(rows.id, limit=1, where={"status": "open", "kind": kind})
    pay_at = found[0].hosted_url if found else None
    mail = mails.payment_failed(setting.sender, _WHAT[kind], until, pay_at or setting.sender.page)
    return _to_managers(rows, mail)


def _cancelled(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    ends = _ends(rows, setting)
    return [] if ends is None else _to_managers(rows, mails.canceled(setting.sender, ends))


def _cancellation_corrected(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    ends = _ends(rows, setting)
    return [] if ends is None else _to_managers(rows, mails.corrected(setting.sender, ends))


def _ends(rows: AccountRows, setting: Setting) -> Cancellation | None:
    """What the base's end means by the rule: slots may not be marked at Stripe yet."""
    if rows.base is None:
        return None
    others = [each for each in rows.subscriptions.values() if each is not rows.base]
    return cancellation(rows.base, others, setting.now)


def _access_ended(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    return _to_managers(rows, mails.access_ended(setting.sender, heard.facts))


def _credits_low(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    """To whom the wallet belongs, unless it has been filled meanwhile."""
    person = str(heard.facts["wallet"])
    wallet = rows.wallets.get(person)
    if wallet is None or not wallet.low:
        return []
    mail = mails.credits_low(setting.sender, wallet.balance, wallet.alert_below)
    return _to_owner(rows, person, mail)


def _top_up_stopped(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    """To whom the wallet belongs, unless they have switched it on again."""
    person = str(heard.facts["wallet"])
    top_up = rows.top_ups.get(person)
    if top_up is None or top_up.stopped is None:
        return []
    return _to_owner(rows, person, mails.top_up_stopped(setting.sender, top_up.stopped))


def _top_up_waiting(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    person = str(heard.facts["wallet"])
    top_up = rows.top_ups.get(person)
    if top_up is None or top_up.cap is None or rows.wallets[person].fell is None:
        return []
    return _to_owner(rows, person, mails.top_up_waiting(setting.sender, heard.facts, top_up.cap))


def _invited(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    invited = rows.members.get(str(heard.facts["member"]))
    if invited is None or invited.status is not MemberStatus.INVITED or not invited.expires_at:
        return []
    inviter = person_of(rows.team, heard.by)
    team = (inviter.email if inviter is not None else "") or "A team"
    mail = mails.invitation(setting.sender, team, invited.expires_at)
    return [Notice(recipient=invited.id, to=invited.email, mail=mail)]


def _support_request(heard: Heard, rows: AccountRows, setting: Setting) -> list[Notice]:
    request = support_requests.find(heard.account, str(heard.facts["request"]))
    if request is None:
        return []
    asker = person_of(rows.team, request.subject)
    reply_to = asker.email if asker is not None else ""
    mail = mails.support_request(setting.sender, heard.account, reply_to, request)
    return [Notice(recipient="support", to=setting.support_email, mail=mail, reply_to=reply_to)]


_WRITERS: dict[str, Callable[[Heard, AccountRows, Setting], list[Notice]]] = {
    "subscription.started": _subscription_started,
    "subscription.cancelled": _cancelled,
    "cancellation.corrected": _cancellation_corrected,
    "subscription.payment_failed": _payment_failed,
    "slots.payment_failed": _payment_failed,
    "add_on.payment_failed": _payment_failed,
    "renewal.coming": _renewal_coming,
    "access.ended": _access_ended,
    "credits.low": _credits_low,
    "top_up.stopped": _top_up_stopped,
    "top_up.waiting": _top_up_waiting,
    "member.invited": _invited,
    "support_request.sent": _support_request,
}
TYPES = frozenset(_WRITERS)
"""Of the events that are told by mail; the template's rule passes these on."""


def _to_managers(rows: AccountRows, mail: Mail) -> list[Notice]:
    """To all managers; where none is left, to where receipts go."""
    managers = [
        Notice(recipient=member.id, to=member.email, mail=mail)
        for member in rows.members.values()
        if member.role is Role.MANAGER and member.status is MemberStatus.ACTIVE and member.email
    ]
    if managers or rows.account is None or not rows.account.email:
        return managers
    return [Notice(recipient="account", to=rows.account.email, mail=mail)]


def _to_owner(rows: AccountRows, person: str, mail: Mail) -> list[Notice]:
    """To whom the wallet belongs, if their address is known."""
    owner = rows.members.get(person)
    if owner is None or not owner.email:
        return []
    return [Notice(recipient=owner.id, to=owner.email, mail=mail)]


def _plan(rows: AccountRows) -> str:
    return rows.base.plan_name if rows.base is not None else ""
