"""Invoices: drafted, finalised with a number, collected from a payment method."""

from datetime import UTC, datetime
from typing import Any

from infra.local.stripe_sandbox import money
from infra.local.stripe_sandbox.errors import CardDeclined, NotSupported, Refused
from infra.local.stripe_sandbox.expansion import includable
from infra.local.stripe_sandbox.lists import listed, page, page_of
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import lifecycle, payment_methods, payments
from infra.local.stripe_sandbox.state import Body, new_id
from infra.local.stripe_sandbox.world import BASE, World

BUSINESS = "Sandbox Business"
DAY = 86_400
PAID_SUBSCRIPTION = "parent.subscription_details.subscription"


@operation("GET /v1/invoices/{invoice}")
def retrieve_invoice(world: World, call: Call) -> Body:
    return world.get("invoice", call.ids["invoice"])


@operation("GET /v1/invoices", "customer status subscription created created.*")
def list_invoices(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("customer", "status")}
    return page(world, call, "invoice", filters | {PAID_SUBSCRIPTION: call.get("subscription")})


@operation("GET /v1/invoices/{invoice}/lines")
def list_lines(world: World, call: Call) -> Body:
    return page_of(call, world.get("invoice", call.ids["invoice"])["lines"]["data"])


@operation("POST /v1/invoices/{invoice}", "metadata metadata.* description auto_advance")
def update_invoice(world: World, call: Call) -> Body:
    invoice = world.get("invoice", call.ids["invoice"])
    changes: Body = {n: call.params[n] for n in ("description", "auto_advance") if n in call.params}
    changes["metadata"] = merge_metadata(invoice["metadata"], call.get("metadata"))
    return world.update(invoice, "invoice.updated", **changes)


@operation("POST /v1/invoices/{invoice}/finalize", "auto_advance=false")
def finalize_invoice(world: World, call: Call) -> Body:
    invoice = world.get("invoice", call.ids["invoice"])
    if invoice["status"] != "draft":
        raise Refused(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice."
        )
    _require_finalizable(world, invoice)
    if "auto_advance" in call.params:
        world.unschedule(invoice, "collect")
        world.update(invoice, auto_advance=False)
    return finalize(world, invoice)


@operation("POST /v1/invoices/{invoice}/pay", "payment_method off_session paid_out_of_band=false")
def pay_invoice(world: World, call: Call) -> Body:
    invoice = world.get("invoice", call.ids["invoice"])
    if invoice["status"] == "draft":
        _require_finalizable(world, invoice)
        finalize(world, invoice)
    if invoice["status"] == "paid":
        raise Refused("Invoice is already paid")
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refused("This invoice can no longer be paid", code="invoice_not_editable")
    method = None
    if "payment_method" in call.params:
        method = world.get("payment_method", call.get("payment_method"), param="payment_method")
        payment_methods.require_attached(method, invoice["customer"], "payment_method")
    pay(world, invoice, method=method)
    return invoice


@operation("POST /v1/invoices/{invoice}/void")
def void_invoice(world: World, call: Call) -> Body:
    invoice = world.get("invoice", call.ids["invoice"])
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refused(
            f"You can only pass in open or uncollectible invoices. This invoice is "
            f"{invoice['status']}.",
            code="invoice_not_editable",
        )
    _require_nothing_under_way(world, invoice)
    return lifecycle.void_invoice(world, invoice)


