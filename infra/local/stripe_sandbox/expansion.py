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
    if len(segments) > DEEPEST:
        raise InvalidRequest(
            f"You cannot expand more than {DEEPEST} levels of a property ({path}).", param="expand"
        )
    _expand(world, answer, {}, segments, path)


def _expand(world: World, value: Any, schema: Body, segments: list[str], path: str) -> None:
    if value is None or not segments:
        return
    first, *rest = segments
    if isinstance(value, list):
        for item in value:
            _expand(world, item, schema["items"], segments, path)
    elif isinstance(value, dict) and value.get("object") == "list":
        if first != "data":
            raise _not_expandable(path)
        for item in value["data"]:
            _expand(world, item, {}, rest, path)
    elif not (isinstance(value, dict) and value.get("deleted")):
        _expand_field(world, value, schema, segments, path)


def _expand_field(world: World, value: Any, schema: Body, segments: list[str], path: str) -> None:
    first, *rest = segments
    described = _described(value, schema)
    if first not in described.get("x-expandable-fields", ()):
        raise _not_expandable(path)
    inner = described["properties"][first]
    if isinstance(value.get(first), str) and inner.get("x-expandable"):
        value[first] = copy.deepcopy(world.look_up(value[first]))
    elif first not in value:
        value[first] = _include(world, value, first)
    _expand(world, value[first], inner, rest, path)


def _described(value: Any, schema: Body) -> Body:
    """The schema of a hash: by its kind, or as its place in another says."""
    if isinstance(value, dict) and "object" in value:
        schema = description.object_schema(value["object"])
    for option in schema.get("anyOf", [schema]):
        found = description.resolve(option)
        if "properties" in found:
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
