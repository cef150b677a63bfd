"""Publish events again that the tables' streams lost, from the history and the ledger.

    python -m infra.republish_events --stack billing --account acme --since 2026-11-01
    python -m infra.republish_events --stack billing --all \\
        --since 2026-11-01T08:30:00Z --until 2026-11-01T12:00:00Z
    python -m infra.republish_events --local --all --since 2026-11-01

Events keep their ids, so receivers drop what they had before. Mails that were sent are not sent
again. Prints how many events of each account went to the bus.
"""

import argparse
import sys
from collections.abc import Iterable
from datetime import datetime

from infra import deployment


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--account")
    chosen.add_argument("--all", action="store_true")
    parser.add_argument("--since", required=True, type=deployment.moment, help=deployment.MOMENT)
    parser.add_argument("--until", type=deployment.moment, help="now, unless given")
    given = deployment.take_over(parser, deployment.RENEWALS, deployment.PUBLISH_EVENTS)
    from billing import runtime
    from billing.adapters.dynamodb import checks
    from billing.usecases.republishing import REACH

    if given.since < runtime.now() - REACH:
        parser.error(
            f"--since is more than {REACH.days} days ago: receivers may have forgotten ids"
        )
    accounts = checks.every_account() if given.all else [given.account]
    return 1 if republish_all(accounts, given.since, given.until or runtime.now()) else 0


def republish_all(accounts: Iterable[str], since: datetime, before: datetime) -> int:
    """Return for how many accounts not all events went to the bus."""
    from billing.usecases.republishing import republish

    failed = published = 0
    for account in accounts:
        try:
            count = republish(account, since, before)
        except Exception as error:
            failed += 1
            sys.stdout.write(f"{account}: cannot be published: {error!r}\n")
            continue
        published += count
        if count:
            sys.stdout.write(f"{account}: {count} events\n")
    sys.stdout.write(f"{published} events published, {failed} accounts failed\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
