"""How often an account may do what costs somebody else: mail, and pages at Stripe."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.errors import TooMany

SENDS_A_DAY = 5
"""Of one invitation, on one day in UTC."""
ADDRESSES_AN_HOUR = 20
"""New ones that a team may invite; as many as it has slots, where it has more."""
OPEN_PAGES = 20
"""Of Checkout, each of which is open for an hour."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was done in one window of time, such as `2026-11-30` or
    `2026-11-30T21`."""

    window: str = ""
    count: int = 0

    def since(self, window: str) -> int:
        """Clocks differ: a later window than this one counts as this one."""
        return self.count if self.window >= window else 0

    def plus(self, count: int, window: str) -> "Tally":
        return Tally(max(self.window, window), self.since(window) + count)


def count_invitation(
    address: Tally, account: Tally, slots: int, now: datetime
) -> tuple[Tally, Tally]:
    """Return both tallies with one more invitation of the address.

    Raises TooMany `invitation_sent_too_often`, `too_many_invitations`.
    """
    day, hour = f"{now:%Y-%m-%d}", f"{now:%Y-%m-%dT%H}"
    is_new = address.since(day) == 0
    if address.since(day) >= SENDS_A_DAY:
        raise TooMany(
            "invitation_sent_too_often",
            f"This address got {SENDS_A_DAY} invitations today. Try again tomorrow.",
            _seconds_to(_next(now, timedelta(days=1)), now),
        )
    most = max(ADDRESSES_AN_HOUR, slots)
    if is_new and account.since(hour) >= most:
        ends = _next(now, timedelta(hours=1))
        raise TooMany(
            "too_many_invitations",
            f"Your team can invite {most} new addresses an hour. Try again {_in(ends, now)}.",
            _seconds_to(ends, now),
        )
    return address.plus(1, day), account.plus(int(is_new), hour)


def count_page(
    open_until: tuple[datetime, ...], expires_at: datetime, now: datetime
) -> tuple[datetime, ...]:
    """Return until when pages are open, with one more.

    Raises TooMany `too_many_pages`.
    """
    still_open = tuple(each for each in open_until if each > now)
    if len(still_open) >= OPEN_PAGES:
        ends = min(still_open)
        raise TooMany(
            "too_many_pages",
            f"Your team has opened {OPEN_PAGES} payment pages within an hour. Pay on one of them, "
            f"or try again {_in(ends, now)}.",
            _seconds_to(ends, now),
        )
    return (*still_open, expires_at)


def _next(now: datetime, window: timedelta) -> datetime:
    """When the window after the present one begins, in UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((now - midnight) // window + 1) * window


def _seconds_to(moment: datetime, now: datetime) -> int:
    return max(1, -((now - moment) // timedelta(seconds=1)))


def _in(moment: datetime, now: datetime) -> str:
    minutes = max(1, -((now - moment) // timedelta(minutes=1)))
    return "in a minute" if minutes == 1 else f"in {minutes} minutes"
