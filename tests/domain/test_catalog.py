import copy
import json
from pathlib import Path
from typing import Any

import pytest

import billing
from billing.domain.catalog import Cycle, Kind, load_catalog, parse_catalog
from billing.domain.errors import RuleRefused
from billing.domain.money import Money

RAW: dict[str, Any] = {
    "currencies": ["usd", "jpy"],
    "plans": [
        {
            "id": "basic",
            "name": "Basic",
            "description": "",
            "prices": {"monthly": {"usd": 1000, "jpy": 1500}, "annual": {"usd": 10000}},
        }
    ],
    "slot": {"id": "slot", "name": "Slot", "description": "", "prices": {"monthly": {"usd": 500}}},
    "packages": [{"id": "c5", "name": "5", "description": "", "credits": 5, "price": {"usd": 100}}],
    "add_ons": [],
}


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(RAW) | changes


def test_the_shipped_catalog_has_two_plans_in_every_cycle_and_two_currencies() -> None:
    shipped = load_catalog()
    plans = shipped.of(Kind.SUBSCRIPTION)
    assert len(plans) >= 2
    for plan in plans:
        offered = {(price.cycle, price.money.currency) for price in plan.prices}
        assert offered == {(cycle, money) for cycle in Cycle for money in shipped.currencies}


def test_lookup_keys_are_unique() -> None:
    found = [price.lookup_key for each in load_catalog().products for price in each.prices]
    assert len(set(found)) == len(found)


def test_the_first_currency_is_meant_unless_told() -> None:
    price = parse_catalog(RAW).subscription_price("basic", "monthly")
    assert (price.lookup_key, price.money) == ("basic_monthly_usd", Money(1000, "usd"))


def test_yen_are_whole_yen() -> None:
    price = parse_catalog(RAW).subscription_price("basic", "monthly", "jpy")
    assert price.money == Money(1500, "jpy")


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        (("gold", "monthly", None), "unknown_plan"),
        (("slot", "monthly", None), "unknown_plan"),
        (("price_1ABC", "monthly", None), "unknown_plan"),
        (("basic", "quarterly", None), "unknown_cycle"),
        (("basic", "annual", "jpy"), "unknown_currency"),
    ],
)
def test_what_is_not_in_the_catalog_is_refused(
    choice: tuple[str, str, str | None], code: str
) -> None:
    with pytest.raises(RuleRefused) as refused:
        parse_catalog(RAW).subscription_price(*choice)
    assert refused.value.code == code
    assert refused.value.errors[0].field == code.removeprefix("unknown_")


@pytest.mark.parametrize(
    "raw",
    [
        changed(currencies=["usd"]),
        changed(slot={**RAW["slot"], "id": "basic"}),
        changed(slot={**RAW["slot"], "prices": {"monthly": {"usd": 0}}}),
        changed(slot={**RAW["slot"], "prices": {"weekly": {"usd": 1}}}),
    ],
    ids=["currency not listed", "id twice", "price of nothing", "cycle not known"],
)
def test_a_catalog_that_cannot_be_right_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_catalog(raw)


def test_the_catalog_is_one_file_that_stands_beside_the_code() -> None:
    raw = json.loads((Path(billing.__file__).parent / "catalog.json").read_text())
    assert parse_catalog(raw) == load_catalog()
