"""How often an invitation is sent, and how many pages may be open."""

from datetime import timedelta

import pytest

from billing.domain.errors import TooMany
from billing.domain.rate_limits import (
    ADDRESSES_AN_HOUR,
    OPEN_PAGES,
    SENDS_A_DAY,
    Tally,
    count_invitation,
    count_page,
)
from tests.factories import NOON

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MIDNIGHT = NOON.replace(hour=0) + timedelta(days=1)


def test_the_sixth_of_a_day_waits_for_the_next_one() -> None:
    address = account = Tally()
    for _ in range(SENDS_A_DAY):
        address, account = count_invitation(address, account, 1, NOON)
    with pytest.raises(TooMany) as refused:
        count_invitation(address, account, 1, NOON)
    told = (refused.value.code, refused.value.retry_after)
    assert told == ("invitation_sent_too_often", 12 * 3600)
    with pytest.raises(TooMany):
        count_invitation(address, account, 1, MIDNIGHT - SECOND)
    assert count_invitation(address, account, 1, MIDNIGHT)[0].count == 1


def test_sent_again_it_is_no_new_address() -> None:
    address, account = count_invitation(Tally(), Tally(), 1, NOON)
    assert count_invitation(address, account, 1, NOON)[1] == account


@pytest.mark.parametrize("slots", [0, 1, ADDRESSES_AN_HOUR, 300])
def test_a_team_invites_as_many_an_hour_as_it_has_slots_or_twenty(slots: int) -> None:
    account = Tally()
    most = max(slots, ADDRESSES_AN_HOUR)
    for _ in range(most):
        account = count_invitation(Tally(), account, slots, NOON)[1]
    late = NOON + timedelta(minutes=40, seconds=30)
    with pytest.raises(TooMany) as refused:
        count_invitation(Tally(), account, slots, late)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_invitations", 1170)
    assert refused.value.detail == (
        f"Your team can invite {most} new addresses an hour. Try again in 20 minutes."
    )
    assert count_invitation(Tally(), account, slots, NOON + HOUR)[1].count == 1


def test_a_clock_that_is_behind_opens_no_new_window() -> None:
    ahead = Tally("2026-11-24T00", ADDRESSES_AN_HOUR), Tally("2026-11-24", SENDS_A_DAY)
    with pytest.raises(TooMany):
        count_invitation(Tally(), ahead[0], 1, MIDNIGHT - SECOND)
    with pytest.raises(TooMany):
        count_invitation(ahead[1], Tally(), 1, MIDNIGHT - SECOND)


def test_the_twenty_first_page_waits_for_the_first_to_close() -> None:
    pages = tuple(NOON + number * SECOND for number in range(OPEN_PAGES))
    assert count_page(pages, NOON + HOUR, NOON) == (*pages[1:], NOON + HOUR)
    before = NOON - timedelta(minutes=1)
    with pytest.raises(TooMany) as refused:
        count_page(pages, NOON + HOUR, before)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_pages", 60)
    assert refused.value.detail.endswith("or try again in a minute.")
