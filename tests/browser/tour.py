"""Pictures of the product for the README, taken from a stack of its own: `make tour`."""

import sys
import tempfile
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Browser, Page, expect

from infra.local.people import ANA, BEN, MIA, Person
from tests.browser import chromium, walk
from tests.stack.running import ROOT, Folder, Stack, until

PICTURES = ROOT / "docs" / "tour"
LARGEST_BYTES = 250_000
MONTHS = 3
"""How long Ana has been subscribed in the pictures with a history."""

INVOICES = 3 + 2 * MONTHS
"""The plan, the slots and a package at first, then the plan and the slots each month."""

LEO = Person("leo@acme.test", "acme", "member")

DESK = (1100, 700)
PHONE = (390, 1100)


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
    context.set_default_timeout(60_000)
    return context.new_page()


def take(page: Page, name: str, *, whole: bool = True) -> None:
    """Of the whole page, or of the window. Raises ValueError for a picture that is too large for
    the repository."""
    picture = PICTURES / f"{name}.png"
    expect(page.locator(".skeleton")).to_have_count(0)
    page.screenshot(path=picture, full_page=whole)
    if picture.stat().st_size > LARGEST_BYTES:
        raise ValueError(f"{picture} has more than {LARGEST_BYTES} bytes")


def take_the_way_to_a_plan(browser: Browser, stack: Stack) -> None:
    page = new_page(browser)
    walk.sign_in(page, stack.api, ANA)
    expect(page.get_by_text("No invoices yet")).to_be_visible()
    page.get_by_role("radio", name="Business").check()
    take(page, "empty")
    walk.choose(page, plan="Business", cycle="Monthly")
    order_deliveries(stack, hold=True)
    walk.pay(page, walk.PAYS)
    expect(page.get_by_text("Payment received").last).to_be_visible()
    take(page, "pending")
    order_deliveries(stack, hold=False)
    expect(page.get_by_role("rowheader")).to_have_count(1)
    take(page, "active")


def take_a_top_up(page: Page) -> None:
    """What it would buy, and when, before it is saved."""
    page.get_by_role("button", name="Alerts and top-up").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("switch").check()
    dialog.get_by_label("Buy when I have fewer").fill("200")
    dialog.get_by_label("At most in a month").fill("150")
    expect(dialog).to_contain_text("Each time you have fewer than 200")
    dialog.get_by_role("button", name="Save").scroll_into_view_if_needed()
    take(page, "top-up", whole=False)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def take_the_team(browser: Browser, stack: Stack) -> None:
    """Slots are bought, people invited, credits bought and sent, and the end is looked at."""
    page = new_page(browser)
    walk.sign_in(page, stack.api, ANA)
    team, credits = walk.region(page, "Team members"), walk.region(page, "Credits")
    team.get_by_role("button", name="Manage slots").click()
    page.get_by_label("Slots for team members").fill("4")
    expect(page.get_by_role("dialog")).to_contain_text("Due today")
    expect(page.get_by_role("button", name="Confirm")).to_be_enabled()
    take(page, "slots", whole=False)
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(team).to_contain_text("0 of 4 slots in use")
    for person in (MIA, LEO):
        team.get_by_role("button", name="Invite").click()
        page.get_by_label("E-mail").fill(person.email)
        page.get_by_role("dialog").get_by_role("button", name="Invite").click()
        expect(team).to_contain_text(person.email)
    accept = {"authorization": f"Bearer {stack.token(MIA)}"}
    httpx.post(f"{stack.api}/invitations/accept", headers=accept, timeout=60).raise_for_status()
    credits.get_by_role("button", name="Buy credits").click()
    page.get_by_role("dialog").get_by_role("button", name="Continue to payment").click()
    walk.pay(page, walk.PAYS)
    page.wait_for_url(f"{stack.api}/?credits=bought")
    expect(credits).to_contain_text("500 credits have come")
    credits.get_by_role("button", name="Send credits: Mia").click()
    page.get_by_role("spinbutton").fill("120")
    page.get_by_role("dialog").get_by_role("button", name="Send credits").click()
    expect(credits).to_contain_text("380 in your wallet")
    page.goto(stack.api)
    expect(walk.region(page, "Credit log").get_by_role("row")).to_have_count(3)
    expect(credits.get_by_role("img")).to_be_visible()
    take(page, "credits")
    take_a_top_up(page)
    page.get_by_role("button", name="Cancel subscription").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    take(page, "cancel", whole=False)


def take_what_went_wrong(browser: Browser, stack: Stack) -> None:
    page = new_page(browser)
    walk.sign_in(page, stack.api, BEN)
    walk.choose(page, plan="Starter", cycle="Monthly")
    walk.pay(page, walk.IS_DECLINED)
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_text("Nothing was charged").last).to_be_visible()
    page.route("**/billing", lambda route: route.abort("internetdisconnected"))
    page.reload()
    expect(page.get_by_text("No connection")).to_be_visible()
    take(page, "error")


def take_the_history(browser: Browser, stack: Stack) -> None:
    advance = {"advance": f"P{MONTHS}M"}
    httpx.post(f"{stack.stripe}/sandbox/clock", json=advance, timeout=60).raise_for_status()
    mine = {"authorization": f"Bearer {stack.token(ANA)}"}
    listed = f"{stack.api}/invoices"
    until(lambda: len(httpx.get(listed, headers=mine).json()["items"]) == INVOICES)
    for name, page in (
        ("dark", new_page(browser, (1100, 1500), scheme="dark")),
        ("phone", new_page(browser, PHONE)),
    ):
        walk.sign_in(page, stack.api, ANA)
        history = walk.region(page, "Invoice history")
        expect(history.get_by_role("rowheader")).to_have_count(INVOICES)
        take(page, name, whole=False)


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
                take_the_team(browser, stack)
                take_what_went_wrong(browser, stack)
                take_the_history(browser, stack)
        finally:
            folder.down()
    sys.stdout.write(f"{PICTURES}: {len(list(PICTURES.glob('*.png')))} pictures\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
