"""The same histories with the wire in between: Stripe's client over HTTP to the sandbox, which
validates what it is asked and what it answers; botocore with its serialisation and its own tries.

It costs ten times as much, so there are fewer.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, NoReturn, TypeAlias
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import stripe
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from billing.adapters.stripe.events import API_VERSION
from infra.local.stripe_sandbox import api
from tests.functions.product import API_KEY
from tests.simulation.box import ADDRESS
from tests.simulation.cloud import Cloud, plugged_in
from tests.simulation.play import Theatre
from tests.simulation.scheduler import Scheduler
from tests.simulation.store import Store
from tests.simulation.stripe_port import REQUEST_LOST, RESPONSE_LOST, TRIES, route

Told: TypeAlias = tuple[str, int, Any]
"""Body, status, headers."""

_OPERATIONS = {
    "TransactWriteItems": "transact_write_items",
    "GetItem": "get_item",
    "BatchGetItem": "batch_get_item",
    "Query": "query",
}


class Http(stripe.HTTPClient):
    """Stripe's own client sends and tries again as it does; only the socket is missing."""

    name = "simulated"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.scheduler: Scheduler = cloud.scheduler
        self._cloud = cloud

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any) -> Told:
        method, address = method.upper(), urlsplit(url)
        given = {name.lower(): value for name, value in headers.items()}
        form = (post_data or "") if method == "POST" else address.query

        def perform() -> Told:
            asked = api.Request(method, address.path, form, given)
            answer = api.answer(self._cloud.box, asked)
            return answer.body, answer.status, answer.headers

        name, _ids = route(method, address.path)
        faults: dict[str, Callable[[Callable[[], Told]], Told]] = {
            REQUEST_LOST: _lost,
            RESPONSE_LOST: _unheard,
        }
        return self.scheduler.call(f"stripe {name}", perform, faults, address.path)


def _lost(_: object) -> NoReturn:
    raise stripe.APIConnectionError("lost", should_retry=True)  # type: ignore[no-untyped-call]


def _unheard(perform: Callable[[], object]) -> NoReturn:
    perform()
    raise stripe.APIConnectionError("unheard", should_retry=True)  # type: ignore[no-untyped-call]


class Wire:
    """botocore's client of a store. The next `unheard` answers are lost on their way back."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.unheard = 0
        self.client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 4}))
        self.client.meta.events.register("before-send.dynamodb.*", self._send)

    def to(self, store: Store) -> Any:
        self.store = store
        return self.client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        operation = _OPERATIONS[request.headers["X-Amz-Target"].decode().split(".")[1]]
        try:
            status, answer = 200, getattr(self.store, operation)(**json.loads(request.body))
        except ClientError as error:
            status, answer = 400, _as_sent(error)
        if self.unheard:
            self.unheard -= 1
            raise ReadTimeoutError(endpoint_url=request.url)
        headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, status, headers, _Raw(json.dumps(answer).encode()))


def _as_sent(error: ClientError) -> dict[str, Any]:
    told = error.response["Error"]
    return {
        "__type": f"com.amazonaws.dynamodb.v20120810#{told['Code']}",
        "message": told["Message"],
        "CancellationReasons": error.response.get("CancellationReasons", []),
    }


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


@contextmanager
def theatre_over_the_wire() -> Iterator[Theatre]:
    cloud = Cloud()
    with ExitStack() as stack:
        stack.enter_context(plugged_in(cloud, nullcontext))
        stack.enter_context(patch("stripe._http_client.time.sleep", lambda _: None))
        stage = Theatre(cloud)
        cloud.requests = Http(cloud)
        cloud.client = stripe.StripeClient(
            API_KEY,
            stripe_version=API_VERSION,
            base_addresses={"api": ADDRESS},
            http_client=cloud.requests,
            max_network_retries=TRIES - 1,
        )
        cloud.table.reached_by = Wire(cloud.store).to
        yield stage
