"""Automatic top-ups: a package bought with the card on file when a wallet falls below a number.

A wallet remembers the entry by which it fell for as long as it is that low, so each fall has a name
and is answered once. A top-up that is under way is counted against the month's cap before the card
is charged, and one at a time is. Whether it may be charged is asked again just before that.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.access import access_at
from billing.domain.catalog import Price, Product
from billing.domain.credits import Wallet
from billing.domain.errors import FieldError, RuleRefused
from billing.domain.events import Fact, Told
from billing.domain.money import Money
from billing.domain.subscription import Subscription
from billing.domain.times import next_month, rfc3339


class Because(StrEnum):
    """Why a top-up stopped: the card was `declined`; the subscription has ended, or is cancelled,
    `no_access`; the package is `not_sold` any more in the cap's currency; Stripe `refused` to make
    such an invoice; or the payment of a package was `reversed`, by a refund or a dispute."""

    DECLINED = "declined"
    NO_ACCESS = "no_access"
    NOT_SOLD = "not_sold"
    REFUSED = "refused"
    REVERSED = "reversed"


class Hindrance(StrEnum):
    """Why a top-up that is under way must not be charged after all: it is `not_wanted` any more,
    the account has `no_access`, or its sum is above the `cap`."""

    NOT_WANTED = "not_wanted"
    NO_ACCESS = "no_access"
    CAP = "cap"


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
    package was bought for; `waits_until` is what the owner was told last about the cap. `attempts`
    only grows."""

    person: str
    below: int = 0
    package: str = ""
    cap: Money | None = None
    month: str = ""
    charged: int = 0
    order: TopUpOrder | None = None
    attempts: int = 0
    answered: str | None = None
    waits_until: datetime | None = None
    stopped: Because | None = None
    stopped_at: datetime | None = None

    @property
    def active(self) -> bool:
        return self.below > 0 and self.stopped is None

    def charged_in(self, month: str) -> int:
        """A machine whose clock is behind counts what another one counted already."""
        return self.charged if self.month >= month else 0

    def chosen(self, below: int, package: str, cap: Money) -> "TopUp":
        """Begins, or goes on, with these terms. What was charged in another currency is not
        compared with this cap."""
        charged = self.charged if self.cap is None or self.cap.currency == cap.currency else 0
        wanted = replace(self, below=below, package=package, cap=cap, charged=charged)
        if wanted != self:
            wanted = replace(wanted, waits_until=None)
        return replace(wanted, stopped=None, stopped_at=None)

    def switched_off(self) -> "TopUp":
        """What is under way is not charged, unless the card is just being asked."""
        return replace(self, below=0, waits_until=None, stopped=None, stopped_at=None)

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
        month = max(self.month, month_of(now))
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
        charged = max(0, self.charged - self.order.due.amount)
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

    def counting(self, due: Money) -> "TopUp":
        """What is under way costs `due`, taxes included."""
        if self.order is None:
            return self
        charged = self.charged - self.order.due.amount + due.amount
        return replace(self, order=replace(self.order, due=due), charged=charged)

    def completed(self, paid: int, now: datetime) -> "TopUp":
        """What was under way is paid, with `paid` minor units. Begun in one month and paid in the
        next it counts in both, so that neither is charged more than the cap."""
        if self.order is None:
            return self
        month = month_of(now)
        before = self.charged - self.order.due.amount if self.month >= month else 0
        return replace(self, order=None, month=max(self.month, month), charged=before + paid)

    def affords(self, due: Money, now: datetime) -> bool:
        """Whether the month's cap leaves room for `due`."""
        if self.cap is None or self.cap.currency != due.currency:
            return False
        return self.charged_in(month_of(now)) + due.amount <= self.cap.amount

    def hindrance(self, due: Money, *, access: bool) -> Hindrance | None:
        """Why what is under way must not be charged, with `due`, as things are now."""
        order, cap = self.order, self.cap
        if order is None or cap is None or not self.active or order.package != self.package:
            return Hindrance.NOT_WANTED
        if not access:
            return Hindrance.NO_ACCESS
        counted = self.counting(due).charged
        if cap.currency != due.currency or counted > cap.amount:
            return Hindrance.CAP
        return None


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


