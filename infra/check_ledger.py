"""Prove that every wallet is the sum of its entries, for the whole of a deployment.

    python -m infra.check_ledger --stack billing     # in AWS
    python -m infra.check_ledger --local             # the stack that `make up` started

Prints a line for each number that doesn't agree, and for each account that can't be checked, and
fails if there is one.
"""

import argparse
import sys

from infra import deployment


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    deployment.take_over(parser, deployment.RENEWALS)
    return 1 if check() else 0


def check() -> int:
    """Return how many numbers don't agree and accounts can't be checked."""
    from billing.adapters.dynamodb import checks

    wrong = checked = 0
    for account in checks.every_account():
        lines = _what_is_wrong(account)
        wrong += len(lines)
        checked += 1
        sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.write(f"{checked} accounts looked at, {wrong} times something does not agree\n")
    return wrong


def _what_is_wrong(account: str) -> list[str]:
    from billing import runtime
    from billing.usecases.proof import check_account

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
    sys.exit(main())
