"""Limits per member: how much somebody may use in a month, for their manager and for themselves."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem
from tests.browser.shapes import member

LIMIT = "PUT /members/{id}/limit"


def mia(limit: int | None, used: int = 0) -> dict[str, Any]:
    return member("Mia Kolar", limit=limit, used=used)


def show(site: Site, page: Page, *members: dict[str, Any]) -> Locator:
    site.answers("GET /billing", shapes.team(*members, purchased=3))
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())
    site.sign_in(page)
    expect(page.locator(".skeleton")).to_have_count(0)
    return page.get_by_role("region", name="Team members").get_by_role("listitem").nth(1)


def ask(site: Site, page: Page, present: dict[str, Any]) -> Locator:
    show(site, page, present).get_by_role("button", name="Limit: Mia Kolar").click()
    return page.get_by_role("dialog")


def sent(site: Site) -> list[Any]:
    return [each.post_data_json for each in site.calls(LIMIT)]


@pytest.mark.parametrize(
    ("used", "words", "tone"),
    [(75, "25 left this month", "warning"), (100, "Limit reached", "bad"), (110, "Limit", "bad")],
)
def test_from_three_quarters_of_a_limit_on_its_use_is_pointed_out(
    site: Site, page: Page, used: int, words: str, tone: str
) -> None:
    row = show(site, page, mia(100, used))
    expect(row).to_contain_text(f"{used} of 100 credits used this month")
    expect(row.locator(".badge").filter(has_text=words)).to_have_class(f"badge {tone}")


def test_below_three_quarters_the_use_is_said_and_nothing_more(site: Site, page: Page) -> None:
    row = show(site, page, mia(100, 74))
    expect(row).to_contain_text("Active74 of 100 credits used this monthLimitRemove")


def test_who_has_no_limit_or_has_not_joined_shows_none(site: Site, page: Page) -> None:
    invited = member("Leo Brandt", "invited", limit=50)
    row = show(site, page, mia(None, 30), invited)
    expect(row).not_to_contain_text("used")
    people = page.get_by_role("region", name="Team members").get_by_role("listitem")
    expect(people.nth(2)).not_to_contain_text("used")
    expect(people.nth(2).get_by_role("button", name="Limit")).to_have_count(0)


def test_a_limit_is_set_with_the_keyboard_and_shown(site: Site, page: Page) -> None:
    dialog = ask(site, page, mia(None, 30))
    expect(dialog.get_by_role("spinbutton")).to_be_focused()
    expect(dialog).to_contain_text("Mia Kolar can use all that is in their wallet.")
    page.keyboard.type("100")
    expect(dialog).to_contain_text("Mia Kolar can use 70 credits more this month.")
    site.answers(LIMIT, {"limit": 100, "used": 30})
    site.answers("GET /billing", shapes.team(mia(100, 30), purchased=3))
    page.keyboard.press("Enter")
    expect(page.get_by_role("listitem").nth(1)).to_contain_text("30 of 100 credits used")
    expect(page.get_by_role("status")).to_have_text("Mia Kolar can use 100 credits a month.")
    expect(dialog).to_have_count(0)
    assert sent(site) == [{"limit": 100}]
    assert site.calls(LIMIT)[0].url.endswith("/members/id-of-mia/limit")


def test_an_emptied_limit_is_none(site: Site, page: Page) -> None:
    dialog = ask(site, page, mia(100, 30))
    dialog.get_by_role("spinbutton").fill("")
    site.answers(LIMIT, {"limit": None, "used": 30})
    site.answers("GET /billing", shapes.team(mia(None, 30), purchased=3))
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Mia Kolar has no limit.")
    assert sent(site) == [{"limit": None}]


def test_a_limit_below_what_is_used_says_that_no_more_can_be(site: Site, page: Page) -> None:
    dialog = ask(site, page, mia(None, 30))
    dialog.get_by_role("spinbutton").fill("0")
    expect(dialog).to_contain_text("can use no more this month: 30 credits are used already.")


@pytest.mark.parametrize("typed", ["-1", "1.5"])
def test_a_number_that_is_no_limit_is_not_sent(site: Site, page: Page, typed: str) -> None:
    dialog = ask(site, page, mia(100, 30))
    dialog.get_by_role("spinbutton").fill(typed)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("spinbutton")).to_be_focused()
    assert sent(site) == []


@pytest.mark.parametrize(
    "refused",
    [
        problem(409, "member_not_active", "Only active members have a limit."),
        problem(422, "managers_have_no_limit", "Managers have no limit."),
        problem(404, "member_not_found", "This account has no such member."),
    ],
)
def test_a_refused_limit_says_why_and_keeps_what_was_typed(
    site: Site, page: Page, refused: Answer
) -> None:
    dialog = ask(site, page, mia(None))
    site.answers(LIMIT, refused)
    dialog.get_by_role("spinbutton").fill("50")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The limit was not changed")
    expect(dialog.get_by_role("alert")).to_contain_text(refused.body["detail"])
    expect(dialog.get_by_role("spinbutton")).to_have_value("50")


def test_a_malformed_limit_is_named_at_its_field(site: Site, page: Page) -> None:
    dialog = ask(site, page, mia(None))
    errors = [{"field": "limit", "message": "Input should be smaller"}]
    site.answers(LIMIT, problem(400, "invalid_input", "One field.", errors=errors))
    dialog.get_by_role("spinbutton").fill("50")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Input should be smaller")).to_be_visible()
    expect(dialog.get_by_role("spinbutton")).to_be_focused()


@pytest.mark.parametrize(
    ("used", "words"),
    [(20, "80 left this month"), (80, "20 left this month"), (100, "Limit reached")],
)
def test_a_member_sees_their_own_limit_and_what_is_used_of_it(
    site: Site, page: Page, used: int, words: str
) -> None:
    refusal = problem(403, "manager_only", "The billing section is the manager's alone.")
    for route in ("GET /billing", "GET /invoices", "GET /support-requests"):
        site.answers(route, refusal)
    site.answers("GET /entitlements", {"access": "active"})
    site.answers("GET /credits", shapes.wallet(22, limit=100, used=used))
    site.sign_in(page)
    own = page.get_by_role("region", name="Your credits")
    expect(own).to_contain_text(f"{used} of 100 credits used this month{words}")
