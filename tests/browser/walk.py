"""The steps that a person takes in the running stack."""

import re

from playwright.sync_api import Page

from infra.local.people import Person

PAYS = "4242424242424242"
IS_DECLINED = "4000000000000002"


def sign_in(page: Page, address: str, person: Person) -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=person.email).click()
    page.locator("billing-tab").wait_for()


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
