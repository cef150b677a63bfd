"""Every quarter of an hour: what did a lost webhook keep from us?"""

from typing import Any

from aws_lambda_powertools import Logger

from billing import runtime
from billing.usecases.reconciliation import reconcile

logger = Logger()

_NEEDED_TO_FINISH_MS = 30_000


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Queues the events of Stripe's that are not on record, and tells how many."""
    queued = reconcile(
        runtime.now(), lambda: context.get_remaining_time_in_millis() > _NEEDED_TO_FINISH_MS
    )
    logger.info("reconciled", extra={"queued": queued})
    return {"queued": queued}
