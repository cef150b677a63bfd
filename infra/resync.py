"""Rebuild rows from Stripe, for one account or all, after a table was restored.

    python -m infra.resync --stack billing --account acme
    python -m infra.resync --stack billing --all
    python -m infra.resync --local --all             # the stack that `make up` started

Prints what differed, and may be run again at any time: a second run finds nothing.
"""

import argparse
import sys
from collections.abc import Iterable

from infra import deployment


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--account")
    chosen.add_argument("--all", action="store_true")
    given = deployment.take_over(parser, deployment.RENEWALS)
    from billing.adapters.dynamodb import checks

    return 1 if rebuild(checks.every_account() if given.all else [given.account]) else 0


def rebuild(accounts: Iterable[str]) -> int:
    """Return how many accounts could not be rebuilt."""
    from billing import runtime
    from billing.usecases.resync import resync

    failed = differed = seen = 0
    for account in accounts:
        seen += 1
        try:
            lines = resync(account, runtime.now())
        except Exception as error:
            failed += 1
            lines = [f"cannot be rebuilt: {error!r}"]
        differed += bool(lines)
        sys.stdout.writelines(f"{account}: {line}\n" for line in lines)
    sys.stdout.write(f"{seen} accounts, {differed} differed, {failed} failed\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
