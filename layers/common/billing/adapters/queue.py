"""The FIFO queue of Stripe's events, grouped by customer."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from billing import settings
from billing.adapters.stripe.events import StripeEvent
from billing.domain.errors import Unavailable

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

_client: "SQSClient" = boto3.client(
    "sqs",
    config=Config(
        connect_timeout=1,
        read_timeout=3,
        retries={"mode": "standard", "total_max_attempts": 3},
    ),
)
_URL = settings.stripe_events_queue_url()


def send(event: StripeEvent) -> None:
    """Raises Unavailable: whoever sent it must send it again."""
    try:
        _client.send_message(
            QueueUrl=_URL,
            MessageBody=event.message(),
            MessageGroupId=event.group,
            MessageDeduplicationId=event.id,
        )
    except (ClientError, BotoCoreError) as error:
        raise Unavailable("queue_unavailable", "The event could not be kept.", 5) from error


def try_again_in(receipt: str, seconds: int) -> None:
    """Shows a received message again after `seconds` instead of after the queue's own time."""
    _client.change_message_visibility(
        QueueUrl=_URL, ReceiptHandle=receipt, VisibilityTimeout=seconds
    )
