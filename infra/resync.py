"""Rebuild rows from Stripe, for one account or all, after a table was restored.

    TABLE_NAME=… LEDGER_TABLE_NAME=… STRIPE_API_KEY=… python -m infra.resync --account acme
    TABLE_NAME=… LEDGER_TABLE_NAME=… STRIPE_API_KEY=… python -m infra.resync --all

with credentials of AWS that may read and write both tables. Prints what differed, and may be run
again at any time: a second run finds nothing.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "layers" / "common"))

from billing import runtime  # noqa: E402
from billing.adapters.dynamodb import checks  # noqa: E402
from billing.adapters.dynamodb.keys import LEDGER_SHARDS  # noqa: E402
from billing.usecases.resync import resync  # noqa: E402


def main() -> int:
    """Return how many accounts could not be rebuilt."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--account")
    chosen.add_argument("--all", action="store_true")
    given = parser.parse_args()
    failed = differed = seen = 0
    for account in every_account() if given.all else [given.account]:
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


def every_account() -> Iterator[str]:
    for shard in range(LEDGER_SHARDS):
        last = None
        while page := checks.page(shard, before=last, limit=100):
            yield from page
            last = page[-1]


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
