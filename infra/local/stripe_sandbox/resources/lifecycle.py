"""How payments, time and cancellation move a subscription from one status to the next."""

from infra.local.stripe_sandbox.resources import payments
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

ENDED = ("canceled", "incomplete_expired")
FIRST_PAYMENT_SECONDS = 23 * 3600
"""How long an incomplete subscription waits for its first payment."""


def subscription_of(world: World, invoice: Body) -> Body | None:
    if invoice["parent"] is None:
        return None
    return world.look_up(invoice["parent"]["subscription_details"]["subscription"])


def live_subscriptions(world: World, customer: str) -> list[Body]:
    found = world.find("subscription", "body ->> '$.customer' = ?", customer)
    return [subscription for subscription in found if subscription["status"] not in ENDED]


def period_end(subscription: Body) -> int:
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def plan_ahead(world: World, subscription: Body) -> None:
    """Wake up when something is next due: a renewal, the end, the first payment's deadline."""
    world.unschedule(subscription, "advance")
    if subscription["status"] in ENDED:
        return
    if subscription["status"] == "incomplete":
        deadline = subscription["created"] + FIRST_PAYMENT_SECONDS
        world.schedule("advance", subscription, deadline)
        return
    instants = [period_end(subscription), subscription["cancel_at"]]
    instants.append(world.hidden(subscription).get("phase_end"))
    world.schedule("advance", subscription, min(at for at in instants if at is not None))


def paid(world: World, invoice: Body) -> None:
    """An invoice was paid: its subscription is in good standing again."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] in (*ENDED, "active"):
        return
    if subscription["latest_invoice"] == invoice["id"]:
        world.update(subscription, "customer.subscription.updated", status="active")
        plan_ahead(world, subscription)


def unpaid(world: World, invoice: Body) -> None:
    """An attempt to collect failed."""
    subscription = subscription_of(world, invoice)
    if subscription is not None and subscription["status"] == "active":
        world.update(subscription, "customer.subscription.updated", status="past_due")


def given_up(world: World, invoice: Body) -> None:
    """The last retry failed: do what the account's rules say."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] in ENDED:
        return
    if world.rules.after_retries == "cancel":
        end(world, subscription, "payment_failed")
    elif world.rules.after_retries == "unpaid":
        world.update(subscription, "customer.subscription.updated", status="unpaid")


def end(world: World, subscription: Body, reason: str | None = None) -> Body:
    """End it now; nothing is collected for it any more."""
    unborn = subscription["status"] == "incomplete"
    details = subscription["cancellation_details"]
    world.update(
        subscription,
        status="incomplete_expired" if unborn else "canceled",
        ended_at=world.now,
        canceled_at=subscription["canceled_at"] or world.now,
        cancellation_details=details | ({"reason": reason} if reason else {}),
        pending_update=None,
    )
    world.unschedule(subscription, "advance", "expire_update")
    for invoice in world.find(
        "invoice", "body ->> '$.parent.subscription_details.subscription' = ?", subscription["id"]
    ):
        _stop_collecting(world, invoice, void=unborn)
    if unborn:
        world.emit("customer.subscription.updated", subscription, {"status": "incomplete"})
    else:
        world.emit("customer.subscription.deleted", subscription)
    return subscription


def _stop_collecting(world: World, invoice: Body, *, void: bool) -> None:
    if invoice["status"] not in ("draft", "open"):
        return
    world.unschedule(invoice, "collect")
    if void:
        void_invoice(world, invoice)
    else:
        world.update(invoice, "invoice.updated", auto_advance=False, next_payment_attempt=None)


def void_invoice(world: World, invoice: Body) -> Body:
    world.unschedule(invoice, "collect")
    transitions = invoice["status_transitions"] | {"voided_at": world.now}
    world.update(
        invoice,
        "invoice.updated",
        status="void",
        status_transitions=transitions,
        auto_advance=False,
        next_payment_attempt=None,
    )
    world.emit("invoice.voided", invoice)
    intent = world.hidden(invoice).get("intent")
    if intent:
        payments.cancel(world, world.get("payment_intent", intent), "void_invoice")
    return invoice
