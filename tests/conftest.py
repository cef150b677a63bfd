"""Settings under which the functions can be imported, and how the tests are spread and told of."""

import os
import socket

import httpx
import moto.core.models
import pytest
from _pytest.nodeid import NodeId

from infra.openapi import PLACEHOLDERS
from tests.browser.chromium import NO_CHROMIUM
from tests.waiting import PATIENCE_SECONDS, remember_terminal


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


SANDBOX = f"http://127.0.0.1:{_free_port()}"
"""Where the session's Stripe sandbox listens once the fixture has started it."""

for name in [each for each in os.environ if each.startswith(("AWS_", "STRIPE_"))]:
    del os.environ[name]
os.environ |= PLACEHOLDERS | {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "CLOCK_URL": f"{SANDBOX}/sandbox/clock",
    "POWERTOOLS_SERVICE_NAME": "billing",
    "STRIPE_API_BASE": SANDBOX,
    "STRIPE_SECRET_ARN": "stripe",
    "STRIPE_EVENTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo",
    "TABLE_NAME": "billing",
    "LEDGER_TABLE_NAME": "ledger",
    "DOCUMENTS_BUCKET": "billing-documents",
    "OIDC_ISSUER": "https://issuer.example.com/tenant",
    "PRODUCT_NAME": "Acme <Sales>",
}

for limit in ("connect", "read", "write", "pool"):
    # Five seconds, without this: too little on a machine that is busy.
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, limit, PATIENCE_SECONDS)

EMULATOR = moto.core.models
"""Imported first: a client that is made before cannot be emulated."""

GROUP = pytest.StashKey[str]()
_missed: list[str] = []


def pytest_configure() -> None:
    remember_terminal()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a running stack or a module's fixtures stays in one process. First come those
    who mostly wait, beside them those who compute longest, and the many short ones fill up."""
    for item in items:
        group = _group(item)
        item.stash[GROUP] = group
        if hasattr(item.config, "workerinput"):
            # xdist 3.8 writes the group where pytest 9.2 no longer looks for an item's name.
            item._id = NodeId.parse(f"{item.nodeid}@{group}")
        if "site" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.page)
    items.sort(key=lambda item: _FIRST.get(item.stash[GROUP], len(_FIRST)))


def _group(item: pytest.Item) -> str:
    marked = item.get_closest_marker("xdist_group")
    if marked:
        return str(marked.args[0])
    fixtures = getattr(item, "fixturenames", ())
    shared = (name for name in ("stack", "folder") if name in fixtures)
    return next(shared, item.nodeid.split("::")[0])


# Each process is given two groups to begin with, in turn.
_FIRST = {"stack": 0, "histories even": 1, "folder": 2, "histories odd": 3}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and NO_CHROMIUM in str(report.longrepr):
        _missed.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _missed:
        terminalreporter.section("BROWSER TESTS DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(_missed)} tests skipped: {NO_CHROMIUM}", red=True)
    reports = terminalreporter.stats.get("passed", [])
    properties = [dict(each.user_properties) for each in reports if each.when == "call"]
    if caught := sorted((each["planted"], each["by"]) for each in properties if "planted" in each):
        terminalreporter.section("planted bugs, and what caught them")
        for planted, oracle in caught:
            terminalreporter.line(f"{planted}: {oracle}")
