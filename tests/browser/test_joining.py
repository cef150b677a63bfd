"""Somebody who was invited takes up the invitation."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem

ACCEPT = "POST /invitations/accept"
ENTITLED = {"access": "active", "until": None, "slot": True, "data_unlimited": False}


@pytest.fixture(autouse=True)
def of_a_member(site: Site) -> None:
    refusal = problem(403, "manager_only", "The billing section is the manager's alone.")
    for route in ("GET /billing", "GET /invoices", "GET /support-requests"):
        site.answers(route, refusal)
    inactive = "You are not an active member of this account."
    site.answers("GET /entitlements", problem(403, "membership_inactive", inactive))
    site.answers("GET /credits", shapes.wallet(40))


def joining(page: Page) -> Locator:
    return page.get_by_role("region", name="Join the team")


def test_who_is_invited_joins_the_team(site: Site, page: Page) -> None:
    site.sign_in(page)
    accept = joining(page).get_by_role("button", name="Accept invitation")
    expect(accept).to_be_visible()
    site.answers(ACCEPT, Answer(shapes.member("Mia Kolar")))
    site.answers("GET /entitlements", ENTITLED)
    accept.press("Enter")
    expect(page.get_by_role("heading", name="You have joined the team")).to_be_focused()
    expect(page.get_by_role("region", name="Your credits")).to_contain_text("Yours to use40")
    assert len(site.calls(ACCEPT)) == 1


@pytest.mark.parametrize(
    ("status", "code", "detail"),
    [
        (404, "no_invitation", "There is no invitation for your address."),
        (409, "invitation_expired", "The invitation has expired."),
        (403, "email_not_verified", "Verify your e-mail address first."),
    ],
)
def test_who_cannot_join_is_told_why(
    site: Site, page: Page, status: int, code: str, detail: str
) -> None:
    site.sign_in(page)
    site.answers(ACCEPT, problem(status, code, detail))
    joining(page).get_by_role("button", name="Accept invitation").click()
    expect(joining(page).get_by_role("alert")).to_contain_text(detail)


def test_a_member_is_not_asked_to_join_again(site: Site, page: Page) -> None:
    site.answers("GET /entitlements", ENTITLED)
    with page.expect_response("**/entitlements"):
        site.sign_in(page)
    expect(page.get_by_role("heading", name="Billing is the manager’s alone")).to_be_visible()
    expect(joining(page)).to_have_count(0)
