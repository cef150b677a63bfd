"""What happened, from the tables' streams to the bus."""

from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from billing.adapters import bus
from billing.adapters.dynamodb.stream import telling

logger = Logger()

Records = list[dict[str, Any]]


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Names the first record that was not published: the stream comes again from there on.

    So everything is told in its order and at least once, under an id that stays the same.
    """
    records: Records = event["Records"]
    for start in range(0, len(records), bus.AT_ONCE):
        failed = _first_unpublished(records[start : start + bus.AT_ONCE])
        if failed is not None:
            number = failed["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def _first_unpublished(records: Records) -> dict[str, Any] | None:
    tellings, told = [], []
    malformed = None
    for record in records:
        try:
            found = telling(record["dynamodb"]["NewImage"])
        except (LookupError, TypeError, ValueError):
            logger.exception("not an event", extra={"record": record["dynamodb"].get("Keys")})
            malformed = record
            break
        if found is not None:
            tellings.append(found)
            told.append(record)
    try:
        taken = bus.publish(tellings) if tellings else []
    except (BotoCoreError, ClientError):
        logger.exception("not published")
        return told[0]
    return next((each for each, ok in zip(told, taken, strict=True) if not ok), malformed)
