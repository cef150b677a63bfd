"""End subscriptions at Stripe, and take that back.

As in `changes`, each call sets something to a value, so it may be repeated and carries no key.
"""

from datetime import datetime
from typing import Any

from billing.adapters.alerts import alert
from billing.adapters.stripe.changes import ENDED, id_of, refusals
from billing.adapters.stripe.client import client, our_errors
from billing.adapters.stripe.snapshots import noted

_OWN_END = "own_end"
"""In the metadata of what was to end by itself before the base's end came sooner."""


def end_with_period(subscription_id: str, comment: str) -> None:
    """It does not renew; `comment` is why, for those who read Stripe's dashboard."""
    wanted: Any = {"cancel_at_period_end": True}
    if comment:
        wanted["cancellation_details"] = {"comment": comment}
    with our_errors(), refusals():
        client().v1.subscriptions.update(subscription_id, wanted)


def end_with_base(subscription_id: str, moment: datetime) -> None:
    """It ends when the base does, at `moment`, and is kept if the base is; what was to end by
    itself is noted, to do so again then."""
    with our_errors(), refusals():
        notes = {"ends_with": "base"}
        if client().v1.subscriptions.retrieve(subscription_id).cancel_at_period_end:
            notes[_OWN_END] = "true"
        client().v1.subscriptions.update(
            subscription_id,
            {
                "cancel_at": int(moment.timestamp()),
                "proration_behavior": "none",
                "metadata": notes,
            },
        )


def end_now(subscription_id: str) -> None:
    """It is over, and what it still asks for is not asked for any more, also where a try before
    this one got no further than its end."""
    with our_errors(), refusals():
        if client().v1.subscriptions.retrieve(subscription_id).status not in ENDED:
            client().v1.subscriptions.cancel(subscription_id)
        unpaid = client().v1.invoices.list({"subscription": subscription_id, "status": "open"})
        for invoice in unpaid.auto_paging_iter():
            if invoice.id is not None:
                client().v1.invoices.void_invoice(invoice.id)


def switch_off(subscription_id: str, comment: str) -> None:
    """It ends with its period, or before that with the base, and with its period all the same if
    the base is kept."""
    wanted: Any = {"cancellation_details": {"comment": comment}} if comment else {}
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id)
        if current.cancel_at is None:
            wanted["cancel_at_period_end"] = True
        elif not current.cancel_at_period_end:
            wanted["metadata"] = {_OWN_END: "true"}
        client().v1.subscriptions.update(subscription_id, wanted)


def switch_on(subscription_id: str) -> None:
    """It renews again."""
    with our_errors(), refusals():
        client().v1.subscriptions.update(subscription_id, {"metadata": {_OWN_END: ""}})
    keep(subscription_id)


def end_unpaid(subscription_id: str) -> bool:
    """As end_now, unless it has been paid by now; whether it is over.

    Stripe ends nothing on condition that it is unpaid. Who pays at that very moment has paid for
    nothing, and a person must give it back or begin it anew.
    """
    with our_errors():
        current = client().v1.subscriptions.retrieve(subscription_id)
    if current.status not in (*ENDED, "past_due", "unpaid"):
        return False
    end_now(subscription_id)
    if current.status not in ENDED and current.latest_invoice is not None:
        with our_errors():
            invoice = client().v1.invoices.retrieve(id_of(current.latest_invoice))
        if invoice.status == "paid":
            alert("a renewal was paid while it was ended", invoice=str(invoice.id))
    return True


def keep(subscription_id: str) -> None:
    """Clears whichever way it was told to end, or lets it end by itself again where the base's end
    had only come before that."""
    forgotten = {"ends_with": "", _OWN_END: ""}
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id)
        if noted(current, _OWN_END):
            client().v1.subscriptions.update(
                subscription_id, {"cancel_at_period_end": True, "metadata": forgotten}
            )
        elif current.cancel_at_period_end:
            client().v1.subscriptions.update(subscription_id, {"cancel_at_period_end": False})
        elif current.cancel_at is not None:
            client().v1.subscriptions.update(
                subscription_id,
                {"cancel_at": "", "proration_behavior": "none", "metadata": forgotten},
            )
