"""The section "Subscription plan" in each state that the API can tell."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import OFFLINE, Site, problem
from tests.browser.shapes import CHECKOUT
from tests.factories import NOON

LINK = {"url": CHECKOUT, "expires_at": "2027-01-31T10:00:00Z"}


def plan(page: Page) -> Locator:
    return page.get_by_role("region", name="Subscription plan")


def offer(site: Site, billing: dict[str, Any] | None = None) -> None:
    site.answers("GET /billing", billing or shapes.no_subscription())
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())


def show(site: Site, page: Page, billing: Any, address: str = "/") -> Locator:
    offer(site)
    site.answers("GET /billing", billing)
    site.sign_in(page, address)
    expect(plan(page).locator(".skeleton")).to_have_count(0)
    return plan(page)


def test_while_loading_the_page_shows_neither_a_plan_nor_an_offer(site: Site, page: Page) -> None:
    page.route("**/billing", lambda route: None)
    offer(site)
    site.sign_in(page)
    expect(page.get_by_role("status")).to_have_text("Loading your billing.")
    expect(plan(page).locator(".skeleton")).to_be_visible()
    expect(plan(page).get_by_role("button")).to_have_count(0)


def test_an_active_subscription_shows_plan_price_renewal_charge_and_card(
    site: Site, page: Page
) -> None:
    section = show(site, page, shapes.subscribed())
    expect(section).to_contain_text("Active")
    expect(section).to_contain_text("Business")
    expect(section).to_contain_text("US$99 per month")
    facts = section.locator("dl > div")
    expect(facts).to_have_text(
        [
            "Billing cycleMonthly",
            "Renews on31 January 2027",
            "Next chargeUS$99.00on 31 January 2027",
            "Total per month≈ US$99",
            "Payment cardVisa •••• 4242ending in 4242expires 08/2030",
        ]
    )


def test_dates_are_the_same_for_a_reader_far_from_utc(site: Site, page: Page) -> None:
    devtools = site.context.new_cdp_session(page)
    devtools.send("Emulation.setTimezoneOverride", {"timezoneId": "Pacific/Auckland"})
    section = show(site, page, shapes.subscribed(renews_at="2027-01-31T23:59:59Z"))
    renewal = section.locator("dl > div", has_text="Renews on").get_by_role("time")
    expect(renewal).to_have_text("31 January 2027")
    expect(renewal).to_have_attribute("title", re.compile(r"31 January 2027.* 23:59 UTC"))


def test_what_the_api_does_not_know_yet_is_left_out(site: Site, page: Page) -> None:
    section = show(
        site, page, shapes.subscribed(card=None, next_charge=None, monthly_total=None, price=None)
    )
    expect(section.locator("dl > div")).to_have_text(
        ["Billing cycleMonthly", "Renews on31 January 2027", "Payment cardNone on file"]
    )


def test_a_change_of_cycle_at_the_renewal_is_announced(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed(pending_cycle="annual"))
    expect(section.locator("dl > div").first).to_have_text("Billing cycleMonthlythen annual")


def test_an_unpaid_renewal_says_how_long_access_lasts(site: Site, page: Page) -> None:
    grace = {"state": "grace", "until": "2027-02-14T00:00:00Z"}
    section = show(site, page, shapes.subscribed(grace, status="past_due"))
    expect(section).to_contain_text("Payment overdue")
    expect(section).to_contain_text("keeps its access until 14 February 2027")


def test_a_cancelled_subscription_names_its_last_day(site: Site, page: Page) -> None:
    section = show(site, page, shapes.ending())
    expect(section).to_contain_text("Your subscription ends on 31 January 2027")
    expect(section).not_to_contain_text("Renews on")
    expect(section).to_contain_text("Next chargeNone")


def test_an_end_with_slots_that_are_kept_says_what_is_still_billed(site: Site, page: Page) -> None:
    charges = shapes.kept_slots()["keep_slots"]["charges"]
    billing = shapes.ending(ends_at="2027-11-15T10:00:00Z", charges=charges)
    billing["slots"] = shapes.slots(5, 2, ends_at="2027-11-15T10:00:00Z")
    section = show(site, page, billing)
    expect(section).to_contain_text("Your slots end on the same day.")
    expect(section).to_contain_text(
        "10 charges are left, US$2,450.00 in all. The next is US$245.00"
    )
    section.get_by_text("Every charge").click()
    expect(section.get_by_role("listitem")).to_have_count(10)


def test_the_next_charge_is_itemized_and_there_is_a_total_per_month(site: Site, page: Page) -> None:
    items = [
        {"kind": "subscription", "amount": 9900},
        {"kind": "slots", "amount": 24500},
        {"kind": "tax", "amount": 6536},
        {"kind": "balance", "amount": -1000},
    ]
    charge = {
        **shapes.money(39936),
        "at": "2027-01-31T23:59:59Z",
        "items": items,
        "estimated_at": "2027-01-02T10:00:00Z",
    }
    billing = shapes.subscribed(next_charge=charge, monthly_total=shapes.money(40936))
    section = show(site, page, billing)
    facts = section.locator("dl > div")
    expect(facts.filter(has_text="Next charge")).to_have_text(
        "Next chargeUS$399.36on 31 January 2027Plan US$99.00 · Slots US$245.00 · Tax US$65.36 · "
        "Account balance -US$10.00, estimated on 2 January 2027"
    )
    expect(facts.filter(has_text="Total per month")).to_have_text("Total per month≈ US$409.36")


def test_an_ended_subscription_can_be_bought_again(site: Site, page: Page) -> None:
    ended = {"state": "ended", "until": "2026-11-01T00:00:00Z"}
    section = show(site, page, shapes.subscribed(ended, status="canceled"))
    expect(section).to_contain_text("Your subscription ended on 1 November 2026")
    expect(section.get_by_role("button", name="Subscribe")).to_be_enabled()


def test_without_a_subscription_each_cycle_shows_its_own_price(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    business = section.get_by_role("radio", name=re.compile("^Business"))
    section.get_by_role("radio", name="Annual").check()
    expect(business).to_have_accessible_name(re.compile(r"US\$948 per year"))
    section.get_by_role("radio", name="Quarterly").check()
    expect(business).to_have_accessible_name(re.compile(r"US\$267 per quarter"))


def test_the_saving_is_that_of_the_chosen_plan_and_never_rounded_up(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    annual = section.get_by_role("radio", name="Annual")
    expect(annual).to_have_accessible_name("Annual Save 16%")
    section.get_by_role("radio", name=re.compile("^Business")).check()
    expect(annual).to_have_accessible_name("Annual Save 20%")


def test_a_plan_that_is_not_sold_in_a_cycle_cannot_be_chosen(site: Site, page: Page) -> None:
    catalog = shapes.catalog()
    starter = catalog["plans"][0]
    starter["prices"] = [each for each in starter["prices"] if each["cycle"] != "annual"]
    offer(site)
    site.answers("GET /catalog", catalog)
    site.sign_in(page)
    plan(page).get_by_role("radio", name="Annual").check()
    expect(plan(page).get_by_role("radio", name=re.compile("^Starter"))).to_be_disabled()
    expect(plan(page).get_by_role("radio", name=re.compile("^Business"))).to_be_checked()


def test_subscribing_sends_the_choice_and_leaves_for_payment(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    site.answers("POST /subscription/checkout", LINK)
    section.get_by_role("radio", name="EUR").check()
    section.get_by_role("radio", name="Annual").check()
    section.get_by_role("radio", name=re.compile("^Business")).check()
    expect(section).to_contain_text("Business: €876.00 today, then every year")
    section.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(CHECKOUT)
    (request,) = site.calls("POST /subscription/checkout")
    assert request.post_data_json == {"plan": "business", "cycle": "annual", "currency": "eur"}


def test_a_double_click_opens_one_checkout(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    site.answers("POST /subscription/checkout", LINK)
    section.get_by_role("button", name="Subscribe").dblclick()
    page.wait_for_url(CHECKOUT)
    assert len(site.calls("POST /subscription/checkout")) == 1


def keys(site: Site) -> list[str]:
    requests = site.calls("POST /subscription/checkout")
    return [each.headers["idempotency-key"] for each in requests]


def test_trying_again_after_a_lost_answer_repeats_the_key(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    site.answers_next("POST /subscription/checkout", OFFLINE, problem(500, "internal", "Ours."))
    site.answers("POST /subscription/checkout", LINK)
    subscribe = section.get_by_role("button", name="Subscribe")
    subscribe.click()
    expect(section.get_by_role("alert")).to_contain_text("cannot be reached")
    subscribe.click()
    expect(section.get_by_role("alert")).to_contain_text("Ours.")
    subscribe.click()
    page.wait_for_url(CHECKOUT)
    assert len(set(keys(site))) == 1


def test_another_choice_or_a_refusal_takes_another_key(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    refused = problem(422, "unknown_plan", "There is no such plan.")
    site.answers_next("POST /subscription/checkout", OFFLINE, refused, refused)
    subscribe = section.get_by_role("button", name="Subscribe")
    alert = section.get_by_role("alert")
    subscribe.click()
    expect(alert).to_contain_text("cannot be reached")
    section.get_by_role("radio", name="Annual").check()
    subscribe.click()
    expect(alert).to_contain_text("There is no such plan.")
    subscribe.click()
    expect(alert).to_contain_text("There is no such plan.")
    expect(subscribe).not_to_have_attribute("aria-disabled", "true")
    assert len(set(keys(site))) == 3


def test_a_refused_field_is_named(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    errors = [{"field": "cycle", "message": "must be one of: monthly"}]
    refusal = problem(422, "unknown_cycle", "There is no such cycle.", errors=errors)
    site.answers("POST /subscription/checkout", refusal)
    section.get_by_role("button", name="Subscribe").click()
    expect(section.get_by_role("alert")).to_contain_text("cycle: must be one of: monthly")


def test_a_busy_service_is_asked_again_after_the_time_it_names(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    busy = problem(429, "too_many", "Slow down.", retry_after=1)
    site.answers_next("POST /subscription/checkout", busy)
    site.answers("POST /subscription/checkout", LINK)
    section.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(CHECKOUT)
    assert len(set(keys(site))) == 1
    assert len(keys(site)) == 2


def test_who_subscribed_elsewhere_meanwhile_sees_the_subscription(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    conflict = problem(409, "already_subscribed", "This account has a subscription already.")
    site.answers("POST /subscription/checkout", conflict)
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Subscribe").click()
    expect(section).to_contain_text("Active")


def test_a_second_tab_gets_the_first_ones_checkout(site: Site, page: Page) -> None:
    section = show(site, page, shapes.open_checkout())
    expect(section).to_contain_text("A payment page is open for your team")
    section.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(CHECKOUT)


def test_a_cancelled_checkout_says_that_nothing_was_charged(site: Site, page: Page) -> None:
    section = show(site, page, shapes.open_checkout(), "/?checkout=cancelled")
    expect(section).to_contain_text("Checkout was cancelled. Nothing was charged.")
    expect(page).to_have_url(re.compile(r"/$"))


def test_coming_back_from_checkout_is_not_yet_a_subscription(site: Site, page: Page) -> None:
    section = show(site, page, shapes.open_checkout(), "/?checkout=success")
    expect(section).to_contain_text("Payment received, waiting for confirmation")
    expect(section).not_to_contain_text("Active")


def test_a_payment_that_settles_later_does_not_count_as_received(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.open_checkout(), "/?checkout=success")
    site.answers("GET /billing", shapes.open_checkout("completing"))
    page.clock.run_for(2_000)
    expect(section).to_contain_text("Payment under way, waiting for the bank")
    expect(section).to_contain_text("no need to pay again")
    expect(section).not_to_contain_text("Payment received")


def test_a_payment_that_failed_later_leads_back_to_the_plans(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.open_checkout("completing"))
    site.answers("GET /billing", shapes.no_subscription())
    page.clock.run_for(2_000)
    expect(section).to_contain_text("The payment was not confirmed")
    expect(section.get_by_role("button", name="Subscribe")).to_be_visible()


def test_the_confirmation_is_waited_for_and_then_shown(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.open_checkout(), "/?checkout=success")
    expect(section).to_contain_text("waiting for confirmation")
    site.answers_next("GET /billing", OFFLINE, problem(503, "unavailable", "Later."))
    site.answers("GET /billing", shapes.subscribed())
    site.answers("GET /invoices", shapes.invoices(shapes.invoice(1)))
    for _ in range(4):
        page.clock.run_for(5_000)
    expect(section).to_contain_text("Your subscription is active")
    expect(page.get_by_role("status")).to_have_text("Your subscription is active.")
    expect(page.get_by_role("row", name=re.compile("ACME0001-0001"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"/$"))


def test_a_long_wait_says_that_nothing_is_lost_and_whom_to_ask(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.open_checkout(), "/?checkout=success")
    expect(section).to_contain_text("waiting for confirmation")
    for _ in range(8):
        with page.expect_response("**/billing"):
            page.clock.run_for(10_000)
    expect(section).to_contain_text("Nothing is lost")
    expect(section.get_by_role("link", name="help@sales.test")).to_be_visible()
    assert len(site.calls("GET /billing")) < 15


def test_an_address_that_claims_success_does_not_make_a_payment(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription(), "/?checkout=success")
    expect(section).to_contain_text("No payment is on record for your team")
    site.answers("GET /billing", shapes.open_checkout("completing"))
    section.get_by_role("button", name="Check again").click()
    expect(section).to_contain_text("Payment under way, waiting for the bank")


def test_a_failed_load_can_be_tried_again_from_the_keyboard(site: Site, page: Page) -> None:
    section = show(site, page, problem(500, "internal_error", "Something went wrong here."))
    expect(section).to_contain_text("Something went wrong here.")
    expect(section).to_contain_text("Reference req-7")
    site.answers("GET /billing", shapes.subscribed())
    section.get_by_role("button", name="Try again").press("Enter")
    expect(section).to_contain_text("Active")
    expect(section.get_by_role("heading")).to_be_focused()


def test_a_failed_catalog_is_a_failed_load(site: Site, page: Page) -> None:
    offer(site)
    site.answers_next("GET /catalog", problem(500, "internal_error", "Something went wrong here."))
    site.sign_in(page)
    plan(page).get_by_role("button", name="Try again").click()
    expect(plan(page).get_by_role("button", name="Subscribe")).to_be_visible()


def test_offline_the_page_says_so_and_recovers_by_itself(site: Site, page: Page) -> None:
    section = show(site, page, OFFLINE)
    expect(section).to_contain_text("No connection")
    site.answers("GET /billing", shapes.subscribed())
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(section).to_contain_text("Active")


def test_a_member_learns_that_billing_is_the_managers(site: Site, page: Page) -> None:
    refusal = problem(403, "manager_only", "The billing section is the manager's alone.")
    offer(site)
    site.answers("GET /billing", refusal)
    site.answers("GET /invoices", refusal)
    site.sign_in(page)
    expect(page.get_by_role("heading", name="Billing is the manager’s alone")).to_be_visible()
    expect(page.get_by_text("Your own credits and their log are below.")).to_be_visible()
    expect(plan(page)).to_have_count(0)


def test_a_page_from_the_back_button_asks_again(site: Site, page: Page) -> None:
    section = show(site, page, shapes.no_subscription())
    site.answers("GET /billing", shapes.subscribed())
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(section).to_contain_text("Active")


def test_a_tab_that_comes_back_into_view_keeps_what_is_unchanged(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    section = show(site, page, shapes.no_subscription())
    section.get_by_role("radio", name="Annual").check()
    page.clock.run_for(20_000)
    with page.expect_response("**/billing"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(section.get_by_role("radio", name="Annual")).to_be_checked()


def test_money_has_the_digits_that_stripe_counts_in(site: Site, page: Page) -> None:
    page.goto(site.origin)
    written = page.evaluate(
        """async (amounts) => {
            const { money } = await import("/assets/words.js");
            return amounts.map(([amount, currency]) => money({ amount, currency }));
        }""",
        [[9950, "usd"], [5000, "jpy"], [12345, "rsd"], [12345, "isk"], [12340, "kwd"]],
    )
    plain = [each.replace("\N{NO-BREAK SPACE}", " ") for each in written]
    assert plain == ["US$99.50", "JP¥5,000", "RSD 123.45", "ISK 123.45", "KWD 12.340"]
