"""Which way leads to another plan or cycle."""

from typing import Any

import pytest

from billing.domain import plans
from billing.domain.catalog import Cycle, load_catalog
from billing.domain.errors import RuleRefused
from billing.domain.money import Money
from billing.domain.subscription import Pending
from tests.factories import subscription

BUSINESS = {"plan": "business", "price": Money(9900, "usd")}
ANNUAL = {"pending": Pending(Cycle.ANNUAL, 1, Money(58800, "usd"), "starter")}
STARTER = {"pending": Pending(Cycle.MONTHLY, 1, Money(5900, "usd"), "starter"), **BUSINESS}
BOTH = {"pending": Pending(Cycle.ANNUAL, 1, Money(58800, "usd"), "starter"), **BUSINESS}


@pytest.mark.parametrize(
    ("base", "wanted", "now", "then"),
    [
        ({}, {"plan": "starter"}, None, None),
        ({}, {"plan": "business"}, "business_monthly_usd", None),
        ({}, {"cycle": "annual"}, None, "starter_annual_usd"),
        ({}, {"plan": "business", "cycle": "annual"}, *2 * ("business_{}_usd",)),
        (ANNUAL, {"plan": "business"}, *2 * ("business_{}_usd",)),
        (ANNUAL, {"plan": "business", "cycle": "monthly"}, "business_monthly_usd", None),
        (ANNUAL, {"plan": "starter"}, None, "starter_annual_usd"),
        (ANNUAL, {"cycle": "monthly"}, None, None),
        (BUSINESS, {"plan": "starter"}, None, "starter_monthly_usd"),
        (STARTER, {"plan": "business"}, None, None),
        (STARTER, {"cycle": "quarterly"}, None, "starter_quarterly_usd"),
        (STARTER, {"cycle": "monthly"}, None, "starter_monthly_usd"),
        (BOTH, {"plan": "business"}, None, "business_annual_usd"),
        (BOTH, {"cycle": "monthly"}, None, "starter_monthly_usd"),
        (BOTH, {"plan": "business", "cycle": "monthly"}, None, None),
    ],
)
def test_a_dearer_plan_is_now_and_all_else_from_the_renewal_on(
    base: dict[str, Any], wanted: dict[str, str], now: str | None, then: str | None
) -> None:
    way = plans.steps(subscription(**base), load_catalog(), **wanted)
    found = (way.now and way.now.lookup_key, way.then and way.then.lookup_key)
    assert found == (now and now.format("monthly"), then and then.format("annual"))


def test_a_price_of_earlier_days_decides_what_is_dearer() -> None:
    generous = subscription(price=Money(12000, "usd"))
    way = plans.steps(generous, load_catalog(), plan="business")
    assert (way.now, way.then and way.then.lookup_key) == (None, "business_monthly_usd")


def test_the_plan_one_has_need_not_be_for_sale_any_longer() -> None:
    legacy = subscription(plan="legacy")
    assert plans.steps(legacy, load_catalog(), plan="legacy") == plans.Steps(None, None)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [({"plan": "gold"}, "unknown_plan"), ({"cycle": "weekly"}, "unknown_cycle")],
)
def test_what_is_not_sold_is_refused(wanted: dict[str, str], code: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        plans.steps(subscription(), load_catalog(), **wanted)
    assert refused.value.code == code
