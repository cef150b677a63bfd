"""Money in minor units. No floats, no exchange."""

import re
from dataclasses import dataclass
from typing import Self, TypedDict

_CURRENCY = re.compile(r"[a-z]{3}")


class MoneyView(TypedDict):
    """Minor units (cents; whole yen) and the currency's lower-case ISO 4217 code."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the currency's minor units as Stripe counts them: `Money(500, "jpy")` is ¥500.

    Raises ValueError for a malformed currency or an amount that is no integer, and when two
    currencies are added.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise ValueError(f"an amount is an integer of minor units, not {self.amount!r}")
        if not _CURRENCY.fullmatch(self.currency):
            raise ValueError(f"a currency is three lower-case letters, not {self.currency!r}")

    def __add__(self, other: Self) -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, count: int) -> "Money":
        return Money(self.amount * count, self.currency)

    def view(self) -> MoneyView:
        return {"amount": self.amount, "currency": self.currency}

    @classmethod
    def read(cls, view: MoneyView) -> Self:
        return cls(view["amount"], view["currency"])
