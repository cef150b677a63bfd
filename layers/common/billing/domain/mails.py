"""What people are told by mail: plain text, in the product's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.domain.cancellation import Cancellation
from billing.domain.catalog import Kind
from billing.domain.events import Fact
from billing.domain.money import Money
from billing.domain.support_requests import SupportRequest
from billing.domain.times import parse_rfc3339
from billing.domain.top_ups import Because

_WITHOUT_MINOR_UNITS = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv"]
    + ["xaf", "xof", "xpf"]
)
_TOPICS = {
    "upgrade": "A larger plan",
    "downgrade": "A smaller plan",
    "annual_slots": "Annual slots",
    "data_unlimited": "DataUnlimited",
    "other": "A question",
}


_BECAUSE = {
    Because.DECLINED: "the card on file was declined, or the bank wanted your approval",
    Because.NO_ACCESS: "your team's subscription has ended, or is cancelled",
    Because.NOT_SOLD: "the package that you chose is no longer sold in your currency",
    Because.REFUSED: "the payment service refused to make an invoice for it; we look into that",
}


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose product it is, and where its Billing page is."""

    product: str
    page: str


Facts = Mapping[str, Fact]


def subscription_started(sender: Sender, facts: Facts, plan: str) -> Mail:
    return _mail(
        sender,
        f"Your {plan} subscription is active",
        f"Thank you. Your team's {plan} subscription ({facts['cycle']}) is paid and active. "
        f"It renews on {_day(facts['renews_at'])} for {_price(facts)}, taxes and discounts apart.",
        f"Plan, slots, invoices and card: {sender.page}",
    )


def renewal_coming(sender: Sender, facts: Facts, plan: str) -> Mail:
    day = _day(facts["at"])
    return _mail(
        sender,
        f"Your subscription renews on {day}",
        f"Your team's {plan} subscription renews on {day}. {_price(facts)}, taxes and discounts "
        "apart, will be charged to the card on file.",
        f"To change the card or the cycle, or to cancel before then: {sender.page}",
    )


def payment_failed(sender: Sender, what: str, until: datetime | None, pay_at: str) -> Mail:
    """`until` is when grace ends."""
    keeps = f"Everything goes on as before until {_moment(until)}. " if until is not None else ""
    return _mail(
        sender,
        "A payment did not go through",
        f"The renewal of your {what} could not be charged. {keeps}"
        "Please pay the invoice, or give another card, which is then charged at once.",
        f"Pay: {pay_at}",
        f"Another card: {sender.page}",
    )


def canceled(sender: Sender, ends: Cancellation) -> Mail:
    return _mail(
        sender,
        f"Your subscription ends on {_spelled(ends.ends_at)}",
        f"Your subscription is canceled. {_last_days(ends)}",
        *_still_billed(ends),
        "Everything works until then. Reports are lost after that, so take out what you need. "
        "Credits stay in the wallets.",
        f"If you change your mind, resume your subscription before it ends: {sender.page}",
    )


def corrected(sender: Sender, ends: Cancellation) -> Mail:
    """To who canceled when slots and add-on were still billed until the plan ended."""
    return _mail(
        sender,
        "You will not be charged again",
        "We told you that nothing more is charged after you canceled your subscription, but slots "
        f"and add-ons were still set to renew until your plan ends. We stopped that. "
        f"{_last_days(ends)}",
        *_still_billed(ends),
        f"If you want them until your plan ends, resume your subscription: {sender.page}",
    )


def _last_days(ends: Cancellation) -> str:
    days = [f"Your plan ends on {_moment(ends.ends_at)}."]
    if ends.slots_ends_at is not None:
        days.append(f"Your slots end on {_moment(ends.slots_ends_at)}.")
    if ends.add_on_ends_at is not None:
        days.append(f"DataUnlimited ends on {_moment(ends.add_on_ends_at)}.")
    return " ".join(days)


_BILLED_FOR = {Kind.SUBSCRIPTION: "plan", Kind.SLOTS: "slots", Kind.ADD_ON: "DataUnlimited"}


