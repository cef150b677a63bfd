"""What is sold: plans, slots, packages and add-ons, read from catalog.json.

That file is the one place of names and prices; `python -m infra.stripe_setup` applies it to Stripe.
Clients name plans and cycles, never Stripe's price ids.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from billing.domain.errors import FieldError, RuleRefused
from billing.domain.money import Money


class Cycle(StrEnum):
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    ANNUAL = "annual"

    @property
    def months(self) -> int:
        return {Cycle.MONTHLY: 1, Cycle.QUARTERLY: 3, Cycle.ANNUAL: 12}[self]


class Kind(StrEnum):
    """What a subscription or invoice at Stripe is for, in its metadata."""

    SUBSCRIPTION = "subscription"
    SLOTS = "slots"
    ADD_ON = "add_on"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Price:
    """One price of one product; `lookup_key` is how it is found at Stripe.

    `cycle` is None for what is paid once.
    """

    lookup_key: str
    product: str
    kind: Kind
    cycle: Cycle | None
    money: Money


@dataclass(frozen=True, slots=True)
class Product:
    """Something sold, in each of its prices; `credits` is what a package holds, 0 otherwise."""

    id: str
    kind: Kind
    name: str
    description: str
    prices: tuple[Price, ...]
    credits: int = 0


@dataclass(frozen=True, slots=True)
class Catalog:
    currencies: tuple[str, ...]
    products: tuple[Product, ...]

    def of(self, kind: Kind) -> tuple[Product, ...]:
        return tuple(product for product in self.products if product.kind is kind)

    def named(self, product: str) -> Product | None:
        return next((each for each in self.products if each.id == product), None)

    def price(self, lookup_key: str) -> Price | None:
        prices = (price for product in self.products for price in product.prices)
        return next((price for price in prices if price.lookup_key == lookup_key), None)

    def subscription_price(self, plan: str, cycle: str, currency: str | None = None) -> Price:
        """The price of `plan` per `cycle`, in the first currency of the catalog unless told.

        Raises RuleRefused `unknown_plan`, `unknown_cycle`, `unknown_currency`.
        """
        product = next((each for each in self.of(Kind.SUBSCRIPTION) if each.id == plan), None)
        if product is None:
            raise _unknown("plan", plan, [each.id for each in self.of(Kind.SUBSCRIPTION)])
        of_cycle = [price for price in product.prices if price.cycle == cycle]
        if not of_cycle:
            raise _unknown("cycle", cycle, [str(each.cycle) for each in product.prices])
        wanted = currency or self.currencies[0]
        for price in of_cycle:
            if price.money.currency == wanted:
                return price
        raise _unknown("currency", wanted, [price.money.currency for price in of_cycle])

    def slot_price(self, currency: str) -> Price:
        """Of one slot for a month. Raises RuleRefused `unknown_currency`."""
        prices = [price for slot in self.of(Kind.SLOTS) for price in slot.prices]
        monthly = [price for price in prices if price.cycle is Cycle.MONTHLY]
        for price in monthly:
            if price.money.currency == currency:
                return price
        raise _unknown("currency", currency, [price.money.currency for price in monthly])

    def package_price(self, package: str, currency: str) -> tuple[Product, Price]:
        """Raises RuleRefused `unknown_package`, `unknown_currency`."""
        product = next((each for each in self.of(Kind.PACKAGE) if each.id == package), None)
        if product is None:
            raise _unknown("package", package, [each.id for each in self.of(Kind.PACKAGE)])
        for price in product.prices:
            if price.money.currency == currency:
                return product, price
        raise _unknown("currency", currency, [each.money.currency for each in product.prices])


def _unknown(field: str, value: str, known: list[str]) -> RuleRefused:
    choices = ", ".join(dict.fromkeys(known))
    return RuleRefused(
        f"unknown_{field}",
        f"There is no {field} {value[:40]!r}; there is {choices}.",
        (FieldError(field, f"must be one of: {choices}"),),
    )


@cache
def load_catalog(path: Path = Path(__file__).parent.parent / "catalog.json") -> Catalog:
    """Raises KeyError or ValueError where the file is not as it should be."""
    return parse_catalog(json.loads(path.read_text()))


def parse_catalog(raw: dict[str, Any]) -> Catalog:
    """Raises KeyError or ValueError where `raw` is not a catalog."""
    products = [_recurring(Kind.SUBSCRIPTION, plan) for plan in raw["plans"]]
    products.append(_recurring(Kind.SLOTS, raw["slot"]))
    products += [_package(package) for package in raw["packages"]]
    products += [_recurring(Kind.ADD_ON, add_on) for add_on in raw["add_ons"]]
    ids = [product.id for product in products]
    if len(set(ids)) < len(ids):
        raise ValueError(f"an id stands twice in the catalog: {ids}")
    currencies = tuple(raw["currencies"])
    for price in (price for product in products for price in product.prices):
        if price.money.currency not in currencies or price.money.amount <= 0:
            raise ValueError(f"{price.lookup_key} is not a price in {currencies}")
    return Catalog(currencies, tuple(products))


def _recurring(kind: Kind, raw: dict[str, Any]) -> Product:
    prices = tuple(
        Price(
            f"{raw['id']}_{cycle}_{currency}",
            raw["id"],
            kind,
            Cycle(cycle),
            Money(amount, currency),
        )
        for cycle, amounts in raw["prices"].items()
        for currency, amount in amounts.items()
    )
    return Product(raw["id"], kind, raw["name"], raw["description"], prices)


def _package(raw: dict[str, Any]) -> Product:
    prices = tuple(
        Price(f"{raw['id']}_{currency}", raw["id"], Kind.PACKAGE, None, Money(amount, currency))
        for currency, amount in raw["price"].items()
    )
    return Product(
        raw["id"], Kind.PACKAGE, raw["name"], raw["description"], prices, int(raw["credits"])
    )
