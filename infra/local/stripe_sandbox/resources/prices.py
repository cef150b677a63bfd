"""Products and prices."""

from decimal import Decimal, InvalidOperation
from typing import Any

from infra.local.stripe_sandbox.errors import InvalidRequest, NotSupported, Refused
from infra.local.stripe_sandbox.expansion import includable
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.state import Body, new_id
from infra.local.stripe_sandbox.world import World

PRODUCT = """name active description metadata metadata.* unit_label statement_descriptor url
    tax_code images[] marketing_features[].name"""
PRODUCT_FIELDS = [
    "name",
    "active",
    "description",
    "unit_label",
    "statement_descriptor",
    "url",
    "tax_code",
    "images",
    "marketing_features",
]
LONGEST_YEARS = 3


@operation("POST /v1/products", f"{PRODUCT} id")
def create_product(world: World, call: Call) -> Body:
    return new_product(world, call.params)


def new_product(world: World, given: Body) -> Body:
    if "id" in given and world.look_up(given["id"]):
        raise Refused(
            f"Product already exists: {given['id']}", code="resource_already_exists", param="id"
        )
    product = world.create(
        "product",
        {
            "id": given.get("id", new_id("product")),
            "active": True,
            "created": world.now,
            "default_price": None,
            "description": None,
            "images": [],
            "livemode": False,
            "marketing_features": [],
            "metadata": merge_metadata({}, given.get("metadata")),
            "package_dimensions": None,
            "shippable": None,
            "statement_descriptor": None,
            "tax_code": None,
            "unit_label": None,
            "updated": world.now,
            "url": None,
        }
        | {name: given[name] for name in PRODUCT_FIELDS if name in given},
    )
    world.emit("product.created", product)
    return product


@operation("GET /v1/products/{id}")
def retrieve_product(world: World, call: Call) -> Body:
    return world.get("product", call.ids["id"])


@operation("POST /v1/products/{id}", PRODUCT)
def update_product(world: World, call: Call) -> Body:
    product = world.get("product", call.ids["id"])
    changes = {name: call.params[name] or None for name in PRODUCT_FIELDS if name in call.params}
    for name in {"active", "images", "marketing_features"} & set(changes):
        changes[name] = call.params[name] or ([] if name != "active" else False)
    changes["metadata"] = merge_metadata(product["metadata"], call.get("metadata"))
    if all(product[name] == value for name, value in changes.items()):
        return product
    return world.update(product, "product.updated", **changes, updated=world.now)


