"""The steps that a person takes in the running stack."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from playwright.sync_api import Locator, Page

from infra.local.people import Person
from tests.stack.running import Stack

PAYS = "4242424242424242"
IS_DECLINED = "4000000000000002"
_ATTACH = """([token, attributes]) => {
    const tab = document.createElement("billing-tab");
    for (const [name, value] of Object.entries(attributes)) tab.setAttribute(name, value);
    tab.token = token;
    document.querySelector("main").append(tab);
}"""


def sign_in(page: Page, address: str, person: Person) -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=person.email).click()
    page.locator("billing-tab").wait_for()


def show(page: Page, stack: Stack, person: Person) -> None:
    """The tab of somebody whom the sign-in does not offer."""
    page.goto(stack.api)
    attach(page, stack, person)


def attach(page: Page, stack: Stack, person: Person, **attributes: str) -> None:
    """Give the page's tab the token of `person`."""
    page.evaluate(_ATTACH, [stack.token(person), attributes])


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def choose(page: Page, *, plan: str, cycle: str) -> None:
    """Choose, and leave for the payment page."""
    page.get_by_role("radio", name=cycle).check()
    page.get_by_role("radio", name=re.compile(f"^{plan}")).check()
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_label("Card or account number").wait_for()


def pay(page: Page, card: str) -> None:
    enter_card(page, card)
    page.get_by_role("button", name="Pay").click()


def enter_card(page: Page, card: str) -> None:
    page.get_by_label("Card or account number").fill(card)
    page.get_by_label("Expiry").fill("08 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_label("Name").fill("Ana Ruiz")


@contextmanager
def webhooks_held(stack: Stack) -> Iterator[None]:
    """Stripe's word does not get through for as long."""
    orders = f"{stack.stripe}/sandbox/deliveries"
    httpx.post(orders, json={"hold": True}, timeout=60).raise_for_status()
    try:
        yield
    finally:
        httpx.post(orders, json={"hold": False}, timeout=60).raise_for_status()
