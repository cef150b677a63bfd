"""The sections "Credits" and "Credit log", and what a member sees of both."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser import shapes
from tests.browser.scripted import OFFLINE, Answer, Site, problem
from tests.browser.shapes import entry, member
from tests.factories import NOON

BUY = "POST /credits/checkout"
SEND = "POST /credits/transfers"
LOG = "GET /credits/log"
USAGE = "GET /credits/usage"
MIA = member("Mia Kolar", credits=150)
LEO = member("Leo Brandt", "invited")
TEAM = shapes.with_credits(shapes.team(MIA, LEO, purchased=3), 1000, mine=850)
SENT = entry(20, "transfer", 25, **{"from": "ana", "to": MIA["id"], "balance_after": 825})
BOUGHT = entry(19, "grant", 500, to="ana", balance_after=850)


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def show(
    site: Site, page: Page, billing: Any = TEAM, log: Any = None, address: str = "/"
) -> Locator:
    site.answers("GET /billing", billing)
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())
    if log is not None:
        site.answers(LOG, log)
    site.sign_in(page, address)
    expect(page.locator(".skeleton")).to_have_count(0)
    return region(page, "Credits")


def show_log(site: Site, page: Page, *entries: dict[str, Any], **more: Any) -> Locator:
    show(site, page, log=shapes.log(*entries, **more))
    return region(page, "Credit log")


def press(page: Page, name: str) -> Locator:
    region(page, "Credits").get_by_role("button", name=name, exact=True).click()
    return page.get_by_role("dialog")


def asked(site: Site, route: str) -> str:
    return site.calls(route)[-1].url


def cells(log: Locator, number: int) -> Locator:
    return log.get_by_role("row").nth(number).get_by_role("cell")


def test_total_spent_and_remaining_are_shown_with_ones_own(site: Site, page: Page) -> None:
    section = show(site, page, shapes.with_credits(shapes.subscribed(), 2500, spent=320, mine=900))
    expect(section.locator("dl > div")).to_have_text(
        ["Total2,500bought until now", "Spent320", "Remaining2,180900 in your wallet"]
    )


def test_what_is_set_aside_and_owed_is_said_where_there_is_any(site: Site, page: Page) -> None:
    there = shapes.with_credits(shapes.subscribed(), 500, spent=520, held=20, debt=40, mine=0)
    section = show(site, page, there)
    expect(section.locator("dl > div", has_text="Set aside")).to_contain_text("20not spent yet")
    expect(section).to_contain_text("40 credits are owed")
    expect(section).to_contain_text("The next credits that you buy pay them off first.")


def test_members_are_shown_with_their_credits_and_who_is_gone_with_sleeping_ones(
    site: Site, page: Page
) -> None:
    gone = member("Noa Levi", "removed", credits=40)
    nothing_left = member("Per Holm", "removed")
    team = shapes.team(MIA, LEO, gone, nothing_left, purchased=3)
    people = show(site, page, shapes.with_credits(team, 1000)).get_by_role("listitem")
    expect(people.nth(0)).to_have_text("Mia Kolarmia@acme.test150 creditsSend")
    expect(people.nth(1)).to_contain_text("40 creditsRemovedThey sleep until this person returns")
    expect(people.nth(1).get_by_role("button")).to_have_count(0)
    expect(people).to_have_count(2)


def test_without_access_credits_sleep_and_nothing_can_be_done_with_them(
    site: Site, page: Page
) -> None:
    ended = {"state": "ended", "until": "2026-11-01T00:00:00Z"}
    billing = {**shapes.subscribed(ended, status="canceled"), "members": [shapes.MANAGER, MIA]}
    section = show(site, page, shapes.with_credits(billing, 500), shapes.log(BOUGHT))
    expect(section).to_contain_text("Nothing can be bought, sent or spent. What is there stays")
    expect(section).to_contain_text("150 credits")
    expect(section.get_by_role("button")).to_have_text(["Alerts and top-up"])
    expect(region(page, "Credit log").get_by_role("row")).to_have_count(2)


def test_who_never_had_credits_or_a_subscription_is_not_shown_any(site: Site, page: Page) -> None:
    expect(show(site, page, shapes.no_subscription())).to_have_count(0)
    assert site.calls(LOG) == []


def buy(site: Site, page: Page) -> None:
    """A package of 500, up to the way back from paying it."""
    show(site, page)
    site.answers(BUY, Answer(shapes.PACKAGE_PAGE, 201))
    press(page, "Buy credits").get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(shapes.PACKAGE_PAGE["url"])


def test_buying_names_the_sum_in_the_subscriptions_currency_and_leads_to_payment(
    site: Site, page: Page
) -> None:
    in_euros = shapes.with_credits(shapes.subscribed(price=shapes.money(9200, "eur")), 0)
    show(site, page, in_euros)
    site.answers(BUY, Answer(shapes.PACKAGE_PAGE, 201))
    dialog = press(page, "Buy credits")
    dialog.get_by_role("radio", name=re.compile("^2,000 credits")).check()
    dialog.get_by_label("How many of it").fill("3")
    expect(dialog).to_contain_text("6,000 credits for €450.00, without tax.")
    dialog.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(shapes.PACKAGE_PAGE["url"])
    assert site.calls(BUY)[0].post_data_json == {"package": "credits_2000", "quantity": 3}


def test_who_comes_back_from_paying_waits_until_the_balance_has_moved(
    site: Site, page: Page
) -> None:
    page.clock.install(time=NOON)
    buy(site, page)
    page.get_by_role("link", name="Pay").click()
    section = region(page, "Credits")
    expect(section).to_contain_text("Your credits are waiting for confirmation")
    expect(section).to_contain_text("Total1,000")
    page.reload()
    expect(section).to_contain_text("Your credits are waiting for confirmation")
    page.clock.run_for(70_000)
    expect(section).to_contain_text("no need to pay again")
    site.answers("GET /billing", {**TEAM, "credits": {**TEAM["credits"], "total": 1500}})
    page.clock.run_for(11_000)
    expect(section).to_contain_text("500 credits have come")
    expect(page.get_by_role("status")).to_have_text("500 credits have come.")
    expect(page).to_have_url(re.compile(r"/$"))


def test_credits_that_pay_off_what_was_owed_say_so(site: Site, page: Page) -> None:
    owing = shapes.with_credits(shapes.subscribed(), 500, spent=540, debt=40, mine=0)
    site.answers(BUY, Answer(shapes.PACKAGE_PAGE, 201))
    show(site, page, owing)
    press(page, "Buy credits").get_by_role("button", name="Continue to payment").click()
    site.answers("GET /billing", shapes.with_credits(shapes.subscribed(), 1000, spent=540))
    page.get_by_role("link", name="Pay").click()
    expect(region(page, "Credits")).to_contain_text("40 credits of them paid off what was owed.")


def test_an_address_that_claims_a_purchase_adds_nothing(site: Site, page: Page) -> None:
    section = show(site, page, address="/?credits=bought")
    expect(section).to_contain_text("If you have paid, they appear here")
    expect(section).to_contain_text("Total1,000")
    expect(page).to_have_url(re.compile(r"/$"))


def test_a_purchase_that_was_left_says_that_nothing_was_charged(site: Site, page: Page) -> None:
    buy(site, page)
    page.get_by_role("link", name="Back").click()
    expect(region(page, "Credits")).to_contain_text("No credits were boughtNothing was charged.")


def test_a_purchase_that_is_refused_says_why(site: Site, page: Page) -> None:
    show(site, page)
    site.answers(BUY, problem(409, "no_access", "Your team has no access."))
    dialog = press(page, "Buy credits")
    dialog.get_by_role("button", name="Continue to payment").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Your team has no access.")


def test_sending_says_before_that_it_cannot_be_undone_and_what_is_there_after(
    site: Site, page: Page
) -> None:
    show(site, page, log=shapes.log(BOUGHT))
    dialog = press(page, "Send credits: Mia Kolar")
    expect(dialog.get_by_role("spinbutton")).to_be_focused()
    dialog.get_by_role("spinbutton").fill("25")
    expect(dialog).to_contain_text("Then Mia Kolar has 175 credits, and you have 825 credits.")
    expect(dialog).to_contain_text("Sending cannot be undone")
    assert site.calls(SEND) == []
    site.answers(SEND, Answer(SENT, 201))
    richer = shapes.team({**MIA, "credits": 175}, LEO, purchased=3)
    site.answers("GET /billing", shapes.with_credits(richer, 1000, mine=825))
    site.answers(LOG, shapes.log(SENT, BOUGHT))
    dialog.get_by_role("spinbutton").press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text("25 credits are sent to Mia Kolar.")
    expect(region(page, "Credits")).to_contain_text("175 credits")
    expect(cells(region(page, "Credit log"), 1).nth(0)).to_have_text("Sent")
    assert site.calls(SEND)[0].post_data_json == {"to": MIA["id"], "credits": 25}


@pytest.mark.parametrize("typed", ["", "0", "1.5", "851"])
def test_a_number_that_cannot_be_sent_is_not(site: Site, page: Page, typed: str) -> None:
    show(site, page)
    dialog = press(page, "Send credits: Mia Kolar")
    dialog.get_by_role("spinbutton").fill(typed)
    dialog.get_by_role("button", name="Send credits").click()
    expect(dialog.get_by_role("spinbutton")).to_be_focused()
    assert site.calls(SEND) == []


@pytest.mark.parametrize(
    ("status", "code", "detail"),
    [
        (422, "insufficient_credits", "There are 10 credits in this wallet."),
        (409, "member_not_active", "Credits can be sent to active members only."),
    ],
)
def test_a_refused_transfer_says_why_and_shows_what_there_is_now(
    site: Site, page: Page, status: int, code: str, detail: str
) -> None:
    section = show(site, page)
    dialog = press(page, "Send credits")
    site.answers(SEND, problem(status, code, detail))
    site.answers("GET /billing", {**TEAM, "credits": {**TEAM["credits"], "mine": 10}})
    dialog.get_by_role("spinbutton").fill("25")
    dialog.get_by_role("button", name="Send credits").click()
    expect(dialog.get_by_role("alert")).to_contain_text(detail)
    expect(section).to_contain_text("10 in your wallet")


def test_a_transfer_whose_answer_was_lost_is_repeated_with_its_key(site: Site, page: Page) -> None:
    show(site, page)
    dialog = press(page, "Send credits")
    site.answers_next(SEND, OFFLINE)
    site.answers(SEND, Answer(SENT, 201))
    dialog.get_by_role("spinbutton").fill("25")
    send = dialog.get_by_role("button", name="Send credits")
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    send.click()
    expect(dialog).to_have_count(0)
    assert len({each.headers["idempotency-key"] for each in site.calls(SEND)}) == 1


@pytest.mark.parametrize(
    ("billing", "words"),
    [
        (shapes.with_credits(shapes.subscribed(), 500), "Nobody has joined your team yet."),
        (shapes.with_credits(shapes.team(MIA, purchased=1), 150, mine=0), "no credits to send"),
    ],
)
def test_where_nothing_can_be_sent_it_says_what_is_missing(
    site: Site, page: Page, billing: Any, words: str
) -> None:
    show(site, page, billing)
    expect(press(page, "Send credits")).to_contain_text(words)


def test_an_entry_tells_when_what_how_many_between_whom_by_whom_and_the_balance(
    site: Site, page: Page
) -> None:
    taken = entry(18, "clawback", 10, **{"from": "ana", "by": "stripe", "balance_after": -5})
    given = entry(17, "grant", 5, to="ana", by="an-operator", balance_after=5)
    topped_up = entry(16, "grant", 500, to="ana", by="schedule")
    log = show_log(site, page, SENT, BOUGHT, taken, given, topped_up)
    expect(log.get_by_role("columnheader")).to_have_text(
        ["Date", "Action", "Credits", "From", "To", "By", "Balance after"]
    )
    expect(log.get_by_role("rowheader").first).to_have_text("20 Nov 202614:05")
    expect(cells(log, 1)).to_have_text(["Sent", "25", "Ana Ruiz", "Mia Kolar", "Ana Ruiz", "825"])
    expect(cells(log, 2)).to_have_text(["Bought", "500", "—", "Ana Ruiz", "Ana Ruiz", "850"])
    expect(cells(log, 3)).to_have_text(["Taken back", "10", "Ana Ruiz", "—", "Stripe", "-5"])
    expect(cells(log, 4)).to_have_text(["Given", "5", "—", "Ana Ruiz", "Support", "5"])
    automatic = ["Automatic top-up", "500", "—", "Ana Ruiz", "Automatic", "500"]
    expect(cells(log, 5)).to_have_text(automatic)


def choose(log: Locator) -> None:
    log.get_by_text("Filter").click()
    log.get_by_label("From").fill("2026-11-01")
    log.get_by_label("To", exact=True).fill("2026-11-30")
    log.get_by_label("Member").select_option("Mia Kolar")
    log.get_by_label("Action").select_option("Sent")


FILTER = "from=2026-11-01T00%3A00%3A00Z&to=2026-12-01T00%3A00%3A00Z&member=id-of-mia&kind=transfer"


def test_the_filter_asks_for_whole_days_in_utc(site: Site, page: Page) -> None:
    log = show_log(site, page, SENT, BOUGHT)
    choose(log)
    site.answers(LOG, shapes.log(SENT))
    log.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_have_text("1 entry shown.")
    expect(log.get_by_role("rowheader")).to_have_count(1)
    expect(log).to_contain_text("The balance is of Mia Kolar.")
    assert FILTER in asked(site, LOG)
    log.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("status")).to_have_text("1 entry shown.")
    assert "from" not in asked(site, LOG)


def test_who_joins_later_can_be_filtered_by_and_the_choice_stays(site: Site, page: Page) -> None:
    log = show_log(site, page, SENT)
    choose(log)
    joined = shapes.team(MIA, member("Leo Brandt"), purchased=3)
    site.answers("GET /billing", shapes.with_credits(joined, 1000, mine=850))
    page.evaluate("document.querySelector('billing-tab').refresh()")
    expect(log.get_by_label("Member").get_by_role("option")).to_have_count(4)
    expect(log.get_by_label("Member")).to_have_value(str(MIA["id"]))


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(site: Site, page: Page) -> None:
    log = show_log(site, page, SENT)
    held: list[Route] = []
    page.route("**/credits/log?kind=*", lambda route: held.append(route), times=1)
    log.get_by_text("Filter").click()
    log.get_by_label("Action").select_option("Sent")
    with page.expect_request("**/credits/log?kind=*"):
        log.get_by_role("button", name="Show").click()
    site.answers(LOG, shapes.log({**SENT, "id": "newer"}, SENT))
    site.answers("GET /billing", {**TEAM, "credits": {**TEAM["credits"], "mine": 825}})
    page.evaluate("document.querySelector('billing-tab').refresh()")
    expect(log.get_by_role("rowheader")).to_have_count(2)
    with page.expect_response("**/credits/log?kind=*"):
        held[0].fulfill(json=shapes.log(SENT))
    expect(log.get_by_role("button", name="Show")).not_to_have_attribute("aria-disabled", "true")
    expect(log.get_by_role("rowheader")).to_have_count(2)


def test_a_filter_that_nothing_matches_can_be_cleared(site: Site, page: Page) -> None:
    log = show_log(site, page, SENT)
    log.get_by_text("Filter").click()
    log.get_by_label("Action").select_option("Returned")
    site.answers(LOG, shapes.log())
    log.get_by_role("button", name="Show").click()
    expect(log).to_contain_text("No entries match")
    site.answers(LOG, shapes.log(SENT))
    log.get_by_role("button", name="Clear").click()
    expect(log.get_by_role("rowheader")).to_have_count(1)


def test_older_entries_are_added_and_the_first_of_them_is_focused(site: Site, page: Page) -> None:
    log = show_log(site, page, SENT, next_cursor="older")
    site.answers(LOG, shapes.log(BOUGHT))
    log.get_by_role("button", name="Show older").press("Enter")
    expect(log.get_by_role("rowheader").nth(1)).to_be_focused()
    expect(log.get_by_role("button", name="Show older")).to_have_count(0)
    assert "cursor=older" in asked(site, LOG)


def test_the_csv_is_the_whole_filtered_log_put_together_from_its_parts(
    site: Site, page: Page
) -> None:
    log = show_log(site, page, SENT, next_cursor="older")
    choose(log)
    csv = {"content-type": "text/csv; charset=utf-8"}
    site.answers_next(LOG, Answer("\ufeffdate\n1\n", headers={**csv, "x-next-cursor": "part-2"}))
    site.answers_next(LOG, Answer("2\n", headers=csv))
    with page.expect_download() as downloading:
        log.get_by_role("button", name="Download CSV").click()
    assert downloading.value.suggested_filename == "credits.csv"
    assert downloading.value.path().read_text() == "\ufeffdate\n1\n2\n"
    first, second = site.calls(LOG)[-2:]
    assert first.headers["accept"] == "text/csv"
    assert first.url.endswith(f"?{FILTER}")
    assert second.url.endswith(f"?{FILTER}&cursor=part-2")


def test_a_csv_that_breaks_off_is_not_saved(site: Site, page: Page) -> None:
    log = show_log(site, page, SENT)
    csv = {"content-type": "text/csv; charset=utf-8", "x-next-cursor": "part-2"}
    site.answers_next(LOG, Answer("date\n1\n", headers=csv), problem(500, "internal", "Ours."))
    log.get_by_role("button", name="Download CSV").click()
    expect(log.get_by_role("alert")).to_contain_text("The credit log could not be downloaded")


def test_an_empty_log_says_what_will_be_there(site: Site, page: Page) -> None:
    log = show_log(site, page)
    expect(log).to_contain_text("No credits have moved yet")
    expect(log.get_by_role("button")).to_have_count(0)


def test_a_log_that_failed_can_be_loaded_again(site: Site, page: Page) -> None:
    show(site, page, log=problem(500, "internal_error", "Something went wrong here."))
    log = region(page, "Credit log")
    site.answers(LOG, shapes.log(SENT))
    log.get_by_role("button", name="Try again").press("Enter")
    expect(log.get_by_role("rowheader")).to_have_count(1)
    expect(log.get_by_role("heading")).to_be_focused()


def test_the_chart_says_its_sums_in_words_and_each_period_in_a_table(
    site: Site, page: Page
) -> None:
    page.clock.set_fixed_time("2026-11-23T12:00:00Z")
    site.answers(USAGE, shapes.usage(_2026_02={"bought": 500}, _2026_11={"sent": 25, "spent": 7}))
    section = show(site, page, log=shapes.log(SENT, BOUGHT))
    drawing = section.get_by_role("img")
    expect(drawing).to_have_accessible_name(
        re.compile("^Credits in the last 12 months: Bought 500, Sent 25, Spent 7.")
    )
    expect(drawing.locator("g")).to_have_count(12)
    expect(drawing.locator("rect.bought")).to_have_count(1)
    section.get_by_text("Show as a table").click()
    expect(section.get_by_role("row")).to_have_text(
        ["PeriodBoughtSentSpent", "Nov 20260257", "Feb 202650000"]
    )
    assert asked(site, USAGE).endswith(
        "?by=month&from=2025-12-01T00%3A00%3A00Z&to=2026-12-01T00%3A00%3A00Z"
    )


def test_the_last_30_days_end_with_the_newest_entry_wherever_the_clock_stands(
    site: Site, page: Page
) -> None:
    page.clock.set_fixed_time("2026-11-03T12:00:00Z")
    site.answers(USAGE, shapes.usage(_2026_11={"sent": 25}))
    section = show(site, page, log=shapes.log(SENT))
    site.answers(USAGE, shapes.usage(_2026_11_20={"sent": 25}))
    section.get_by_role("radio", name="30 days").check()
    expect(section.get_by_role("img")).to_have_accessible_name(re.compile("30 days.*Sent 25"))
    expect(section.get_by_role("radio", name="30 days")).to_be_focused()
    assert asked(site, USAGE).endswith(
        "?by=day&from=2026-10-22T00%3A00%3A00Z&to=2026-11-21T00%3A00%3A00Z"
    )


def test_a_chart_that_failed_can_be_loaded_again(site: Site, page: Page) -> None:
    site.answers(USAGE, problem(500, "internal_error", "Something went wrong here."))
    section = show(site, page, log=shapes.log(SENT))
    site.answers(USAGE, shapes.usage(_2026_11={"sent": 25}))
    section.get_by_role("button", name="Try again").click()
    expect(section.get_by_role("img")).to_be_visible()


def show_to_member(site: Site, page: Page, wallet: Any, access: str = "active") -> Locator:
    refusal = problem(403, "manager_only", "The billing section is the manager's alone.")
    for route in ("GET /billing", "GET /invoices", "GET /support-requests"):
        site.answers(route, refusal)
    site.answers("GET /entitlements", {"access": access})
    site.answers("GET /credits", wallet)
    spent = {"from": MIA["id"], "by": MIA["id"], "balance_after": 22}
    site.answers(LOG, shapes.log(entry(21, "spend", 3, **spent), SENT))
    site.answers(USAGE, shapes.usage(_2026_11={"sent": 25, "spent": 3}))
    site.sign_in(page)
    return region(page, "Your credits")


def test_a_member_sees_their_own_wallet_and_log_and_nothing_of_billing(
    site: Site, page: Page
) -> None:
    section = show_to_member(site, page, shapes.wallet(22, received=25, spent=3))
    expect(section.locator("dl > div")).to_have_text(["Yours to use22", "Received25", "Spent3"])
    expect(section.get_by_role("img")).to_have_accessible_name(re.compile("Received 25, Spent 3"))
    expect(page.get_by_role("status")).to_have_text("You have 22 credits.")
    log = region(page, "Credit log")
    expect(cells(log, 1)).to_have_text(["Spent", "3", "You", "—", "You", "22"])
    received = ["Received", "25", "Your manager", "You", "Your manager", "825"]
    expect(cells(log, 2)).to_have_text(received)
    expect(log.get_by_label("Member")).to_have_count(0)
    expect(page.get_by_role("region")).to_have_count(3)
    expect(page.get_by_role("heading", name="Billing is the manager’s alone")).to_be_visible()


def test_a_members_credits_sleep_without_access(site: Site, page: Page) -> None:
    section = show_to_member(site, page, shapes.wallet(22), access="ended")
    expect(section).to_contain_text("Nothing can be spent. What is there stays")


def test_a_member_whose_credits_could_not_be_had_can_try_again(site: Site, page: Page) -> None:
    failed = problem(500, "internal_error", "Something went wrong here.")
    site.answers_next("GET /credits", failed)
    section = show_to_member(site, page, shapes.wallet(22))
    section.get_by_role("button", name="Try again").click()
    expect(section).to_contain_text("Yours to use22")
    expect(region(page, "Credit log").get_by_role("rowheader")).to_have_count(2)


def test_a_members_credits_stay_when_they_could_not_be_asked_again_in_passing(
    site: Site, page: Page
) -> None:
    section = show_to_member(site, page, shapes.wallet(22))
    expect(page.get_by_role("status")).to_have_text("You have 22 credits.")
    site.answers("GET /credits", OFFLINE)
    page.evaluate("document.querySelector('billing-tab').refresh()")
    expect(section).to_contain_text("Yours to use22")
    site.answers("GET /credits", shapes.wallet(30))
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(section).to_contain_text("Yours to use30")


def test_a_member_removed_meanwhile_sees_no_credits_any_more(site: Site, page: Page) -> None:
    section = show_to_member(site, page, shapes.wallet(22))
    expect(section).to_contain_text("Yours to use22")
    removed = problem(403, "membership_inactive", "You are not an active member.")
    site.answers("GET /credits", removed)
    site.answers("GET /entitlements", removed)
    page.evaluate("document.querySelector('billing-tab').refresh()")
    expect(region(page, "Join the team")).to_be_visible()
    expect(section).to_have_count(0)
