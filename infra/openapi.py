"""Writes functions/portal/openapi.json from what the functions declare.

`python -m infra.openapi` writes the document; with `--check` it fails if that is not up to date.
"""

import importlib
import json
import os
import re
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "functions" / "portal" / "openapi.json"
PLACEHOLDERS = {
    "AUTOMATIC_TAX": "false",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "GRACE_DAYS": "14",
    "PLAN_CHANGES": "support",
    "STRIPE_API_BASE": "https://api.stripe.com",
    "STRIPE_LIVEMODE": "false",
} | dict.fromkeys(
    (
        "DOCUMENTS_BUCKET",
        "EVENT_BUS_NAME",
        "JWT_AUDIENCE",
        "LEDGER_TABLE_NAME",
        "OIDC_CLIENT_ID",
        "OIDC_ISSUER",
        "OIDC_SCOPE",
        "PRODUCT_NAME",
        "STRIPE_EVENTS_QUEUE_URL",
        "STRIPE_SECRET_ARN",
        "SUPPORT_EMAIL",
        "SUPPORT_URL",
        "TABLE_NAME",
    ),
    "none",
)
"""Settings under which the functions can be imported; nothing is called."""

_PRIMITIVES = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; what a program decides by"},
        "url": {"type": "string", "description": "With 402: where the customer acts"},
        "preview": {
            "$ref": "#/components/schemas/SlotsPreview",
            "description": "With quote_stale: the new quote",
        },
        "members": {
            "type": "array",
            "description": "With slots_in_use: who occupies them",
            "items": {
                "type": "object",
                "required": ["id", "email", "name", "status"],
                "properties": {
                    name: {"type": "string"} for name in ("id", "email", "name", "status")
                },
            },
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_NO_BODY = {"default": {"description": "As GET answers, without a body"}}


def function_apis() -> dict[str, Any]:
    """The Api of each function module that has one, by module name."""
    for name, value in PLACEHOLDERS.items():
        os.environ.setdefault(name, value)
    for folder in ("layers/common", "functions"):
        if str(ROOT / folder) not in sys.path:
            sys.path.insert(0, str(ROOT / folder))
    modules = [path.stem for path in sorted((ROOT / "functions").glob("*.py"))]
    loaded = {name: importlib.import_module(name) for name in modules}
    return {name: module.api for name, module in loaded.items() if hasattr(module, "api")}


def build_document() -> dict[str, Any]:
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for api in function_apis().values():
        for route in api.routes.values():
            method, path = route.key.split(" ")
            paths.setdefault(path, {})[method.lower()] = _operation(route, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Team billing",
            "version": "1",
            "description": "Money in minor units, times RFC 3339 in UTC, ids opaque. "
            "Errors are application/problem+json; every answer carries x-request-id.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _operation(route: Any, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    name, is_head = route.handler.__name__, route.key.startswith("HEAD ")
    signed_in = route.who in ("manager", "member", "operator", "signed in")
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": name.replace("get_", "head_", 1) if is_head else name,
        "x-who": str(route.who),
        "security": [{"token": []}] if signed_in else [],
        "parameters": _parameters(route, path),
        "responses": _NO_BODY
        if is_head
        else {
            str(route.status): _answer(route, schemas),
            "default": {
                "description": "What went wrong",
                "content": {"application/problem+json": {"schema": _ref("Problem")}},
            },
        },
    }
    if route.takes is not None:
        schemas[route.takes.__name__] = route.takes.model_json_schema()
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(route.takes.__name__)}},
        }
    return operation


def _parameters(route: Any, path: str) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    found += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in route.query.items()
    ]
    if route.idempotent:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema}
        )
    return found


def _answer(route: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if route.gives is None:
        return {"description": route.summary}
    schema = _schema(route.gives, schemas)
    return {"description": route.summary, "content": {"application/json": {"schema": schema}}}


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a type that views are made of; TypedDicts go to `schemas`."""
    if kind in _PRIMITIVES:
        return {"type": _PRIMITIVES[kind]}
    if isinstance(kind, UnionType):
        return {"anyOf": [_schema(each, schemas) for each in get_args(kind)]}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(get_args(kind)[0], schemas)}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema(get_args(kind)[1], schemas)}
    if not is_typeddict(kind):
        raise TypeError(f"no schema for {kind}")
    if kind.__name__ not in schemas:
        schemas[kind.__name__] = {}
        fields = get_type_hints(kind)
        schemas[kind.__name__] = {
            "type": "object",
            "required": list(fields),
            "properties": {name: _schema(each, schemas) for name, each in fields.items()},
        }
        if kind.__doc__:
            schemas[kind.__name__]["description"] = " ".join(kind.__doc__.split())
    return _ref(kind.__name__)


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def main() -> None:
    text = json.dumps(build_document(), indent=1, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(text)
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        sys.exit("functions/portal/openapi.json is not up to date: run `make openapi`")


if __name__ == "__main__":
    main()
