"""Rebuild rows from Stripe, for one account or all, after a table was restored.

    python -m infra.resync --stack billing --account acme
    python -m infra.resync --stack billing --all
    python -m infra.resync --local --all             # the stack that `make up` started

Prints what differed, and may be run again at any time: a second run finds nothing.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "layers" / "common"))

from infra.deployment import take_over  # noqa: E402

if __name__ == "__main__":
    _PARSER = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    _CHOSEN = _PARSER.add_mutually_exclusive_group(required=True)
    _CHOSEN.add_argument("--account")
    _CHOSEN.add_argument("--all", action="store_true")
    _GIVEN = take_over(_PARSER)

from billing import runtime  # noqa: E402
from billing.adapters.dynamodb import checks  # noqa: E402
from billing.adapters.dynamodb.keys import LEDGER_SHARDS  # noqa: E402
from billing.usecases.resync import resync  # noqa: E402


def main(accounts: Iterable[str]) -> int:
    """Return how many accounts could not be rebuilt."""
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


def every_account() -> Iterator[str]:
    for shard in range(LEDGER_SHARDS):
        last = None
        while page := checks.page(shard, before=last, limit=100):
            yield from page
            last = page[-1]


if __name__ == "__main__":
    sys.exit(1 if main(every_account() if _GIVEN.all else [_GIVEN.account]) else 0)