@operation("DELETE /v1/products/{id}")
def delete_product(world: World, call: Call) -> Body:
    product = world.get("product", call.ids["id"])
    if world.find("price", "json_extract(body, '$.product') = ?", product["id"], limit=1):
        raise Refused(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    world.emit("product.deleted", product)
    return world.delete(product)


@operation("GET /v1/products", "active ids[] created created.*")
def list_products(world: World, call: Call) -> Body:
    return page(world, call, "product", {"active": call.get("active"), "id": call.get("ids")})


@operation(
    "POST /v1/prices",
    """currency unit_amount unit_amount_decimal product active nickname metadata metadata.*
    lookup_key transfer_lookup_key tax_behavior billing_scheme=per_unit recurring.interval
    recurring.interval_count recurring.usage_type=licensed product_data.name product_data.id
    product_data.active product_data.metadata.* product_data.unit_label
    product_data.statement_descriptor product_data.tax_code
    currency_options.*""",
)
def create_price(world: World, call: Call) -> Body:
    product = _product_of(world, call)
    recurring = _recurring(call.get("recurring"))
    amount = _amount(call.params)
    key = _take_lookup_key(world, call)
    options = {
        currency: _currency_option(option, currency)
        for currency, option in call.get("currency_options", {}).items()
    }
    price = world.create(
        "price",
        {
            "active": call.get("active", True),
            "billing_scheme": "per_unit",
            "created": world.now,
            "currency": call.get("currency").lower(),
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": key,
            "metadata": merge_metadata({}, call.get("metadata")),
            "nickname": call.get("nickname"),
            "product": product["id"],
            "recurring": recurring,
            "tax_behavior": call.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if recurring else "one_time",
            **amount,
        },
        currency_options=options,
    )
    world.emit("price.created", price)
    return price


@operation("GET /v1/prices/{price}")
def retrieve_price(world: World, call: Call) -> Body:
    return world.get("price", call.ids["price"])


@operation(
    "POST /v1/prices/{price}",
    "active nickname metadata metadata.* lookup_key transfer_lookup_key tax_behavior",
)
def update_price(world: World, call: Call) -> Body:
    price = world.get("price", call.ids["price"])
    names = ("active", "nickname", "tax_behavior")
    changes = {name: call.params[name] for name in names if name in call.params}
    if "lookup_key" in call.params:
        changes["lookup_key"] = _take_lookup_key(world, call, price["id"])
    changes["metadata"] = merge_metadata(price["metadata"], call.get("metadata"))
    return world.update(price, "price.updated", **changes)


@operation(
    "GET /v1/prices",
    "active currency lookup_keys[] product type recurring.interval created created.*",
)
def list_prices(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("active", "currency", "product", "type")}
    filters["lookup_key"] = call.get("lookup_keys")
    filters["recurring.interval"] = call.get("recurring.interval")
    return page(world, call, "price", filters)


@includable("price", "currency_options")
def currency_options(world: World, price: Body) -> Body:
    own = _currency_option(price, price["currency"])
    options: Body = world.hidden(price)["currency_options"]
    return {price["currency"]: own} | options


def _product_of(world: World, call: Call) -> Body:
    if ("product" in call.params) == ("product_data" in call.params):
        raise InvalidRequest(
            "You must provide exactly one of product or product_data.",
            code="parameter_missing",
            param="product",
        )
    if "product" in call.params:
        return world.get("product", call.get("product"), param="product")
    return new_product(world, call.get("product_data"))


def _amount(given: Body) -> Body:
    """The amount in minor units; the sandbox has no fractions of them."""
    if ("unit_amount" in given) == ("unit_amount_decimal" in given):
        raise InvalidRequest(
            "Exactly one of unit_amount or unit_amount_decimal is required.",
            code="parameter_missing",
            param="unit_amount",
        )
    try:
        amount = Decimal(str(given.get("unit_amount", given.get("unit_amount_decimal"))))
    except InvalidOperation:
        amount = Decimal(-1)
    if amount < 0 or amount != int(amount):
        raise InvalidRequest(
            "Invalid non-negative integer", code="parameter_invalid_integer", param="unit_amount"
        )
    return {"unit_amount": int(amount), "unit_amount_decimal": str(int(amount))}


def _currency_option(given: Body, currency: str) -> Body:
    shared = {"custom_unit_amount": None, "tax_behavior": given.get("tax_behavior", "unspecified")}
    allowed = {"unit_amount", "tax_behavior", "unit_amount_decimal"}
    if given.get("object") != "price" and set(given) - allowed:
        raise NotSupported(f"currency_options[{currency}] beyond unit amounts")
    amount = {"unit_amount": given["unit_amount"]} if "unit_amount" in given else given
    return shared | _amount(amount)


def _recurring(given: Any) -> Body | None:
    if not given:
        return None
    interval, count = given["interval"], given.get("interval_count", 1)
    longest = {"day": 365, "week": 52, "month": 12, "year": 1}[interval] * LONGEST_YEARS
    if not 1 <= count <= longest:
        raise InvalidRequest(
            "The maximum interval is three years.",
            code="parameter_invalid_integer",
            param="recurring[interval_count]",
        )
    return {"interval": interval, "interval_count": count, "meter": None, "usage_type": "licensed"}


def _take_lookup_key(world: World, call: Call, own: str | None = None) -> str | None:
    key: str | None = call.get("lookup_key")
    for holder in world.find("price", "json_extract(body, '$.lookup_key') = ?", key):
        if holder["id"] == own:
            continue
        if not call.get("transfer_lookup_key"):
            raise Refused(
                f"A price (`{holder['id']}`) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        world.update(holder, "price.updated", lookup_key=None)
    return key


def unit_amount(world: World, price: Body, currency: str) -> int:
    """Minor units of `currency` for one; raises InvalidRequest when the price has none."""
    options = currency_options(world, price)
    if currency not in options:
        raise InvalidRequest(
            f"The price specified supports currencies of `{'`, `'.join(options)}`, but the "
            f"transaction has a currency of `{currency}`."
        )
    amount: int = options[currency]["unit_amount"]
    return amount


def require_usable(price: Body, param: str, *, recurring: bool) -> None:
    if not price["active"]:
        raise InvalidRequest(
            f"The price specified is inactive. This field only accepts active prices: "
            f"{price['id']}",
            param=param,
        )
    if recurring and price["type"] != "recurring":
        raise InvalidRequest(
            "The price specified is set to `type=one_time` but this field only accepts prices "
            "with `type=recurring`.",
            param=param,
        )


def quantity(given: Body, param: str, *, default: int = 1, least: int = 0) -> int:
    """How many `given` asks for; `param` names it for the refusal."""
    found: int = given.get("quantity", default)
    if found < least:
        raise InvalidRequest(
            f"This value must be greater than or equal to {least}.",
            code="parameter_invalid_integer",
            param=f"{param}[quantity]" if param else "quantity",
        )
    return found
