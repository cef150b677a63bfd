"""Checkout sessions: opened by the product, completed or left by the customer."""

from dataclasses import asdict, dataclass
from typing import Any

from infra.local.stripe_sandbox.cards import DEBIT_CURRENCY, Card
from infra.local.stripe_sandbox.errors import InvalidRequest, NotSupported, Refused
from infra.local.stripe_sandbox.expansion import includable
from infra.local.stripe_sandbox.lists import listed, page, page_of
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import (
    customers,
    invoices,
    payment_methods,
    payments,
    prices,
    setups,
    subscriptions,
)
from infra.local.stripe_sandbox.state import Body, new_id
from infra.local.stripe_sandbox.world import BASE, World

HOUR = 3600
ONLY_IN = {
    "subscription_data": "subscription",
    "payment_intent_data": "payment",
    "invoice_creation": "payment",
    "customer_creation": "payment",
    "setup_intent_data": "setup",
}


@dataclass(frozen=True)
class Payer:
    """Who the customer said to be, on the page."""

    email: str | None = None
    name: str | None = None
    country: str | None = None

    @property
    def address(self) -> Body | None:
        return customers.address({"country": self.country}) if self.country else None


@operation(
    "POST /v1/checkout/sessions",
    """mode success_url cancel_url customer customer_email client_reference_id expires_at locale
    currency metadata metadata.* ui_mode=hosted_page line_items[].price line_items[].quantity
    line_items[].adjustable_quantity.enabled=false allow_promotion_codes=false
    automatic_tax.enabled tax_id_collection.enabled customer_update.address customer_update.name
    billing_address_collection payment_method_collection=always customer_creation submit_type
    payment_method_types[]=card|us_bank_account|sepa_debit phone_number_collection.enabled=false
    subscription_data.metadata.* subscription_data.description
    subscription_data.billing_mode.type=flexible
    payment_intent_data.metadata.* payment_intent_data.description
    payment_intent_data.setup_future_usage setup_intent_data.metadata.*
    setup_intent_data.description invoice_creation.enabled
    invoice_creation.invoice_data.metadata.* invoice_creation.invoice_data.description""",
)
def create_session(world: World, call: Call) -> Body:
    mode = call.get("mode")
    _require_coherent(call, mode)
    customer = None
    if "customer" in call.params:
        customer = world.get("customer", call.get("customer"), param="customer")
    _require_updatable(call, customer)
    lines = _line_items(world, call, mode)
    session = world.create(
        "checkout.session",
        _body(world, call, customer, lines),
        line_items=lines,
        subscription_data=call.get("subscription_data", {}),
        payment_intent_data=call.get("payment_intent_data", {}),
        customer_update=call.get("customer_update", {}),
    )
    if mode == "setup":
        data = call.get("setup_intent_data", {})
        metadata = merge_metadata({}, data.get("metadata"))
        setup = setups.new_setup(world, session["customer"], metadata, data.get("description"))
        world.keep(setup, session=session["id"])
        world.update(session, setup_intent=setup["id"])
    world.schedule("expire", session, session["expires_at"])
    return session


@operation("GET /v1/checkout/sessions/{session}")
def retrieve_session(world: World, call: Call) -> Body:
    return world.get("checkout.session", call.ids["session"])


@operation("POST /v1/checkout/sessions/{session}", "metadata metadata.*")
def update_session(world: World, call: Call) -> Body:
    session = world.get("checkout.session", call.ids["session"])
    metadata = merge_metadata(session["metadata"], call.get("metadata"))
    return world.update(session, metadata=metadata)


@operation(
    "GET /v1/checkout/sessions",
    "customer status payment_intent subscription created created.*",
)
def list_sessions(world: World, call: Call) -> Body:
    names = ("customer", "status", "payment_intent", "subscription")
    return page(world, call, "checkout.session", {name: call.get(name) for name in names})


