from datetime import timedelta

import pytest

from billing.domain.account import CheckoutStatus, well_formed_id
from tests.factories import NOON, checkout


@pytest.mark.parametrize("text", ["acme", "auth0|5f7", "a@b.test", "A-1_2.3:4"])
def test_ids_of_the_usual_providers_are_well_formed(text: str) -> None:
    assert well_formed_id(text)


@pytest.mark.parametrize("text", ["", "acme#INVOICES", "a b", "a/b", "ä", "x" * 129, "a\n"])
def test_what_could_reach_another_key_is_not(text: str) -> None:
    assert not well_formed_id(text)


def test_an_open_checkout_blocks_until_it_expires() -> None:
    page = checkout()
    assert page.blocks(page.expires_at - timedelta(seconds=1))
    assert not page.blocks(page.expires_at)


def test_a_reservation_that_came_to_nothing_is_given_up_after_twenty_minutes() -> None:
    reserved = checkout(status=CheckoutStatus.RESERVED, session=None, url=None)
    assert reserved.blocks(NOON + timedelta(minutes=19))
    assert not reserved.blocks(NOON + timedelta(minutes=20))


@pytest.mark.parametrize("status", [CheckoutStatus.COMPLETED, CheckoutStatus.CLOSED])
def test_a_finished_checkout_blocks_nothing(status: CheckoutStatus) -> None:
    assert not checkout(status=status).blocks(NOON)
