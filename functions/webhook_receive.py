"""Stripe's webhooks in: verified, put in the queue by customer, answered."""

from aws_lambda_powertools import Logger

from billing import runtime, settings
from billing.adapters import queue
from billing.adapters.alerts import BAD_SIGNATURE, alert, count
from billing.adapters.secrets import stripe_credentials
from billing.adapters.stripe.events import (
    API_VERSION,
    EVENT_TYPES,
    BadSignature,
    MalformedEvent,
    StripeEvent,
    verify,
)
from billing.domain.errors import InvalidInput
from billing.http import Api, Request, Who
from billing.views import ReceivedView

api = Api()
logger = Logger()

_MAX_EVENT_BYTES = 4 * 1024 * 1024
"""An invoice's event has all its lines; only a reference to it goes to the queue."""
_LIVEMODE = settings.stripe_livemode()


@api.route(
    "POST /webhooks/stripe",
    Who.STRIPE,
    gives=ReceivedView,
    headers={"Stripe-Signature": "https://docs.stripe.com/webhooks/signature"},
)
def receive(request: Request) -> ReceivedView:
    """Stripe's events; 200 once an event is kept, so that Stripe repeats what was not"""
    body = request.body_bytes(_MAX_EVENT_BYTES)
    secrets = stripe_credentials().webhook_secrets
    try:
        verify(body, request.header("stripe-signature"), secrets, runtime.wall_time())
        event = StripeEvent.parse(body)
    except BadSignature as error:
        count(BAD_SIGNATURE)
        raise InvalidInput("bad_signature", "This is not signed by Stripe.") from error
    except MalformedEvent as error:
        raise InvalidInput("malformed_event", "This is not an event of Stripe's.") from error
    if event.livemode is not _LIVEMODE:
        raise InvalidInput("wrong_mode", "This event is of the other mode, test or live.")
    if event.account:
        logger.info("event of a connected account", extra={"event": event.id})
    elif event.type not in EVENT_TYPES:
        logger.info("event not subscribed to", extra={"event": event.id, "type": event.type})
    elif event.api_version != API_VERSION:
        alert("an event of another API version", event=event.id, version=event.api_version)
        raise InvalidInput("wrong_api_version", f"Only events of {API_VERSION} are understood.")
    else:
        queue.send(event)
    return {"received": True}
