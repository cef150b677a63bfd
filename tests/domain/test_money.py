import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.money import Money

amounts = st.integers(-(10**15), 10**15)


@given(amounts, amounts)
def test_adding_is_exact(left: int, right: int) -> None:
    assert Money(left, "usd") + Money(right, "usd") == Money(left + right, "usd")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Money(1, "usd") + Money(1, "eur")


@pytest.mark.parametrize("amount", [1.0, "1", None, True])
def test_an_amount_is_a_whole_number(amount: object) -> None:
    with pytest.raises(ValueError, match="integer"):
        Money(amount, "usd")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["USD", "us", "dollars", ""])
def test_a_currency_is_three_lower_case_letters(currency: str) -> None:
    with pytest.raises(ValueError, match="three lower-case letters"):
        Money(1, currency)


@given(amounts, st.sampled_from(["usd", "jpy"]))
def test_a_view_reads_back(amount: int, currency: str) -> None:
    assert Money.read(Money(amount, currency).view()) == Money(amount, currency)