def _still_billed(ends: Cancellation) -> list[str]:
    if not ends.charges:
        return ["You will not be charged again."]
    lines = [
        f"{_spelled(each.at)}: {spelled(each.money)} ({_BILLED_FOR[each.kind]})"
        for each in ends.charges
    ]
    kept = f"You keep {ends.kept_slots} slots until your plan ends. " if ends.kept_slots else ""
    return [f"{kept}Only these charges are left:", "\n".join(lines)]


def credits_low(sender: Sender, balance: int, below: int) -> Mail:
    return _mail(
        sender,
        f"{balance:,} credits are left",
        f"Your wallet has fallen below {below:,} credits, as you asked to be told: {balance:,} are "
        "left.",
        f"Buy more: {sender.page}",
    )


def top_up_stopped(sender: Sender, because: Because) -> Mail:
    if because is Because.REVERSED:
        return _mail(
            sender,
            "The automatic top-up has stopped",
            "The payment of a credit package was refunded or disputed, and its credits were taken "
            "back. Nothing was charged, and nothing more is bought automatically until you switch "
            "the top-up on again.",
            f"To buy credits, or to switch it on again: {sender.page}",
        )
    return _mail(
        sender,
        "The automatic top-up has stopped",
        f"Your wallet has fallen below the number that you chose, and {_BECAUSE[because]}. Nothing "
        "was charged, and nothing more is bought automatically.",
        f"To buy credits, to give another card, or to switch the top-up on again: {sender.page}",
    )


def top_up_waiting(sender: Sender, facts: Facts, cap: Money) -> Mail:
    until = _day(facts["until"])
    return _mail(
        sender,
        "The automatic top-up has reached its limit",
        f"Another package would take this month's top-ups above {spelled(cap)}, the most that you "
        f"chose. If your wallet is still that low on {until}, it goes on then.",
        f"To buy credits before that, or to choose another limit: {sender.page}",
    )


def access_ended(sender: Sender, facts: Facts) -> Mail:
    ended = _moment(parse_rfc3339(str(facts["at"])))
    return _mail(
        sender,
        "Your team's access has ended",
        f"Your team's subscription, its slots and its add-on ended at {ended}. "
        "Nothing is charged any more, and an invoice that was still open is void.",
        "Your members and your credits are kept. They are there again when you subscribe again: "
        f"{sender.page}",
    )


def invitation(sender: Sender, team: str, expires_at: datetime) -> Mail:
    """`team` is the address of the manager who invites."""
    return _mail(
        sender,
        f"You are invited to {sender.product}",
        f"{team} invites you to their team.",
        f"Sign in with this address and accept: {sender.page}",
        f"The invitation is good until {_moment(expires_at)}. "
        "If you do not know them, you need not do anything.",
    )


def support_request(sender: Sender, account: str, by: str, request: SupportRequest) -> Mail:
    """To Support; `by` is the manager's address."""
    topic = _TOPICS[request.topic]
    return _mail(
        sender,
        f"{topic}: request {request.id} of {account}",
        f"{by or 'A manager'} of the account {account} asks for: {topic}.",
        request.message or "(no message)",
    )


def _mail(sender: Sender, subject: str, *paragraphs: str) -> Mail:
    return Mail(subject, "\n\n".join([*paragraphs, f"-- \n{sender.product}"]) + "\n")


def _day(moment: Fact) -> str:
    return _spelled(parse_rfc3339(str(moment)))


def _moment(moment: datetime) -> str:
    return f"{_spelled(moment)}, {moment:%H:%M} UTC"


def _spelled(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _price(facts: Facts) -> str:
    return spelled(Money(int(facts["amount"] or 0), str(facts["currency"])))


def spelled(money: Money) -> str:
    """Such as `USD 59.00`; a currency without minor units has no point."""
    code = money.currency.upper()
    if money.currency in _WITHOUT_MINOR_UNITS:
        return f"{code} {money.amount:,}"
    whole, cents = divmod(abs(money.amount), 100)
    return f"{code} {'-' if money.amount < 0 else ''}{whole:,}.{cents:02d}"
