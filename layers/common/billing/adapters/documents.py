"""Documents in S3, handed out by links that soon end."""

from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from billing import settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

LINK_LIFE = timedelta(minutes=10)

_client: "S3Client" = boto3.client(
    "s3",
    config=Config(
        signature_version="s3v4",
        connect_timeout=1,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        s3={"addressing_style": "path"},
    ),
)
_BUCKET = settings.documents_bucket()


def exists(key: str) -> bool:
    try:
        _client.head_object(Bucket=_BUCKET, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return False
        raise
    return True


def put_pdf(key: str, content: bytes) -> None:
    _client.put_object(
        Bucket=_BUCKET,
        Key=key,
        Body=content,
        ContentType="application/pdf",
        ChecksumAlgorithm="SHA256",
    )


def link(key: str, filename: str) -> str:
    """A URL that downloads the document as `filename` for LINK_LIFE, and is never cached."""
    return _client.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": _BUCKET,
            "Key": key,
            "ResponseContentDisposition": f'attachment; filename="{filename}"',
            "ResponseContentType": "application/pdf",
            "ResponseCacheControl": "no-store",
        },
        ExpiresIn=int(LINK_LIFE.total_seconds()),
    )
