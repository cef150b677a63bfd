"""A real Chromium for these tests: skipped loudly where there is none, never in CI."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import chromium
from tests.browser.chromium import NO_CHROMIUM
from tests.browser.scripted import Site, page_server
from tests.factories import NOON
from tests.stack.running import stack
from tests.waiting import PATIENCE_SECONDS

__all__ = ["stack"]

PATIENCE = PATIENCE_SECONDS * 1000
"""Milliseconds"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    expect.set_options(timeout=PATIENCE)
    with chromium.launched(executable) as browser:
        yield browser


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    with page_server() as origin:
        yield origin


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        locale="en-GB", viewport={"width": 1100, "height": 800}, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """Errors that the browser reports, content-security violations among them; none may be left.

    That an answer of the API was an error is what some tests want, so it does not count.
    """
    found: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: found.append(f"{error.name}: {error.message}"))
        page.on(
            "console",
            lambda message: (
                found.append(message.text)
                if message.type in ("error", "warning") and "Failed to load" not in message.text
                else None
            ),
        )

    context.on("page", watch)
    yield found
    assert found == []


@pytest.fixture
def visit(context: BrowserContext, complaints: list[str]) -> Page:
    """A page for the running stack."""
    return context.new_page()


@pytest.fixture
def site(context: BrowserContext, complaints: list[str], origin: str) -> Site:
    """Pages of these answers are looked at on the day that the answers are of."""
    context.clock.set_fixed_time(NOON)
    return Site(context, origin)


@pytest.fixture
def page(site: Site) -> Page:
    return site.context.new_page()
