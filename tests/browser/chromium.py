"""The machine's own Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.waiting import PATIENCE_SECONDS, waiting_for

NO_CHROMIUM = (
    "no Chromium on this machine "
    "(install the package `chromium-headless-shell` or `chromium`, or set CHROMIUM)"
)
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no windows at all, and needs two thirds of the time."""


def find() -> str | None:
    """Where it is: what CHROMIUM says, or else one of the usual names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    # A page that a test plays counts as remote, which may not call loopback without being asked.
    arguments = ["--disable-features=LocalNetworkAccessChecks", "--disable-gpu"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        with waiting_for("Chromium"):
            browser = playwright.chromium.launch(
                executable_path=executable, args=arguments, timeout=PATIENCE_SECONDS * 1000
            )
        yield browser
        browser.close()
