"""Another plan or another cycle: what is bought at once, and what is planned for the renewal."""

from dataclasses import dataclass

from billing.domain.catalog import Catalog, Price
from billing.domain.subscription import Subscription
from billing.domain.support_requests import Topic


@dataclass(frozen=True, slots=True)
class Steps:
    """`now` is bought at once, where that is needed; `then` is what the subscription is from its
    renewal on, where that is something else."""

    now: Price | None
    then: Price | None


def steps(
    base: Subscription, catalog: Catalog, *, plan: str | None = None, cycle: str | None = None
) -> Steps:
    """The way from what is to `plan` and `cycle`; each stays as it is, or is planned, unless told.

    A dearer plan is there at once, in the present cycle. A cheaper one, and another cycle, come
    with the renewal. What is asked for and is there already takes back what was planned.

    Raises RuleRefused `unknown_plan`, `unknown_cycle`.
    """
    currency = base.price.currency
    wanted_plan = plan or base.pending_plan or base.plan
    wanted_cycle = cycle or base.pending_cycle or base.cycle
    now = None
    if plan is not None and plan != base.plan:
        price = catalog.subscription_price(plan, base.cycle, currency)
        now = price if price.money.amount > base.price.amount else None
    if (wanted_plan, wanted_cycle) == (now.product if now else base.plan, base.cycle):
        return Steps(now, None)
    return Steps(now, catalog.subscription_price(wanted_plan, wanted_cycle, currency))


def topic(base: Subscription, wanted: Price) -> Topic:
    """What to ask Support for: the dearer plan of the two is the higher one."""
    return "upgrade" if wanted.money.amount > base.price.amount else "downgrade"
