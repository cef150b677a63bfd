"""End subscriptions at Stripe, and take that back.

As in `changes`, each call sets something to a value, so it may be repeated and carries no key.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import stripe

from billing.adapters.alerts import alert
from billing.adapters.stripe.changes import ENDED, id_of, refusals
from billing.adapters.stripe.client import client, our_errors
from billing.adapters.stripe.snapshots import KEPT_SLOTS, noted

_OWN_END = "own_end"
"""In the metadata of what was to end by itself before the base's end came sooner."""
_FORGOTTEN = {"ends_with": "", _OWN_END: "", KEPT_SLOTS: ""}


def end_with_period(
    subscription_id: str, comment: str = "", notes: Mapping[str, str] | None = None
) -> None:
    """End it with what is paid for: with its period, or at once where that isn't paid yet.

    The end is set first. From then on no other period begins, so an unpaid one is the last.
    `comment` is why, for those who read Stripe's dashboard.
    """
    wanted: Any = {"cancel_at_period_end": True, "metadata": dict(notes or {})}
    if comment:
        wanted["cancellation_details"] = {"comment": comment}
    with our_errors(), refusals():
        client().v1.subscriptions.update(subscription_id, wanted)
        if any(_renews(each) for each in _invoices(subscription_id, "draft", "open")):
            end_now(subscription_id)
        else:
            _withdraw_orders(subscription_id)


def end_at(subscription_id: str, moment: datetime, notes: Mapping[str, str]) -> None:
    """End it at `moment`, and bill it until then.

    Stripe charges a later period that `moment` cuts short in part, and gives back nothing of the
    present one. (API reference: subscriptions/update#cancel_at)
    """
    with our_errors(), refusals():
        client().v1.subscriptions.update(
            subscription_id,
            {
                "cancel_at": int(moment.timestamp()),
                "proration_behavior": "none",
                "metadata": dict(notes),
            },
        )
        _withdraw_orders(subscription_id)


def end_with_base(subscription_id: str, moment: datetime, *, own_period: bool) -> None:
    """End slots or the add-on because the base ends: with their own period, or at `moment`.

    What was to end by itself after that is noted, to do so again if the base is kept.
    """
    notes = {"ends_with": "base"}
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id)
        if current.cancel_at_period_end and not noted(current, "ends_with"):
            notes[_OWN_END] = "true"
    if own_period:
        end_with_period(subscription_id, notes=notes)
    else:
        end_at(subscription_id, moment, notes)


def lower_quantity(subscription_id: str, quantity: int) -> None:
    """Have no more than `quantity` from now on; nothing is given back."""
    with our_errors(), refusals():
        item = client().v1.subscriptions.retrieve(subscription_id).items.data[0]
        if (item.quantity or 1) > quantity:
            client().v1.subscriptions.update(
                subscription_id,
                {
                    "items": [{"id": item.id, "quantity": quantity}],
                    "proration_behavior": "none",
                },
            )


def end_now(subscription_id: str) -> None:
    """End it, and ask for nothing more, also where an earlier try got no further than its end.

    Stripe's cancellation stops only the collection of finalized invoices. (API reference:
    subscriptions/cancel)
    """
    with our_errors(), refusals():
        if client().v1.subscriptions.retrieve(subscription_id).status not in ENDED:
            client().v1.subscriptions.cancel(subscription_id)
        for invoice in _invoices(subscription_id, "draft"):
            client().v1.invoices.update(str(invoice.id), {"auto_advance": False})
        for invoice in _invoices(subscription_id, "open"):
            client().v1.invoices.void_invoice(str(invoice.id))


def switch_off(subscription_id: str, comment: str) -> None:
    """It ends with its period, or before that with the base, and with its period all the same if
    the base is kept."""
    wanted: Any = {"cancellation_details": {"comment": comment}} if comment else {}
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id)
        if noted(current, "ends_with"):
            wanted["metadata"] = {_OWN_END: "true"}
        else:
            wanted["cancel_at_period_end"] = True
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
    """Undo whichever end was set, or restore its own end where the base's had come before that."""
    with our_errors(), refusals():
        current = client().v1.subscriptions.retrieve(subscription_id)
        wanted: Any = {"metadata": _FORGOTTEN}
        if noted(current, _OWN_END):
            wanted["cancel_at_period_end"] = True
        elif current.cancel_at_period_end:
            wanted["cancel_at_period_end"] = False
        elif current.cancel_at is not None:
            wanted |= {"cancel_at": "", "proration_behavior": "none"}
        else:
            return
        client().v1.subscriptions.update(subscription_id, wanted)


def _withdraw_orders(subscription_id: str) -> None:
    """What was ordered and isn't paid can't be paid any more."""
    for invoice in _invoices(subscription_id, "open"):
        if not _renews(invoice):
            client().v1.invoices.void_invoice(str(invoice.id))


def _invoices(subscription_id: str, *statuses: Any) -> Iterator[stripe.Invoice]:
    for status in statuses:
        found = client().v1.invoices.list({"subscription": subscription_id, "status": status})
        yield from found.auto_paging_iter()


def _renews(invoice: stripe.Invoice) -> bool:
    return invoice.billing_reason == "subscription_cycle" and invoice.total > 0
