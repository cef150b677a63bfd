"""Stripe's lists: newest first, in pages that a cursor begins."""

from typing import Any

from infra.local.stripe_sandbox.errors import InvalidRequest, NoSuchObject
from infra.local.stripe_sandbox.operations import Call
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def listed(data: list[Body], url: str, *, has_more: bool = False) -> Body:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def page(
    world: World, call: Call, kind: str, filters: dict[str, Any] | None = None, *more: str
) -> Body:
    """The page that `call` asks for, of the objects whose (dotted) fields equal `filters`.

    A filter without a value holds back nothing, one with a list lets any of them pass, and the
    call's `created` may be a range. `more` are conditions in SQL.
    """
    conditions, values = _conditions(call, filters or {})
    conditions.extend(more)
    limit = _limit(call)
    backwards = "ending_before" in call.params
    for name, comparison in (("starting_after", "<"), ("ending_before", ">")):
        if name in call.params:
            conditions.append(f"seq {comparison} ?")
            values.append(_cursor(world, kind, call.get(name), name))
    most = -1 if backwards else limit + 1
    found = world.find(kind, " AND ".join(conditions) or "1", *values, limit=most)
    kept = found[-limit:] if backwards else found[:limit]
    return listed(kept, call.url, has_more=len(found) > limit)


def page_of(call: Call, data: list[Body]) -> Body:
    """A page of objects at hand, in the order given, under the same cursors."""
    limit, ids = _limit(call), [item["id"] for item in data]
    if "starting_after" in call.params:
        data = data[_index(ids, call.get("starting_after"), "starting_after") + 1 :]
    if "ending_before" in call.params:
        data = data[: _index(ids, call.get("ending_before"), "ending_before")][-limit - 1 :]
        return listed(data[-limit:], call.url, has_more=len(data) > limit)
    return listed(data[:limit], call.url, has_more=len(data) > limit)


def _conditions(call: Call, filters: dict[str, Any]) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for name, value in filters.items():
        if value is not None:
            wanted = value if isinstance(value, list) else [value]
            conditions.append(f"json_extract(body, '$.{name}') IN ({', '.join('?' * len(wanted))})")
            values.extend(wanted)
    created = call.get("created", {})
    if isinstance(created, int):
        conditions.append("json_extract(body, '$.created') = ?")
        values.append(created)
        return conditions, values
    for comparison, value in created.items():
        conditions.append(f"json_extract(body, '$.created') {COMPARISONS[comparison]} ?")
        values.append(value)
    return conditions, values


def _limit(call: Call) -> int:
    limit: int = call.get("limit", 10)
    if not 1 <= limit <= 100:
        raise InvalidRequest(
            f"This value must be between 1 and 100 (it currently is {limit}).",
            code="parameter_invalid_integer",
            param="limit",
        )
    if "starting_after" in call.params and "ending_before" in call.params:
        raise InvalidRequest(
            "You may only specify one of these parameters: starting_after, ending_before.",
            code="parameters_exclusive",
        )
    return limit


def _cursor(world: World, kind: str, id: str, param: str) -> int:
    world.get(kind, id, param=param)
    seq = world.seq(id)
    if seq is None:
        raise NoSuchObject(kind, id, param=param)
    return seq


def _index(ids: list[str], id: str, param: str) -> int:
    if id not in ids:
        raise NoSuchObject("object", id, param=param)
    return ids.index(id)