@operation("POST /v1/checkout/sessions/{session}/expire")
def expire_session(world: World, call: Call) -> Body:
    session = world.get("checkout.session", call.ids["session"])
    if session["status"] != "open":
        raise Refused(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session['status']}."
        )
    return expire(world, session)


@operation("GET /v1/checkout/sessions/{session}/line_items")
def list_line_items(world: World, call: Call) -> Body:
    session = world.get("checkout.session", call.ids["session"])
    return page_of(call, world.hidden(session)["line_items"])


@includable("checkout.session", "line_items")
def line_items(world: World, session: Body) -> Body:
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return listed(world.hidden(session)["line_items"], url)


def expire(world: World, session: Body) -> Body:
    world.unschedule(session, "expire")
    world.update(session, status="expired", url=None)
    world.emit("checkout.session.expired", session)
    intent = world.hidden(session).get("intent")
    if intent:
        payments.cancel(world, world.get("payment_intent", intent), "abandoned")
    return session


def pay(
    world: World,
    session: Body,
    card: Card,
    payer: Payer,
    expiry: tuple[int, int] = (12, 2034),
) -> Body:
    """The customer presses *Pay*: the intent's status says what happened.

    Raises CardDeclined, and the session stays open.
    """
    _require_open(session)
    if card.type not in session["payment_method_types"]:
        raise Refused(f"This session does not take payments of type {card.type}.")
    payer = _known_payer(world, session, payer)
    details: Body = {"email": payer.email, "name": payer.name, "address": payer.address}
    method = payment_methods.new_payment_method(world, card, expiry=expiry, details=details)
    world.keep(session, payer=asdict(payer), method=method["id"])
    return _try(world, session, method)


def authenticated(world: World, session: Body, *, approved: bool) -> Body:
    """The bank answers for the customer. Raises CardDeclined when it does not approve."""
    _require_open(session)
    method = world.get("payment_method", world.hidden(session)["method"])
    return _try(world, session, method, authenticated=approved)


def settled(world: World, session: Body, intent: Body) -> None:
    """The bank's late answer to a session that completed unpaid."""
    invoice = session["invoice"] and world.get("invoice", session["invoice"])
    if intent["status"] == "succeeded":
        world.update(session, payment_status="paid")
        if session["mode"] == "payment":
            _bill_payment(world, session, intent)
        world.emit("checkout.session.async_payment_succeeded", session)
    else:
        world.emit("checkout.session.async_payment_failed", session)
    if invoice:
        invoices.follow(world, invoice, intent)


def last_refusal(world: World, session: Body) -> str:
    """Why the last attempt to pay failed, in words for the customer; empty when none did."""
    id = session["setup_intent"] or world.hidden(session).get("intent", "")
    intent: Body = world.look_up(id) or {}
    error = intent.get("last_payment_error") or intent.get("last_setup_error") or {}
    message: str = error.get("message", "")
    return message


def success_url(session: Body) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _try(world: World, session: Body, method: Body, *, authenticated: bool | None = None) -> Body:
    if session["mode"] == "setup":
        intent = world.get("setup_intent", session["setup_intent"])
        setups.attempt(world, intent, method, authenticated=authenticated)
    elif session["amount_total"] == 0:
        customer = _customer(world, session)
        intent = {"status": "succeeded", "customer": customer, "setup_future_usage": None}
    else:
        intent = _intent(world, session)
        payments.attempt(world, intent, method, authenticated=authenticated)
    if intent["status"] == "requires_payment_method":
        is_setup = session["mode"] == "setup"
        raise setups.declined(intent) if is_setup else payments.declined(world, intent)
    if intent["status"] in ("succeeded", "processing"):
        _complete(world, session, intent, method)
    return intent


