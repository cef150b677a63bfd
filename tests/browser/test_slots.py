"""Managing slots: what is due today and what from the renewal on, before anything is ordered."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser import shapes
from tests.browser.scripted import OFFLINE, Answer, Site, problem
from tests.browser.shapes import member, money
from tests.factories import NOON

PREVIEW = "POST /slots/preview"
ORDER = "PUT /slots"
RENEWAL = "2027-01-15T10:00:00Z"
MIA = member("Mia Kolar")
LEO = member("Leo Brandt", "invited")


def quote(request: Request) -> Answer:
    """Half a month's price for each slot more, and nothing for fewer."""
    body: Any = request.post_data_json
    purchased = body["purchased"]
    return Answer(
        {
            "purchased": purchased,
            "due_now": money(max(0, purchased - 3) * 2450),
            "from_next_renewal": money(purchased * 4900),
            "effective_at": RENEWAL,
            "quote": f"quote-for-{purchased}",
        }
    )


def team(page: Page) -> Locator:
    return page.get_by_role("region", name="Team members")


def manage(site: Site, page: Page, billing: Any = None) -> Locator:
    site.answers("GET /billing", billing or shapes.team(MIA, LEO, purchased=3))
    site.answers("GET /invoices", shapes.invoices())
    site.answers(PREVIEW, quote)
    site.sign_in(page)
    team(page).get_by_role("button", name="Manage slots").click()
    return page.get_by_role("dialog")


def choose(dialog: Locator, purchased: int) -> None:
    dialog.get_by_label("Slots for team members").fill(str(purchased))
    expect(dialog.get_by_role("button", name="Confirm")).to_be_enabled()


def sent(site: Site) -> list[Any]:
    return [each.post_data_json for each in site.calls(ORDER)]


def test_more_slots_show_what_is_due_today_apart_from_the_renewal(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    expect(dialog.get_by_role("button", name="Confirm")).to_be_disabled()
    dialog.get_by_role("button", name="One slot more").click()
    expect(dialog.locator("dl > div")).to_have_text(
        ["Due todayUS$24.50", "From 15 January 2027US$196.00per month"]
    )
    assert sent(site) == []


def test_the_order_carries_the_quote_that_was_shown(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 5)
    site.answers(ORDER, shapes.slots(5, 2))
    site.answers("GET /billing", shapes.team(MIA, LEO, purchased=5))
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog).to_have_count(0)
    expect(team(page)).to_contain_text("2 of 5 slots in use")
    expect(page.get_by_role("status")).to_have_text("Your team has 5 slots.")
    assert sent(site) == [{"purchased": 5, "quote": "quote-for-5"}]


