"""Another plan: asked of Support, or changed by the manager or by an operator."""

import json
from datetime import datetime
from typing import cast

from billing.adapters.dynamodb import accounts
from billing.adapters.stripe import changes, gateway
from billing.domain import plans
from billing.domain.catalog import Catalog
from billing.domain.errors import Conflict, PaymentNeeded
from billing.domain.plans import Steps
from billing.domain.subscription import Subscription
from billing.domain.times import rfc3339
from billing.usecases import acts
from billing.usecases.acts import Act
from billing.usecases.refusals import final, final_once_accepted
from billing.usecases.snapshots import record
from billing.usecases.subscription import live, renewing
from billing.usecases.support_requests import record_support_request
from billing.views import PlanChangeView, plan_name


def ask_for_plan(
    account: str, subject: str, plan: str, catalog: Catalog, now: datetime
) -> PlanChangeView:
    """How things stand, for who asks for the plan they have or are to have.

    Raises Conflict `contact_support` for any other, once Support has a request for it; Conflict
    `not_subscribed`; RuleRefused `unknown_plan`; TooMany `too_many_support_requests`.
    """
    base = live(accounts.load(account))
    if plan == (base.pending_plan or base.plan):
        return _view(base, catalog)
    wanted = catalog.subscription_price(plan, base.cycle, base.price.currency)
    names = {product.id: product.name for product in catalog.products}
    message = f"Plan wanted: {names[plan]}. Present plan: {base.plan_name}."
    record_support_request(account, subject, plans.topic(base, wanted), message, now)
    raise Conflict("contact_support", "Plans are changed by Support. They have your request now.")


def change_plan(act: Act, plan: str, cycle: str | None, catalog: Catalog) -> PlanChangeView:
    """A dearer plan at once, charged for the rest of the period; a cheaper one, and another cycle,
    from the renewal on. The present plan takes a pending one back.

    Raises PaymentNeeded where a dearer plan waits for its payment; Conflict `not_subscribed`,
    `subscription_ending`, `payment_due`, `changed_meanwhile`, `idempotency_key_reused`;
    RuleRefused `unknown_plan`, `unknown_cycle`.
    """
    if (first := acts.first_answer(act)) is not None:
        return cast(PlanChangeView, first)
    with final(act.account, act.command, act.at):
        before = _present(act.account)
        plans.steps(before, catalog, plan=plan, cycle=cycle)
    # What was planned is released on the way: only what was noted now can be planned again.
    about = json.dumps({"cycle": cycle or before.pending_cycle})
    noted = json.loads(acts.accept(act, about))
    way = plans.steps(before, catalog, plan=plan, cycle=noted["cycle"])
    with final_once_accepted(act.account, act.command):
        _go(before, way)
    if act.notes:
        changes.note(before.id, act.notes)
    fresh = record(act.account, before.id, act.by, act.at, act.reason)
    view = _view(fresh, catalog)
    facts = {"from": before.plan, "to": plan, "cycle": cycle, "at": view["effective_at"]}
    acts.answer(act, view, "subscription.plan_agreed", facts)
    return view


def _present(account: str) -> Subscription:
    """The base as Stripe has it: the row may not know yet what an earlier try has changed."""
    base = gateway.subscription(renewing(accounts.load(account)).id)
    if base is None or base.ends_at is not None:
        raise Conflict("changed_meanwhile", "The subscription was changed meanwhile. Look again.")
    return base


def _go(base: Subscription, way: Steps) -> None:
    """Repeated after it was cut off anywhere, it goes on from there."""
    if way.now is not None:
        changes.release_plan(base.id)
        try:
            changes.change_now(
                base.id, price=gateway.price_id(way.now.lookup_key), quantity=base.quantity
            )
        except PaymentNeeded as error:
            if base.pending is None:
                raise
            lost = "What was planned for the renewal is taken back: plan it again afterwards."
            raise PaymentNeeded(error.code, f"{error.detail} {lost}", error.url) from error
    if way.then is None:
        changes.release_plan(base.id)
        return
    assert way.then.cycle is not None
    price = gateway.price_id(way.then.lookup_key)
    changes.plan_change(base.id, way.then.cycle, price=price, quantity=None)


def _view(base: Subscription, catalog: Catalog) -> PlanChangeView:
    pending = base.pending_plan
    return {
        "plan": {"id": base.plan, "name": base.plan_name},
        "cycle": base.cycle,
        "pending_plan": plan_name(pending, catalog) if pending else None,
        "pending_cycle": base.pending_cycle,
        "effective_at": rfc3339(base.period_end) if base.pending else None,
    }