def _complete(world: World, session: Body, intent: Body, method: Body) -> None:
    paid = intent["status"] == "succeeded"
    free = session["mode"] == "setup" or session["amount_total"] == 0
    world.unschedule(session, "expire")
    world.update(
        session,
        customer=intent["customer"],
        customer_details=_customer_details(_payer(world, session)),
        payment_status="no_payment_required" if free else "paid" if paid else "unpaid",
        status="complete",
        url=None,
    )
    _update_customer(world, session)
    if session["mode"] == "subscription":
        _subscribe(world, session, intent, method)
    elif session["mode"] == "payment":
        if intent["setup_future_usage"] and intent["customer"]:
            payment_methods.attach(world, method, intent["customer"])
        if paid:
            _bill_payment(world, session, intent)
    world.emit("checkout.session.completed", session)


def _subscribe(world: World, session: Body, intent: Body, method: Body) -> None:
    payment_methods.attach(world, method, intent["customer"])
    data = world.hidden(session)["subscription_data"]
    ordered = [
        subscriptions.Ordered(world.get("price", line["price"]["id"]), line["quantity"], {})
        for line in world.hidden(session)["line_items"]
    ]
    subscription = subscriptions.begin(
        world,
        world.get("customer", intent["customer"]),
        ordered,
        currency=session["currency"],
        metadata=merge_metadata({}, data.get("metadata")),
        description=data.get("description"),
        method=method["id"],
        automatic_tax=session["automatic_tax"]["enabled"],
    )
    invoice = subscriptions.start(world, subscription, intent)
    if invoice["status"] == "open":
        invoices.follow(world, invoice, intent)
    world.update(session, subscription=subscription["id"], invoice=invoice["id"])


def _bill_payment(world: World, session: Body, intent: Body) -> None:
    """The invoice of a one-off payment, where the session asked for one."""
    creation = session["invoice_creation"]
    if not creation["enabled"]:
        return
    lines = [
        invoices.new_line(
            world,
            description=line["description"],
            amount=line["amount_total"],
            currency=line["currency"],
            period=(world.now, world.now),
            price=line["price"],
            unit=line["amount_total"] // line["quantity"],
            quantity=line["quantity"],
        )
        for line in world.hidden(session)["line_items"]
    ]
    invoice = invoices.draft(
        world,
        world.get("customer", intent["customer"]),
        lines,
        "manual",
        currency=session["currency"],
        metadata=creation["invoice_data"]["metadata"],
        description=creation["invoice_data"]["description"],
        automatic_tax=session["automatic_tax"]["enabled"],
    )
    invoices.finalize(world, invoice, intent)
    if invoice["status"] == "open":
        invoices.follow(world, invoice, intent)
    world.update(session, invoice=invoice["id"])


def _intent(world: World, session: Body) -> Body:
    """The session's payment intent, made at the first attempt to pay."""
    known = world.hidden(session).get("intent")
    if known:
        return world.get("payment_intent", known)
    data = world.hidden(session)["payment_intent_data"]
    recurring = session["mode"] == "subscription"
    intent = payments.new_intent(
        world,
        session["amount_total"],
        session["currency"],
        _customer(world, session),
        metadata=merge_metadata({}, data.get("metadata")),
        description="Subscription creation" if recurring else data.get("description"),
        setup_future_usage="off_session" if recurring else data.get("setup_future_usage"),
        types=session["payment_method_types"],
        session=session["id"],
    )
    world.keep(session, intent=intent["id"])
    if not recurring:
        world.update(session, payment_intent=intent["id"])
    return intent


def _customer(world: World, session: Body) -> str | None:
    needed = (
        session["mode"] == "subscription"
        or session["customer_creation"] == "always"
        or session["invoice_creation"]["enabled"]
    )
    if session["customer"] or not needed:
        found: str | None = session["customer"]
        return found
    payer = _payer(world, session)
    customer = customers.new_customer(world, email=payer.email, name=payer.name)
    world.update(customer, address=payer.address)
    world.emit("customer.created", customer)
    created: str = customer["id"]
    return created


