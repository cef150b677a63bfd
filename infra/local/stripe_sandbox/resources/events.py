"""Events, and the endpoints that are told of them."""

from infra.local.stripe_sandbox import description
from infra.local.stripe_sandbox.errors import InvalidRequest, NotSupported
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.state import Body, token
from infra.local.stripe_sandbox.world import World

KEPT_SECONDS = 30 * 86_400
MOST_TYPES = 20


@operation("GET /v1/events/{id}")
def retrieve_event(world: World, call: Call) -> Body:
    return _with_pending(world, world.get("event", call.ids["id"]))


@operation("GET /v1/events", "type types[] delivery_success created created.*")
def list_events(world: World, call: Call) -> Body:
    if "type" in call.params and "types" in call.params:
        raise InvalidRequest(
            "You may only specify one of these parameters: type, types.",
            code="parameters_exclusive",
        )
    types = call.get("types", [call.get("type")] if "type" in call.params else None)
    if types and len(types) > MOST_TYPES:
        raise InvalidRequest(f"You may only pass up to {MOST_TYPES} types.", param="types")
    if "*" in call.get("type", ""):
        raise NotSupported("wildcards in the type of events")
    found = page(
        world,
        call,
        "event",
        {"type": types},
        *_conditions(call.get("delivery_success")),
        f"json_extract(body, '$.created') > {world.now - KEPT_SECONDS}",
    )
    return found | {"data": [_with_pending(world, event) for event in found["data"]]}


def _conditions(delivered: bool | None) -> list[str]:
    """An event is delivered when each of its deliveries is."""
    if delivered is None:
        return []
    open_ones = "SELECT event FROM deliveries WHERE state != 'delivered'"
    return [f"id {'NOT ' if delivered else ''}IN ({open_ones})"]


def _with_pending(world: World, event: Body) -> Body:
    row = world.connection.execute(
        "SELECT count(*) AS pending FROM deliveries WHERE event = ? AND state = 'pending'",
        (event["id"],),
    ).fetchone()
    return event | {"pending_webhooks": row["pending"]}


@operation("POST /v1/webhook_endpoints", "url enabled_events[] api_version description metadata.*")
def create_endpoint(world: World, call: Call) -> Body:
    secret = f"whsec_{token(32)}"
    version = _version(call.get("api_version", description.VERSION))
    endpoint = world.create(
        "webhook_endpoint",
        {
            "api_version": version,
            "application": None,
            "created": world.now,
            "description": call.get("description"),
            "enabled_events": call.get("enabled_events"),
            "livemode": False,
            "metadata": merge_metadata({}, call.get("metadata")),
            "status": "enabled",
            "url": _url(call.get("url")),
        },
        secret=secret,
    )
    return endpoint | {"secret": secret}


@operation("GET /v1/webhook_endpoints/{webhook_endpoint}")
def retrieve_endpoint(world: World, call: Call) -> Body:
    return world.get("webhook_endpoint", call.ids["webhook_endpoint"])


@operation(
    "POST /v1/webhook_endpoints/{webhook_endpoint}",
    "url enabled_events[] description metadata metadata.* disabled",
)
def update_endpoint(world: World, call: Call) -> Body:
    endpoint = world.get("webhook_endpoint", call.ids["webhook_endpoint"])
    names = ("enabled_events", "description")
    changes = {name: call.params[name] for name in names if name in call.params}
    if "url" in call.params:
        changes["url"] = _url(call.get("url"))
    if "disabled" in call.params:
        changes["status"] = "disabled" if call.get("disabled") else "enabled"
    changes["metadata"] = merge_metadata(endpoint["metadata"], call.get("metadata"))
    return world.update(endpoint, **changes)


@operation("DELETE /v1/webhook_endpoints/{webhook_endpoint}")
def delete_endpoint(world: World, call: Call) -> Body:
    endpoint = world.get("webhook_endpoint", call.ids["webhook_endpoint"])
    world.connection.execute("DELETE FROM deliveries WHERE endpoint = ?", (endpoint["id"],))
    return world.delete(endpoint)


@operation("GET /v1/webhook_endpoints")
def list_endpoints(world: World, call: Call) -> Body:
    return page(world, call, "webhook_endpoint")


def _version(version: str) -> str:
    if version != description.VERSION:
        raise NotSupported(f"API version {version}, only {description.VERSION}")
    return version


def _url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise InvalidRequest("Invalid URL: An explicit scheme must be provided.", param="url")
    return url
