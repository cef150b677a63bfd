"""The product's main job in the running stack, as a manager does it: from sign-in to the PDF."""

import re
from datetime import UTC, datetime

import httpx
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader

from infra.local.people import ANA, BEN, MIA
from tests.browser import walk
from tests.stack.running import Stack


def plan(page: Page) -> Locator:
    return page.get_by_role("region", name="Subscription plan")


def period_end_at_stripe(stack: Stack, email: str) -> datetime:
    key = {"authorization": "Bearer sk_test_sandbox"}
    found = httpx.get(f"{stack.stripe}/v1/customers?email={email}", headers=key).json()
    query = f"customer={found['data'][0]['id']}"
    listed = httpx.get(f"{stack.stripe}/v1/subscriptions?{query}", headers=key).json()
    item = listed["data"][0]["items"]["data"][0]
    return datetime.fromtimestamp(item["current_period_end"], UTC)


def test_a_manager_subscribes_sees_the_plan_and_downloads_the_invoice(
    stack: Stack, visit: Page
) -> None:
    walk.sign_in(visit, stack.api, ANA)
    walk.choose(visit, plan="Business", cycle="Annual")
    with walk.webhooks_held(stack):
        walk.pay(visit, walk.PAYS)
        expect(plan(visit)).to_contain_text("Payment received, waiting for confirmation")
        visit.reload()
        expect(plan(visit)).to_contain_text("Payment received, waiting for confirmation")
        expect(plan(visit)).not_to_contain_text("Active")

    renewal = period_end_at_stripe(stack, ANA.email)
    expect(plan(visit)).to_contain_text("Your subscription is active")
    expect(plan(visit)).to_contain_text("US$948 per year")
    expect(plan(visit)).to_contain_text(f"Renews on{renewal.day} {renewal:%B %Y}")
    expect(plan(visit)).to_contain_text("Visa •••• 4242")

    invoice = visit.get_by_role("row").filter(has=visit.get_by_role("cell")).first
    expect(invoice).to_contain_text("Paid")
    with visit.expect_download() as downloading:
        invoice.get_by_role("button", name=re.compile("^Download PDF")).click()
    [page] = PdfReader(downloading.value.path()).pages
    text = page.extract_text()
    assert invoice.get_by_role("rowheader").inner_text() in text
    assert invoice.locator(".total").inner_text() == "US$948.00"
    assert re.search(r"^Total\n948\.00 USD$", text, re.MULTILINE)


def test_a_declined_card_stays_at_checkout_and_leaves_no_subscription(
    stack: Stack, visit: Page
) -> None:
    walk.sign_in(visit, stack.api, BEN)
    walk.choose(visit, plan="Starter", cycle="Monthly")
    walk.pay(visit, walk.IS_DECLINED)
    expect(visit.get_by_role("alert")).to_contain_text("Your card was declined.")
    assert visit.url.startswith(stack.stripe)

    visit.get_by_role("link", name="Back").click()
    expect(plan(visit)).to_contain_text("Checkout was cancelled. Nothing was charged.")
    expect(plan(visit)).to_contain_text("Not subscribed")
    expect(visit.get_by_text("No invoices yet")).to_be_visible()

    other = visit.context.new_page()
    walk.sign_in(other, stack.api, BEN)
    other.get_by_role("button", name="Continue to payment").click()
    expect(other.get_by_role("heading", name="Subscribe")).to_be_visible()
    assert other.url.startswith(stack.stripe)


def test_a_member_sees_that_billing_is_the_managers(stack: Stack, visit: Page) -> None:
    walk.sign_in(visit, stack.api, MIA)
    expect(visit.get_by_role("heading", name="Billing is the manager’s alone")).to_be_visible()
    expect(plan(visit)).to_have_count(0)


def test_signing_out_leads_back_to_an_entrance_that_asks_again(stack: Stack, visit: Page) -> None:
    walk.sign_in(visit, stack.api, MIA)
    visit.get_by_role("button", name="Sign out").click()
    expect(visit.get_by_role("button", name="Sign in")).to_be_visible()
    visit.reload()
    expect(visit.get_by_role("button", name="Sign in")).to_be_visible()
