"""What a person must hear of: an error line in the log, and a count that an alarm watches."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

_logger = Logger(child=True)


def alert(message: str, **details: str) -> None:
    """`details` are ids, never personal data."""
    _logger.error(message, extra=details)
    with single_metric(
        name="Alert",
        unit=MetricUnit.Count,
        value=1,
        namespace="Billing",
        default_dimensions={"service": "billing"},
    ):
        pass
