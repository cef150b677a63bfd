"""The section "DataUnlimited"."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem

ASK = "POST /support-requests"


def show(site: Site, page: Page, billing: Any) -> Locator:
    site.answers("GET /billing", billing)
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())
    site.sign_in(page)
    expect(page.locator(".skeleton")).to_have_count(0)
    return page.get_by_role("region", name="DataUnlimited")


def ask(section: Locator) -> Locator:
    section.get_by_role("button", name="Ask sales").click()
    return section.page.get_by_role("dialog")


def test_it_is_told_what_it_is_and_who_sells_it(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed())
    expect(section).to_contain_text("35 million verified contacts, without a price per contact")
    expect(section).to_contain_text("Sold by our sales team")


def test_sales_are_asked_in_the_managers_own_words_and_it_is_shown_as_sent(
    site: Site, page: Page
) -> None:
    section = show(site, page, shapes.subscribed())
    dialog = ask(section)
    request = shapes.requests("data_unlimited")
    site.answers(ASK, Answer(request["items"][0], 201))
    site.answers("GET /support-requests", request)
    dialog.get_by_label("Message").fill("For 12 sellers")
    dialog.get_by_role("button", name="Send request").click()
    expect(dialog).to_have_count(0)
    expect(section).to_contain_text("Your request for DataUnlimited was sent on 1 December 2026")
    expect(section.get_by_role("button")).to_have_count(0)
    expect(section.get_by_role("heading")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Your request was sent.")
    sent = site.calls(ASK)[0].post_data_json
    assert sent == {"topic": "data_unlimited", "message": "For 12 sellers"}


def test_a_request_that_was_not_sent_can_be_sent_again(site: Site, page: Page) -> None:
    dialog = ask(show(site, page, shapes.subscribed()))
    site.answers(ASK, problem(429, "too_many_requests", "Twenty requests a day are the most."))
    dialog.get_by_role("button", name="Send request").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Twenty requests a day are the most.")
    site.answers(ASK, Answer(shapes.requests("data_unlimited")["items"][0], 201))
    dialog.get_by_role("button", name="Send request").click()
    expect(dialog).to_have_count(0)


def test_requests_that_cannot_be_had_take_nothing_with_them(site: Site, page: Page) -> None:
    site.answers("GET /support-requests", problem(500, "internal_error", "Ours."))
    section = show(site, page, shapes.subscribed())
    expect(section.get_by_role("button", name="Ask sales")).to_be_visible()


def test_who_has_it_is_not_asked_to_buy_it(site: Site, page: Page) -> None:
    active = {"add_ons": {"data_unlimited": {"status": "active"}}}
    section = show(site, page, {**shapes.subscribed(), **active})
    expect(section).to_contain_text("Active")
    expect(section.get_by_role("button")).to_have_count(0)


def test_who_has_it_sees_what_it_costs_and_until_when(site: Site, page: Page) -> None:
    terms = {"status": "active", "cycle": "annual", "price": shapes.money(99000)}
    ends = {**terms, "renews_at": None, "ends_at": "2027-06-30T10:00:00Z"}
    section = show(site, page, {**shapes.subscribed(), "add_ons": {"data_unlimited": ends}})
    expect(section).to_contain_text("US$990 per year, ends on 30 June 2027.")
