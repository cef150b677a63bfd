import pytest

from billing.domain.subscription import LIVE, Status, rivals, supersedes
from tests.factories import NOON, subscription

DEAD = [status for status in Status if status not in LIVE]


def test_the_subscription_on_record_is_always_refreshed() -> None:
    ended = subscription(status=Status.CANCELED)
    assert supersedes(ended, subscription())


@pytest.mark.parametrize("status", DEAD)
def test_one_that_does_not_live_is_never_adopted(status: Status) -> None:
    assert not supersedes(subscription(status=status), None)


@pytest.mark.parametrize("status", sorted(LIVE))
def test_the_first_live_one_is(status: Status) -> None:
    assert supersedes(subscription(status=status), None)


def test_news_of_an_old_subscription_does_not_displace_the_current_one() -> None:
    old = subscription(id="sub_0", status=Status.CANCELED)
    assert not supersedes(old, subscription())


def test_a_new_live_one_follows_an_ended_one() -> None:
    assert supersedes(subscription(id="sub_2"), subscription(status=Status.CANCELED))


def test_a_second_live_one_does_not_displace_the_first_and_is_told() -> None:
    second = subscription(id="sub_2")
    assert not supersedes(second, subscription())
    assert rivals(second, subscription())


def test_a_cancelled_one_no_longer_renews() -> None:
    assert not subscription(ends_at=NOON).renews
