"""What a manager changes of the subscription: cycle, plan, card, an overdue payment, the end."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import OFFLINE, Answer, Site, problem
from tests.factories import NOON

CYCLE = "PUT /subscription/cycle"
CANCEL = "POST /subscription/cancel"
CANCELED = {each: shapes.CANCELLATION[each] for each in shapes.CANCELLATION if each != "keep_slots"}
RESUMED = {
    "renews_at": "2027-01-31T23:59:59Z",
    "slots_ended_at": None,
    "add_on_ended_at": None,
}
PAY = "POST /invoices/{id}/pay"
NEW_CARD = {**shapes.CARD, "last4": "4444", "brand": "mastercard"}
RENEWAL = "31 January 2027"


def plan(page: Page) -> Locator:
    return page.get_by_role("region", name="Subscription plan")


def show(site: Site, page: Page, billing: Any, address: str = "/") -> Locator:
    site.answers("GET /billing", billing)
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices(shapes.invoice(1)))
    site.sign_in(page, address)
    expect(plan(page).locator(".skeleton")).to_have_count(0)
    return plan(page)


def ask(page: Page, name: str) -> Locator:
    plan(page).get_by_role("button", name=name).click()
    return page.get_by_role("dialog")


def sent(site: Site, route: str) -> Any:
    return site.calls(route)[-1].post_data_json


def keys(site: Site, route: str) -> list[str]:
    return [each.headers["idempotency-key"] for each in site.calls(route)]


def test_each_cycle_shows_its_price_and_from_when_it_would_hold(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Change cycle")
    expect(dialog).to_have_accessible_name("Change billing cycle")
    expect(dialog.get_by_role("radio", name="Monthly")).to_be_checked()
    expect(dialog.get_by_role("radio", name="Monthly")).to_be_focused()
    annual = dialog.get_by_role("radio", name="Annual")
    expect(annual).to_have_accessible_name(re.compile(r"US\$948 per year.*Save 20%"))
    annual.check()
    expect(dialog).to_contain_text(f"US$948.00 per year from {RENEWAL}")
    expect(dialog).to_contain_text("nothing is due today")


def test_a_change_of_cycle_is_ordered_and_then_shown_as_pending(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed())
    dialog = ask(page, "Change cycle")
    answer = {"cycle": "monthly", "pending_cycle": "annual", "effective_at": "2027-01-31T23:59:59Z"}
    site.answers(CYCLE, answer)
    site.answers("GET /billing", shapes.subscribed(pending_cycle="annual"))
    dialog.get_by_role("radio", name="Annual").check()
    dialog.get_by_role("button", name="Change cycle").click()
    expect(dialog).to_have_count(0)
    expect(section).to_contain_text(f"Annual from {RENEWAL}")
    expect(page.get_by_role("status")).to_have_text(f"Annual from {RENEWAL}.")
    expect(section.get_by_role("heading", name="Subscription plan")).to_be_focused()
    assert sent(site, CYCLE) == {"cycle": "annual"}


def test_a_plan_to_come_is_shown_with_its_day(site: Site, page: Page) -> None:
    starter = {"id": "starter", "name": "Starter"}
    section = show(site, page, shapes.subscribed(pending_plan=starter, pending_cycle="annual"))
    expect(section).to_contain_text("Starter, annual, from 31 January 2027")
    expect(section).to_contain_text("Until then you have Business.")


def test_a_pending_change_of_cycle_can_be_taken_back(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed(pending_cycle="annual"))
    answer = {"cycle": "monthly", "pending_cycle": None, "effective_at": "2027-01-31T23:59:59Z"}
    site.answers(CYCLE, answer)
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Keep monthly").click()
    expect(page.get_by_role("status")).to_have_text("You stay with monthly billing.")
    expect(section).not_to_contain_text("Annual from")
    assert sent(site, CYCLE) == {"cycle": "monthly"}


def test_a_cycle_left_as_it_is_orders_nothing(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Change cycle")
    dialog.get_by_role("button", name="Change cycle").click()
    expect(dialog).to_have_count(0)
    assert site.calls(CYCLE) == []


def test_a_price_of_earlier_days_stays_what_it_is(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed(price=shapes.money(7900)))
    dialog = ask(page, "Change cycle")
    monthly = dialog.get_by_role("radio", name="Monthly")
    expect(monthly).to_have_accessible_name(re.compile(r"US\$79 per month"))


def test_a_plan_that_is_no_longer_sold_leaves_its_cycle_to_support(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed(plan={"id": "old", "name": "Old"}))
    dialog = ask(page, "Change cycle")
    expect(dialog).to_contain_text("Write to help@sales.test")
    expect(dialog.get_by_role("button")).to_have_text(["Close"])


def test_a_refused_change_stays_in_the_dialog_and_says_why(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Change cycle")
    site.answers_next(CYCLE, OFFLINE, OFFLINE)
    dialog.get_by_role("radio", name="Annual").check()
    change = dialog.get_by_role("button", name="Change cycle")
    change.click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    change.click()
    expect(change).not_to_have_attribute("aria-disabled", "true")
    assert len(set(keys(site, CYCLE))) == 1
    site.answers(CYCLE, problem(409, "subscription_ends", "The subscription is cancelled."))
    change.click()
    expect(dialog.get_by_role("alert")).to_contain_text("The subscription is cancelled.")


def test_escape_closes_a_dialog_and_the_focus_is_where_it_was(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Cancel subscription")
    expect(dialog.get_by_role("button", name="Keep my subscription")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(plan(page).get_by_role("button", name="Cancel subscription")).to_be_focused()


def test_another_plan_is_asked_of_support_and_shown_as_sent(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed())
    dialog = ask(page, "Change plan")
    site.answers("POST /support-requests", Answer(shapes.requests("downgrade")["items"][0], 201))
    site.answers("GET /support-requests", shapes.requests("downgrade"))
    expect(dialog.get_by_role("radio")).to_have_count(1)
    expect(dialog.get_by_role("link", name="help@sales.test")).to_be_visible()
    dialog.get_by_role("button", name="Ask Support").click()
    expect(dialog).to_have_count(0)
    expect(section).to_contain_text("Your request for another plan was sent on 1 December 2026")
    expect(page.get_by_role("status")).to_have_text("Your request was sent to Support.")
    request = {"topic": "downgrade", "message": "Plan wanted: Starter"}
    assert sent(site, "POST /support-requests") == request


def test_a_request_for_another_plan_is_still_shown_the_next_time(site: Site, page: Page) -> None:
    site.answers("GET /support-requests", shapes.requests("upgrade", "data_unlimited"))
    section = show(site, page, shapes.subscribed())
    expect(section).to_contain_text("Your request for another plan was sent on 1 December 2026")


def test_a_new_card_is_entered_elsewhere_and_then_waited_for(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.subscribed())
    site.answers("POST /subscription/card", shapes.CARD_PAGE)
    section.get_by_role("button", name="Update card").click()
    page.get_by_role("link", name="Save").click()
    expect(section).to_contain_text("Your card is saved, waiting for confirmation")
    expect(page).to_have_url(re.compile(r"/$"))
    site.answers("GET /billing", shapes.subscribed(card=NEW_CARD))
    page.clock.run_for(2_000)
    expect(section).to_contain_text("Your new card is on file")
    expect(section).to_contain_text("Mastercard •••• 4444")


def test_a_card_that_was_reported_before_the_way_back_needs_no_waiting(
    site: Site, page: Page
) -> None:
    section = show(site, page, shapes.subscribed())
    site.answers("POST /subscription/card", shapes.CARD_PAGE)
    section.get_by_role("button", name="Update card").click()
    site.answers("GET /billing", shapes.subscribed(card=NEW_CARD))
    page.get_by_role("link", name="Save").click()
    expect(section).to_contain_text("Your new card is on file")


def test_no_card_entered_leaves_the_one_on_file(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed())
    site.answers("POST /subscription/card", shapes.CARD_PAGE)
    section.get_by_role("button", name="Update card").click()
    page.get_by_role("link", name="Back").click()
    expect(section).to_contain_text("No card was entered")
    expect(section).to_contain_text("Visa •••• 4242")


def test_an_overdue_payment_is_paid_from_the_banner(site: Site, page: Page) -> None:
    section = show(site, page, shapes.overdue())
    site.answers(PAY, {"status": "paid"})
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Pay US$99.00 now").click()
    expect(page.get_by_role("status")).to_have_text("Invoice ACME0001-0002 is paid. Thank you.")
    expect(section).to_contain_text("Active")
    assert site.calls(PAY)[0].url.endswith("/invoices/1700000002-in_2/pay")


def test_a_payment_that_the_bank_must_approve_leads_there(site: Site, page: Page) -> None:
    section = show(site, page, shapes.overdue())
    page.route("https://invoice.test/**", lambda route: route.fulfill(body="Bank"))
    refusal = problem(
        402, "payment_needed", "Your bank asks for approval.", url=shapes.OPEN_INVOICE["url"]
    )
    site.answers(PAY, refusal)
    section.get_by_role("button", name="Pay US$99.00 now").click()
    alert = section.get_by_role("alert")
    expect(alert).to_contain_text("Your bank asks for approval.")
    alert.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(shapes.OPEN_INVOICE["url"])


def test_an_overdue_payment_can_be_made_with_a_new_card(site: Site, page: Page) -> None:
    section = show(site, page, shapes.overdue())
    site.answers("POST /subscription/card", shapes.CARD_PAGE)
    section.get_by_role("button", name="Use a new card").click()
    expect(page.get_by_role("link", name="Save")).to_be_visible()


def test_canceling_names_when_each_part_ends_what_is_lost_and_what_is_kept(
    site: Site, page: Page
) -> None:
    show(site, page, shapes.subscribed(pending_cycle="annual"))
    dialog = ask(page, "Cancel subscription")
    expect(dialog).to_contain_text(f"Your plan ends on {RENEWAL}. Everything works until then.")
    expect(dialog).to_contain_text("You will not be charged again.")
    expect(dialog).to_contain_text("Changes that you planned for the renewal are dropped.")
    expect(dialog.get_by_role("listitem")).to_have_text(["Your access", "All reports"])
    expect(dialog).to_contain_text("Credits stay in the wallets")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)


def test_slots_that_end_before_the_plan_can_be_kept_for_what_the_dialog_names(
    site: Site, page: Page
) -> None:
    cancellation = shapes.kept_slots()
    end = cancellation["ends_at"]
    billing = shapes.subscribed(cycle="annual", renews_at=end, cancellation=cancellation)
    section = show(site, page, billing)
    dialog = ask(page, "Cancel subscription")
    said = (
        "Your plan ends on 15 November 2027. Your slots end on 15 January 2027. Members lose "
        "access when the slots end. You keep yours until the plan ends."
    )
    expect(dialog).to_contain_text(said)
    expect(dialog).to_contain_text("You will not be charged again.")
    keep = dialog.get_by_label("Keep 5 slots at US$245 per month until 15 November 2027")
    expect(keep).not_to_be_checked()
    keep.check()
    expect(dialog).to_contain_text("Your slots end on 15 November 2027.")
    left = "10 charges are left, US$2,450.00 in all. The next is US$245.00 on 15 January 2027."
    expect(dialog).to_contain_text(left)
    expect(dialog).not_to_contain_text("not be charged")
    charges = cancellation["keep_slots"]["charges"]
    site.answers(CANCEL, {**CANCELED, "ends_at": end, "slots_ends_at": end, "charges": charges})
    site.answers("GET /billing", shapes.ending(ends_at=end, charges=charges))
    dialog.get_by_role("button", name="Cancel subscription").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("status")).to_contain_text(left)
    expect(section).to_contain_text(left)
    assert sent(site, CANCEL) == {"keep_slots": True}


def test_where_the_renewal_is_not_paid_canceling_ends_the_plan_now(site: Site, page: Page) -> None:
    now = {**shapes.CANCELLATION, "ends_at": "2027-01-02T10:00:00Z"}
    show(site, page, shapes.subscribed(cancellation=now))
    dialog = ask(page, "Cancel subscription")
    expect(dialog).to_contain_text("It will not be charged, and your plan ends now.")


def test_canceling_says_why_and_is_then_shown_with_its_day(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed())
    dialog = ask(page, "Cancel subscription")
    site.answers(CANCEL, CANCELED)
    site.answers("GET /billing", shapes.ending())
    dialog.get_by_label("Why are you canceling?").select_option("It costs too much")
    dialog.get_by_label("Anything we should know?").fill(" Too many seats ")
    dialog.get_by_role("button", name="Cancel subscription").click()
    expect(dialog).to_have_count(0)
    expect(section).to_contain_text(f"Your subscription ends on {RENEWAL}")
    said = f"Your plan ends on {RENEWAL}. You will not be charged again."
    expect(page.get_by_role("status")).to_have_text(f"Your subscription is canceled. {said}")
    expect(section.get_by_role("button", name="Cancel subscription")).to_have_count(0)
    assert sent(site, CANCEL) == {"reason": "too_expensive", "comment": "Too many seats"}


def test_canceling_needs_no_reason(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Cancel subscription")
    site.answers(CANCEL, CANCELED)
    site.answers("GET /billing", shapes.ending())
    dialog.get_by_role("button", name="Cancel subscription").click()
    expect(dialog).to_have_count(0)
    assert sent(site, CANCEL) == {}


def test_keeping_in_the_dialog_cancels_nothing(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Cancel subscription")
    dialog.get_by_role("button", name="Keep my subscription").click()
    expect(dialog).to_have_count(0)
    assert site.calls(CANCEL) == []


def test_before_cancelling_the_invoices_can_be_taken_out(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Cancel subscription")
    dialog.get_by_role("button", name="Go to the invoices").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", name="Invoice history")).to_be_focused()


def test_a_cancelled_subscription_is_kept_again_until_its_end(site: Site, page: Page) -> None:
    section = show(site, page, shapes.ending())
    site.answers("POST /subscription/resume", RESUMED)
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Keep my subscription").click()
    said = f"Your subscription continues. It renews on {RENEWAL}."
    expect(page.get_by_role("status")).to_have_text(said)
    expect(section).to_contain_text(f"Renews on{RENEWAL}")


def test_slots_that_had_ended_must_be_bought_again_after_resuming(site: Site, page: Page) -> None:
    section = show(site, page, shapes.ending())
    ended = {**RESUMED, "slots_ended_at": "2027-01-15T10:00:00Z"}
    site.answers("POST /subscription/resume", ended)
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Keep my subscription").click()
    said = "Your slots ended on 15 January 2027. Buy slots again for your team."
    expect(page.get_by_role("status")).to_contain_text(said)


def test_what_stripe_reports_a_little_later_is_shown_then(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.ending())
    site.answers("POST /subscription/resume", RESUMED)
    site.answers_next("GET /billing", shapes.ending())
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Keep my subscription").click()
    expect(page.get_by_role("status")).to_contain_text("Your subscription continues.")
    page.clock.run_for(2_000)
    expect(section).to_contain_text("Active")


def test_a_sign_out_closes_what_was_being_asked(site: Site, page: Page) -> None:
    show(site, page, shapes.subscribed())
    dialog = ask(page, "Cancel subscription")
    site.answers(CANCEL, problem(401, "not_signed_in", "Sign in first."))
    dialog.get_by_role("button", name="Cancel subscription").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
