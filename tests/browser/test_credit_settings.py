"""What a manager sets for their own wallet: being told when it runs low, and automatic top-up."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser import shapes
from tests.browser.scripted import OFFLINE, Answer, Site, problem
from tests.browser.shapes import money, settings, top_up_of
from tests.factories import NOON

ALERT = "PUT /settings/alerts"
TOP_UP = "PUT /settings/top-up"
CREDITS = "GET /credits"
RICH = shapes.with_credits(shapes.team(shapes.member("Mia Kolar"), purchased=1), 850)
LOW = shapes.with_credits(shapes.subscribed(), 120)
DECLINED = {"because": "declined", "at": "2026-11-23T10:00:00Z"}
CAP = {"amount": 20000, "currency": "usd"}


def section(page: Page) -> Locator:
    return page.get_by_role("region", name="Credits", exact=True)


def show(site: Site, page: Page, present: Any = None, billing: Any = RICH) -> Locator:
    site.answers("GET /billing", billing)
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())
    site.answers(CREDITS, present or settings())
    site.sign_in(page)
    expect(page.locator(".skeleton")).to_have_count(0)
    return section(page)


def ask(site: Site, page: Page, present: Any = None, billing: Any = RICH) -> Locator:
    show(site, page, present, billing)
    section(page).get_by_role("button", name="Alerts and top-up").click()
    return page.get_by_role("dialog")


def switch_on(dialog: Locator, *, below: str = "200", most: str = "200") -> None:
    dialog.get_by_role("switch", name="Automatic top-up").check()
    dialog.get_by_label("Buy when I have fewer credits than").fill(below)
    dialog.get_by_label("At most in a month").fill(most)


def save(dialog: Locator) -> None:
    dialog.get_by_role("button", name=re.compile("^Save")).click()


def sent(site: Site, route: str) -> list[Any]:
    return [each.post_data_json for each in site.calls(route)]


def keeps(request: Request) -> Answer:
    """The choice as the API answers it."""
    wanted: Any = request.post_data_json
    chosen = {**wanted, "status": "active", "charged": money(0)}
    return Answer(top_up_of(**chosen) if wanted["below"] else top_up_of())


def keeps_alert(request: Request) -> Answer:
    return Answer(request.post_data_json)


def waiting(**more: Any) -> dict[str, Any]:
    there = {"charged": money(19000), "resumes_at": "2026-12-01T00:00:00Z", **more}
    return settings(status="waiting", **there)


@pytest.mark.parametrize(
    ("present", "words"),
    [
        (settings(), "You are not told when your credits run low.No credits are bought by"),
        (settings(200), "You are told when fewer than 200 credits are left."),
        (settings(1), "You are told when no credits are left."),
        (
            settings(status="active"),
            "Below 200, 500 credits are bought for US$50.00, at most US$200.00 a month. "
            "US$50.00 so far this month.",
        ),
        (settings(status="under_way"), "Credits are being bought with your card"),
        (waiting(), "No more are bought before 1 December 2026"),
        (settings(status="paused"), "Automatic top-up is paused: nothing is bought"),
        (
            settings(status="stopped", stopped=DECLINED),
            "Your card was declined, or your bank wanted your approval, on 23 November 2026. "
            "Update your card, or buy credits "
            "yourself, then switch it on again.",
        ),
        (
            settings(status="stopped", stopped={**DECLINED, "because": "no_access"}),
            "Your team's subscription had ended, or was cancelled, on 23 November 2026. "
            "With a subscription that renews, switch it on again.",
        ),
        (
            settings(status="stopped", stopped={**DECLINED, "because": "refused"}),
            "Our payment service refused to make an invoice for it on 23 November 2026. "
            "We look into that. Later, switch it on again.",
        ),
        (
            settings(status="stopped", stopped={**DECLINED, "because": "reversed"}),
            "A package's payment was refunded or disputed on 23 November 2026. "
            "To have packages bought again, switch it on again.",
        ),
        (
            settings(status="stopped", stopped={**DECLINED, "because": "not_sold"}),
            "Its package was not sold any more on 23 November 2026. Choose another one, and",
        ),
    ],
)
def test_what_is_set_is_said_in_words(site: Site, page: Page, present: Any, words: str) -> None:
    expect(show(site, page, present)).to_contain_text(words)


def test_a_package_that_is_not_in_the_catalog_any_more_breaks_nothing(
    site: Site, page: Page
) -> None:
    gone = settings(status="active", package="credits_7")
    expect(show(site, page, gone)).to_contain_text("Below 200, credits are bought, at most")


def test_an_alert_alone_is_sent_alone(site: Site, page: Page) -> None:
    dialog = ask(site, page, settings(status="active"))
    told = dialog.get_by_label("Tell me when I have fewer credits than")
    expect(told).to_be_focused()
    site.answers(ALERT, keeps_alert)
    told.fill("300")
    told.press("Enter")
    expect(dialog).to_have_count(0)
    expect(section(page)).to_contain_text("You are told when fewer than 300 credits are left.")
    expect(page.get_by_role("status")).to_have_text("Your settings are saved.")
    expect(section(page).get_by_role("button", name="Alerts and top-up")).to_be_focused()
    assert sent(site, ALERT) == [{"below": 300}]
    assert sent(site, TOP_UP) == []


def test_an_emptied_alert_is_one_for_never(site: Site, page: Page) -> None:
    dialog = ask(site, page, settings(200))
    site.answers(ALERT, keeps_alert)
    dialog.get_by_label("Tell me").fill("")
    save(dialog)
    expect(section(page)).to_contain_text("You are not told")
    assert sent(site, ALERT) == [{"below": None}]


def test_nothing_changed_is_nothing_sent(site: Site, page: Page) -> None:
    dialog = ask(site, page, settings(200, status="active"))
    save(dialog)
    expect(dialog).to_have_count(0)
    assert sent(site, ALERT) == sent(site, TOP_UP) == []


def test_switched_on_it_says_what_is_bought_when_and_with_what_before_it_is_saved(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page)
    expect(dialog.get_by_label("Buy when")).to_be_hidden()
    switch_on(dialog, below="200", most="1,000.50")
    dialog.get_by_role("radio", name=re.compile("^2,000 credits")).check()
    expect(dialog).to_contain_text(
        "Each time you have fewer than 200, 2,000 credits are bought for US$160.00, without tax, "
        "with your Visa ending in 4242. You have 850 credits now, so nothing is bought yet."
    )
    assert sent(site, TOP_UP) == []
    site.answers(TOP_UP, keeps)
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(section(page)).to_contain_text("Below 200, 2,000 credits are bought for US$160.00")
    cap = money(100050)
    assert sent(site, TOP_UP) == [{"below": 200, "package": "credits_2000", "monthly_cap": cap}]
    assert sent(site, ALERT) == []


def test_what_is_bought_at_once_is_said_with_its_price_before_it_is_saved(
    site: Site, page: Page
) -> None:
    page.clock.install(time=NOON)
    dialog = ask(site, page, billing=LOW)
    switch_on(dialog)
    expect(dialog).to_contain_text("120 credits now: the first package is bought as soon as you")
    site.answers(TOP_UP, top_up_of("under_way"))
    site.answers(CREDITS, settings(status="under_way"))
    dialog.get_by_role("button", name="Save and buy 500 credits for US$50.00").click()
    expect(section(page)).to_contain_text("Credits are being bought with your card")
    expect(page.get_by_role("status")).to_have_text("Your settings are saved.")
    site.answers(CREDITS, settings(status="active"))
    site.answers("GET /billing", shapes.with_credits(shapes.subscribed(), 620))
    page.clock.run_for(3_000)
    expect(section(page)).to_contain_text("620 in your wallet")
    expect(section(page)).not_to_contain_text("Credits are being bought")
    expect(page.get_by_role("status")).to_have_text("Credits were bought.")


def test_a_package_that_was_bought_before_the_page_could_ask_is_in_the_wallet_at_once(
    site: Site, page: Page
) -> None:
    show(site, page, settings(status="active"))
    site.answers(CREDITS, settings(status="active", charged=money(10000)))
    site.answers_next("GET /billing", LOW)
    site.answers("GET /billing", shapes.with_credits(shapes.subscribed(), 620))
    page.evaluate("document.querySelector('billing-tab').refresh()")
    expect(section(page)).to_contain_text("US$100.00 so far this month.")
    expect(section(page)).to_contain_text("620 in your wallet")


@pytest.mark.parametrize(
    ("outcome", "shown", "said"),
    [
        (
            settings(status="stopped", stopped=DECLINED),
            "Your card was declined",
            "Automatic top-up has stopped.",
        ),
        (
            settings(status="waiting", resumes_at="2026-12-01T00:00:00Z"),
            "No more are bought before 1 December 2026",
            "Nothing more is bought this month.",
        ),
    ],
)
def test_a_package_that_did_not_come_is_told(
    site: Site, page: Page, outcome: Any, shown: str, said: str
) -> None:
    page.clock.install(time=NOON)
    show(site, page, settings(status="under_way"), LOW)
    site.answers(CREDITS, outcome)
    page.clock.run_for(3_000)
    expect(section(page)).to_contain_text(shown)
    expect(page.get_by_role("status")).to_have_text(said)


def test_what_this_months_sum_has_no_room_for_is_not_promised_at_once(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page, waiting(), LOW)
    dialog.get_by_label("Buy when").fill("300")
    expect(dialog).to_contain_text("US$190.00 of this month’s US$200.00 are used: the first")
    expect(dialog.get_by_role("button", name="Save", exact=True)).to_be_visible()
    dialog.get_by_label("At most in a month").fill("300")
    expect(dialog.get_by_role("button", name="Save and buy")).to_be_visible()


def test_where_taxes_made_the_difference_the_package_is_not_promised_at_once(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page, waiting(charged=money(15000)), LOW)
    dialog.get_by_label("Buy when").fill("300")
    expect(dialog).to_contain_text("the first package is bought next month.")
    dialog.get_by_label("At most in a month").fill("210")
    expect(dialog.get_by_role("button", name="Save and buy")).to_be_visible()


def test_a_fall_that_was_answered_is_not_promised_another_package(site: Site, page: Page) -> None:
    dialog = ask(site, page, settings(status="active"), LOW)
    dialog.get_by_label("Buy when").fill("300")
    expect(dialog).to_contain_text("You have 120 credits now, and a package was bought for that")
    expect(dialog.get_by_role("button", name="Save", exact=True)).to_be_visible()


def test_a_cheaper_package_that_this_months_sum_has_room_for_is_bought_at_once(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page, waiting(package="credits_2000", charged=money(14000)), LOW)
    dialog.get_by_role("radio", name=re.compile("^500 credits")).check()
    expect(dialog.get_by_role("button", name="Save and buy 500 credits")).to_be_visible()


def test_what_is_under_way_when_it_is_switched_off_still_comes(site: Site, page: Page) -> None:
    dialog = ask(site, page, settings(status="under_way"), LOW)
    dialog.get_by_label("Buy when").fill("300")
    expect(dialog).to_contain_text("One package is being bought now.")
    dialog.get_by_role("switch").uncheck()
    expect(dialog).to_contain_text(
        "What your card is just being charged for still comes. Nothing more is bought"
    )


def test_one_that_has_stopped_is_switched_on_again_with_what_was_chosen(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page, settings(status="stopped", stopped=DECLINED))
    toggle = dialog.get_by_role("switch")
    expect(toggle).not_to_be_checked()
    toggle.press("Space")
    expect(dialog.get_by_label("At most in a month")).to_have_value("200.00")
    site.answers(TOP_UP, keeps)
    save(dialog)
    expect(section(page)).not_to_contain_text("has stopped")
    assert sent(site, TOP_UP) == [{"below": 200, "package": "credits_500", "monthly_cap": CAP}]


def test_one_that_has_stopped_stays_so_when_only_the_alert_is_changed(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page, settings(status="stopped", stopped=DECLINED))
    site.answers(ALERT, keeps_alert)
    dialog.get_by_label("Tell me").fill("50")
    save(dialog)
    expect(section(page)).to_contain_text("fewer than 50 credits")
    assert sent(site, TOP_UP) == []


def test_one_that_has_stopped_can_be_left_off_and_is_not_spoken_of_any_more(
    site: Site, page: Page
) -> None:
    show(site, page, settings(status="stopped", stopped=DECLINED))
    site.answers(TOP_UP, keeps)
    section(page).get_by_role("button", name="Leave it off").press("Enter")
    expect(section(page)).not_to_contain_text("has stopped")
    expect(section(page).get_by_role("button", name="Alerts and top-up")).to_be_focused()
    assert sent(site, TOP_UP) == [{"below": None}]


def test_switched_off_nothing_more_is_bought(site: Site, page: Page) -> None:
    dialog = ask(site, page, settings(status="active"))
    dialog.get_by_role("switch").uncheck()
    expect(dialog).to_contain_text("Nothing more is bought by itself.")
    site.answers(TOP_UP, keeps)
    save(dialog)
    expect(section(page)).to_contain_text("No credits are bought by themselves.")
    assert sent(site, TOP_UP) == [{"below": None}]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("49.99", "At least US$50.00, the price of one package."),
        ("50.005", "Write a sum like 50.00."),
        ("200,50", "Write a sum like 50.00."),
        ("a lot", "Write a sum like 50.00."),
        ("-200", "Write a sum like 50.00."),
        ("", ""),
    ],
)
def test_a_sum_that_is_none_or_too_low_is_not_sent(
    site: Site, page: Page, typed: str, words: str
) -> None:
    dialog = ask(site, page)
    switch_on(dialog, most=typed)
    expect(dialog).to_contain_text(words)
    save(dialog)
    expect(dialog.get_by_label("At most in a month")).to_be_focused()
    assert sent(site, TOP_UP) == []


def test_fewer_credits_than_below_which_they_are_bought_are_not_sent(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page)
    switch_on(dialog, below="501")
    expect(dialog).to_contain_text("At most 500: that many are in the package.")
    save(dialog)
    assert sent(site, TOP_UP) == []
    dialog.get_by_role("radio", name=re.compile("^2,000 credits")).check()
    expect(dialog).to_contain_text("Each time you have fewer than 501, 2,000 credits")


def test_yen_have_no_decimals(site: Site, page: Page) -> None:
    in_yen = {"credits_500": 7500, "credits_2000": 24000}
    catalog = shapes.catalog()
    for package in catalog["packages"]:
        if package["id"] in in_yen:
            package["prices"].append({**money(in_yen[package["id"]], "jpy"), "cycle": None})
    billing = shapes.with_credits(shapes.subscribed(price=money(14000, "jpy")), 850)
    site.answers(TOP_UP, keeps)
    show(site, page, billing=billing)
    site.answers("GET /catalog", catalog)
    section(page).get_by_role("button", name="Alerts and top-up").click()
    dialog = page.get_by_role("dialog")
    switch_on(dialog, most="9000.00")
    expect(dialog).to_contain_text("Write a sum like 7500.")
    switch_on(dialog, most="9,000")
    expect(dialog).to_contain_text("500 credits are bought for JP¥7,500, without tax")
    save(dialog)
    expect(section(page)).to_contain_text("at most JP¥9,000 a month")
    assert sent(site, TOP_UP)[0]["monthly_cap"] == money(9000, "jpy")


@pytest.mark.parametrize(
    ("refusal", "label"),
    [
        ((422, "cap_too_low", "One package costs more."), "At most in a month"),
        ((422, "unknown_currency", "The subscription is in euros."), "At most in a month"),
        ((422, "package_too_small", "The package has fewer."), "Buy when"),
        ((422, "unknown_package", "No such package is sold."), "500 credits"),
        ((409, "no_access", "There is no subscription."), "Automatic top-up"),
        ((409, "subscription_ending", "It is cancelled."), "Automatic top-up"),
    ],
)
def test_a_refusal_is_shown_where_it_belongs_and_nothing_typed_is_lost(
    site: Site, page: Page, refusal: tuple[int, str, str], label: str
) -> None:
    dialog = ask(site, page)
    switch_on(dialog, below="150", most="75")
    site.answers(TOP_UP, problem(*refusal))
    save(dialog)
    field = dialog.get_by_label(label).first
    expect(field).to_be_focused()
    expect(dialog.get_by_text(refusal[2])).to_be_visible()
    expect(dialog.get_by_role("alert")).to_be_empty()
    expect(dialog.get_by_label("Buy when")).to_have_value("150")
    expect(dialog.get_by_label("At most in a month")).to_have_value("75")


def test_malformed_fields_are_named_at_their_places_until_they_are_changed(
    site: Site, page: Page
) -> None:
    dialog = ask(site, page)
    switch_on(dialog)
    errors = [
        {"field": "below", "message": "Input should be smaller"},
        {"field": "monthly_cap.amount", "message": "Input should be smaller, too"},
    ]
    site.answers_next(TOP_UP, problem(400, "invalid_input", "Two fields.", errors=errors))
    site.answers(TOP_UP, keeps)
    save(dialog)
    below, most = dialog.get_by_label("Buy when"), dialog.get_by_label("At most in a month")
    expect(below).to_be_focused()
    expect(below).to_have_accessible_description("In your own wallet. Input should be smaller")
    expect(most).to_have_attribute("aria-invalid", "true")
    below.fill("100")
    expect(below).not_to_have_attribute("aria-invalid", "true")
    expect(most).to_have_attribute("aria-invalid", "true")
    save(dialog)
    expect(dialog).to_have_count(0)


def test_what_was_saved_before_the_rest_failed_is_not_sent_again(site: Site, page: Page) -> None:
    dialog = ask(site, page)
    site.answers(ALERT, keeps_alert)
    site.answers_next(TOP_UP, OFFLINE)
    site.answers(TOP_UP, keeps)
    dialog.get_by_label("Tell me").fill("300")
    switch_on(dialog)
    save(dialog)
    expect(dialog.get_by_role("alert")).to_contain_text("Not everything was saved")
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    save(dialog)
    expect(dialog).to_have_count(0)
    assert sent(site, ALERT) == [{"below": 300}]
    assert len(sent(site, TOP_UP)) == 2


def test_while_it_is_being_saved_it_is_not_sent_a_second_time(site: Site, page: Page) -> None:
    dialog = ask(site, page)
    switch_on(dialog)
    held: list[Route] = []
    page.route("**/settings/top-up", lambda route: held.append(route))
    with page.expect_request("**/settings/top-up"):
        save(dialog)
    busy = dialog.get_by_role("button", name="Saving…")
    busy.click(force=True)
    busy.press("Enter")
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    held[0].fulfill(json=top_up_of("active"))
    expect(dialog).to_have_count(0)
    assert len(held) == 1


def test_with_a_cancelled_subscription_the_switch_says_what_it_needs(
    site: Site, page: Page
) -> None:
    billing = shapes.with_credits(shapes.subscribed(ends_at="2026-12-23T12:00:00Z"), 500)
    toggle = ask(site, page, billing=billing).get_by_role("switch")
    expect(toggle).to_be_disabled()
    expect(toggle).to_have_accessible_description(
        "Your subscription is set to end. Keep it to switch this on."
    )


def test_without_access_the_switch_says_what_it_needs(site: Site, page: Page) -> None:
    ended = {"state": "ended", "until": "2026-11-01T00:00:00Z"}
    sleeping = shapes.with_credits(shapes.subscribed(ended, status="canceled"), 500)
    dialog = ask(site, page, billing=sleeping)
    toggle = dialog.get_by_role("switch")
    expect(toggle).to_be_disabled()
    expect(toggle).to_have_accessible_description(
        "It needs a subscription. Subscribe, then switch it on."
    )


def test_settings_that_could_not_be_had_can_be_loaded_again(site: Site, page: Page) -> None:
    show(site, page, problem(500, "internal_error", "Something went wrong here."))
    site.answers(CREDITS, settings(200))
    section(page).get_by_role("button", name="Try again").click()
    expect(section(page)).to_contain_text("You are told when fewer than 200 credits are left.")


def test_an_answer_that_comes_late_does_not_replace_what_was_saved_meanwhile(
    site: Site, page: Page
) -> None:
    show(site, page, settings(200))
    held: list[Route] = []
    page.route("**/credits", lambda route: held.append(route), times=1)
    with page.expect_request("**/credits"):
        page.evaluate("void document.querySelector('billing-tab').refresh()")
    section(page).get_by_role("button", name="Alerts and top-up").click()
    dialog = page.get_by_role("dialog")
    site.answers(ALERT, keeps_alert)
    dialog.get_by_label("Tell me").fill("300")
    save(dialog)
    with page.expect_response("**/credits"):
        held[0].fulfill(json=settings(200))
    expect(section(page)).to_contain_text("fewer than 300 credits")


def test_settings_are_changed_with_the_keyboard_alone(site: Site, page: Page) -> None:
    show(site, page)
    section(page).get_by_role("button", name="Alerts and top-up").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Tell me")).to_be_focused()
    site.answers(ALERT, keeps_alert)
    site.answers(TOP_UP, keeps)
    for keys in (
        ["9", "0", "Tab", "Space", "Tab"],
        ["8", "0", "Tab", "ArrowDown", "Tab"],
        ["1", "6", "0"],
    ):
        for key in keys:
            page.keyboard.press(key)
    expect(dialog).to_contain_text("fewer than 80, 2,000 credits are bought for US$160.00")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(section(page).get_by_role("button", name="Alerts and top-up")).to_be_focused()
    assert sent(site, ALERT) == [{"below": 90}]
    assert sent(site, TOP_UP)[0]["package"] == "credits_2000"
