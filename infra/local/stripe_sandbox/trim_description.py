"""Make the sandbox's copy of Stripe's description: facts kept, prose left out.

    python -m infra.local.stripe_sandbox.trim_description spec3.json.gz

The result is JSON Schema ready to use: `nullable` is a type union, every object that lists its
properties is closed, `x-expandable` names what an id may expand into. Routes that are Stripe's
but not used here stay as bare names, so that the sandbox can say "not done" apart from "unknown".
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

OBJECTS = frozenset(
    [
        "charge",
        "checkout.session",
        "credit_note",
        "credit_note_line_item",
        "customer",
        "customer_balance_transaction",
        "deleted_customer",
        "deleted_invoice",
        "deleted_product",
        "deleted_webhook_endpoint",
        "dispute",
        "error",
        "event",
        "invoice",
        "invoice_payment",
        "invoiceitem",
        "item",
        "line_item",
        "payment_intent",
        "payment_method",
        "price",
        "product",
        "refund",
        "setup_intent",
        "subscription",
        "subscription_item",
        "subscription_schedule",
        "webhook_endpoint",
    ]
)
ROUTES = frozenset(
    [
        "/v1/charges",
        "/v1/charges/{charge}",
        "/v1/checkout/sessions",
        "/v1/checkout/sessions/{session}",
        "/v1/checkout/sessions/{session}/expire",
        "/v1/checkout/sessions/{session}/line_items",
        "/v1/credit_notes",
        "/v1/credit_notes/{id}",
        "/v1/customers",
        "/v1/customers/search",
        "/v1/customers/{customer}",
        "/v1/customers/{customer}/balance_transactions",
        "/v1/customers/{customer}/payment_methods",
        "/v1/customers/{customer}/payment_methods/{payment_method}",
        "/v1/disputes",
        "/v1/disputes/{dispute}",
        "/v1/disputes/{dispute}/close",
        "/v1/events",
        "/v1/events/{id}",
        "/v1/invoice_payments",
        "/v1/invoice_payments/{invoice_payment}",
        "/v1/invoiceitems",
        "/v1/invoiceitems/{invoiceitem}",
        "/v1/invoices",
        "/v1/invoices/create_preview",
        "/v1/invoices/{invoice}",
        "/v1/invoices/{invoice}/finalize",
        "/v1/invoices/{invoice}/lines",
        "/v1/invoices/{invoice}/mark_uncollectible",
        "/v1/invoices/{invoice}/pay",
        "/v1/invoices/{invoice}/void",
        "/v1/payment_intents",
        "/v1/payment_intents/{intent}",
        "/v1/payment_intents/{intent}/confirm",
        "/v1/payment_methods",
        "/v1/payment_methods/{payment_method}",
        "/v1/payment_methods/{payment_method}/attach",
        "/v1/payment_methods/{payment_method}/detach",
        "/v1/prices",
        "/v1/prices/{price}",
        "/v1/products",
        "/v1/products/{id}",
        "/v1/refunds",
        "/v1/refunds/{refund}",
        "/v1/setup_intents",
        "/v1/setup_intents/{intent}",
        "/v1/subscription_items",
        "/v1/subscription_items/{item}",
        "/v1/subscription_schedules",
        "/v1/subscription_schedules/{schedule}",
        "/v1/subscription_schedules/{schedule}/cancel",
        "/v1/subscription_schedules/{schedule}/release",
        "/v1/subscriptions",
        "/v1/subscriptions/{subscription_exposed_id}",
        "/v1/webhook_endpoints",
        "/v1/webhook_endpoints/{webhook_endpoint}",
    ]
)
KEPT_AS_IS = ("type", "enum", "required", "format", "maxLength", "pattern")
REFERENCE = "#/components/schemas/"
Schema = dict[str, Any]


def main(arguments: list[str]) -> None:
    source = Path(arguments[0])
    full = json.loads(gzip.decompress(source.read_bytes()))
    trimmed = trim(full)
    target = Path(__file__).with_name(f"description-{trimmed['version']}.json.gz")
    text = json.dumps(trimmed, separators=(",", ":"), sort_keys=True)
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    sys.stdout.write(f"{target} {target.stat().st_size} bytes\n")


def trim(full: Schema) -> Schema:
    schemas = full["components"]["schemas"]
    trimmer = Trimmer(schemas)
    operations = {
        f"{method.upper()} {path}": trimmer.operation(operation)
        for path in sorted(ROUTES)
        for method, operation in full["paths"][path].items()
    }
    roots = [operations, [{"$ref": f"#/$defs/{name}"} for name in sorted(OBJECTS)]]
    return {
        "version": full["info"]["version"],
        "operations": operations,
        "routes": sorted(
            f"{method.upper()} {path}" for path, item in full["paths"].items() for method in item
        ),
        "$defs": trimmer.closure(roots),
    }


class Trimmer:
    def __init__(self, schemas: Schema) -> None:
        self.schemas = schemas
        self.left_out = {n for n, schema in schemas.items() if _is_object(schema)} - OBJECTS

    def operation(self, source: Schema) -> Schema:
        body = source.get("requestBody", {}).get("content", {})
        form = body.get("application/x-www-form-urlencoded", {}).get("schema", {})
        query = [p for p in source.get("parameters", []) if p["in"] == "query"]
        properties = {p["name"]: p["schema"] for p in query} | form.get("properties", {})
        required = [p["name"] for p in query if p.get("required")] + form.get("required", [])
        request: Schema = {"type": "object", "properties": properties, "required": required}
        answer = source["responses"]["200"]["content"]["application/json"]["schema"]
        return {"request": self.schema(request), "response": self.schema(answer)}

    def closure(self, roots: list[Any]) -> Schema:
        kept: Schema = {}
        waiting = sorted(_references(roots))
        while waiting:
            name = waiting.pop()
            if name not in kept:
                kept[name] = self.schema(self.schemas[name])
                waiting.extend(_references(kept[name]))
        return kept

    def schema(self, source: Schema) -> Schema:
        if "$ref" in source:
            return {"$ref": "#/$defs/" + source["$ref"].removeprefix(REFERENCE)}
        schema: Schema = {key: source[key] for key in KEPT_AS_IS if source.get(key)}
        if "anyOf" in source:
            schema = {"anyOf": [self.schema(o) for o in source["anyOf"] if self._is_kept(o)]}
        if "properties" in source:
            schema["properties"] = {k: self.schema(v) for k, v in source["properties"].items()}
            schema["additionalProperties"] = False
        elif isinstance(source.get("additionalProperties"), dict):
            schema["additionalProperties"] = self.schema(source["additionalProperties"])
        if "items" in source:
            schema["items"] = self.schema(source["items"])
        if "x-expandableFields" in source:
            schema["x-expandable-fields"] = source["x-expandableFields"]
        if "x-expansionResources" in source:
            schema["x-expandable"] = True
        return _or_null(schema) if source.get("nullable") else schema

    def _is_kept(self, option: Schema) -> bool:
        """An id that may expand into an object the sandbox lacks is only ever an id here."""
        return option.get("$ref", "").removeprefix(REFERENCE) not in self.left_out


def _is_object(schema: Schema) -> bool:
    return "enum" in schema.get("properties", {}).get("object", {})


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if isinstance(value, dict):
        own = {value["$ref"].removeprefix("#/$defs/")} if isinstance(value.get("$ref"), str) else ()
        return set(own).union(*map(_references, value.values()))
    return set()


def _or_null(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "enum" in schema:
        schema = schema | {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema


if __name__ == "__main__":
    main(sys.argv[1:])
