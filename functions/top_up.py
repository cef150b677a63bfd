"""A package for a wallet that has fallen, bought with the card on file as soon as that is told.

What is cut off here is found by the quarter-hourly sweep.
"""

from typing import Any

from aws_lambda_powertools import Logger

from billing import runtime, settings
from billing.domain.catalog import load_catalog
from billing.usecases.top_ups import Terms, see_to_wallet

logger = Logger()

_TERMS = Terms(
    catalog=load_catalog(), grace=settings.grace(), automatic_tax=settings.automatic_tax()
)


def handler(event: dict[str, Any], context: Any) -> None:
    detail = event["detail"]
    wallet = detail["facts"]["wallet"]
    see_to_wallet(detail["account"], wallet, _TERMS, runtime.now())
    logger.info("seen to", extra={"account": detail["account"], "wallet": wallet})
