"""The connection to Stripe, and its errors as ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import stripe

from billing import settings
from billing.adapters.alerts import alert
from billing.adapters.secrets import stripe_credentials
from billing.adapters.stripe.events import API_VERSION
from billing.domain.errors import NotFound, Unavailable

TIMEOUT_SECONDS = 8
_NO_ANSWER = ("stripe_unavailable", "The payment service did not answer. Try again.", 5)
_KEYS = 3
Result = TypeVar("Result")
_API_BASE = settings.stripe_api_base()


def client() -> stripe.StripeClient:
    return _client_for(stripe_credentials().api_key)


@lru_cache(maxsize=2)
def _client_for(api_key: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses={"api": _API_BASE},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        max_network_retries=2,
    )


class KeySpent(Unavailable):
    """Stripe keeps this failure under the idempotency key and would repeat it for a day: the next
    try needs another key."""


def under_a_key(name: str, do: Callable[[str], Result]) -> Result:
    """Return what `do` makes at Stripe under an idempotency key of `name`.

    Where Stripe keeps a failure under a key, the next one is used: what was made under the first
    was never handed out. Raises KeySpent when it keeps one under each.
    """
    for attempt in range(_KEYS):
        try:
            return do(f"{name}-{attempt}")
        except KeySpent:
            if attempt == _KEYS - 1:
                raise
    raise AssertionError


@contextmanager
def our_errors() -> Iterator[None]:
    """What passes is Unavailable and may be tried again, KeySpent with another key; what is
    missing is NotFound."""
    try:
        yield
    except stripe.IdempotencyError as error:
        raise KeySpent(*_NO_ANSWER) from error
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise unavailable() from error
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            raise NotFound("not_at_stripe", "Stripe does not know this.") from error
        raise
    except stripe.StripeError as error:
        ours = _as_ours(error)
        if ours is None:
            raise
        raise ours from error


def _as_ours(error: stripe.StripeError) -> Unavailable | None:
    """None for an answer that trying again would not change."""
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        alert("Stripe refuses our key")
    if error.http_status is not None and error.http_status >= 500:
        return KeySpent(*_NO_ANSWER)
    return unavailable() if error.http_status == 409 else None


def unavailable() -> Unavailable:
    return Unavailable(*_NO_ANSWER)