@operation("POST /v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(world: World, call: Call) -> Body:
    invoice = world.get("invoice", call.ids["invoice"])
    if invoice["status"] != "open":
        raise Refused("You can only mark open invoices as uncollectible.")
    world.unschedule(invoice, "collect")
    transitions = invoice["status_transitions"] | {"marked_uncollectible_at": world.now}
    world.update(
        invoice,
        "invoice.updated",
        status="uncollectible",
        status_transitions=transitions,
        auto_advance=False,
        next_payment_attempt=None,
    )
    world.emit("invoice.marked_uncollectible", invoice)
    return invoice


@operation("GET /v1/invoice_payments/{invoice_payment}")
def retrieve_invoice_payment(world: World, call: Call) -> Body:
    return world.get("invoice_payment", call.ids["invoice_payment"])


@operation(
    "GET /v1/invoice_payments",
    "invoice status payment.type=payment_intent payment.payment_intent created created.*",
)
def list_invoice_payments(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("invoice", "status")}
    filters["payment.payment_intent"] = call.get("payment.payment_intent")
    return page(world, call, "invoice_payment", filters)


def _require_finalizable(world: World, invoice: Body) -> None:
    """Of a draft made by hand; raises Refused, whose traces stay, where tax cannot be known."""
    if not invoice["lines"]["data"]:
        raise NotSupported("the finalization of an invoice without lines")
    if not invoice["automatic_tax"]["enabled"] or invoice["parent"]:
        return
    located = is_located(world.get("customer", invoice["customer"]))
    world.update(invoice, automatic_tax=tax(enabled=True, located=located))
    if located:
        return
    refusal = Refused(
        "The customer's location isn't recognized. Set a valid customer address in order to "
        "automatically calculate tax.",
        code="customer_tax_location_invalid",
    )
    refusal.effects_stand = True
    world.update(invoice, last_finalization_error=refusal.body["error"])
    world.emit("invoice.finalization_failed", invoice)
    raise refusal


def _require_nothing_under_way(world: World, invoice: Body) -> None:
    """A debit that the bank has not answered yet can be neither called back nor repeated."""
    intent = world.look_up(world.hidden(invoice).get("intent", ""))
    if intent and intent["status"] == "processing":
        raise Refused(
            f"The payment of this invoice is processing: {intent['id']}.",
            code="payment_intent_unexpected_state",
        )


def is_located(customer: Body) -> bool:
    """Whether enough is known of where the customer is to work out tax."""
    return bool(customer["address"] and customer["address"]["country"])


@includable("invoice", "payments")
def payments_of(world: World, invoice: Body) -> Body:
    found = world.find("invoice_payment", "json_extract(body, '$.invoice') = ?", invoice["id"])
    return listed(found, f"/v1/invoice_payments?invoice={invoice['id']}")


def new_line(
    world: World,
    *,
    description: str,
    amount: int,
    currency: str,
    period: tuple[int, int],
    price: Body,
    unit: int,
    quantity: int,
    subscription: Body | None = None,
    item: str | None = None,
    proration: bool = False,
    metadata: Body | None = None,
) -> Body:
    """A line of a subscription's item, or (without one) of an invoice item: `item` of either."""
    shared = {"proration": proration, "proration_details": {"credited_items": None}}
    if subscription is None:
        details = {"invoice_item": item or new_id("invoiceitem"), "subscription": None} | shared
        parent: Body = {"type": "invoice_item_details", "invoice_item_details": details}
    else:
        details = {"subscription": subscription["id"], "subscription_item": item} | shared
        details["invoice_item"] = new_id("invoiceitem") if proration else None
        parent = {"type": "subscription_item_details", "subscription_item_details": details}
    other = {"invoice_item_details", "subscription_item_details"} - {parent["type"]}
    return {
        "id": new_id("line_item"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": metadata or {},
        "parent": parent | dict.fromkeys(other),
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": str(unit),
        },
        "quantity": quantity,
        "subtotal": amount,
        "taxes": [],
    }


def body(
    world: World,
    customer: Body,
    lines: list[Body],
    reason: str,
    *,
    currency: str,
    subscription: Body | None = None,
    period: tuple[int, int] | None = None,
    metadata: Body | None = None,
    description: str | None = None,
    automatic_tax: bool = False,
) -> Body:
    """A draft that is not stored. `metadata` is its own, not the subscription's."""
    id = new_id("invoice")
    draft = _blank(world, customer, reason, currency) | {
        "id": id,
        "automatic_tax": tax(enabled=automatic_tax),
        "description": description,
        "metadata": metadata or {},
        "period_start": (period or (world.now,))[0],
        "period_end": (period or (world.now, world.now))[1],
    }
    if subscription:
        details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
        draft["parent"] = {
            "quote_details": None,
            "subscription_details": details,
            "type": "subscription_details",
        }
    return draft | made_of(id, lines)


def made_of(id: str, lines: list[Body]) -> Body:
    """The lines of the invoice `id`, and its sums."""
    total = sum(line["amount"] for line in lines)
    sums = ("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax")
    return {
        "lines": listed([line | {"invoice": id} for line in lines], f"/v1/invoices/{id}/lines"),
        **dict.fromkeys(sums, total),
        "amount_due": max(0, total),
        "amount_remaining": max(0, total),
    }


def draft(world: World, customer: Body, lines: list[Body], reason: str, **more: Any) -> Body:
    """A new draft, made as `body` says."""
    invoice = world.create("invoice", body(world, customer, lines, reason, **more))
    world.emit("invoice.created", invoice)
    return invoice


def tax(*, enabled: bool, located: bool = True) -> Body:
    """Tax is worked out, and there is none; or cannot be, where the customer is not `located`."""
    status = "complete" if located else "requires_location_inputs"
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": status if enabled else None,
    }


