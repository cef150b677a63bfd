"""Credits that are set aside, then spent or returned; many at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing import runtime
from billing.adapters.dynamodb import accounts, holds
from billing.adapters.dynamodb.marks import Command
from billing.domain.credits import Credits, Entry
from billing.domain.errors import BillingError
from billing.domain.subscription import Status
from billing.usecases.holds import hold_credits, settle_hold
from tests.factories import subscription
from tests.functions.product import Product
from tests.functions.purse import ANA, entries, grant, wallet
from tests.functions.team import record

GRACE = timedelta(days=14)


@pytest.fixture
def stocked(team: Product) -> Product:
    grant(team, 100)
    return team


def hold(product: Product, count: int, name: str = "one", body: str = "") -> Entry:
    return hold_credits(
        product.account,
        ANA,
        Credits(count),
        Command(name, body or str(count)),
        reference="download",
        grace=GRACE,
        now=runtime.now(),
    )


def settle(
    product: Product, spent: int = 0, returned: int = 0, name: str = "report", of: str = "one"
) -> Entry:
    command = Command(name, f"{of} {spent} {returned}")
    return settle_hold(
        product.account,
        of,
        command,
        spent=spent,
        returned=returned,
        by="engine",
        now=runtime.now(),
    )


def refused(what: Callable[[], Any]) -> str:
    with pytest.raises(BillingError) as told:
        what()
    return told.value.code


def overtake(patch: pytest.MonkeyPatch, meanwhile: Callable[[], Any]) -> list[Any]:
    """Something commits between the next command's reading and its writing."""
    whole = accounts.load
    done: list[Any] = []

    def overtaken(account: str, **how: Any) -> Any:
        rows = whole(account, **how)
        if not done:
            done.append(None)
            done[0] = meanwhile()
        return rows

    patch.setattr(accounts, "load", overtaken)
    return done


def test_the_sum_of_holds_and_spends_never_exceeds_what_was_granted(stocked: Product) -> None:
    hold(stocked, 60)
    assert refused(lambda: hold(stocked, 41, "two")) == "insufficient_credits"
    settle(stocked, spent=60)
    assert refused(lambda: hold(stocked, 41, "three")) == "insufficient_credits"
    hold(stocked, 40, "four")
    after = wallet(stocked)
    assert (after.balance, after.held, after.spent) == (0, 40, 60)


def test_a_hold_that_was_released_cannot_be_spent(stocked: Product) -> None:
    hold(stocked, 60)
    settle(stocked, returned=60)
    assert refused(lambda: settle(stocked, spent=1, name="late")) == "hold_exceeded"
    assert (wallet(stocked).balance, wallet(stocked).spent) == (100, 0)


def test_also_not_where_another_hold_would_cover_it(stocked: Product) -> None:
    hold(stocked, 50)
    hold(stocked, 50, "two")
    settle(stocked, returned=50)
    assert refused(lambda: settle(stocked, spent=1, name="late")) == "hold_exceeded"


def test_concurrent_settlements_of_one_hold_never_exceed_its_amount(
    stocked: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(stocked, 60)
    done = overtake(monkeypatch, lambda: settle(stocked, spent=40, name="first").credits)
    assert refused(lambda: settle(stocked, spent=30, name="second")) == "hold_exceeded"
    assert done == [40]
    assert (wallet(stocked).held, wallet(stocked).spent) == (20, 40)


def test_concurrent_spends_are_never_lost_and_no_balance_goes_negative(
    stocked: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = overtake(monkeypatch, lambda: hold(stocked, 70, "first").credits)
    # Overtaken, it tells no balance: the log works it out.
    assert hold(stocked, 30, "second").source_after in (None, 0)
    assert done == [70]
    assert (wallet(stocked).balance, wallet(stocked).held) == (0, 100)
    assert refused(lambda: hold(stocked, 1, "third")) == "insufficient_credits"


def test_n_concurrent_downloads_make_n_debits(
    stocked: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is overtaken by the next one before it can commit."""

    def next_one(left: int) -> None:
        if left:
            with monkeypatch.context() as patch:
                overtake(patch, lambda: next_one(left - 1))
                hold(stocked, 10, f"download {left}")

    next_one(5)
    assert (wallet(stocked).balance, wallet(stocked).held) == (50, 50)
    assert len(entries(stocked)) == 6


def test_a_part_is_spent_and_a_part_returned_in_one_step(stocked: Product) -> None:
    hold(stocked, 60)
    settle(stocked, spent=50, returned=7)
    after = wallet(stocked)
    assert (after.balance, after.held, after.spent) == (47, 3, 50)
    found, _ = holds.load(stocked.account, "one")
    assert found is not None
    assert found.left == 3


def test_the_same_command_holds_and_settles_once(stocked: Product) -> None:
    assert hold(stocked, 60) == hold(stocked, 60)
    assert refused(lambda: hold(stocked, 61)) == "idempotency_key_reused"
    assert settle(stocked, spent=60) == settle(stocked, spent=60)
    assert (wallet(stocked).held, wallet(stocked).spent) == (0, 60)


@pytest.mark.parametrize(
    ("first", "second"),
    [((10, 0), (0, 10)), ((0, 10), (10, 0)), ((0, 10), (5, 5)), ((5, 5), (0, 10))],
)
def test_a_settlements_key_with_another_split_is_a_conflict(
    stocked: Product, first: tuple[int, int], second: tuple[int, int]
) -> None:
    hold(stocked, 60)
    settle(stocked, *first)
    before = wallet(stocked)
    assert refused(lambda: settle(stocked, *second)) == "idempotency_key_reused"
    assert wallet(stocked) == before


def test_of_two_splits_under_one_key_at_once_one_is_settled(
    stocked: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(stocked, 60)
    done = overtake(monkeypatch, lambda: settle(stocked, spent=10).credits)
    assert refused(lambda: settle(stocked, returned=10)) == "idempotency_key_reused"
    assert done == [10]
    assert (wallet(stocked).held, wallet(stocked).spent) == (50, 10)


def test_without_access_nothing_is_held_and_what_was_held_is_settled(stocked: Product) -> None:
    hold(stocked, 60)
    record(stocked, subscription(status=Status.CANCELED, ends_at=runtime.now()))
    assert refused(lambda: hold(stocked, 1, "two")) == "no_access"
    settle(stocked, returned=60)
    assert wallet(stocked).balance == 100


def test_a_hold_of_another_account_is_not_found(stocked: Product) -> None:
    hold(stocked, 60)
    other = stocked.beside(f"other-{stocked.account}")
    other.billing()
    assert refused(lambda: settle(other, spent=1)) == "hold_not_found"
