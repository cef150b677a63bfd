"""Writes functions/portal/openapi.json from what the functions declare.

`python -m infra.openapi` writes the document; with `--check` it fails if that is not up to date.
"""

import importlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
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

_GATEWAY_MESSAGE = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string"}},
    "description": "What API Gateway answers before any function runs",
}
_STATUSES = (400, 401, 402, 403, 404, 409, 413, 415, 422, 429, 503)
_QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "from": {"type": "string", "format": "date-time"},
    "to": {"type": "string", "format": "date-time"},
}
"""Schemas of query parameters that mean the same everywhere."""


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
    schemas: dict[str, Any] = {"Problem": _PROBLEM, "GatewayMessage": _GATEWAY_MESSAGE}
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
            "responses": {str(each): _problem(each) for each in _STATUSES},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _operation(route: Any, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    name, is_head = route.handler.__name__, route.key.startswith("HEAD ")
    problems = _problems(route)
    answers = _answers(route, schemas) | {
        str(each): {"$ref": f"#/components/responses/{each}"} for each in problems
    }
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": name.replace("get_", "head_", 1) if is_head else name,
        "x-who": str(route.who),
        "security": [{"token": []}] if _is_signed_in(route) else [],
        "parameters": _parameters(route, path),
        "responses": {status: _without_body(status) for status in answers} if is_head else answers,
    }
    body = _body(route, schemas)
    if body is not None:
        operation["requestBody"] = body
    return operation


def _is_signed_in(route: Any) -> bool:
    return route.who in ("manager", "member", "operator", "signed in")


def _body(route: Any, schemas: dict[str, Any]) -> dict[str, Any] | None:
    if route.who == "Stripe":
        event = {"type": "object", "description": "An event, https://docs.stripe.com/api/events"}
        return {"required": True, "content": {"application/json": {"schema": event}}}
    if route.takes is None:
        return None
    schema = route.takes.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[route.takes.__name__] = schema
    content = {"application/json": {"schema": _ref(route.takes.__name__)}}
    return {"required": "required" in schema, "content": content}


def _parameters(route: Any, path: str) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    found += [
        {"name": name, "in": "query", "description": text, "schema": _query(name, route.choices)}
        for name, text in route.query.items()
    ]
    found += [
        {
            "name": name,
            "in": "header",
            "required": route.who == "Stripe",
            "description": text,
            "schema": {"type": "string"},
        }
        for name, text in route.headers.items()
    ]
    if route.idempotent:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema}
        )
    return found


def _query(name: str, choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    if name in choices:
        return {"type": "string", "enum": list(choices[name])}
    return _QUERY.get(name, {"type": "string"})


def _answers(route: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {kind: {} for kind in route.media}
    if route.gives is not None:
        content["application/json"] = {"schema": _schema(route.gives, schemas)}
    answer = {"description": route.summary} | ({"content": content} if content else {})
    found: dict[str, Any] = {str(route.status): answer}
    if "If-None-Match" in route.headers:
        found["304"] = {"description": "Not modified"}
    return found


def _problems(route: Any) -> list[int]:
    """The statuses of problems that a route may have, by what it takes and is for."""
    of_input = {400} if route.takes or route.query or route.idempotent else set()
    of_body = {400, 413, 415} if route.takes else {400, 413} if route.who == "Stripe" else set()
    of_caller = {401, 403} if _is_signed_in(route) else set()
    of_id = {404} if "{" in route.key or route.query or route.takes else set()
    acts = _is_signed_in(route) and not route.key.startswith(("GET ", "HEAD "))
    of_act = {402, 404, 409, 422} if acts else set()
    of_services = set() if route.media and not route.gives else {429, 503}
    return sorted(of_input | of_body | of_caller | of_id | of_act | of_services)


def _without_body(status: str) -> dict[str, Any]:
    return {"description": HTTPStatus(int(status)).phrase}


def _problem(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    if status == 401:
        content["application/json"] = {"schema": _ref("GatewayMessage")}
    return {"description": HTTPStatus(status).phrase, "content": content}


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
