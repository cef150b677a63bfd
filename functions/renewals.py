"""Every quarter of an hour: what has come due, of every account for which something has."""

from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger

from billing import runtime, settings
from billing.adapters.alerts import alert
from billing.adapters.dynamodb import accounts, keys
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.transaction import StaleWrite
from billing.domain.catalog import load_catalog
from billing.domain.errors import Unavailable
from billing.usecases.corrections import correct_cancellations
from billing.usecases.renewals import do_what_is_due
from billing.usecases.top_ups import Terms

logger = Logger()

_TERMS = Terms(
    catalog=load_catalog(), grace=settings.grace(), automatic_tax=settings.automatic_tax()
)
_NEEDED_TO_FINISH_MS = 60_000
_FAILED_AGAIN_IN = timedelta(hours=1)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Tells for how many accounts all was done, and for how many it failed.

    What is done leaves the index, so a run that was cut off is continued by the next one. What
    fails keeps nobody else waiting.
    """
    now = runtime.now()
    told = {"done": 0, "failed": 0}
    for shard in keys.DUE_SHARDS:
        for page in accounts.pages_due(shard, now):
            for account, due in page.items():
                if _is_late(context):
                    logger.warning("cut off", extra=told)
                    return told
                told["done" if _done(account, due, now) else "failed"] += 1
    logger.info("renewals", extra=told)
    try:
        correct_cancellations(lambda: _is_late(context), now)
    except (Unavailable, StaleWrite):
        logger.warning("the next run corrects cancellations")
    return told


def _is_late(context: Any) -> bool:
    return bool(context.get_remaining_time_in_millis() < _NEEDED_TO_FINISH_MS)


def _done(account: str, due: list[Key], now: datetime) -> bool:
    try:
        do_what_is_due(account, _TERMS, now)
    except Exception as error:
        # The edge: whatever it is, the other accounts come first.
        logger.exception("not done", extra={"account": account})
        if not isinstance(error, Unavailable):
            alert("what is due for an account cannot be done", account=account)
        accounts.put_off(due, now + _FAILED_AGAIN_IN)
        return False
    return True
