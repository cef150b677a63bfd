"""The section "Invoice history"."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem

PDF = "https://documents.test/ACME0001-0001.pdf"


def history(page: Page) -> Locator:
    return page.get_by_role("region", name="Invoice history")


def show(site: Site, page: Page, invoices: Any) -> Locator:
    site.answers("GET /billing", shapes.subscribed())
    site.answers("GET /invoices", invoices)
    site.sign_in(page)
    expect(history(page).locator(".skeleton")).to_have_count(0)
    return history(page)


def test_each_invoice_has_number_date_purpose_status_and_total(site: Site, page: Page) -> None:
    unpaid = shapes.invoice(2, kind="slots", status="open", total=shapes.money(4900, "eur"))
    section = show(site, page, shapes.invoices(unpaid, shapes.invoice(1)))
    rows = section.get_by_role("row").filter(has=page.get_by_role("cell"))
    expect(rows.nth(0).get_by_role("rowheader")).to_have_text("ACME0001-0002")
    expect(rows.nth(0).get_by_role("cell")).to_have_text(
        ["28 March 2026", "SlotsBusiness, monthly", "Unpaid", "€49.00", "Pay nowDownload PDF"]
    )
    expect(rows.nth(1).get_by_role("cell")).to_have_text(
        ["28 February 2026", "SubscriptionBusiness, monthly", "Paid", "US$99.00", "Download PDF"]
    )


def test_no_invoices_yet_is_said_in_words(site: Site, page: Page) -> None:
    section = show(site, page, shapes.invoices())
    expect(section).to_contain_text("No invoices yet")
    expect(section.get_by_role("table")).to_have_count(0)


def test_older_invoices_come_on_demand_and_the_focus_goes_to_the_first_of_them(
    site: Site, page: Page
) -> None:
    def paged(request: Request) -> Answer:
        if "cursor=older" in request.url:
            return Answer(shapes.invoices(shapes.invoice(2), shapes.invoice(1)))
        return Answer(shapes.invoices(shapes.invoice(3), next_cursor="older"))

    section = show(site, page, paged)
    section.get_by_role("button", name="Show older invoices").press("Enter")
    expect(section.get_by_role("rowheader")).to_have_text(
        ["ACME0001-0003", "ACME0001-0002", "ACME0001-0001"]
    )
    expect(section.get_by_role("button", name="Show older invoices")).to_have_count(0)
    expect(section.get_by_role("rowheader", name="ACME0001-0002")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("2 older invoices loaded.")


def test_older_invoices_that_fail_leave_the_others_and_can_be_tried_again(
    site: Site, page: Page
) -> None:
    section = show(site, page, shapes.invoices(shapes.invoice(3), next_cursor="older"))
    site.answers_next("GET /invoices", problem(500, "internal_error", "Something went wrong here."))
    more = section.get_by_role("button", name="Show older invoices")
    more.click()
    expect(section.get_by_role("alert")).to_contain_text("Older invoices could not be loaded")
    site.answers("GET /invoices", shapes.invoices(shapes.invoice(2)))
    more.click()
    expect(section.get_by_role("rowheader")).to_have_text(["ACME0001-0003", "ACME0001-0002"])
    expect(section.get_by_role("alert")).to_be_empty()


def test_a_failed_history_does_not_take_the_plan_with_it(site: Site, page: Page) -> None:
    section = show(site, page, problem(503, "unavailable", "The history is not available."))
    expect(section).to_contain_text("The history is not available.")
    expect(page.get_by_role("region", name="Subscription plan")).to_contain_text("Active")
    site.answers("GET /invoices", shapes.invoices(shapes.invoice(1)))
    section.get_by_role("button", name="Try again").click()
    expect(section.get_by_role("rowheader")).to_have_text("ACME0001-0001")


def test_a_pdf_is_asked_for_at_the_click_and_downloaded(site: Site, page: Page) -> None:
    headers = {"content-disposition": "attachment; filename=ACME0001-0001.pdf"}
    page.route(
        PDF,
        lambda route: route.fulfill(
            body="%PDF-1.7", content_type="application/pdf", headers=headers
        ),
    )
    section = show(site, page, shapes.invoices(shapes.invoice(1)))
    site.answers("GET /invoices/{id}/pdf", {"url": PDF, "expires_at": "2027-01-01T00:00:00Z"})
    assert site.calls("GET /invoices/{id}/pdf") == []
    with page.expect_download() as downloading:
        section.get_by_role("button", name="Download PDF of invoice ACME0001-0001").press("Enter")
    assert downloading.value.suggested_filename == "ACME0001-0001.pdf"
    assert [each.url for each in site.calls("GET /invoices/{id}/pdf")] == [
        f"{site.origin}/invoices/1700000001-in_1/pdf"
    ]
    expect(page).to_have_url(re.compile(r"/$"))


def test_a_pdf_that_cannot_be_had_says_of_which_invoice(site: Site, page: Page) -> None:
    section = show(site, page, shapes.invoices(shapes.invoice(1)))
    missing = problem(404, "invoice_not_found", "This account has no such invoice.")
    site.answers("GET /invoices/{id}/pdf", missing)
    control = section.get_by_role("button", name="Download PDF of invoice ACME0001-0001")
    control.click()
    alert = section.get_by_role("alert")
    expect(alert).to_contain_text("The PDF of invoice ACME0001-0001 could not be opened")
    expect(alert).to_contain_text("This account has no such invoice.")
    expect(control).to_have_text("Download PDF")


def test_an_unpaid_invoice_is_paid_from_the_list(site: Site, page: Page) -> None:
    unpaid = shapes.invoice(2, status="open")
    section = show(site, page, shapes.invoices(unpaid, shapes.invoice(1)))
    expect(section.get_by_role("button", name=re.compile("^Pay invoice"))).to_have_count(1)
    site.answers("POST /invoices/{id}/pay", {"status": "paid"})
    site.answers("GET /invoices", shapes.invoices(shapes.invoice(2), shapes.invoice(1)))
    section.get_by_role("button", name="Pay invoice ACME0001-0002").click()
    expect(page.get_by_role("status")).to_have_text("Invoice ACME0001-0002 is paid. Thank you.")
    expect(section.get_by_role("button", name=re.compile("^Pay invoice"))).to_have_count(0)
    (request,) = site.calls("POST /invoices/{id}/pay")
    assert request.url == f"{site.origin}/invoices/1700000002-in_2/pay"
    assert request.headers["idempotency-key"]


def test_a_card_that_is_declined_again_can_be_replaced_on_the_invoices_page(
    site: Site, page: Page
) -> None:
    section = show(site, page, shapes.invoices(shapes.invoice(2, status="open")))
    page.route("https://invoice.test/**", lambda route: route.fulfill(body="Invoice"))
    url = "https://invoice.test/i/in_2"
    declined = problem(402, "payment_needed", "Your card was declined.", url=url)
    site.answers("POST /invoices/{id}/pay", declined)
    section.get_by_role("button", name="Pay invoice ACME0001-0002").click()
    alert = section.get_by_role("alert")
    expect(alert).to_contain_text("Invoice ACME0001-0002 is not paid yet")
    alert.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(url)


def test_a_draft_has_no_document(site: Site, page: Page) -> None:
    section = show(site, page, shapes.invoices(shapes.invoice(1, status="draft")))
    expect(section).to_contain_text("Draft")
    expect(section.get_by_role("button")).to_have_count(0)


def test_what_stripe_or_a_customer_wrote_is_never_markup(site: Site, page: Page) -> None:
    line = {"description": "<img src=x onerror=alert(1)>", "quantity": 1}
    section = show(site, page, shapes.invoices(shapes.invoice(1, lines=[line])))
    expect(section).to_contain_text("<img src=x onerror=alert(1)>")
    expect(section.get_by_role("img")).to_have_count(0)