def may_buy(base: Subscription | None, grace: timedelta, now: datetime) -> bool:
    """Return whether top-ups buy now. Nothing is bought any more for a subscription that is
    canceled, though it still lasts."""
    ends = base is not None and base.ends_at is not None
    return access_at(now, base, grace).granted and not ends


Step = tuple[TopUp, Wallet, Told | None]
"""A top-up and its wallet as they are to be, and what there is to tell of it."""


def begun(
    top_up: TopUp,
    wallet: Wallet,
    sold: tuple[Product, Price] | None,
    *,
    access: bool,
    now: datetime,
) -> Step:
    """The answer to the wallet's fall: an order, or waiting for the next month, or the end of it.
    `sold` is the package at its present price."""
    assert wallet.fell is not None
    if sold is None or not access:
        return stopped(top_up, wallet, Because.NOT_SOLD if access else Because.NO_ACCESS, now)
    product, price = sold
    if not top_up.affords(price.money, now):
        return waiting(top_up, wallet, now)
    ordered = top_up.ordering(wallet.fell, product, price, now)
    return ordered, replace(wallet, look_at=None), None


def hindered(top_up: TopUp, wallet: Wallet, why: Hindrance, now: datetime) -> Step:
    """What was under way is over, and nothing was charged for it. A fall that a new choice is to
    answer is looked at again."""
    if why is Hindrance.NO_ACCESS:
        return stopped(top_up, wallet, Because.NO_ACCESS, now)
    if why is Hindrance.CAP:
        return waiting(top_up, wallet, now)
    if wallet.fell is not None:
        wallet = replace(wallet, look_at=now)
    return top_up.without_order(), wallet, None


def waiting(top_up: TopUp, wallet: Wallet, now: datetime) -> Step:
    """The cap is reached: it goes on with the next month, if the wallet is still that low."""
    again = next_month(now)
    after = replace(top_up.without_order(), waits_until=again)
    if wallet.fell is not None:
        wallet = replace(wallet, look_at=again)
    if top_up.waits_until == again:
        return after, wallet, None
    facts: dict[str, Fact] = {"wallet": wallet.person, "until": rfc3339(again)}
    return after, wallet, ("top_up.waiting", facts)


def stopped(top_up: TopUp, wallet: Wallet, because: Because, now: datetime) -> Step:
    """Nothing more is bought until the manager chooses anew. Who has switched it off meanwhile is
    told nothing."""
    after = top_up.without_order()
    if not top_up.active:
        return after, switched_off(wallet), None
    facts: dict[str, Fact] = {"wallet": wallet.person, "because": because}
    after = replace(after, stopped=because, stopped_at=now)
    return after, switched_off(wallet), ("top_up.stopped", facts)


def reversed_payment(top_up: TopUp, wallet: Wallet, now: datetime) -> Step:
    """Stop because the payment of a package was reversed: credits that are taken back are no demand
    for others. A package that is under way is given up as no longer wanted, unless it is paid."""
    if not top_up.active:
        return top_up, wallet, None
    facts: dict[str, Fact] = {"wallet": wallet.person, "because": Because.REVERSED}
    after = replace(top_up, waits_until=None, stopped=Because.REVERSED, stopped_at=now)
    return after, switched_off(wallet), ("top_up.stopped", facts)


def switched_on(wallet: Wallet, below: int, name: str, now: datetime) -> Wallet:
    """From here on falls below `below` count; being that low already is one, called `name`."""
    return replace(wallet, top_up_below=below).watched(name, now)


def switched_off(wallet: Wallet) -> Wallet:
    return replace(wallet, top_up_below=0, fell=None, look_at=None)


def month_of(moment: datetime) -> str:
    return f"{moment:%Y-%m}"
