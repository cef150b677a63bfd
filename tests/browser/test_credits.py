"""The section "Credits": what there is, buying, sending, and the log."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem
from tests.browser.shapes import entry, member

MIA = member("Mia Kolar", credits=200)
SEND = "POST /credits/transfers"
BUY = "POST /credits/checkout"
MONTH = {"period": "2026-12", "bought": 500, "sent": 100, "spent": 40, "returned": 0}
USE = {"items": [{**MONTH, "clawed_back": 0}]}
LOG = {"items": [entry(2), entry(1, "grant", credits=500)], "next_cursor": None}


def credits(page: Page) -> Locator:
    return page.get_by_role("region", name="Credits")


def show(site: Site, page: Page, billing: Any, log: Any = LOG, address: str = "/") -> Locator:
    site.answers("GET /billing", billing)
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())
    site.answers("GET /credits/log", log)
    site.answers("GET /credits/usage", USE)
    site.sign_in(page, address)
    expect(page.locator(".skeleton")).to_have_count(0)
    return credits(page)


def said(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_have_text(text)


def test_total_spent_and_remaining_are_shown(site: Site, page: Page) -> None:
    billing = shapes.with_credits(1200, MIA, total=1500, spent=100)
    section = show(site, page, billing)
    figures = section.locator(".figures")
    for name, value in {"Total": "1,500", "Spent": "100", "Remaining": "1,400"}.items():
        expect(figures.locator("div").filter(has_text=name)).to_contain_text(value)


def test_the_log_says_who_sent_what_to_whom_and_what_was_left(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(400, MIA))
    rows = section.get_by_role("row")
    expect(rows).to_have_count(3)
    for text in ("Sent", "2 December 2026", "Ana Ruiz", "Mia Kolar", "100", "400"):
        expect(rows.nth(1)).to_contain_text(text)
    expect(rows.nth(2)).to_contain_text("Bought")


def test_the_log_is_filtered_by_person_and_by_action(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(400, MIA))
    section.get_by_label("Person").select_option("Mia Kolar")
    section.get_by_label("Action").select_option("Sent")
    expect(section.get_by_role("row")).to_have_count(3)
    asked = site.calls("GET /credits/log")[-1].url
    assert asked.endswith("?member=id-of-mia&kind=transfer")


def test_older_entries_are_loaded_on_demand(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(400, MIA), {**LOG, "next_cursor": "c1"})
    site.answers("GET /credits/log", {"items": [entry(1)], "next_cursor": None})
    section.get_by_role("button", name="Show older entries").click()
    expect(section.get_by_role("row")).to_have_count(4)
    said(page, "1 older entries loaded.")


def test_credits_are_sent_after_it_was_said_that_it_cannot_be_undone(
    site: Site, page: Page
) -> None:
    section = show(site, page, shapes.with_credits(400, MIA))
    section.get_by_role("button", name="Send credits").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone.")
    dialog.get_by_label("Credits").fill("150")
    site.answers(SEND, Answer(entry(3), 201))
    site.answers("GET /billing", shapes.with_credits(250, member("Mia Kolar", credits=350)))
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    said(page, "150 credits are sent to Mia Kolar.")
    [sent] = site.calls(SEND)
    assert sent.post_data_json == {"to": "id-of-mia", "credits": 150}
    assert sent.headers["idempotency-key"]
    expect(section.locator(".figures")).to_contain_text("250")


def test_a_refusal_is_told_where_it_happened(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(400, MIA))
    section.get_by_role("button", name="Send credits").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Credits").fill("400")
    detail = "There are 100 credits in this wallet."
    site.answers(SEND, problem(422, "insufficient_credits", detail))
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_contain_text(detail)


@pytest.mark.parametrize("count", ["0", "-5", "1.5", "401"])
def test_nothing_is_sent_that_cannot_be(site: Site, page: Page, count: str) -> None:
    section = show(site, page, shapes.with_credits(400, MIA))
    section.get_by_role("button", name="Send credits").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Credits").fill(count)
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_be_visible()
    assert site.calls(SEND) == []


def test_a_package_is_bought_on_the_payment_page(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(0))
    section.get_by_role("button", name="Buy credits").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name=re.compile("2,000 credits .*160")).check()
    url = "https://checkout.test/pay/1"
    site.answers(BUY, Answer({"url": url, "expires_at": "2026-12-23T10:00:00Z"}, 201))
    dialog.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(url)
    assert site.calls(BUY)[0].post_data_json == {"package": "credits_2000"}


def test_coming_back_says_that_stripe_confirms_it(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(0), address="/?credits=bought")
    expect(section).to_contain_text("Thank you for your purchase")
    site.answers("GET /billing", shapes.with_credits(500))
    expect(section.locator(".figures")).to_contain_text("500")
    assert page.url == f"{site.origin}/"


def test_months_are_told_in_bars_and_in_numbers(site: Site, page: Page) -> None:
    chart = show(site, page, shapes.with_credits(400, MIA)).locator(".chart")
    for text in ("Dec 2026", "Bought", "500", "Sent", "100", "Spent", "40"):
        expect(chart).to_contain_text(text)


def test_the_log_is_downloaded_whole_as_csv(site: Site, page: Page, tmp_path: Path) -> None:
    section = show(site, page, shapes.with_credits(400, MIA))
    parts = [Answer("date,action\r\n", headers={"x-next-cursor": "c1"}), Answer("2026,grant\r\n")]
    site.answers_next("GET /credits/log", *parts)
    with page.expect_download() as download:
        section.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "credits.csv")
    assert download.value.suggested_filename == "credits.csv"
    assert [each.url.rpartition("/")[2] for each in site.calls("GET /credits/log")[-2:]] == [
        "log",
        "log?cursor=c1",
    ]
    assert site.calls("GET /credits/log")[-1].headers["accept"] == "text/csv"
    said(page, "The log is being downloaded.")


def test_a_member_sees_their_own_credits(site: Site, page: Page) -> None:
    refused = problem(403, "manager_only", "The billing section is the manager's alone.")
    for route in ("billing", "invoices", "support-requests"):
        site.answers(f"GET /{route}", refused)
    site.answers("GET /entitlements", {"access": "active", "credits_available": 60})
    wallet = {"available": 60, "held": 0, "received": 100, "spent": 40, "sent": 0, "debt": 0}
    site.answers("GET /credits", {"wallet": wallet, "account": None, "members": None})
    site.answers("GET /credits/log", {"items": [entry(2)], "next_cursor": None})
    site.answers("GET /credits/usage", USE)
    site.sign_in(page)
    section = credits(page)
    expect(section.locator(".figures")).to_contain_text("60")
    expect(section.get_by_role("row")).to_have_count(2)
    expect(section.get_by_role("button", name="Send credits")).to_have_count(0)