def _blank(world: World, customer: Body, reason: str, currency: str) -> Body:
    zeros = """amount_overpaid amount_paid amount_paid_off_stripe amount_shipping attempt_count
        post_payment_credit_notes_amount pre_payment_credit_notes_amount starting_balance"""
    nothing = """account_tax_ids application custom_fields customer_account customer_phone
        customer_shipping default_payment_method default_source description due_date effective_at
        ending_balance footer from_invoice hosted_invoice_url invoice_pdf last_finalization_error
        latest_revision next_payment_attempt number on_behalf_of parent receipt_number rendering
        shipping_cost shipping_details statement_descriptor test_clock automatically_finalizes_at
        webhooks_delivered_at"""
    empty = """customer_tax_ids default_tax_rates discounts total_discount_amounts
        total_pretax_credit_amounts total_taxes"""
    moments = ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
    return {
        **dict.fromkeys(zeros.split(), 0),
        **dict.fromkeys(nothing.split()),
        **{name: [] for name in empty.split()},
        "account_country": "US",
        "account_name": BUSINESS,
        "attempted": False,
        "auto_advance": True,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": world.now,
        "currency": currency,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_tax_exempt": customer["tax_exempt"],
        "issuer": {"type": "self"},
        "livemode": False,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "status": "draft",
        "status_transitions": dict.fromkeys(moments),
    }


