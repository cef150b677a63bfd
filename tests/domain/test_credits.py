"""Wallets, and the entries by which alone they change."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import credits
from billing.domain.credits import Cause, Credits, EntryKind, Hold, Movement, Wallet, effects
from billing.domain.errors import BillingError, Conflict, RuleRefused
from tests.factories import NOON

CAUSE = Cause(id="one", account="acme", by="ana", now=NOON)
ANA = Wallet(person="ana", balance=100, granted=100)
MIA = Wallet(person="mia")


@pytest.mark.parametrize("count", [0, -1, 1.0, "1", True, None, 10**13])
def test_credits_are_a_whole_number_from_one(count: Any) -> None:
    with pytest.raises(ValueError, match="whole number from 1"):
        Credits(count)


def test_a_transfer_tells_both_balances() -> None:
    moved = credits.transfer(ANA, MIA, Credits(30), CAUSE)
    [entry] = moved.entries
    assert (entry.source_after, entry.target_after) == (70, 30)
    assert (entry.balance_after(), entry.balance_after("mia")) == (70, 30)
    assert (moved.wallets["ana"].sent, moved.wallets["mia"].received) == (30, 30)


def test_an_entry_tells_the_balance_of_whoever_has_one() -> None:
    [granted] = credits.grant(ANA, Credits(30), CAUSE).entries
    assert (granted.balance_after(), granted.balance_after("ana")) == (130, 130)
    [sent] = credits.transfer(ANA, MIA, Credits(30), CAUSE).entries
    assert sent.balance_after("ana") == 70


def test_what_was_held_and_not_used_returns_as_a_hold_undone() -> None:
    holding = credits.hold(ANA, Credits(10), CAUSE).wallets["ana"]
    held = Hold(id="one", person="ana", credits=10, left=10, month="2026-11")
    [returned] = credits.release(holding, held, Credits(10), CAUSE).entries
    assert (returned.kind, returned.undoes) == (EntryKind.RETURN, EntryKind.HOLD)


def test_no_more_is_sent_or_held_than_there_is() -> None:
    with pytest.raises(BillingError, match="insufficient_credits"):
        credits.transfer(ANA, MIA, Credits(101), CAUSE)
    with pytest.raises(BillingError, match="insufficient_credits"):
        credits.hold(ANA, Credits(101), CAUSE)


def test_a_removed_members_credits_are_not_used_and_a_dispute_sets_them_aside() -> None:
    dormant = replace(ANA, open=False)
    with pytest.raises(BillingError, match="member_not_active") as told:
        credits.hold(dormant, Credits(10), CAUSE)
    assert isinstance(told.value, Conflict)
    assert credits.set_aside(dormant, Credits(10), CAUSE).wallets["ana"].held == 10


def test_what_is_clawed_back_after_it_was_used_is_owed_and_paid_off_first() -> None:
    owing = credits.claw_back(ANA, Credits(130), CAUSE).wallets["ana"]
    assert (owing.available, owing.debt) == (0, 30)
    paid = credits.grant(owing, Credits(50), CAUSE).wallets["ana"]
    assert (paid.available, paid.debt) == (20, 0)


def test_a_hold_that_was_released_cannot_be_spent() -> None:
    held = credits.hold(ANA, Credits(10), CAUSE).wallets["ana"]
    released = credits.give_back(held, Credits(10), CAUSE, undoes=EntryKind.HOLD).wallets["ana"]
    assert released.balance == 100
    with pytest.raises(ValueError, match="more than there is"):
        credits.spend(released, Credits(1), CAUSE)


def test_what_is_held_counts_as_used_in_its_month_also_without_a_limit() -> None:
    held = credits.hold(ANA, Credits(30), CAUSE).wallets["ana"]
    assert held.used_at(NOON) == 30
    assert held.used_at(NOON + timedelta(days=31)) == 0
    again = credits.hold(held, Credits(5), later(timedelta(days=31))).wallets["ana"]
    assert again.used_at(NOON + timedelta(days=31)) == 5


def test_no_more_is_held_than_the_limit_leaves_of_the_month() -> None:
    limited = replace(ANA, limit=40)
    held = credits.hold(limited, Credits(30), CAUSE).wallets["ana"]
    with pytest.raises(BillingError, match="limit_reached: You can use 10 more") as told:
        credits.hold(held, Credits(11), CAUSE)
    assert isinstance(told.value, RuleRefused)
    assert credits.hold(held, Credits(10), CAUSE).wallets["ana"].used == 40
    assert credits.hold(held, Credits(40), later(timedelta(days=31))).wallets["ana"].used == 40


def test_a_limit_below_what_is_used_leaves_nothing() -> None:
    held = credits.hold(ANA, Credits(30), CAUSE).wallets["ana"]
    with pytest.raises(BillingError, match="limit_reached: You can use 0 more"):
        credits.hold(replace(held, limit=20), Credits(1), CAUSE)


def test_what_is_returned_in_its_month_can_be_used_again_and_spending_changes_nothing() -> None:
    wallet = credits.hold(ANA, Credits(30), CAUSE).wallets["ana"]
    made = Hold(id="one", person="ana", credits=30, left=30, month=wallet.used_month)
    wallet = credits.spend(wallet, Credits(10), CAUSE).wallets["ana"]
    assert wallet.used == 30
    assert credits.release(wallet, made, Credits(20), CAUSE).wallets["ana"].used == 10


def test_what_is_returned_later_gives_the_new_month_nothing() -> None:
    wallet = credits.hold(ANA, Credits(30), CAUSE).wallets["ana"]
    made = Hold(id="one", person="ana", credits=30, left=30, month=wallet.used_month)
    next_month = later(timedelta(days=31))
    wallet = credits.hold(wallet, Credits(7), next_month).wallets["ana"]
    wallet = credits.release(wallet, made, Credits(30), next_month).wallets["ana"]
    assert (wallet.used, wallet.balance) == (7, 93)


def test_a_month_that_has_begun_is_not_left_by_a_clock_that_is_behind() -> None:
    limited = replace(ANA, limit=10)
    ahead = later(timedelta(days=31))
    held = credits.hold(limited, Credits(10), ahead).wallets["ana"]
    with pytest.raises(BillingError, match="limit_reached"):
        credits.hold(held, Credits(1), CAUSE)


def test_what_a_dispute_sets_aside_is_neither_refused_nor_counted() -> None:
    aside = credits.set_aside(replace(ANA, limit=0), Credits(50), CAUSE).wallets["ana"]
    assert (aside.held, aside.used) == (50, 0)
    back = credits.give_back(aside, Credits(50), CAUSE, undoes=EntryKind.HOLD).wallets["ana"]
    assert (back.held, back.used) == (0, 0)


def later(by: timedelta) -> Cause:
    return replace(CAUSE, now=NOON + by)


def test_a_later_entry_is_never_earlier_than_what_it_follows() -> None:
    """The clock of the machine that writes second is an hour behind."""
    first = credits.transfer(ANA, MIA, Credits(1), CAUSE)
    behind = Cause(id="two", account="acme", by="ana", now=NOON - timedelta(hours=1))
    [entry] = credits.hold(first.wallets["mia"], Credits(1), behind).entries
    assert (entry.at, entry.sequence) == (NOON, first.entries[0].sequence + 1)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "transfer", "hold", "spend", "return", "clawback", "restore"]),
        st.sampled_from(["ana", "mia"]),
        st.integers(1, 60),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_wallet_is_the_sum_of_its_entries_whatever_happens(
    steps: list[tuple[str, str, int]],
) -> None:
    wallets = {"ana": Wallet(person="ana"), "mia": Wallet(person="mia")}
    sums: dict[str, dict[str, int]] = {"ana": {}, "mia": {}}
    for action, person, count in steps:
        try:
            moved = _step(wallets, action, person, Credits(count))
        except (BillingError, ValueError):
            continue
        wallets |= moved.wallets
        for entry in moved.entries:
            for each in wallets:
                for name, change in effects(entry, each).items():
                    sums[each][name] = sums[each].get(name, 0) + change
    for each, wallet in wallets.items():
        told = {field.name: getattr(wallet, field.name) for field in fields(wallet)}
        assert {name: told[name] for name in sums[each]} == sums[each]
        assert wallet.held >= 0
        inside = wallet.granted + wallet.received - wallet.sent
        assert inside == wallet.balance + wallet.held + wallet.spent + wallet.clawed_back
    everywhere = sum(wallet.granted for wallet in wallets.values())
    assert everywhere == sum(
        wallet.balance + wallet.held + wallet.spent + wallet.clawed_back
        for wallet in wallets.values()
    )


def _step(wallets: dict[str, Wallet], action: str, person: str, count: Credits) -> Movement:
    wallet, other = wallets[person], wallets["mia" if person == "ana" else "ana"]
    match action:
        case "transfer":
            return credits.transfer(wallet, other, count, CAUSE)
        case "hold":
            return credits.hold(wallet, count, CAUSE)
        case "spend":
            return credits.spend(wallet, count, CAUSE)
        case "return":
            return credits.give_back(wallet, count, CAUSE, undoes=EntryKind.HOLD)
        case "restore":
            return credits.give_back(wallet, count, CAUSE, undoes=EntryKind.CLAWBACK)
        case "clawback":
            return credits.claw_back(wallet, count, CAUSE)
    return credits.grant(wallet, count, CAUSE)