def test_while_the_number_changes_only_the_last_price_is_asked_for(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    dialog = manage(site, page)
    for _ in range(4):
        dialog.get_by_role("button", name="One slot more").click()
    page.clock.run_for(1_000)
    expect(dialog).to_contain_text("US$343.00")
    assert [each.post_data_json for each in site.calls(PREVIEW)] == [{"purchased": 7}]


def test_fewer_slots_cost_nothing_today_and_hold_from_the_renewal(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 2)
    expect(dialog).to_contain_text("Due todayUS$0.00")
    expect(dialog).to_contain_text("Until then you keep the 3 that are paid for.")
    site.answers(ORDER, shapes.slots(3, 2, pending_purchased=2))
    site.answers("GET /billing", shapes.team(MIA, LEO, purchased=3, pending_purchased=2))
    dialog.get_by_role("button", name="Confirm").click()
    expect(team(page)).to_contain_text("2 slots from 15 January 2027")
    said = "Your team has 3 slots, 2 from 15 January 2027."
    expect(page.get_by_role("status")).to_have_text(said)


def test_fewer_slots_can_be_taken_back(site: Site, page: Page) -> None:
    site.answers("GET /billing", shapes.team(MIA, LEO, purchased=3, pending_purchased=2))
    site.answers("GET /invoices", shapes.invoices())
    site.sign_in(page)
    site.answers(ORDER, shapes.slots(3, 2))
    site.answers("GET /billing", shapes.team(MIA, LEO, purchased=3))
    team(page).get_by_role("button", name="Keep 3 slots").click()
    expect(team(page)).not_to_contain_text("15 January 2027")
    assert sent(site) == [{"purchased": 3}]


def test_never_fewer_than_are_in_use_and_it_says_by_whom(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    fewer = dialog.get_by_role("button", name="One slot fewer")
    for _ in range(3):
        fewer.click()
    expect(dialog.get_by_label("Slots for team members")).to_have_value("2")
    expect(dialog).to_contain_text("In use by Mia Kolar and Leo Brandt")


def test_who_took_a_slot_meanwhile_is_named(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 2)
    taken = problem(409, "slots_in_use", "3 slots are in use.", members=[member("Noa Levi")])
    site.answers(ORDER, taken)
    dialog.get_by_role("button", name="Confirm").click()
    alert = dialog.get_by_role("alert")
    expect(alert).to_contain_text("3 slots are in use.")
    expect(alert.get_by_role("listitem")).to_have_text(["Noa Levi"])


@pytest.mark.parametrize("typed", ["", "1", "2.5", "99999"])
def test_a_number_that_cannot_be_has_no_price_and_cannot_be_ordered(
    site: Site, page: Page, typed: str
) -> None:
    dialog = manage(site, page)
    dialog.get_by_label("Slots for team members").fill(typed)
    expect(dialog.get_by_role("button", name="Confirm")).to_be_disabled()
    assert site.calls(PREVIEW) == []


def test_a_quote_gone_stale_shows_the_new_price_and_asks_again(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 4)
    new = {
        "purchased": 4,
        "due_now": money(2400),
        "from_next_renewal": money(19600),
        "effective_at": RENEWAL,
    }
    stale = problem(409, "quote_stale", "The price has changed.", preview={**new, "quote": "newer"})
    site.answers_next(ORDER, stale)
    site.answers(ORDER, shapes.slots(4, 2))
    confirm = dialog.get_by_role("button", name="Confirm")
    confirm.click()
    expect(dialog).to_contain_text("Due todayUS$24.00")
    expect(dialog.get_by_role("alert")).to_contain_text("The price has changed.")
    confirm.click()
    expect(dialog).to_have_count(0)
    assert sent(site)[-1] == {"purchased": 4, "quote": "newer"}


def test_where_another_tab_was_faster_one_more_is_still_one_more(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 4)
    new = {
        "purchased": 5,
        "due_now": money(2450),
        "from_next_renewal": money(24500),
        "effective_at": RENEWAL,
    }
    stale = problem(409, "quote_stale", "There are 4 slots now.", preview={**new, "quote": "newer"})
    site.answers_next(ORDER, stale)
    site.answers(ORDER, shapes.slots(5, 2))
    confirm = dialog.get_by_role("button", name="Confirm")
    confirm.click()
    expect(dialog.get_by_label("Slots for team members")).to_have_value("5")
    expect(dialog.get_by_role("alert")).to_contain_text("There are 4 slots now.")
    confirm.click()
    expect(dialog).to_have_count(0)
    assert sent(site)[-1] == {"purchased": 5, "quote": "newer"}


def test_a_card_that_needs_the_banks_approval_leads_there(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 4)
    page.route("https://invoice.test/**", lambda route: route.fulfill(body="Bank"))
    url = "https://invoice.test/i/in_9"
    site.answers(ORDER, problem(402, "payment_needed", "Your bank asks for approval.", url=url))
    dialog.get_by_role("button", name="Confirm").click()
    dialog.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(url)


def test_too_many_changes_of_a_day_are_refused_in_words(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 4)
    refusal = problem(429, "too_many_slot_changes", "Slots can be added 20 times a day.")
    site.answers(ORDER, refusal)
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Slots can be added 20 times a day.")


def test_an_order_whose_answer_was_lost_is_repeated_with_its_key(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    choose(dialog, 4)
    site.answers_next(ORDER, OFFLINE)
    site.answers(ORDER, shapes.slots(4, 2))
    confirm = dialog.get_by_role("button", name="Confirm")
    confirm.click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    confirm.click()
    expect(dialog).to_have_count(0)
    assert len({each.headers["idempotency-key"] for each in site.calls(ORDER)}) == 1


def test_a_price_that_cannot_be_had_orders_nothing(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    site.answers(PREVIEW, problem(503, "unavailable", "Stripe does not answer."))
    dialog.get_by_role("button", name="One slot more").click()
    expect(dialog).to_contain_text("Stripe does not answer.")
    expect(dialog.get_by_role("button", name="Confirm")).to_be_disabled()


def test_yearly_slots_are_asked_of_support(site: Site, page: Page) -> None:
    dialog = manage(site, page)
    site.answers("POST /support-requests", Answer(shapes.requests("annual_slots")["items"][0], 201))
    dialog.get_by_role("button", name="Ask for yearly slots").click()
    expect(dialog).to_have_accessible_name("Ask Support for yearly slots")
    dialog.get_by_role("button", name="Send request").click()
    expect(dialog).to_have_count(0)
    (request,) = site.calls("POST /support-requests")
    assert request.post_data_json == {"topic": "annual_slots"}


def test_yearly_slots_are_changed_by_support(site: Site, page: Page) -> None:
    yearly = shapes.slots(5, 2, cycle="annual", price=shapes.money(30000), pending_purchased=3)
    site.answers("GET /billing", {**shapes.subscribed(), "slots": yearly})
    site.answers("GET /invoices", shapes.invoices())
    site.sign_in(page)
    expect(team(page)).to_contain_text("3 slots from 15 January 2027")
    expect(team(page).get_by_role("button", name="Keep")).to_have_count(0)
    team(page).get_by_role("button", name="Manage slots").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("5 yearly slots at US$300.00 each. Support changes them")
    expect(dialog.get_by_role("button", name="Send request")).to_be_visible()


def test_an_invitation_without_a_free_slot_leads_to_the_slots(site: Site, page: Page) -> None:
    site.answers("GET /billing", shapes.subscribed())
    site.answers("GET /invoices", shapes.invoices())
    site.answers(PREVIEW, quote)
    site.sign_in(page)
    team(page).get_by_role("button", name="Invite").click()
    page.get_by_role("dialog").get_by_role("button", name="Manage slots").click()
    expect(page.get_by_role("dialog")).to_have_accessible_name("Manage slots")
    expect(page.get_by_label("Slots for team members")).to_have_value("0")
