"""Stripe's form bodies and query strings: brackets into nested values, and back into names."""

from collections.abc import Iterable
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from infra.local.stripe_sandbox.errors import InvalidRequest

Form: TypeAlias = dict[str, Any]


def decode(text: str) -> Form:
    """`items[0][price]=a&expand[]=b` as `{"items": {"0": {"price": "a"}}, "expand": {"0": "b"}}`.

    Every value is a string and every container a dict: only the description knows which of them
    are lists and numbers.
    """
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _place(form, name, _segments(name), value)
    return form


def join(path: Iterable[str | int]) -> str:
    """The name of a parameter as Stripe writes it: `items[0][price]`."""
    first, *rest = path
    return str(first) + "".join(f"[{segment}]" for segment in rest)


def _segments(name: str) -> list[str]:
    head, *tail = name.split("[")
    if not head or any(not segment.endswith("]") for segment in tail):
        raise InvalidRequest(f"Invalid parameter name: {name}", param=name)
    return [head, *(segment[:-1] for segment in tail)]


def _place(form: Form, name: str, segments: list[str], value: str) -> None:
    place = form
    for segment in segments[:-1]:
        place = place.setdefault(segment or str(len(place)), {})
        if not isinstance(place, dict):
            raise InvalidRequest(f"Invalid hash: {name}", param=name)
    last = segments[-1] or str(len(place))
    if last in place:
        raise InvalidRequest(f"You passed {name} more than once.", param=name)
    place[last] = value
