"""The functions in this process: AWS by moto, Stripe by the sandbox over the wire."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import stripe
from aws_lambda_powertools.utilities.parameters import clear_caches
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from billing.adapters import queue
from billing.adapters.stripe import gateway
from billing.domain.catalog import load_catalog
from infra.stripe_setup import apply_catalog
from tests.conftest import SANDBOX
from tests.factories import subscription
from tests.functions.product import API_KEY, WEBHOOK_SECRET, Product, make_queue
from tests.functions.team import record, slots_subscription

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Stripe sandbox with the catalog applied."""
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "infra.local.stripe_sandbox"]
    command += ["--port", SANDBOX.rsplit(":", 1)[1], "--secret-key", API_KEY]
    command += ["--state", str(folder / "sandbox.sqlite3")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _await_health(process, folder / "log")
        client = stripe.StripeClient(API_KEY, base_addresses={"api": SANDBOX})
        apply_catalog(client, load_catalog().products)
        yield SANDBOX
    finally:
        process.terminate()
        process.wait(10)


def _await_health(process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{SANDBOX}/sandbox/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"the sandbox did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with mock_aws():
        gateway.price_id.cache_clear()
        clear_caches()  # type: ignore[no-untyped-call]
        _create_tables()
        boto3.client("s3").create_bucket(
            Bucket="billing-documents",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        )
        content = {"api_key": API_KEY, "webhook_secrets": [WEBHOOK_SECRET]}
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name="stripe", SecretString=json.dumps(content))
        yield


@pytest.fixture
def product(aws: None, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """AWS and Stripe are a module's; a paying account and a queue are each test's own.

    Who went to Stripe leaves nothing on record or to be recorded by the tests to come.
    """
    name = f"acme-{uuid.uuid4().hex[:10]}"
    product = Product(account=name, sandbox=sandbox, queue=make_queue(name))
    monkeypatch.setattr(queue, "_URL", product.queue)
    yield product
    if product.went_to_stripe:
        product.leave()
        _empty_tables()
        product.advance("PT3H")
        product.everything_is_recorded()


@pytest.fixture
def team(product: Product) -> Product:
    """A subscribed account with one slot, known to its manager."""
    product.billing()
    record(product, subscription(), slots_subscription(1))
    return product


def _empty_tables() -> None:
    """The emulator copies a whole table for each transaction."""
    for name in ("billing", "ledger"):
        boto3.client("dynamodb").delete_table(TableName=name)
    _create_tables()


@cache
def tables() -> dict[str, Any]:
    """As data.yaml makes them, but for what only keeps them safe."""
    resources = yaml_parse((ROOT / "infra" / "data.yaml").read_text())["Resources"]
    known = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {
        name: {key: value for key, value in resources[each]["Properties"].items() if key in known}
        for name, each in {"billing": "Table", "ledger": "LedgerTable"}.items()
    }


def _create_tables() -> None:
    for name, wanted in tables().items():
        boto3.client("dynamodb").create_table(TableName=name, **wanted)
