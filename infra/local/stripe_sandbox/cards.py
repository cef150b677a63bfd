"""Stripe's documented test cards and bank accounts, and what becomes of a payment with each."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from infra.local.stripe_sandbox.errors import CardDeclined


@dataclass(frozen=True)
class Decline:
    code: str
    message: str
    decline_code: str | None = None

    def error(self, **more: Any) -> CardDeclined:
        if self.decline_code:
            more["decline_code"] = self.decline_code
        return CardDeclined(self.message, code=self.code, **more)


DECLINED = Decline("card_declined", "Your card was declined.", "generic_decline")
NO_FUNDS = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds")
LIVE_CARD = Decline(
    "card_declined",
    "Your card was declined. Your request was in test mode, but used a non test card.",
    "test_mode_live_card",
)
WRONG_NUMBER = Decline("incorrect_number", "Your card number is incorrect.")
NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    "We are unable to authenticate your payment method. "
    "Please choose a different payment method and try again.",
)
AUTHENTICATION_NEEDED = Decline(
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
)
NO_DEBIT = Decline(
    "payment_intent_payment_attempt_failed",
    "The customer's bank account could not be debited: insufficient funds.",
    "insufficient_funds",
)


class Authentication(StrEnum):
    NEVER = "never"
    UNLESS_SET_UP = "unless set up"
    ALWAYS = "always"


@dataclass(frozen=True)
class Card:
    """A test number. `declined` at once; `declined_later` whenever charged once it is attached.

    Stripe documents 4000000000000341 as one that attaches and then fails when charged. Its first
    payment, made while it is not attached yet, goes through here, so that a renewal can fail.
    """

    number: str
    label: str
    brand: str = "visa"
    funding: str = "credit"
    type: str = "card"
    declined: Decline | None = None
    declined_later: Decline | None = None
    authentication: Authentication = Authentication.NEVER
    settles: Decline | bool | None = None
    """None: at once. True: days later. A Decline: days later, and fails."""

    @property
    def last4(self) -> str:
        return self.number[-4:]


TEST_CARDS = (
    Card("4242424242424242", "Visa, succeeds"),
    Card("4000056655665556", "Visa debit, succeeds", funding="debit"),
    Card("5555555555554444", "Mastercard, succeeds", brand="mastercard"),
    Card("378282246310005", "American Express, succeeds", brand="amex"),
    Card("4000000000000002", "Declined", declined=DECLINED),
    Card("4000000000009995", "Declined: insufficient funds", declined=NO_FUNDS),
    Card(
        "4000000000000069",
        "Declined: expired",
        declined=Decline("expired_card", "Your card has expired."),
    ),
    Card(
        "4000000000000127",
        "Declined: wrong security code",
        declined=Decline("incorrect_cvc", "Your card's security code is incorrect."),
    ),
    Card(
        "4000000000000119",
        "Declined: processing error",
        declined=Decline(
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    Card(
        "4000002500003155",
        "3-D Secure, once",
        authentication=Authentication.UNLESS_SET_UP,
    ),
    Card("4000002760003184", "3-D Secure, every time", authentication=Authentication.ALWAYS),
    Card(
        "4000008260003178",
        "3-D Secure, then insufficient funds",
        authentication=Authentication.ALWAYS,
        declined=NO_FUNDS,
    ),
    Card("4000000000000341", "Succeeds now, fails when charged later", declined_later=DECLINED),
)
BANK_ACCOUNTS = (
    Card(
        "000123456789",
        "Bank debit (US), settles later",
        brand="STRIPE TEST BANK",
        type="us_bank_account",
        settles=True,
    ),
    Card(
        "000222222227",
        "Bank debit (US), fails later",
        brand="STRIPE TEST BANK",
        type="us_bank_account",
        settles=NO_DEBIT,
    ),
    Card(
        "AT611904300234573201",
        "SEPA debit, settles later",
        brand="19043",
        type="sepa_debit",
        settles=True,
    ),
    Card(
        "AT861904300235473202",
        "SEPA debit, fails later",
        brand="19043",
        type="sepa_debit",
        settles=NO_DEBIT,
    ),
)
DEBIT_CURRENCY = {"us_bank_account": "usd", "sepa_debit": "eur"}
BY_NUMBER = {card.number: card for card in TEST_CARDS + BANK_ACCOUNTS}
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_debit": "4000056655665556",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
}


def read_card(number: str) -> Card:
    """The test card of a number as typed; raises CardDeclined for any other."""
    typed = "".join(number.split()).replace("-", "").upper()
    if typed in BY_NUMBER:
        return BY_NUMBER[typed]
    if typed.isdigit() and 12 <= len(typed) <= 19 and _luhn_holds(typed):
        raise LIVE_CARD.error()
    raise WRONG_NUMBER.error(param="number")


def read_expiry(typed: str, today: datetime) -> tuple[int, int]:
    """Month and year of `12 / 34`, `12/2034` or `1234`; raises CardDeclined for a past one."""
    digits = "".join(filter(str.isdigit, typed))
    month, year = int(digits[:2] or 0), int(digits[2:] or 0)
    year += 2000 if year < 100 else 0
    if not 1 <= month <= 12:
        decline = Decline("invalid_expiry_month", "Your card's expiration month is invalid.")
        raise decline.error(param="exp_month")
    if (year, month) < (today.year, today.month) or year > today.year + 50:
        decline = Decline("invalid_expiry_year", "Your card's expiration year is invalid.")
        raise decline.error(param="exp_year")
    return month, year


def _luhn_holds(number: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0
