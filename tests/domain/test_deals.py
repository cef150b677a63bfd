"""From when a deal holds, and what it costs."""

from dataclasses import replace
from typing import Any

import pytest

from billing.domain.catalog import Catalog, Cycle, Kind, load_catalog
from billing.domain.deals import Terms, slots_from, slots_price, unlimited_price
from billing.domain.errors import RuleRefused
from billing.domain.money import Money
from tests.factories import subscription

YEARLY = {"cycle": Cycle.ANNUAL, "price": Money(30000, "usd"), "quantity": 5}
MONTHLY = {"cycle": Cycle.MONTHLY, "price": Money(4900, "usd"), "quantity": 5}


@pytest.mark.parametrize(
    ("present", "wanted", "amount", "holds_from"),
    [
        (MONTHLY, 5, 30000, "now"),
        (MONTHLY, 6, 30000, "now"),
        (MONTHLY, 4, 30000, "renewal"),
        (YEARLY, 5, 30000, "before"),
        (YEARLY, 6, 30000, "now"),
        (YEARLY, 6, 10000, "now"),
        (YEARLY, 4, 90000, "renewal"),
        (YEARLY, 5, 30001, "now"),
        (YEARLY, 5, 29999, "renewal"),
    ],
)
def test_more_holds_at_once_and_less_from_the_renewal_on(
    present: dict[str, Any], wanted: int, amount: int, holds_from: str
) -> None:
    price = slots_price(load_catalog(), Money(amount, "usd"))
    bought = subscription(kind=Kind.SLOTS, plan="slot", **present)
    assert slots_from(bought, wanted, price) == holds_from


def test_the_same_agreement_has_the_same_name() -> None:
    first, again, other = (
        slots_price(load_catalog(), Money(amount, "usd")) for amount in (30000, 30000, 30001)
    )
    assert first == again
    assert first.lookup_key == "slot_annual_usd_30000" != other.lookup_key


@pytest.mark.parametrize(
    ("terms", "key"),
    [
        (Terms(None, None), "data_unlimited_monthly_usd"),
        (Terms("annual", None), "data_unlimited_annual_usd"),
        (Terms(None, 100), "data_unlimited_monthly_usd_100"),
        (Terms("quarterly", 100), "data_unlimited_quarterly_usd_100"),
    ],
)
def test_terms_that_nobody_named_are_the_catalogs_in_the_bases_cycle(
    terms: Terms, key: str
) -> None:
    assert unlimited_price(load_catalog(), subscription(), terms).lookup_key == key


def test_a_cycle_that_there_is_not_is_refused() -> None:
    for terms in (Terms("weekly", None), Terms("weekly", 100)):
        with pytest.raises(RuleRefused) as refused:
            unlimited_price(load_catalog(), subscription(), terms)
        assert refused.value.code == "unknown_cycle"


def test_without_a_price_in_the_catalog_one_has_to_be_named() -> None:
    shipped = load_catalog()
    unpriced = Catalog(shipped.currencies, tuple(map(_without_prices, shipped.products)))
    with pytest.raises(RuleRefused) as refused:
        unlimited_price(unpriced, subscription(), Terms(None, None))
    assert refused.value.code == "price_needed"


def _without_prices(product: Any) -> Any:
    return replace(product, prices=())
