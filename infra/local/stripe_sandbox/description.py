"""Stripe's description: which requests are right, which objects are valid, what expands."""

import gzip
import json
import re
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from infra.local.stripe_sandbox import forms
from infra.local.stripe_sandbox.errors import Defect, InvalidRequest
from infra.local.stripe_sandbox.forms import Form

VERSION = "2026-08-26.dahlia"
Schema = dict[str, Any]


@cache
def _description() -> Schema:
    file = resources.files(__package__) / f"description-{VERSION}.json.gz"
    description: Schema = json.loads(gzip.decompress(file.read_bytes()))
    return description


@cache
def routes() -> list[tuple[str, re.Pattern[str], str]]:
    """Every route of Stripe's: method, pattern of its path, template."""
    found = []
    for name in sorted(_description()["routes"], key=lambda name: name.count("{")):
        method, template = name.split(" ")
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found.append((method, re.compile(pattern), template))
    return found


def resolve(schema: Schema) -> Schema:
    if "$ref" in schema:
        found: Schema = _description()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return found
    return schema


def object_schema(kind: str) -> Schema:
    found: Schema = _description()["$defs"][kind]
    return found


@cache
def _validator(kind: str, name: str) -> Draft202012Validator:
    schema = (
        {"$ref": f"#/$defs/{name}"}
        if kind == "object"
        else _description()["operations"][name][kind]
    )
    return Draft202012Validator(schema | {"$defs": _description()["$defs"]})


def check_object(body: Schema) -> None:
    """Raise Defect unless `body` is what the description says of objects of its kind."""
    name = ("deleted_" if body.get("deleted") else "") + body["object"]
    _check(_validator("object", name), body, f"{body['object']} {body.get('id')}")


def check_response(operation: str, body: Schema) -> None:
    _check(_validator("response", operation), body, f"answer to {operation}")


def _check(validator: Draft202012Validator, body: Schema, name: str) -> None:
    error = next(validator.iter_errors(body), None)
    if error is not None:
        error = _cause(error)
        where = ".".join(map(str, error.absolute_path))
        raise Defect(f"The {name} is not as described at {where or 'its top'}: {error.message}")


def read_request(operation: str, form: Form) -> Form:
    """The parameters, typed; raises InvalidRequest as Stripe would."""
    validator = _validator("request", operation)
    typed: Form = _typed(form, _description()["operations"][operation]["request"])
    errors = [_cause(error) for error in validator.iter_errors(typed)]
    if errors:
        raise min((_refusal(error) for error in errors), key=_unknown_first)
    return typed


def _unknown_first(error: InvalidRequest) -> int:
    return ["parameter_unknown", "parameter_missing", error.code].index(error.code)


def _typed(value: Any, schema: Schema) -> Any:
    """`value` with its strings turned into what `schema` wants, where they can be."""
    if "anyOf" in schema:
        return _typed_by_option(value, schema["anyOf"])
    if schema.get("type") == "object" and isinstance(value, dict):
        return {key: _typed(item, _member(schema, key)) for key, item in value.items()}
    if schema.get("type") == "array" and isinstance(value, dict):
        if all(map(str.isdigit, value)):
            return [_typed(value[key], schema["items"]) for key in sorted(value, key=int)]
        return value
    return _typed_scalar(value, schema) if isinstance(value, str) else value


def _member(schema: Schema, key: str) -> Schema:
    """The schema of one member; in a map of strings (metadata) an empty one deletes its key."""
    if key in schema.get("properties", {}):
        found: Schema = schema["properties"][key]
        return found
    other = schema.get("additionalProperties") or {}
    return {} if other.get("type") == "string" else other


def _typed_by_option(value: Any, options: list[Schema]) -> Any:
    """An option that fits wholly, else the one of the right shape, for a telling error."""
    shape = "object" if isinstance(value, dict) else "string"
    likely = [option for option in options if option.get("type") in (shape, "array")]
    for option in options:
        typed = _typed(value, option)
        if Draft202012Validator(option).is_valid(typed):
            return typed
    return _typed(value, likely[0]) if likely else value


def _typed_scalar(value: str, schema: Schema) -> Any:
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "string" and value == "" and "enum" not in schema:
        return None  # an empty string unsets; where that is allowed, an enum says so
    return value


def _cause(error: ValidationError) -> ValidationError:
    """Of an `anyOf`'s errors the one in the option that was meant: the deepest, by shape."""
    while error.context:
        meant = [
            inner
            for inner in error.context
            if inner.validator != "type" or len(inner.relative_path) > 0
        ]
        error = max(meant or error.context, key=lambda inner: len(inner.absolute_path))
    return error


def _refusal(error: ValidationError) -> InvalidRequest:
    path = [str(segment) for segment in error.absolute_path]
    given: Any = error.instance
    rule: Any = error.validator_value
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        path.append(next(name for name in given if name not in schema["properties"]))
        param = forms.join(path)
        return InvalidRequest(
            f"Received unknown parameter: {param}", code="parameter_unknown", param=param
        )
    if error.validator == "required":
        path.append(next(name for name in rule if name not in given))
        param = forms.join(path)
        return InvalidRequest(
            f"Missing required param: {param}.", code="parameter_missing", param=param
        )
    return _wrong_value(given, str(error.validator), rule, forms.join(path))


def _wrong_value(value: Any, validator: str, rule: Any, param: str) -> InvalidRequest:
    if value is None:
        message = (
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{param}' cannot be unset."
        )
        return InvalidRequest(message, code="parameter_invalid_empty", param=param)
    if validator == "enum":
        allowed = [str(option) for option in rule if option]
        listed = " or ".join(filter(None, [", ".join(allowed[:-1]), allowed[-1]]))
        return InvalidRequest(f"Invalid {param}: must be one of {listed}", param=param)
    kind = rule if validator == "type" else "string"
    kind = {"object": "hash"}.get(kind, kind)
    code = "parameter_invalid_integer" if kind == "integer" else None
    return InvalidRequest(f"Invalid {kind}: {value}", code=code, param=param)
