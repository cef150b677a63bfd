"""The bus on which everybody else hears what happened."""

import json
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from billing import settings
from billing.adapters.dynamodb.stream import Telling

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient

SOURCE = "billing"
AT_ONCE = 10
"""What the bus takes in one call."""

_client: "EventBridgeClient" = boto3.client(
    "events",
    config=Config(
        connect_timeout=1,
        read_timeout=3,
        retries={"mode": "standard", "total_max_attempts": 3},
    ),
)
_BUS = settings.event_bus_name()


def publish(tellings: list[Telling]) -> list[bool]:
    """Whether the bus took each, in their order; AT_ONCE at most.

    Raises ClientError or BotoCoreError where it may have taken none.
    """
    answer = _client.put_events(
        Entries=[
            {
                "Source": SOURCE,
                "DetailType": each["type"],
                "Detail": json.dumps(each),
                "EventBusName": _BUS,
            }
            for each in tellings
        ]
    )
    return ["ErrorCode" not in entry for entry in answer["Entries"]]
