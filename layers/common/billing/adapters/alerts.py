"""Alarms that page the on-call engineer: error lines in the log, and counts that alarms watch.

The counts are log lines in CloudWatch's embedded metric format, so they cost no call.
"""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

_logger = Logger(child=True)

UNEXPECTED_ERROR = "UnexpectedError"
BAD_SIGNATURE = "BadSignature"


def alert(message: str, **details: str) -> None:
    """Page somebody; `details` are ids, never personal data."""
    _logger.error(message, extra=details)
    count("Alert")


def count(name: str, function: str = "") -> None:
    """Count one of `name`, in all and of `function` where it is given."""
    _emit(name, {"service": "billing"})
    if function:
        _emit(name, {"service": "billing", "function": function})


def _emit(name: str, dimensions: dict[str, str]) -> None:
    with single_metric(
        name=name,
        unit=MetricUnit.Count,
        value=1,
        namespace="Billing",
        default_dimensions=dimensions,
    ):
        pass
