"""Balances of a log's lines that carry none."""

from datetime import timedelta

import pytest

from billing.domain.balances import with_balances
from billing.domain.credits import Credits, Entry, EntryKind, Wallet
from tests.factories import NOON

LATER = NOON + timedelta(minutes=1)


def line(number: int, credits: int, after: int | None = None) -> Entry:
    """Taken from Ana's wallet."""
    return Entry(
        id=f"entry-{number}",
        account="acme",
        at=NOON,
        sequence=number,
        kind=EntryKind.HOLD,
        credits=Credits(credits),
        source="ana",
        target=None,
        by="ana",
        reference="",
        fingerprint="",
        source_after=after,
    )


LINES = [line(4, 1), line(3, 20, 70), line(2, 5), line(1, 5, 95)]
LAST = Wallet(person="ana", balance=69, sequence=4)


def balances(lines: list[Entry], **given: object) -> list[int | None]:
    how = {"begun_with": {}, "wallets": {}, "complete_until": NOON, **given}
    return [each.source_after for each in with_balances(lines, **how)]  # type: ignore[arg-type]


def test_a_line_between_two_balances_that_agree_has_the_one_that_follows() -> None:
    assert balances(LINES) == [None, 70, 90, 95]


def test_the_last_line_of_a_wallet_has_the_wallets_balance() -> None:
    assert balances(LINES, wallets={"ana": LAST}) == [69, 70, 90, 95]


@pytest.mark.parametrize("sequence", [3, 5])
def test_a_wallet_that_was_read_earlier_or_later_than_the_list_says_nothing_of_its_last_line(
    sequence: int,
) -> None:
    read = Wallet(person="ana", balance=7, sequence=sequence)
    assert balances(LINES, wallets={"ana": read}) == [None, 70, 90, 95]


def test_where_a_line_is_missing_nothing_is_worked_out_across_the_gap() -> None:
    """Something moved between the second and the third that the index does not list yet."""
    assert balances([line(4, 20, 50), line(2, 5), line(1, 5, 95)]) == [50, None, 95]


def test_of_what_is_old_enough_to_be_listed_whole_no_later_balance_is_needed() -> None:
    assert balances(LINES, complete_until=LATER) == [69, 70, 90, 95]


def test_a_wallet_that_began_in_the_list_began_with_nothing() -> None:
    lines = [line(2, 5), line(1, 5)]
    assert balances(lines) == [None, None]
    assert balances(lines, begun_with={"ana": 100}, complete_until=LATER) == [90, 95]


def test_in_one_persons_list_nobody_elses_balance_is_worked_out() -> None:
    assert balances(LINES, wallets={"ana": LAST}, owner="mia") == [None, 70, None, 95]
