"""Time goes on for a subscription: its first payment's deadline, its periods, its end."""

import copy

from infra.local.stripe_sandbox.resources import billing, lifecycle, schedules
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World


def advance(world: World, subscription: Body) -> None:
    """What is due now: the deadline of the first payment, the end, a phase, the next period."""
    if subscription["status"] == "incomplete":
        lifecycle.end(world, subscription)
        return
    cancel_at = subscription["cancel_at"]
    if cancel_at is not None and cancel_at <= world.now:
        lifecycle.end(world, subscription, "cancellation_requested")
        return
    before = copy.deepcopy(subscription)
    schedules.enter_phase(world, subscription)
    if subscription["status"] in lifecycle.ENDED:
        return
    if lifecycle.period_end(subscription) <= world.now:
        renew(world, subscription)
    billing.tell_difference(world, subscription, before)
    lifecycle.plan_ahead(world, subscription)


def renew(world: World, subscription: Body) -> None:
    """Begin the next period and draft its invoice, which is then due to be collected."""
    start = lifecycle.period_end(subscription)
    ended = subscription["items"]["data"][0]["current_period_start"]
    items = copy.deepcopy(subscription["items"])
    for item in items["data"]:
        whole = billing.natural_end(subscription, item, start)
        end = min(whole, subscription["cancel_at"] or whole)
        item |= {"current_period_start": start, "current_period_end": end}
    world.update(subscription, items=items)
    lines = billing.period_lines(world, subscription, items["data"])
    invoice = billing.draft(world, subscription, lines, "subscription_cycle", period=(ended, start))
    if subscription["status"] == "unpaid":
        world.update(invoice, auto_advance=False)
    else:
        at = world.now + world.rules.draft_seconds
        world.update(invoice, automatically_finalizes_at=at)
        world.schedule("collect", invoice, at)
