"""The words of the mails."""

from datetime import UTC, datetime

import pytest

from billing.domain import mails
from billing.domain.cancellation import Cancellation, if_cancelled
from billing.domain.catalog import Cycle, Kind
from billing.domain.events import Fact
from billing.domain.mails import Mail, Sender, spelled
from billing.domain.money import Money
from billing.domain.support_requests import SupportRequest
from billing.domain.top_ups import Because
from tests.factories import NOON, subscription

SENDER = Sender(product="Acme Sales", page="https://app.example.com/billing")
PRICE: dict[str, Fact] = {"amount": 5900, "currency": "usd"}


def test_a_started_subscription_says_what_renews_when_for_how_much() -> None:
    facts: dict[str, Fact] = {**PRICE, "cycle": "monthly", "renews_at": "2026-12-23T12:00:00Z"}
    assert mails.subscription_started(SENDER, facts, "Starter") == Mail(
        "Your Starter subscription is active",
        "Thank you. Your team's Starter subscription (monthly) is paid and active. "
        "It renews on 23 December 2026 for USD 59.00, taxes and discounts apart.\n\n"
        "Plan, slots, invoices and card: https://app.example.com/billing\n\n"
        "-- \nAcme Sales\n",
    )


def test_a_renewal_to_come_names_its_day_and_its_price() -> None:
    mail = mails.renewal_coming(SENDER, {**PRICE, "at": "2027-01-31T00:00:00Z"}, "Starter")
    assert mail.subject == "Your subscription renews on 31 January 2027"
    assert "Starter subscription renews on 31 January 2027. USD 59.00" in mail.text
    assert "or to cancel before then: https://app.example.com/billing" in mail.text


def test_a_failed_payment_says_until_when_there_is_grace_and_where_to_pay() -> None:
    mail = mails.payment_failed(SENDER, "subscription", NOON, "https://pay.example.com/1")
    assert "goes on as before until 23 November 2026, 12:00 UTC" in mail.text
    assert "Pay: https://pay.example.com/1" in mail.text


def test_a_failed_payment_of_slots_names_them() -> None:
    mail = mails.payment_failed(SENDER, "team member slots", None, SENDER.page)
    assert "your team member slots could not be charged. Please pay" in mail.text


def test_a_cancellation_names_the_last_moment_and_how_to_keep_it() -> None:
    mail = mails.canceled(SENDER, _cancellation())
    assert mail.subject == "Your subscription ends on 23 November 2027"
    assert "Your plan ends on 23 November 2027, 12:00 UTC." in mail.text
    assert "Your slots end on 23 December 2026, 12:00 UTC." in mail.text
    assert "You will not be charged again." in mail.text
    assert SENDER.page in mail.text


def test_a_cancellation_that_keeps_slots_names_every_charge() -> None:
    mail = mails.canceled(SENDER, _cancellation(keep_slots=5))
    assert "You keep 5 slots until your plan ends." in mail.text
    assert "23 December 2026: USD 245.00 (slots)\n23 January 2027: USD 245.00" in mail.text
    assert mail.text.count("(slots)") == 11
    assert "not be charged" not in mail.text


def test_who_was_told_wrongly_is_told_what_holds() -> None:
    mail = mails.corrected(SENDER, _cancellation())
    assert mail.subject == "You will not be charged again"
    assert "Your slots end on 23 December 2026, 12:00 UTC." in mail.text


def _cancellation(keep_slots: int = 0) -> Cancellation:
    base = subscription(cycle=Cycle.ANNUAL, period_end=datetime(2027, 11, 23, 12, tzinfo=UTC))
    slots = subscription(id="sub_2", kind=Kind.SLOTS, price=Money(4900, "usd"), quantity=5)
    return if_cancelled(base, [slots], NOON, keep_slots=keep_slots)


def test_the_end_of_access_says_what_is_kept() -> None:
    mail = mails.access_ended(SENDER, {"at": "2026-12-23T12:00:00Z"})
    assert "ended at 23 December 2026, 12:00 UTC" in mail.text
    assert "Your members and your credits are kept." in mail.text


def test_an_invitation_says_who_invites_and_how_long_it_is_good() -> None:
    mail = mails.invitation(SENDER, "ana@acme.test", NOON)
    assert mail.subject == "You are invited to Acme Sales"
    assert "ana@acme.test invites you" in mail.text
    assert "good until 23 November 2026, 12:00 UTC" in mail.text


def test_support_reads_who_asks_for_what() -> None:
    request = SupportRequest(
        id="2026-11-23-01", topic="annual_slots", message="Ten, please.", subject="u", at=NOON
    )
    mail = mails.support_request(SENDER, "acme", "ana@acme.test", request)
    assert mail.subject == "Annual slots: request 2026-11-23-01 of acme"
    assert "ana@acme.test of the account acme asks for: Annual slots." in mail.text
    assert "Ten, please." in mail.text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (5900, "usd", "USD 59.00"),
        (123456789, "eur", "EUR 1,234,567.89"),
        (500, "jpy", "JPY 500"),
        (5, "usd", "USD 0.05"),
    ],
)
def test_prices_are_spelled_with_their_currencys_places(
    amount: int, currency: str, text: str
) -> None:
    assert spelled(Money(amount, currency)) == text


@pytest.mark.parametrize("because", Because)
def test_a_top_up_that_stopped_says_why_and_that_nothing_was_charged(because: Because) -> None:
    mail = mails.top_up_stopped(SENDER, because)
    assert mail.subject == "The automatic top-up has stopped"
    assert "Nothing was charged, and nothing more is bought automatically" in mail.text


def test_a_top_up_that_waits_names_the_limit_and_the_day() -> None:
    facts: dict[str, Fact] = {"until": "2026-12-01T00:00:00Z"}
    mail = mails.top_up_waiting(SENDER, facts, Money(20_000, "usd"))
    assert "above USD 200.00" in mail.text
    assert "still that low on 1 December 2026, it goes on then" in mail.text
