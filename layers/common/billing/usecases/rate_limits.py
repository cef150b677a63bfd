"""Counting what is limited, in the transaction that does it."""

from datetime import datetime

from billing.adapters.dynamodb import keys, rate_limits
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.members import member_id
from billing.domain.rate_limits import count_invitation, count_page


def limit_invitations(
    write: Transaction, account: str, email: str, slots: int, now: datetime
) -> None:
    """Count an invitation of the normalized `email`, whatever became of earlier ones.

    Raises TooMany `invitation_sent_too_often`, `too_many_invitations`. Fails as StaleWrite.
    """
    by_address = keys.invitations_key(account, member_id(account, email))
    by_account = keys.invitations_key(account, "ACCOUNT")
    address, address_version = rate_limits.load_tally(by_address)
    team, team_version = rate_limits.load_tally(by_account)
    address, team = count_invitation(address, team, slots, now)
    rate_limits.put_tally(write, by_address, address, now, version=address_version)
    rate_limits.put_tally(write, by_account, team, now, version=team_version)


def limit_pages(write: Transaction, account: str, expires_at: datetime, now: datetime) -> None:
    """Count a page of Checkout that is open until `expires_at`.

    Raises TooMany `too_many_pages`. Fails as StaleWrite.
    """
    open_until, version = rate_limits.load_pages(account)
    more = count_page(open_until, expires_at, now)
    rate_limits.put_pages(write, account, more, now, version=version)
