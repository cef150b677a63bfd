"""Pictures of the product for the README, taken from a stack of its own: `make tour`."""

import sys
import tempfile
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Browser, Page, expect

from infra.local.people import ANA, BEN
from tests.browser import chromium, walk
from tests.stack.running import ROOT, Folder, Stack

PICTURES = ROOT / "docs" / "tour"
LARGEST_BYTES = 150_000
MONTHS = 3
"""How long Ana has been subscribed in the pictures with a history."""

DESK = (1100, 700)
PHONE = (390, 700)


def new_page(
    browser: Browser,
    size: tuple[int, int] = DESK,
    scheme: Literal["light", "dark"] = "light",
) -> Page:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-US",
    )
    context.set_default_timeout(20_000)
    return context.new_page()


def take(page: Page, name: str) -> None:
    """Raises ValueError for a picture that is too large for the repository."""
    picture = PICTURES / f"{name}.png"
    page.screenshot(path=picture, full_page=True)
    if picture.stat().st_size > LARGEST_BYTES:
        raise ValueError(f"{picture} has more than {LARGEST_BYTES} bytes")


def take_the_way_to_a_plan(browser: Browser, stack: Stack) -> None:
    page = new_page(browser)
    walk.sign_in(page, stack.api, ANA)
    expect(page.get_by_text("No invoices yet")).to_be_visible()
    page.get_by_role("radio", name="Business").check()
    take(page, "empty")
    walk.choose(page, plan="Business", cycle="Monthly")
    take(page, "payment")
    order_deliveries(stack, hold=True)
    walk.pay(page, walk.PAYS)
    expect(page.get_by_text("Payment received").last).to_be_visible()
    take(page, "pending")
    order_deliveries(stack, hold=False)
    expect(page.get_by_role("rowheader")).to_have_count(1)
    take(page, "active")


def take_what_went_wrong(browser: Browser, stack: Stack) -> None:
    page = new_page(browser)
    walk.sign_in(page, stack.api, BEN)
    walk.choose(page, plan="Starter", cycle="Monthly")
    walk.pay(page, walk.IS_DECLINED)
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_text("Nothing was charged").last).to_be_visible()
    take(page, "cancelled")
    page.route("**/billing", lambda route: route.abort("internetdisconnected"))
    page.reload()
    expect(page.get_by_text("No connection")).to_be_visible()
    take(page, "error")


def take_the_history(browser: Browser, stack: Stack) -> None:
    advance = {"advance": f"P{MONTHS}M"}
    httpx.post(f"{stack.stripe}/sandbox/clock", json=advance, timeout=60).raise_for_status()
    for name, page in (
        ("invoices", new_page(browser)),
        ("dark", new_page(browser, scheme="dark")),
        ("phone", new_page(browser, PHONE)),
    ):
        walk.sign_in(page, stack.api, ANA)
        expect(page.get_by_role("rowheader")).to_have_count(1 + MONTHS)
        take(page, name)


def order_deliveries(stack: Stack, *, hold: bool) -> None:
    order = {"hold": hold}
    answer = httpx.post(f"{stack.stripe}/sandbox/deliveries", json=order, timeout=60)
    answer.raise_for_status()


def main() -> int:
    executable = chromium.find()
    if executable is None:
        sys.stderr.write("The tour is photographed in Chromium: install it, or set CHROMIUM.\n")
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="billing-tour-") as state:
        folder = Folder(Path(state))
        stack = folder.up()
        try:
            with chromium.launched(executable) as browser:
                take_the_way_to_a_plan(browser, stack)
                take_what_went_wrong(browser, stack)
                take_the_history(browser, stack)
        finally:
            folder.down()
    sys.stdout.write(f"{PICTURES}: {len(list(PICTURES.glob('*.png')))} pictures\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
