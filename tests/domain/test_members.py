"""Who may be invited, who holds a slot, and what an address is."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.account import Member, MemberStatus, Role
from billing.domain.errors import Conflict, NotAllowed, NotFound
from billing.domain.members import (
    INVITATION_LASTS,
    Change,
    Team,
    counted,
    invite,
    member_id,
    normalized_email,
    remove,
    well_formed_email,
)
from billing.domain.people import Claims, accepted, arrived
from billing.domain.slots import Slots
from tests.factories import NOON, member

LATER = NOON + INVITATION_LASTS
INVITED: dict[str, Any] = {
    "status": MemberStatus.INVITED,
    "subject": None,
    "expires_at": LATER,
}


def team(*members: Member, purchased: int, pending: int | None = None) -> Team:
    slots = Slots(sum(map(counted, members)), pending)
    return Team("acme", {each.id: each for each in members}, slots, purchased)


def test_slots_count_up_to_the_second_at_which_they_end() -> None:
    mia, end = member("mia"), NOON + timedelta(days=1)
    ending = replace(team(mia, purchased=3), slots_end=end)
    last = end - timedelta(seconds=1)
    assert (ending.has_slot(mia, last), ending.free(last)) == (True, 2)
    assert (ending.has_slot(mia, end), ending.free(end)) == (False, 0)


def after(before: Team, change: Change) -> Team:
    written = {each.id: each for each in change.written}
    return replace(before, members={**before.members, **written}, slots=change.slots)


@pytest.mark.parametrize(
    "text",
    [
        "MIA@Acme.test",
        " mia@acme.test\n",
        "mia@ACME.TEST",
    ],
)
def test_one_spelling_per_address(text: str) -> None:
    assert normalized_email(text) == "mia@acme.test"


@pytest.mark.parametrize("text", ["j@Müller.de", "j@mu\u0308ller.de", "j@XN--mller-kva.de"])
def test_a_domain_in_other_letters_is_the_same_however_it_is_written(text: str) -> None:
    assert normalized_email(text) == "j@müller.de"


def test_another_domain_is_never_taken_for_it() -> None:
    assert normalized_email("j@straße.de") != normalized_email("j@strasse.de")
    assert normalized_email("j@xn--strae-oqa.de") == "j@straße.de"


@pytest.mark.parametrize("label", ["xn--acme-", "xn--", "xn--\x80", "xn--99999999"])
def test_an_encoding_that_encodes_nothing_stays_as_it_is(label: str) -> None:
    assert normalized_email(f"j@{label}.test") == f"j@{label}.test"


@pytest.mark.parametrize(
    "text", ["a@b.co", "jürgen+x@müller.de", "o'brien@sub.acme.test", f"{'a' * 64}@b.co"]
)
def test_addresses_that_mail_could_go_to(text: str) -> None:
    assert well_formed_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mia",
        "@acme.test",
        "mia@",
        "mia@acme",
        "mia@@acme.test",
        "mia@acme@acme.test",
        "mia@acme..test",
        "mia@-acme.test",
        "mia@acme.test-",
        "mia@ac_me.test",
        "mia smith@acme.test",
        "Mia <mia@acme.test>",
        "mia@acme.test\n",
        "mia\x00@acme.test",
        "mia\u200b@acme.test",
        "mia\ud800@acme.test",
        f"{'a' * 65}@b.co",
        f"a@{'b' * 64}.co",
        f"a@{'.'.join(['b' * 60] * 5)}.co",
    ],
)
def test_and_what_is_none(text: str) -> None:
    assert not well_formed_email(text)


def test_an_address_has_one_id_in_an_account_and_another_one_elsewhere() -> None:
    assert member_id("acme", "mia@acme.test") == member_id("acme", "mia@acme.test")
    assert member_id("acme", "mia@acme.test") != member_id("globex", "mia@acme.test")


def test_an_invitation_holds_its_slot_to_the_last_second_and_not_one_longer() -> None:
    invited = team(member("mia", **INVITED), purchased=1)
    assert invited.free(LATER - timedelta(seconds=1)) == 0
    assert invited.free(LATER) == 1


def test_room_made_by_what_expired_is_written_with_the_invitation_that_takes_it() -> None:
    present = team(member("mia", **INVITED), purchased=1)
    change = invite(present, "ben@acme.test", "", LATER)
    assert [each.status for each in change.written] == [MemberStatus.INVITED, MemberStatus.EXPIRED]
    assert change.slots.occupied == 1


def test_more_that_expired_than_a_transaction_holds_is_released_in_parts() -> None:
    expired = [member(f"m{number:03d}", **INVITED) for number in range(150)]
    change = invite(team(*expired, purchased=150), "ben@acme.test", "", LATER)
    assert len(change.written) == 31
    assert change.slots.occupied == 150 - 30 + 1


def test_an_expired_invitation_among_many_is_counted_once_when_it_is_sent_again() -> None:
    expired = [member(f"m{number:03d}", **INVITED) for number in range(150)]
    last = member(member_id("acme", "last@acme.test"), **INVITED)
    present = team(*expired, last, purchased=151)
    change = invite(present, "last@acme.test", "", LATER)
    assert change.slots.occupied == sum(map(counted, after(present, change).members.values()))


def test_nobody_is_invited_into_slots_that_end_at_the_renewal() -> None:
    with pytest.raises(Conflict, match="no_free_slot"):
        invite(team(member("mia"), purchased=3, pending=1), "ben@acme.test", "", NOON)


def test_a_pending_invitation_is_sent_again_when_every_slot_is_in_use() -> None:
    full = invite(team(purchased=1), "mia@acme.test", "Mia", NOON)
    later = NOON + timedelta(days=3)
    again = invite(after(team(purchased=1), full), "mia@acme.test", "", later)
    assert (again.member.id, again.member.name) == (full.member.id, "Mia")
    assert again.member.expires_at == later + INVITATION_LASTS
    assert again.slots.occupied == 1


def test_an_expired_invitation_sent_again_needs_a_slot_like_any_other() -> None:
    first = after(team(purchased=1), invite(team(purchased=1), "mia@acme.test", "", NOON))
    assert invite(first, "mia@acme.test", "", LATER).slots.occupied == 1
    with pytest.raises(Conflict, match="no_free_slot"):
        invite(replace(first, purchased=0), "mia@acme.test", "", LATER)


def test_a_manager_takes_no_slot_and_is_not_invited() -> None:
    ana = member("ana", role=Role.MANAGER, email="Ana@Acme.test")
    assert team(ana, purchased=1).free(NOON) == 1
    with pytest.raises(Conflict, match="already_member"):
        invite(team(ana, purchased=1), "ana@acme.test", "", NOON)


def joined_as(present: Team, subject: str) -> Change:
    claims = Claims(subject=subject, role=Role.MEMBER, email="mia@acme.test", name="")
    change = accepted(present, claims, NOON)
    assert change is not None
    return change


def test_a_second_sign_in_does_not_take_over_an_accepted_invitation() -> None:
    invited = after(team(purchased=1), invite(team(purchased=1), "mia@acme.test", "", NOON))
    joined = after(invited, joined_as(invited, "user-1"))
    with pytest.raises(Conflict, match="already_accepted"):
        joined_as(joined, "user-2")


def test_where_fewer_slots_are_paid_for_than_occupied_the_longest_there_keep_theirs() -> None:
    early = member("zoe", invited_at=NOON - timedelta(days=1))
    late, invited = member("mia"), member("ben", **INVITED, invited_at=NOON - timedelta(days=9))
    present = team(late, invited, early, purchased=1)
    assert present.has_slot(early, NOON)
    assert not present.has_slot(late, NOON)


PEOPLE = [f"{name}@acme.test" for name in ("mia", "ben", "zoe", "kim")]
COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(["invite", "accept", "remove", "as manager", "as member", "wait", "buy"]),
        st.sampled_from(PEOPLE),
        st.sampled_from(["user-1", "user-2", "user-3"]),
        st.integers(0, 15),
    ),
    max_size=40,
)


@given(COMMANDS)
def test_whatever_happens_a_sign_in_is_one_person_and_no_more_hold_slots_than_are_bought(
    commands: Iterable[tuple[str, str, str, int]],
) -> None:
    present, now = team(purchased=1), NOON
    known: dict[str, str] = {}
    for command, email, subject, number in commands:
        if command == "wait":
            now += timedelta(days=number)
        elif command == "buy":
            # As the product allows it: never below what is occupied.
            present = replace(present, purchased=max(number % 4, present.slots.occupied))
        else:
            present = _after(present, command, email, subject, now)
        rows = present.members.values()
        assert present.slots.occupied == sum(map(counted, rows)) <= present.purchased
        people = {each.subject: each.id for each in rows if each.subject is not None}
        assert len(people) == sum(each.subject is not None for each in rows)
        assert known.items() <= people.items()
        known = {str(each): name for each, name in people.items()}


def _after(present: Team, command: str, email: str, subject: str, now: datetime) -> Team:
    manages = Role.MANAGER if command == "as manager" else Role.MEMBER
    claims = Claims(subject=subject, role=manages, email=email, name="")
    change: Change | None
    try:
        match command:
            case "invite":
                change = invite(present, email, "", now)
            case "accept":
                change = accepted(present, claims, now)
            case "remove":
                change = remove(present, member_id(present.account, email), subject)
            case _:
                change = arrived(present, claims)
    except (Conflict, NotFound, NotAllowed):
        return present
    return present if change is None else after(present, change)
