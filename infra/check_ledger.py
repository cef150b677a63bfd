"""Prove that every wallet is the sum of its entries, for the whole of a deployment.

    python -m infra.check_ledger --stack billing     # in AWS
    python -m infra.check_ledger --local             # the stack that `make up` started

Prints a line for each number that doesn't agree, and for each account that can't be checked, and
fails if there is one.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "layers" / "common"))

from infra.deployment import take_over  # noqa: E402

if __name__ == "__main__":
    take_over(argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]))

from billing import runtime  # noqa: E402
from billing.adapters.dynamodb import checks  # noqa: E402
from billing.adapters.dynamodb.keys import LEDGER_SHARDS  # noqa: E402
from billing.usecases.proof import check_account  # noqa: E402


def main() -> int:
    """How many numbers do not agree, and accounts cannot be checked."""
    wrong = checked = 0
    for shard in range(LEDGER_SHARDS):
        last = None
        while page := checks.page(shard, before=last, limit=100):
            for account in page:
                lines = _what_is_wrong(account)
                wrong += len(lines)
                sys.stdout.writelines(f"{line}\n" for line in lines)
            checked += len(page)
            last = page[-1]
    sys.stdout.write(f"{checked} accounts looked at, {wrong} times something does not agree\n")
    return wrong


def _what_is_wrong(account: str) -> list[str]:
    try:
        found = check_account(account, runtime.now())
    except Exception as error:
        return [f"{account} cannot be checked: {error!r}"]
    return [
        f"{each.account} {each.person} {each.number}: "
        f"{each.kept} kept, {each.summed} by its entries"
        for each in found
    ]


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
