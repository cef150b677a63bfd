"""Give a customer's events to the queue again, as Stripe still lists them.

    python -m infra.replay_events --stack billing --customer cus_… --since 2026-11-01
    python -m infra.replay_events --local --customer cus_… --since 2026-11-01T08:30:00Z

Prints each event that was sent, oldest first. What was processed before is left out, and processed
only once if it is sent twice.
"""

import argparse
import sys
from datetime import datetime

from infra import deployment


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customer", required=True, help="the customer's id at Stripe")
    parser.add_argument("--since", required=True, type=deployment.moment, help=deployment.MOMENT)
    given = deployment.take_over(parser, deployment.RECONCILE)
    return replay(given.customer, given.since)


def replay(customer: str, since: datetime) -> int:
    """Return 1 if the events could not be listed or sent, 0 otherwise."""
    from billing import runtime
    from billing.domain.errors import Unavailable
    from billing.domain.times import rfc3339
    from billing.usecases import reconciliation

    earliest = runtime.now() - reconciliation.STRIPE_LISTS
    if since < earliest:
        days = reconciliation.STRIPE_LISTS.days
        sys.stdout.write(f"Stripe lists {days} days only: from {rfc3339(earliest)} on\n")
    sent = 0
    try:
        for event in reconciliation.replay(customer, max(since, earliest)):
            sent += 1
            sys.stdout.write(f"{event.id} {event.type}\n")
    except Unavailable as error:
        sys.stdout.write(f"{sent} events sent, then: {error}. Run it again.\n")
        return 1
    sys.stdout.write(f"{sent} events sent\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
