"""What is agreed with Support or Sales: prices of their own, and from when they hold."""

from dataclasses import dataclass
from enum import StrEnum

from billing.domain.catalog import Catalog, Cycle, Kind, Price, Product
from billing.domain.errors import FieldError, RuleRefused
from billing.domain.money import Money
from billing.domain.subscription import Subscription

UNLIMITED = "data_unlimited"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed on; None leaves it to the catalog. `amount` is in minor units."""

    cycle: str | None
    amount: int | None

    @property
    def open(self) -> bool:
        return self.cycle is None and self.amount is None


class From(StrEnum):
    """From when a deal holds."""

    NOW = "now"
    RENEWAL = "renewal"
    BEFORE = "before"


def agreed(product: Product, cycle: Cycle, money: Money) -> Price:
    """A price that the catalog does not have. Its lookup key says all of it, so that the same
    agreement is the same price at Stripe."""
    key = f"{product.id}_{cycle}_{money.currency}_{money.amount}"
    return Price(key, product.id, product.kind, cycle, money)


def slots_price(catalog: Catalog, money: Money) -> Price:
    """Of one slot for a year: monthly ones are the manager's own to buy."""
    return agreed(catalog.of(Kind.SLOTS)[0], Cycle.ANNUAL, money)


def slots_from(present: Subscription, wanted: int, price: Price) -> From:
    """More slots, a year instead of months, or a dearer one hold at once. Fewer slots, or the same
    for less, hold from their renewal on: what is paid for is not given back."""
    if wanted != present.quantity:
        return From.NOW if wanted > present.quantity else From.RENEWAL
    if present.cycle is not price.cycle:
        return From.NOW
    if present.price == price.money:
        return From.BEFORE
    return From.NOW if price.money.amount > present.price.amount else From.RENEWAL


def unlimited_price(catalog: Catalog, base: Subscription, terms: Terms) -> Price:
    """In the base's currency and, unless told, its cycle.

    Raises RuleRefused `unknown_cycle`, and `price_needed` where the catalog has none.
    """
    product = catalog.named(UNLIMITED)
    assert product is not None
    currency, cycle = base.price.currency, terms.cycle or base.cycle
    if cycle not in list(Cycle):
        choices = ", ".join(Cycle)
        raise RuleRefused(
            "unknown_cycle",
            f"There is no cycle {cycle[:40]!r}; there is {choices}.",
            (FieldError("cycle", f"must be one of: {choices}"),),
        )
    if terms.amount is not None:
        return agreed(product, Cycle(cycle), Money(terms.amount, currency))
    for price in product.prices:
        if price.cycle == cycle and price.money.currency == currency:
            return price
    raise RuleRefused(
        "price_needed",
        f"DataUnlimited has no {cycle} price in {currency}: name the one that was agreed on.",
        (FieldError("price", "must be given"),),
    )
