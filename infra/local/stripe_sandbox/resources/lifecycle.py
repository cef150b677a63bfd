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
    found = world.find("subscription", "json_extract(body, '$.customer') = ?", customer)
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


def paid(world: World, invoice: Body, method: str | None) -> None:
    """An invoice was paid: what waited for that is done, and all is in good standing again."""
    subscription = subscription_of(world, invoice)
    if subscription is None or subscription["status"] in ENDED:
        return
    if method and subscription["payment_settings"]["save_default_payment_method"] != "off":
        world.update(subscription, default_payment_method=method)
    _apply_pending(world, subscription, invoice)
    if subscription["latest_invoice"] == invoice["id"] and subscription["status"] != "active":
        world.update(subscription, "customer.subscription.updated", status="active")
        plan_ahead(world, subscription)


def unpaid(world: World, invoice: Body) -> None:
    """An attempt to collect failed."""
    subscription = subscription_of(world, invoice)
    if subscription is None or pending(world, subscription).get("invoice") == invoice["id"]:
        return
    if subscription["status"] == "active":
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
    _let_go_of_schedule(world, subscription, reason)
    for invoice in world.find(
        "invoice",
        "json_extract(body, '$.parent.subscription_details.subscription') = ?",
        subscription["id"],
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
    known = world.hidden(invoice)
    if "intent" in known:
        payment = world.get("invoice_payment", known["payment"])
        ended = payment["status_transitions"] | {"canceled_at": world.now}
        world.update(payment, status="canceled", status_transitions=ended)
        payments.cancel(world, world.get("payment_intent", known["intent"]), "void_invoice")
    _drop_pending(world, invoice)
    return invoice


def pending(world: World, subscription: Body) -> Body:
    """The update that waits for its invoice to be paid: `items`, `anchor`, `invoice`."""
    found: Body = world.hidden(subscription).get("pending") or {}
    return found


def expire_update(world: World, subscription: Body) -> None:
    """Nobody paid for the pending update in time."""
    waiting = pending(world, subscription).get("invoice")
    if waiting:
        void_invoice(world, world.get("invoice", waiting))


def _apply_pending(world: World, subscription: Body, invoice: Body) -> None:
    update = pending(world, subscription)
    if update.get("invoice") != invoice["id"]:
        return
    waited = subscription["pending_update"] is not None
    world.unschedule(subscription, "expire_update")
    world.keep(subscription, pending=None)
    world.update(
        subscription,
        "customer.subscription.updated" if waited else None,
        billing_cycle_anchor=update["anchor"],
        items=subscription["items"] | {"data": update["items"]},
        pending_update=None,
    )
    plan_ahead(world, subscription)
    if waited:
        world.emit("customer.subscription.pending_update_applied", subscription)


def _drop_pending(world: World, invoice: Body) -> None:
    """Its invoice can no longer be paid, so the pending update never comes."""
    subscription = subscription_of(world, invoice)
    if subscription is None or pending(world, subscription).get("invoice") != invoice["id"]:
        return
    world.unschedule(subscription, "expire_update")
    world.keep(subscription, pending=None)
    world.update(subscription, "customer.subscription.updated", pending_update=None)
    world.emit("customer.subscription.pending_update_expired", subscription)


def _let_go_of_schedule(world: World, subscription: Body, reason: str | None) -> None:
    if subscription["schedule"] is None:
        return
    schedule = world.get("subscription_schedule", subscription["schedule"])
    world.update(schedule, status="canceled", canceled_at=world.now, current_phase=None)
    event = "aborted" if reason == "payment_failed" else "canceled"
    world.emit(f"subscription_schedule.{event}", schedule)
