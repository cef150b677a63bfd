"""Automatic top-ups: a package bought with the card on file when a wallet falls below a number.

A wallet remembers the entry by which it fell for as long as it is that low, so each fall has a name
and is answered once. A top-up that is under way is counted against the month's cap before the card
is charged, and one at a time is.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from billing.domain.catalog import Price, Product
from billing.domain.credits import Wallet
from billing.domain.errors import FieldError, RuleRefused
from billing.domain.events import Fact, Told
from billing.domain.money import Money
from billing.domain.times import next_month, rfc3339


class Because(StrEnum):
    """Why a top-up stopped: the card was `declined`, the account has `no_access`, or the package is
    `not_sold` any more in the cap's currency."""

    DECLINED = "declined"
    NO_ACCESS = "no_access"
    NOT_SOLD = "not_sold"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpOrder:
    """A package that is being bought for the fall `id`; `due` is what is counted against the cap.

    `invoice` is the one that may be paid for it, once it is decided; `attempt` is of no order or
    try before it.
    """

    id: str
    package: str
    price: str
    credits: int
    due: Money
    began_at: datetime
    attempt: int
    invoice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """What a manager chose for their own wallet; `below` is 0 where it is off. `charged` are minor
    units in `month`, such as `2026-11`, with what is under way; `answered` is the last fall that a
    package was bought for. `attempts` only grows."""

    person: str
    below: int = 0
    package: str = ""
    cap: Money | None = None
    month: str = ""
    charged: int = 0
    order: TopUpOrder | None = None
    attempts: int = 0
    answered: str | None = None
    stopped: Because | None = None
    stopped_at: datetime | None = None

    def charged_in(self, month: str) -> int:
        return self.charged if self.month == month else 0

    def chosen(self, below: int, package: str, cap: Money) -> "TopUp":
        """Begins, or goes on, with these terms."""
        wanted = replace(self, below=below, package=package, cap=cap)
        return replace(wanted, stopped=None, stopped_at=None)

    def switched_off(self) -> "TopUp":
        """What is under way goes on."""
        return replace(self, below=0, stopped=None, stopped_at=None)

    def stopping(self, because: Because, now: datetime) -> "TopUp":
        """Nothing more is bought until the manager chooses anew, and what was under way is not."""
        return replace(self.without_order(), stopped=because, stopped_at=now)

    def ordering(self, fall: str, product: Product, price: Price, now: datetime) -> "TopUp":
        """A package is under way for `fall`, and counted in the month in which that began."""
        order = TopUpOrder(
            id=fall,
            package=product.id,
            price=price.lookup_key,
            credits=product.credits,
            due=price.money,
            began_at=now,
            attempt=self.attempts + 1,
        )
        month = month_of(now)
        return replace(
            self,
            order=order,
            attempts=order.attempt,
            answered=fall,
            month=month,
            charged=self.charged_in(month) + order.due.amount,
        )

    def without_order(self) -> "TopUp":
        """What was under way is not charged, and its fall not answered."""
        if self.order is None:
            return self
        charged = self.charged - self.order.due.amount
        return replace(self, order=None, answered=None, charged=charged)

    def decided(self, order: TopUpOrder, invoice: str) -> "TopUp":
        """This invoice may be paid for `order`, if nothing was decided since that was read."""
        if self.order != order:
            return self
        return replace(self, order=replace(order, invoice=invoice))

    def trying_again(self, order: TopUpOrder) -> "TopUp":
        """With another invoice, likewise."""
        if self.order != order:
            return self
        attempt = self.attempts + 1
        return replace(self, order=replace(order, attempt=attempt), attempts=attempt)

    def counting(self, invoice: str, total: Money) -> "TopUp":
        """What is under way costs `total`, with taxes, if the cap leaves room for that."""
        order = self.order
        if order is None or order.invoice != invoice or self.cap is None:
            return self
        charged = self.charged - order.due.amount + total.amount
        if self.cap.currency != total.currency or charged > self.cap.amount:
            return self
        return replace(self, order=replace(order, due=total), charged=charged)

    def counts(self, invoice: str, total: Money) -> bool:
        """Whether exactly that is under way and counted."""
        order = self.order
        return order is not None and (order.invoice, order.due) == (invoice, total)

    def completed(self, now: datetime) -> "TopUp":
        """What was under way is paid. Begun in one month and paid in the next it counts in both, so
        that neither is charged more than the cap."""
        if self.order is None:
            return self
        month, due = month_of(now), self.order.due.amount
        charged = self.charged if self.month == month else due
        return replace(self, order=None, month=month, charged=charged)

    def affords(self, due: Money, now: datetime) -> bool:
        """Whether the month's cap leaves room for `due`."""
        if self.cap is None or self.cap.currency != due.currency:
            return False
        return self.charged_in(month_of(now)) + due.amount <= self.cap.amount


def require_sensible(below: int, cap: Money, product: Product, price: Price) -> None:
    """A cap that lets one package be bought, and a package that lifts the wallet above the number.

    Raises RuleRefused `cap_too_low`, `package_too_small`.
    """
    if cap.amount < price.money.amount:
        raise RuleRefused(
            "cap_too_low",
            "The most per month is less than the price of one package.",
            (FieldError("monthly_cap", "must be the price of the package or more"),),
        )
    if product.credits < below:
        raise RuleRefused(
            "package_too_small",
            f"This package has {product.credits} credits, fewer than {below}.",
            (FieldError("package", "must have as many credits as `below`, or more"),),
        )


def begun(
    top_up: TopUp,
    wallet: Wallet,
    sold: tuple[Product, Price] | None,
    *,
    access: bool,
    now: datetime,
) -> tuple[TopUp, Wallet, Told | None]:
    """The answer to the wallet's fall: an order, or waiting for the next month, or the end of it;
    and what there is to tell of that. `sold` is the package at its present price."""
    assert wallet.fell is not None
    if sold is None or not access:
        return stopped(top_up, wallet, Because.NOT_SOLD if access else Because.NO_ACCESS, now)
    product, price = sold
    if not top_up.affords(price.money, now):
        return waiting(top_up, wallet, now)
    ordered = top_up.ordering(wallet.fell, product, price, now)
    return ordered, replace(wallet, look_at=None), None


def waiting(top_up: TopUp, wallet: Wallet, now: datetime) -> tuple[TopUp, Wallet, Told]:
    """The cap is reached: it goes on with the next month, if the wallet is still that low."""
    again = next_month(now)
    facts: dict[str, Fact] = {"wallet": wallet.person, "until": rfc3339(again)}
    if wallet.fell is not None:
        wallet = replace(wallet, look_at=again)
    return top_up.without_order(), wallet, ("top_up.waiting", facts)


def stopped(
    top_up: TopUp, wallet: Wallet, because: Because, now: datetime
) -> tuple[TopUp, Wallet, Told]:
    facts: dict[str, Fact] = {"wallet": wallet.person, "because": because}
    return top_up.stopping(because, now), switched_off(wallet), ("top_up.stopped", facts)


def switched_on(wallet: Wallet, below: int, name: str, now: datetime) -> Wallet:
    """From here on falls below `below` count; being that low already is one, called `name`."""
    return replace(wallet, top_up_below=below).watched(name, now)


def switched_off(wallet: Wallet) -> Wallet:
    return replace(wallet, top_up_below=0, fell=None, look_at=None)


def month_of(moment: datetime) -> str:
    return f"{moment:%Y-%m}"
