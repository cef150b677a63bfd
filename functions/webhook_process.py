"""Stripe's events out of the queue: each customer's one by one, the object fetched again."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from billing import runtime
from billing.adapters import queue
from billing.adapters.stripe.events import StripeEvent
from billing.usecases.fulfilment import (
    Effect,
    alert_invoice,
    record_card,
    record_checkout,
    record_event,
    record_invoice,
    record_subscription,
    unlink_customer,
)

logger = Logger()
processor = SqsFifoPartialProcessor(skip_group_on_error=True)
# Each failure is reported on its own; failing the whole call would hide our own waiting times.
processor.raise_on_entire_batch_failure = False

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
    "customer.updated": record_card,
    "customer.deleted": unlink_customer,
    "payment_method.attached": record_card,
    "payment_method.updated": record_card,
    "payment_method.automatically_updated": record_card,
    "payment_method.detached": record_card,
}


def handler(event: dict[str, Any], context: Any) -> Any:
    """Reports each message that failed, and with it the later ones of the same customer: they
    stay in the queue, in order, and are shown again after seconds rather than the queue's minutes.
    """
    report = process_partial_response(
        event=event, record_handler=_process, processor=processor, context=context
    )
    failed = {failure["itemIdentifier"] for failure in report["batchItemFailures"]}
    for record in event["Records"]:
        if record["messageId"] in failed:
            tries = int(record["attributes"]["ApproximateReceiveCount"])
            queue.try_again_in(record["receiptHandle"], min(2**tries, 120))
    return report


def _process(record: SQSRecord) -> None:
    event = StripeEvent.from_message(record.body)
    logger.append_keys(event=event.id, type=event.type)
    try:
        record_event(event, HANDLERS[event.type], runtime.now())
    except Exception:
        logger.exception("not recorded")
        raise
    logger.info("recorded")
