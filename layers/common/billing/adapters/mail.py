"""Mail through SES."""

from typing import Any

import boto3
from botocore.config import Config

from billing.domain.mails import Mail

_client: Any = boto3.client(
    "sesv2",
    config=Config(
        connect_timeout=1,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
    ),
)


def send(mail: Mail, *, sender: str, to: str, reply_to: str = "") -> None:
    """Raises ClientError or BotoCoreError; after the latter it may have been sent."""
    _client.send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": [to]},
        ReplyToAddresses=[reply_to] if reply_to else [],
        Content={
            "Simple": {
                "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
            }
        },
    )
