"""Stripe's events out of the queue: each customer's one by one, the object fetched again."""

from typing import Any

from aws_lambda_powertools import Logger

from billing import runtime
from billing.adapters import queue
from billing.adapters.stripe.events import StripeEvent
from billing.usecases.fulfilment import (
    Effect,
    alert_invoice,
    record_checkout,
    record_customer,
    record_event,
    record_invoice,
    record_subscription,
    refresh_subscriptions,
    unlink_customer,
)
from billing.usecases.purchases import record_reversal

logger = Logger()

HANDLERS: dict[str, Effect] = {
    "checkout.session.completed": record_checkout,
    "checkout.session.async_payment_succeeded": record_checkout,
    "checkout.session.async_payment_failed": record_checkout,
    "checkout.session.expired": record_checkout,
    "customer.subscription.created": record_subscription,
    "customer.subscription.updated": record_subscription,
    "customer.subscription.deleted": record_subscription,
    "customer.subscription.paused": record_subscription,
    "customer.subscription.resumed": record_subscription,
    "customer.subscription.pending_update_applied": record_subscription,
    "customer.subscription.pending_update_expired": record_subscription,
    "invoice.finalized": record_invoice,
    "invoice.updated": record_invoice,
    "invoice.paid": record_invoice,
    "invoice.payment_failed": record_invoice,
    "invoice.payment_action_required": record_invoice,
    "invoice.voided": record_invoice,
    "invoice.marked_uncollectible": record_invoice,
    "invoice.finalization_failed": alert_invoice,
    "charge.refunded": record_reversal,
    "refund.failed": record_reversal,
    "charge.dispute.created": record_reversal,
    "charge.dispute.updated": record_reversal,
    "charge.dispute.funds_withdrawn": record_reversal,
    "charge.dispute.funds_reinstated": record_reversal,
    "charge.dispute.closed": record_reversal,
    "customer.updated": record_customer,
    "customer.deleted": unlink_customer,
    "payment_method.attached": refresh_subscriptions,
    "payment_method.updated": refresh_subscriptions,
    "payment_method.automatically_updated": refresh_subscriptions,
    "payment_method.detached": refresh_subscriptions,
    "subscription_schedule.created": refresh_subscriptions,
    "subscription_schedule.updated": refresh_subscriptions,
    "subscription_schedule.released": refresh_subscriptions,
    "subscription_schedule.completed": refresh_subscriptions,
    "subscription_schedule.canceled": refresh_subscriptions,
    "subscription_schedule.aborted": refresh_subscriptions,
}


def handler(event: dict[str, Any], context: Any) -> None:
    """One message a call, so that a failure counts against nobody else. What fails stays in the
    queue, with the later events of its customer behind it, and is shown again after seconds at
    first and two minutes in the end, rather than after the queue's own time.
    """
    for record in event["Records"]:
        try:
            _process(record["body"])
        except Exception:
            tries = int(record["attributes"]["ApproximateReceiveCount"])
            logger.exception("not recorded", extra={"tries": tries})
            queue.try_again_in(record["receiptHandle"], min(2**tries, 120))
            raise


def _process(message: str) -> None:
    event = StripeEvent.from_message(message)
    logger.append_keys(event=event.id, type=event.type)
    record_event(event, HANDLERS[event.type], runtime.now())
    logger.info("recorded")
