"""Tells people by mail what the bus says that happened to their account."""

from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from billing import runtime, settings
from billing.adapters import mail
from billing.adapters.dynamodb import marks
from billing.domain.mails import Sender
from billing.usecases.notices import Heard, Notice, Setting, notices

logger = Logger()

_MAIL_FROM = settings.mail_from()
_SENDER = Sender(product=settings.product_name(), page=settings.page_url())
_SUPPORT_EMAIL = settings.support_email()
_GRACE = settings.grace()


class NotSent(Exception):
    """Somebody has not been told: come again with the same event."""


def handler(event: dict[str, Any], context: Any) -> None:
    """One that cannot be reached keeps nobody else from being told. Raises NotSent."""
    if not _MAIL_FROM:
        return
    detail = event["detail"]
    heard = Heard(**{name: detail[name] for name in ("id", "account", "type", "by", "facts")})
    setting = Setting(sender=_SENDER, support_email=_SUPPORT_EMAIL, grace=_GRACE, now=runtime.now())
    told = [_tell(heard, each, setting) for each in notices(heard, setting)]
    if not all(told):
        raise NotSent(heard.id)


def _tell(heard: Heard, notice: Notice, setting: Setting) -> bool:
    if marks.mail_sent(heard.account, heard.id, notice.recipient):
        return True
    try:
        mail.send(notice.mail, sender=_MAIL_FROM, to=notice.to, reply_to=notice.reply_to)
    except (BotoCoreError, ClientError):
        logger.exception("not sent", extra={"event": heard.id, "recipient": notice.recipient})
        return False
    marks.mark_mail(heard.account, heard.id, notice.recipient, setting.now)
    logger.info("sent", extra={"event": heard.id, "type": heard.type})
    return True