def finalize(world: World, invoice: Body, intent: Body | None = None) -> Body:
    """Number it and open it, with an intent to pay it: a new one, or one that exists already."""
    customer = world.get("customer", invoice["customer"])
    sequence = customer["next_invoice_sequence"]
    balance = customer["balance"]
    due = max(0, invoice["total"] + balance)
    world.update(
        invoice,
        "invoice.updated",
        amount_due=due,
        amount_remaining=due,
        automatically_finalizes_at=None,
        customer_address=customer["address"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        effective_at=world.now,
        ending_balance=min(0, invoice["total"] + balance),
        hosted_invoice_url=f"{BASE}/i/{invoice['id']}",
        invoice_pdf=f"{BASE}/i/{invoice['id']}/pdf",
        number=f"{customer['invoice_prefix']}-{sequence:04}",
        starting_balance=balance,
        status="open",
        status_transitions=invoice["status_transitions"] | {"finalized_at": world.now},
    )
    world.update(customer, next_invoice_sequence=sequence + 1, currency=invoice["currency"])
    world.update(customer, "customer.updated", balance=invoice["ending_balance"])
    world.emit("invoice.finalized", invoice)
    if due == 0:
        _paid(world, invoice)
    else:
        _expect_payment(world, invoice, intent)
    return invoice


def _expect_payment(world: World, invoice: Body, intent: Body | None) -> None:
    if intent is None:
        intent = payments.new_intent(
            world,
            invoice["amount_due"],
            invoice["currency"],
            invoice["customer"],
            description="Subscription update" if invoice["parent"] else "Payment for Invoice",
            setup_future_usage="off_session" if invoice["parent"] else None,
        )
    world.keep(intent, invoice=invoice["id"])
    payment = world.create(
        "invoice_payment",
        {
            "amount_paid": None,
            "amount_requested": invoice["amount_due"],
            "created": world.now,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        },
    )
    world.keep(invoice, intent=intent["id"], payment=payment["id"])


def intent_for(world: World, invoice: Body) -> Body:
    return world.get("payment_intent", world.hidden(invoice)["intent"])


def method_for(world: World, invoice: Body) -> Body | None:
    """What is charged by default: the invoice's method, its subscription's, its customer's."""
    customer = world.get("customer", invoice["customer"])
    subscription = lifecycle.subscription_of(world, invoice) or {}
    id = (
        invoice["default_payment_method"]
        or subscription.get("default_payment_method")
        or customer["invoice_settings"]["default_payment_method"]
    )
    return world.look_up(id) if id else None


def pay(
    world: World,
    invoice: Body,
    *,
    method: Body | None = None,
    authenticated: bool | None = None,
) -> None:
    """Pay it now; raises CardDeclined, whose traces stay, when that does not succeed."""
    method = method or method_for(world, invoice)
    if method is None:
        raise Refused(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set a "
            "default payment method or pass one.",
        )
    intent = attempt(world, invoice, method, authenticated=authenticated)
    if intent["status"] == "requires_action":
        raise CardDeclined(
            "This payment requires additional user action before it can be completed "
            "successfully. Payment can be completed using the PaymentIntent associated with this "
            "invoice.",
            code="invoice_payment_intent_requires_action",
            payment_intent=dict(intent),
        )
    if intent["status"] == "requires_payment_method":
        raise payments.declined(world, intent)


def pay_in_person(world: World, invoice: Body, method: Body) -> Body:
    """The customer pays on the hosted page; raises CardDeclined, whose traces stay."""
    intent = attempt(world, invoice, method)
    if intent["status"] == "requires_payment_method":
        raise payments.declined(world, intent)
    return intent


def charge(world: World, invoice: Body) -> None:
    """Try the default method; what comes of it shows in the invoice."""
    method = method_for(world, invoice)
    if method is None:
        _failed(world, invoice, scheduled=False)
    else:
        attempt(world, invoice, method)


def attempt(
    world: World,
    invoice: Body,
    method: Body,
    *,
    authenticated: bool | None = None,
    scheduled: bool = False,
) -> Body:
    """Try to collect it; the intent's status afterwards says what happened."""
    _require_nothing_under_way(world, invoice)
    intent = intent_for(world, invoice)
    counts = scheduled or not invoice["attempted"]
    world.update(invoice, attempted=True, attempt_count=invoice["attempt_count"] + counts)
    payments.attempt(world, intent, method, authenticated=authenticated)
    if intent["status"] == "succeeded" and intent["setup_future_usage"]:
        payment_methods.attach(world, method, invoice["customer"])
    follow(world, invoice, intent, scheduled=scheduled)
    return intent


def follow(world: World, invoice: Body, intent: Body, *, scheduled: bool = False) -> None:
    """Let the invoice become what its payment became."""
    if intent["status"] == "succeeded":
        _paid(world, invoice, intent)
    elif intent["status"] == "requires_action":
        world.emit("invoice.payment_action_required", invoice)
        if scheduled:
            _failed(world, invoice, scheduled=True)
    elif intent["status"] == "requires_payment_method":
        _failed(world, invoice, scheduled=scheduled)


def collect(world: World, invoice: Body) -> None:
    """What is due for an invoice that advances by itself: finalise it, then charge for it."""
    if invoice["status"] == "draft":
        finalize(world, invoice)
    if invoice["status"] != "open":
        return
    method = method_for(world, invoice)
    if method is None:
        world.update(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)
        _failed(world, invoice, scheduled=True)
        return
    attempt(world, invoice, method, scheduled=True)


def _paid(world: World, invoice: Body, intent: Body | None = None) -> None:
    world.unschedule(invoice, "collect")
    world.update(
        invoice,
        "invoice.updated",
        amount_paid=invoice["amount_due"],
        amount_remaining=0,
        attempted=True,
        auto_advance=False,
        next_payment_attempt=None,
        status="paid",
        status_transitions=invoice["status_transitions"] | {"paid_at": world.now},
    )
    if intent is not None:
        payment = world.get("invoice_payment", world.hidden(invoice)["payment"])
        world.update(
            payment,
            amount_paid=intent["amount_received"],
            status="paid",
            status_transitions={"canceled_at": None, "paid_at": world.now},
        )
        world.emit("invoice_payment.paid", payment)
    world.emit("invoice.paid", invoice)
    world.emit("invoice.payment_succeeded", invoice)
    lifecycle.paid(world, invoice, intent["payment_method"] if intent else None)


def _failed(world: World, invoice: Body, *, scheduled: bool) -> None:
    retries = world.rules.retry_days
    done = invoice["attempt_count"] - 1
    renewal = invoice["billing_reason"] == "subscription_cycle"
    again = renewal and done < len(retries)
    if scheduled:
        at = world.now + retries[done] * DAY if again else None
        world.update(invoice, "invoice.updated", next_payment_attempt=at, auto_advance=again)
        world.unschedule(invoice, "collect")
        if at is not None:
            world.schedule("collect", invoice, at)
    world.emit("invoice.payment_failed", invoice)
    lifecycle.unpaid(world, invoice)
    if scheduled and renewal and not again:
        lifecycle.given_up(world, invoice)


def day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d %b %Y}"


def line_text(world: World, price: Body, quantity: int, unit: int, currency: str) -> str:
    """`5 × Slot (at 12.00 USD / month)`."""
    product: Any = world.get("product", price["product"])
    recurring = price["recurring"]
    every = ""
    if recurring:
        count, interval = recurring["interval_count"], recurring["interval"]
        every = f" / {interval}" if count == 1 else f" every {count} {interval}s"
    return f"{quantity} × {product['name']} (at {money.written(unit, currency)}{every})"
