"""Every night: is each wallet the sum of its entries?"""

from typing import Any

from aws_lambda_powertools import Logger

from billing import runtime
from billing.usecases.proof import check_some

logger = Logger()

_NEEDED_TO_FINISH_MS = 120_000


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Tells how many accounts were checked, for how many that failed, and how many numbers do not
    agree; the next run goes on where this one was cut off."""
    done = check_some(
        runtime.now(), lambda: context.get_remaining_time_in_millis() > _NEEDED_TO_FINISH_MS
    )
    for each in done.mismatches:
        logger.error(
            "mismatch",
            extra={
                "account": each.account,
                "wallet": each.person,
                "number": each.number,
                "kept": each.kept,
                "summed": each.summed,
            },
        )
    told = {
        "accounts": done.accounts,
        "failed": done.failed,
        "mismatches": len(done.mismatches),
    }
    logger.info("checked", extra=told)
    return told
