"""Stripe's credentials, from Secrets Manager."""

from dataclasses import dataclass

from aws_lambda_powertools.utilities.parameters import get_secret

from billing import settings
from billing.adapters.alerts import alert

_SECRET = settings.stripe_secret_arn()
_SECONDS_KEPT = 60
"""So long a rolled secret may go unseen; Stripe lets old and new overlap for up to a day."""


class MissingCredentials(RuntimeError):
    """The secret is empty or not in the form that data.yaml describes: nothing is accepted."""


@dataclass(frozen=True, slots=True, repr=False)
class StripeCredentials:
    api_key: str
    webhook_secrets: tuple[str, ...]


def stripe_credentials() -> StripeCredentials:
    """Raises MissingCredentials unless there is a key and at least one webhook secret."""
    content = get_secret(_SECRET, transform="json", max_age=_SECONDS_KEPT)
    api_key = content.get("api_key") if isinstance(content, dict) else None
    secrets = content.get("webhook_secrets") if isinstance(content, dict) else None
    if not api_key or not isinstance(secrets, list) or not all(secrets) or not secrets:
        alert("the Stripe secret is unusable")
        raise MissingCredentials('the secret must be {"api_key": "…", "webhook_secrets": ["…"]}')
    return StripeCredentials(api_key, tuple(secrets))
