"""The functions in this process: the tables in memory, the rest of AWS by moto, Stripe by the
sandbox over the wire."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import httpx
import pytest
import stripe
from aws_lambda_powertools.utilities.parameters import clear_caches
from moto import mock_aws

from billing.adapters import queue
from billing.adapters.dynamodb import transaction
from billing.adapters.stripe import gateway
from billing.domain.catalog import load_catalog
from infra.stripe_setup import apply_catalog
from tests import clock
from tests.conftest import SANDBOX
from tests.factories import subscription
from tests.functions.product import (
    API_KEY,
    WEBHOOK_SECRET,
    Begin,
    Product,
    make_queue,
    order,
)
from tests.functions.team import of_today, record, slots_subscription
from tests.simulation.store import Store, tables_of
from tests.waiting import PATIENCE_SECONDS, waiting_for

ROOT = Path(__file__).parent.parent.parent
_CATALOG = "the catalog"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Stripe sandbox, which has kept itself with nothing but the catalog."""
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "infra.local.stripe_sandbox"]
    command += ["--port", SANDBOX.rsplit(":", 1)[1], "--secret-key", API_KEY]
    command += ["--state", str(folder / "sandbox.sqlite3"), "--draft-seconds", "3600"]
    command += clock.options()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _await_health(process, folder / "log")
        client = stripe.StripeClient(API_KEY, base_addresses={"api": SANDBOX})
        apply_catalog(client, load_catalog().products)
        order(SANDBOX, f"snapshots/{_CATALOG}")
        yield SANDBOX
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _await_health(process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    with waiting_for("the Stripe sandbox"):
        while time.monotonic() < until and process.poll() is None:
            try:
                if httpx.get(f"{SANDBOX}/sandbox/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    pytest.fail(f"the sandbox did not start:\n{log.read_text()}")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's client tries again at once."""
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *_, **__: 0)


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with mock_aws():
        gateway.price_id.cache_clear()
        clear_caches()  # type: ignore[no-untyped-call]
        boto3.client("s3").create_bucket(
            Bucket="billing-documents",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        )
        content = {"api_key": API_KEY, "webhook_secrets": [WEBHOOK_SECRET]}
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name="stripe", SecretString=json.dumps(content))
        yield


@pytest.fixture
def tables(aws: None, monkeypatch: pytest.MonkeyPatch) -> Store:
    """As data.yaml makes them, and empty."""
    return _install(Store(tables_of(ROOT / "infra" / "data.yaml")), monkeypatch)


def _install(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    for operation in ("get_item", "batch_get_item", "query", "transact_write_items"):
        monkeypatch.setattr(transaction.client, operation, getattr(store, operation))
    return store


@pytest.fixture
def product(tables: Store, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> Product:
    """An account that nobody knows yet, and a queue of its own."""
    order(sandbox, f"snapshots/{_CATALOG}/restore")
    name = f"acme-{uuid.uuid4().hex[:10]}"
    monkeypatch.setattr(queue, "_URL", make_queue(name))
    return Product(account=name, sandbox=sandbox, queue=queue._URL, tables=tables)


@pytest.fixture(scope="session")
def scenes(sandbox: str) -> dict[str, Product]:
    """What tests have begun with so far, as it was then; Stripe keeps its part by their names."""
    return {}


@pytest.fixture
def begin(product: Product, scenes: dict[str, Product], monkeypatch: pytest.MonkeyPatch) -> Begin:
    """What takes a test many requests to begin with is lived through once."""

    def begin(name: str, live: Callable[[Product], object]) -> Product:
        if name not in scenes:
            live(product)
            order(product.sandbox, f"snapshots/{name}")
            scenes[name] = replace(product, tables=product.tables.copy())
            return product
        order(product.sandbox, f"snapshots/{name}/restore")
        tables = _install(scenes[name].tables.copy(), monkeypatch)
        return replace(product, account=scenes[name].account, tables=tables)

    return begin


@pytest.fixture
def subscribed(begin: Begin) -> Product:
    """Month by month, and with it on record."""

    def live(product: Product) -> None:
        product.subscribe()
        product.catch_up()

    return begin("subscribed", live)


@pytest.fixture
def team(product: Product) -> Product:
    """A subscribed account with one slot, known to its manager."""
    product.billing()
    record(product, *map(of_today, (subscription(), slots_subscription(1))))
    return product
