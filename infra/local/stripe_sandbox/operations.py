"""The routes of Stripe's that the sandbox does, and how one call to them runs."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from infra.local.stripe_sandbox import description, expansion
from infra.local.stripe_sandbox.errors import InvalidRequest, NoSuchRoute, NotSupported
from infra.local.stripe_sandbox.forms import Form
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

MOST_KEYS, LONGEST_KEY, LONGEST_VALUE = 50, 40, 500
LIST_PARAMETERS = {"limit", "starting_after", "ending_before"}


@dataclass(frozen=True)
class Call:
    """A valid request: its path, the ids in the path by their names, its typed parameters."""

    url: str
    ids: dict[str, str]
    params: Form

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter by its dotted name."""
        value: Any = self.params
        for segment in name.split("."):
            value = value.get(segment) if isinstance(value, dict) else None
        return default if value is None else value


Handler: TypeAlias = Callable[[World, Call], Body]


@dataclass(frozen=True)
class Operation:
    name: str
    handler: Handler
    accepts: dict[str, set[str] | None] = field(default_factory=dict)

    def refuse_what_is_not_done(self, params: Form) -> None:
        """Stripe takes it, the sandbox would ignore it: say so rather than ignore it."""
        for path, value in _leaves(params):
            allowed = self._allowed(path)
            if allowed is False:
                raise NotSupported(f"the parameter {path} of {self.name}", param=path)
            if isinstance(allowed, set) and _written(value) not in allowed:
                raise NotSupported(f"{path}={_written(value)} of {self.name}", param=path)

    def _allowed(self, path: str) -> set[str] | None | bool:
        if path in self.accepts:
            return self.accepts[path]
        parts = path.split(".")
        below = (".".join(parts[:length]) + ".*" for length in range(1, len(parts) + 1))
        return None if any(prefix in self.accepts for prefix in below) else False


_operations: dict[str, Operation] = {}


def operation(name: str, accepts: str = "") -> Callable[[Handler], Handler]:
    """Register what answers `name`, such as `POST /v1/customers`.

    `accepts` lists the parameters that are done, beside `expand` and a list's own: dotted paths,
    `[]` for a list's members, `.*` for all below, `=a|b` for the only values.
    """
    accepted: dict[str, set[str] | None] = {"expand[]": None}
    if name.startswith("GET"):
        accepted |= dict.fromkeys(LIST_PARAMETERS)
    for item in accepts.split():
        path, _, values = item.partition("=")
        accepted[path] = set(values.split("|")) if values else None

    def register(handler: Handler) -> Handler:
        _operations[name] = Operation(name, handler, accepted)
        return handler

    return register


def find(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The operation and the ids in its path; raises NoSuchRoute or NotSupported."""
    for known, pattern, template in description.routes():
        match = pattern.fullmatch(path) if known == method else None
        if match:
            name = f"{method} {template}"
            if name not in _operations:
                raise NotSupported(name)
            return _operations[name], match.groupdict()
    raise NoSuchRoute(f"Unrecognized request URL ({method}: {path}).")


def run(found: Operation, world: World, call: Call) -> Body:
    """Do it, expand the answer, and hold the answer against Stripe's description."""
    answer = copy.deepcopy(found.handler(world, call))
    for path in call.get("expand", []):
        expansion.expand(world, answer, path)
    description.check_response(found.name, answer)
    return answer


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for item in value:
            yield from _leaves(item, f"{path}[]")
    elif path:
        yield path, value


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def merge_metadata(known: Body, given: Any) -> Body:
    """Stripe's rule: an empty value deletes its key, an empty string all of them."""
    if not given:
        return {} if given == "" else known
    merged = {key: value for key, value in {**known, **given}.items() if value != ""}
    if len(merged) > MOST_KEYS or any(
        len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE for key, value in merged.items()
    ):
        raise InvalidRequest(
            f"Metadata holds up to {MOST_KEYS} keys of up to {LONGEST_KEY} characters, with values "
            f"of up to {LONGEST_VALUE}.",
            param="metadata",
        )
    return merged