def _update_customer(world: World, session: Body) -> None:
    """`customer_update`: what the customer typed becomes the customer's own."""
    wanted = world.hidden(session)["customer_update"]
    if not session["customer"] or "auto" not in wanted.values():
        return
    customer = world.get("customer", session["customer"])
    payer = _payer(world, session)
    changes: Body = {}
    if wanted.get("name") == "auto" and payer.name:
        changes["name"] = payer.name
    if wanted.get("address") == "auto" and payer.address:
        changes["address"] = payer.address
    world.update(customer, "customer.updated", **changes)


def _payer(world: World, session: Body) -> Payer:
    return Payer(**world.hidden(session)["payer"])


def _known_payer(world: World, session: Body, payer: Payer) -> Payer:
    """What the page leaves out is known from the session or the customer."""
    customer: Body = {}
    if session["customer"]:
        customer = world.get("customer", session["customer"])
    return Payer(
        email=customer.get("email") or session["customer_email"] or payer.email,
        name=payer.name or customer.get("name"),
        country=payer.country or (customer.get("address") or {}).get("country"),
    )


def _customer_details(payer: Payer) -> Body:
    return {
        "address": payer.address,
        "business_name": None,
        "email": payer.email,
        "individual_name": None,
        "name": payer.name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _require_open(session: Body) -> None:
    if session["status"] != "open":
        raise Refused(f"This Checkout Session is {session['status']}.")


def _require_coherent(call: Call, mode: str | None) -> None:
    for name in ("mode", "success_url", *(["line_items"] if mode != "setup" else [])):
        if not call.get(name):
            raise InvalidRequest(
                f"Missing required param: {name}.", code="parameter_missing", param=name
            )
    for name, only in ONLY_IN.items():
        if name in call.params and mode != only:
            raise InvalidRequest(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if mode == "setup" and not {"currency", "payment_method_types"} & set(call.params):
        raise InvalidRequest(
            "`currency` is required in `setup` mode when `payment_method_types` is not set.",
            code="parameter_missing",
            param="currency",
        )
    if "customer" in call.params and "customer_email" in call.params:
        raise InvalidRequest(
            "You may only specify one of these parameters: customer, customer_email.",
            code="parameters_exclusive",
        )


def _require_updatable(call: Call, customer: Body | None) -> None:
    """What Checkout would learn of an existing customer needs leave to be written there."""
    update = call.get("customer_update", {})
    if customer is None:
        if update:
            raise InvalidRequest(
                "`customer_update` can only be used with `customer`.", param="customer_update"
            )
        return
    if call.get("tax_id_collection.enabled") and update.get("name") != "auto":
        raise InvalidRequest(
            "Tax ID collection requires updating business name on the customer. To enable tax ID "
            "collection for an existing customer, please set `customer_update[name]` to `auto`.",
            param="customer_update[name]",
        )
    located = update.get("address") == "auto" or customer["address"]
    if call.get("automatic_tax.enabled") and not located:
        raise InvalidRequest(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a "
            "valid address to the Customer or set `customer_update[address]` to 'auto' to save the "
            "address entered during Checkout to the Customer.",
            code="customer_tax_location_invalid",
        )


def _line_items(world: World, call: Call, mode: str) -> list[Body]:
    found = []
    currency: str | None = call.get("currency")
    for index, given in enumerate(call.get("line_items", [])):
        param = f"line_items[{index}][price]"
        if "price" not in given:
            raise InvalidRequest(
                f"Missing required param: {param}.", code="parameter_missing", param=param
            )
        price = world.get("price", given["price"], param=param)
        prices.require_usable(price, param, recurring=False)
        _require_fitting(price, mode, param)
        currency = currency or price["currency"]
        quantity = prices.quantity(given, f"line_items[{index}]", least=1)
        found.append(_line_item(world, price, quantity, currency))
    return found


def _require_fitting(price: Body, mode: str, param: str) -> None:
    if mode == "payment" and price["type"] == "recurring":
        raise InvalidRequest(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param=param,
        )
    if mode == "subscription" and price["type"] == "one_time":
        raise NotSupported("one-time prices in a subscription's Checkout", param=param)
    if mode == "setup":
        raise InvalidRequest("You can not pass `line_items` in `setup` mode.", param="line_items")


def _line_item(world: World, price: Body, quantity: int, currency: str) -> Body:
    total = prices.unit_amount(world, price, currency) * quantity
    return {
        "id": new_id("item"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": world.get("product", price["product"])["name"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def _body(world: World, call: Call, customer: Body | None, lines: list[Body]) -> Body:
    id = new_id("checkout.session")
    mode = call.get("mode")
    total = sum(line["amount_total"] for line in lines) if lines else None
    currency = lines[0]["currency"] if lines else call.get("currency")
    email = customer["email"] if customer else call.get("customer_email")
    taxed = call.get("automatic_tax.enabled", False)
    nothing = """adaptive_pricing after_expiration client_secret collected_information consent
        consent_collection currency_conversion customer_account discounts invoice
        origin_context payment_intent payment_link payment_method_configuration_details permissions
        recovered_from saved_payment_method_options setup_intent shipping_address_collection
        shipping_cost subscription wallet_options managed_payments integration_identifier"""
    given = """billing_address_collection cancel_url client_reference_id customer_email locale
        submit_type success_url"""
    custom_text = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    return {
        **dict.fromkeys(nothing.split()),
        **{name: call.get(name) for name in given.split()},
        "id": id,
        "allow_promotion_codes": call.get("allow_promotion_codes"),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {
            "enabled": taxed,
            "liability": {"type": "self"} if taxed else None,
            "provider": "stripe" if taxed else None,
            "status": "complete" if taxed else None,
        },
        "created": world.now,
        "currency": currency,
        "custom_fields": [],
        "custom_text": dict.fromkeys(custom_text),
        "customer": customer["id"] if customer else None,
        "customer_creation": _customer_creation(call, customer),
        "customer_details": _customer_details(Payer(email=email)) if email else None,
        "expires_at": _expiry(world, call),
        "invoice_creation": _invoice_creation(call) if mode == "payment" else None,
        "livemode": False,
        "metadata": merge_metadata({}, call.get("metadata")),
        "mode": mode,
        "payment_method_collection": "always" if mode == "subscription" else "if_required",
        "payment_method_options": {},
        "payment_method_types": _types(call, currency),
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "tax_id_collection": {
            "enabled": call.get("tax_id_collection.enabled", False),
            "required": "never",
        },
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{BASE}/c/pay/{id}",
    }


def _customer_creation(call: Call, customer: Body | None) -> str | None:
    if customer:
        return None
    chosen: str = call.get("customer_creation", "if_required")
    return "always" if call.get("mode") == "subscription" else chosen


def _invoice_creation(call: Call) -> Body:
    data = call.get("invoice_creation.invoice_data", {})
    return {
        "enabled": call.get("invoice_creation.enabled", False),
        "invoice_data": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": data.get("description"),
            "footer": None,
            "issuer": None,
            "metadata": merge_metadata({}, data.get("metadata")),
            "rendering_options": None,
        },
    }


def _types(call: Call, currency: str) -> list[str]:
    debits = [kind for kind, only in DEBIT_CURRENCY.items() if only == currency]
    default = ["card"] if call.get("mode") == "setup" else ["card", *debits]
    chosen: list[str] = call.get("payment_method_types", default)
    return chosen


def _expiry(world: World, call: Call) -> int:
    at: Any = call.get("expires_at", world.now + 24 * HOUR)
    if not world.now + HOUR // 2 - 60 <= at <= world.now + 24 * HOUR + 60:
        raise InvalidRequest(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout "
            "Session creation.",
            param="expires_at",
        )
    return int(at)
