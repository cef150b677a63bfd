"""Invoices made by hand: drafts, what is put onto them, and drafts thrown away."""

from infra.local.stripe_sandbox import forms
from infra.local.stripe_sandbox.errors import InvalidRequest, NoSuchObject, NotSupported, Refused
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.resources import invoices, payment_methods, prices
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

DEFAULT_CURRENCY = "usd"
METHOD = "default_payment_method"


@operation(
    "POST /v1/invoices",
    """customer currency description metadata metadata.* default_payment_method
    automatic_tax.enabled auto_advance=false collection_method=charge_automatically
    pending_invoice_items_behavior=exclude""",
)
def create_invoice(world: World, call: Call) -> Body:
    customer = world.get("customer", _required(call, "customer"), param="customer")
    if METHOD in call.params:
        method = world.get("payment_method", call.get(METHOD), param=METHOD)
        payment_methods.require_attached(method, customer["id"], METHOD)
    drafted = invoices.body(
        world,
        customer,
        [],
        "manual",
        currency=call.get("currency", customer["currency"] or DEFAULT_CURRENCY).lower(),
        metadata=merge_metadata({}, call.get("metadata")),
        description=call.get("description"),
    )
    drafted |= {
        "auto_advance": False,
        "automatic_tax": invoices.tax(
            enabled=call.get("automatic_tax.enabled", False),
            located=invoices.is_located(customer),
        ),
        METHOD: call.get(METHOD),
    }
    invoice = world.create("invoice", drafted)
    world.emit("invoice.created", invoice)
    return invoice


@operation("DELETE /v1/invoices/{invoice}")
def delete_invoice(world: World, call: Call) -> Body:
    invoice = world.get("invoice", call.ids["invoice"])
    if invoice["status"] != "draft" or invoice["parent"]:
        raise Refused(
            "You can only delete one-off invoices that are drafts. Void this one instead.",
            code="invoice_not_editable",
        )
    for item in world.find("invoiceitem", "json_extract(body, '$.invoice') = ?", invoice["id"]):
        world.emit("invoiceitem.deleted", item)
        world.delete(item)
    world.emit("invoice.deleted", invoice)
    return world.delete(invoice)


@operation(
    "POST /v1/invoiceitems",
    "customer invoice pricing.price quantity currency description metadata metadata.*",
)
def create_item(world: World, call: Call) -> Body:
    if "invoice" not in call.params:
        raise NotSupported("items that wait for the next invoice", param="invoice")
    invoice = world.get("invoice", call.get("invoice"), param="invoice")
    if invoice["customer"] != _required(call, "customer"):
        raise NoSuchObject("invoice", invoice["id"], param="invoice")
    if invoice["status"] != "draft":
        raise Refused(
            "This invoice is finalized: it can no longer be edited.", code="invoice_not_editable"
        )
    if call.get("currency", invoice["currency"]).lower() != invoice["currency"]:
        raise InvalidRequest(
            f"The currency of the invoice item must be that of its invoice, {invoice['currency']}.",
            param="currency",
        )
    item = _item(world, call, invoice)
    world.emit("invoiceitem.created", item)
    lines = [*invoice["lines"]["data"], _line(world, item)]
    world.update(invoice, "invoice.updated", **invoices.made_of(invoice["id"], lines))
    return item


@operation("GET /v1/invoiceitems/{invoiceitem}")
def retrieve_item(world: World, call: Call) -> Body:
    return world.get("invoiceitem", call.ids["invoiceitem"])


@operation("GET /v1/invoiceitems", "customer invoice created created.*")
def list_items(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("customer", "invoice")}
    return page(world, call, "invoiceitem", filters)


def _item(world: World, call: Call, invoice: Body) -> Body:
    price = world.get("price", _required(call, "pricing.price"), param="pricing[price]")
    prices.require_usable(price, "pricing[price]", recurring=False)
    if price["recurring"]:
        raise InvalidRequest(
            "The price specified is set to `type=recurring` but this field only accepts prices "
            "with `type=one_time`.",
            param="pricing[price]",
        )
    unit = prices.unit_amount(world, price, invoice["currency"])
    product: Body = world.get("product", price["product"])
    quantity = prices.quantity(call.params, "")
    return world.create(
        "invoiceitem",
        {
            "amount": unit * quantity,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "customer_account": None,
            "date": world.now,
            "description": call.get("description", product["name"]),
            "discountable": True,
            "discounts": [],
            "invoice": invoice["id"],
            "livemode": False,
            "metadata": merge_metadata({}, call.get("metadata")),
            "net_amount": unit * quantity,
            "parent": None,
            "period": {"start": world.now, "end": world.now},
            "pricing": {
                "price_details": {"price": price["id"], "product": product["id"]},
                "type": "price_details",
                "unit_amount_decimal": str(unit),
            },
            "proration": False,
            "quantity": quantity,
            "quantity_decimal": str(quantity),
            "tax_rates": [],
            "test_clock": None,
        },
    )


def _line(world: World, item: Body) -> Body:
    return invoices.new_line(
        world,
        description=item["description"],
        amount=item["amount"],
        currency=item["currency"],
        period=(item["period"]["start"], item["period"]["end"]),
        price=world.get("price", item["pricing"]["price_details"]["price"]),
        unit=int(item["pricing"]["unit_amount_decimal"]),
        quantity=item["quantity"],
        item=item["id"],
        metadata=item["metadata"],
    )


def _required(call: Call, name: str) -> str:
    found: str | None = call.get(name)
    if found is None:
        param = forms.join(name.split("."))
        raise InvalidRequest(
            f"Missing required param: {param}.", code="parameter_missing", param=param
        )
    return found
