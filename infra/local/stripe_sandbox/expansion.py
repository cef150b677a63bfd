"""`expand[]`: ids in an answer replaced by their objects."""

import copy
from collections.abc import Callable
from typing import Any

from infra.local.stripe_sandbox import description
from infra.local.stripe_sandbox.errors import InvalidRequest, NotSupported
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

DEEPEST = 4

_includable: dict[tuple[str, str], Callable[[World, Body], Any]] = {}


def includable(
    kind: str, name: str
) -> Callable[[Callable[[World, Body], Any]], Callable[[World, Body], Any]]:
    """Register what computes a field that an object shows only when asked to."""

    def register(compute: Callable[[World, Body], Any]) -> Callable[[World, Body], Any]:
        _includable[kind, name] = compute
        return compute

    return register


def expand(world: World, answer: Body, path: str) -> None:
    """Raises InvalidRequest for what cannot be expanded, as Stripe does."""
    segments = path.split(".")
    if len(segments) - segments.count("data") > DEEPEST:
        raise InvalidRequest(
            f"You cannot expand more than {DEEPEST} levels of a property ({path}).", param="expand"
        )
    _expand(world, answer, {}, segments, path)


def _expand(world: World, value: Any, schema: Body, segments: list[str], path: str) -> None:
    if value is None or not segments:
        return
    first, *rest = segments
    if isinstance(value, dict) and value.get("object") == "list":
        for item in value["data"] if first == "data" else [{}]:
            _expand(world, item, {}, rest, path)
        return
    fields = _fields(value, schema)
    if first not in fields:
        raise _not_expandable(path)
    inner = fields[first]
    if isinstance(value.get(first), str) and inner.get("x-expandable"):
        value[first] = copy.deepcopy(world.look_up(value[first]))
    elif first not in value:
        value[first] = _include(world, value, first)
    elif not rest and not isinstance(value[first], dict | None):
        raise _not_expandable(path)
    _expand(world, value[first], inner, rest, path)


def _fields(value: Any, schema: Body) -> Body:
    if isinstance(value, dict) and "object" in value:
        schema = description.object_schema(value["object"])
    for option in schema.get("anyOf", [schema]):
        found: Body = description.resolve(option).get("properties", {})
        if found:
            return found
    return {}


def _include(world: World, body: Body, name: str) -> Any:
    compute = _includable.get((body.get("object", ""), name))
    if compute is None:
        raise NotSupported(f"the expansion of {name} in {body.get('object', 'this')}")
    return copy.deepcopy(compute(world, body))


def _not_expandable(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"This property cannot be expanded ({path}).",
        param="expand",
        code="property_not_expandable",
    )
