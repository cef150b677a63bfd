"""The section "Team members": who holds a slot, who is invited, and who is gone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem
from tests.browser.shapes import member

MIA = member("Mia Kolar")
LEO = member("Leo Brandt", "invited")
INVITE = "POST /members"
REMOVE = "DELETE /members/{id}"


def team(page: Page) -> Locator:
    return page.get_by_role("region", name="Team members")


def show(site: Site, page: Page, billing: Any) -> Locator:
    site.answers("GET /billing", billing)
    site.answers("GET /catalog", shapes.catalog())
    site.answers("GET /invoices", shapes.invoices())
    site.sign_in(page)
    expect(page.locator(".skeleton")).to_have_count(0)
    return team(page)


def row(page: Page, name: str) -> Locator:
    return team(page).get_by_role("listitem").filter(has_text=name)


def ask(page: Page, name: str) -> Locator:
    team(page).get_by_role("button", name=name).click()
    return page.get_by_role("dialog")


def said(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_have_text(text)


@pytest.mark.parametrize(
    ("purchased", "words", "tone"),
    [(3, "1 free", "good"), (2, "All in use", "bad"), (8, "6 free", "good")],
)
def test_the_use_of_slots_is_said_in_words_and_in_colour(
    site: Site, page: Page, purchased: int, words: str, tone: str
) -> None:
    section = show(site, page, shapes.team(MIA, LEO, purchased=purchased))
    expect(section).to_contain_text(f"2 of {purchased} slots in use (1 invited)")
    expect(section.get_by_text(words)).to_have_class(f"badge {tone}")


def test_slots_that_are_overdue_are_paid_where_they_are_shown(site: Site, page: Page) -> None:
    invoice = {**shapes.OPEN_INVOICE, "amount_due": shapes.money(9800)}
    overdue = {"until": "2027-01-29T10:00:00Z", "invoice": invoice}
    section = show(site, page, shapes.team(MIA, purchased=2, overdue=overdue))
    expect(section).to_contain_text("The last payment for your slots did not go through")
    expect(section).to_contain_text("They stay until 29 January 2027")
    site.answers("POST /invoices/{id}/pay", {"status": "paid"})
    site.answers("GET /billing", shapes.team(MIA, purchased=2))
    section.get_by_role("button", name="Pay US$98.00 now").click()
    said(page, f"Invoice {invoice['number']} is paid. Thank you.")
    expect(section).not_to_contain_text("did not go through")


def test_from_three_quarters_on_the_use_is_pointed_out(site: Site, page: Page) -> None:
    others = [member(name) for name in ("Noa", "Per")]
    section = show(site, page, shapes.team(MIA, *others, purchased=4))
    expect(section.get_by_text("1 free")).to_have_class("badge warning")


def test_each_person_is_shown_with_what_they_are(site: Site, page: Page) -> None:
    show(site, page, shapes.team(MIA, LEO, purchased=3))
    people = team(page).get_by_role("listitem")
    expect(people.nth(0)).to_contain_text("Ana Ruizana@acme.testManagerNeeds no slot")
    expect(people.nth(0).get_by_role("button")).to_have_count(0)
    expect(people.nth(1)).to_contain_text("Mia Kolarmia@acme.testActive")
    expect(people.nth(2)).to_contain_text("InvitedInvitation expires on 3 January 2027")


def test_inviting_sends_the_address_and_shows_the_invitation(site: Site, page: Page) -> None:
    show(site, page, shapes.team(MIA, purchased=3))
    dialog = ask(page, "Invite")
    expect(dialog.get_by_label("E-mail")).to_be_focused()
    site.answers(INVITE, Answer(LEO, 201))
    site.answers("GET /billing", shapes.team(MIA, LEO, purchased=3))
    dialog.get_by_label("E-mail").fill("leo@acme.test ")
    dialog.get_by_label("Name").fill("Leo Brandt")
    dialog.get_by_label("Name").press("Enter")
    expect(row(page, "Leo Brandt")).to_contain_text("Invited")
    said(page, "leo@acme.test is invited, until 3 January 2027.")
    expect(dialog).to_have_count(0)
    assert site.calls(INVITE)[0].post_data_json == {"email": "leo@acme.test", "name": "Leo Brandt"}


def test_an_address_that_is_none_is_not_sent(site: Site, page: Page) -> None:
    show(site, page, shapes.team(purchased=3))
    dialog = ask(page, "Invite")
    dialog.get_by_label("E-mail").fill("leo")
    dialog.get_by_role("button", name="Invite").click()
    expect(dialog.get_by_label("E-mail")).to_be_focused()
    assert site.calls(INVITE) == []


@pytest.mark.parametrize(
    "refusal",
    [
        problem(409, "no_free_slot", "Every slot is in use."),
        problem(429, "too_many_invitations", "Try again in 20 minutes.", retry_after=1200),
    ],
    ids=["no slot", "too many"],
)
def test_a_refused_invitation_says_why(site: Site, page: Page, refusal: Answer) -> None:
    show(site, page, shapes.team(purchased=1))
    dialog = ask(page, "Invite")
    site.answers(INVITE, refusal)
    dialog.get_by_label("E-mail").fill("leo@acme.test")
    dialog.get_by_role("button", name="Invite").click()
    expect(dialog.get_by_role("alert")).to_contain_text(refusal.body["detail"])


def test_without_a_free_slot_inviting_says_what_would_make_room(site: Site, page: Page) -> None:
    show(site, page, shapes.team(MIA, purchased=1))
    expect(ask(page, "Invite")).to_have_accessible_name("All slots are in use")


def test_without_slots_the_section_says_what_they_are(site: Site, page: Page) -> None:
    section = show(site, page, shapes.subscribed())
    expect(section).to_contain_text("Your team has no slots yet")
    expect(ask(page, "Invite")).to_have_accessible_name("An invitation needs a slot")


def test_an_invitation_is_sent_again_with_the_same_address(site: Site, page: Page) -> None:
    show(site, page, shapes.team(LEO, purchased=1))
    renewed = {**LEO, "expires_at": "2027-01-10T09:00:00Z"}
    site.answers(INVITE, Answer(renewed, 201))
    site.answers("GET /billing", shapes.team(renewed, purchased=1))
    row(page, "Leo").get_by_role("button", name="Send again: Leo Brandt").click()
    expect(row(page, "Leo")).to_contain_text("expires on 10 January 2027")
    said(page, "leo@acme.test is invited, until 10 January 2027.")
    assert site.calls(INVITE)[0].post_data_json == {"email": "leo@acme.test", "name": "Leo Brandt"}


def test_withdrawing_an_invitation_says_that_the_slot_stays_paid(site: Site, page: Page) -> None:
    show(site, page, shapes.team(LEO, purchased=1))
    dialog = ask(page, "Withdraw: Leo Brandt")
    expect(dialog).to_contain_text("stays paid (US$49.00 per month) until you lower the number")
    site.answers(REMOVE, Answer(status=204))
    site.answers("GET /billing", shapes.team(member("Leo Brandt", "withdrawn"), purchased=1))
    dialog.get_by_role("button", name="Withdraw", exact=True).click()
    said(page, "The invitation to Leo Brandt is withdrawn.")
    expect(team(page)).to_contain_text("0 of 1 slot in use")
    expect(team(page).get_by_role("heading")).to_be_focused()
    assert site.calls(REMOVE)[0].url.endswith("/members/id-of-leo")


def test_removing_a_person_says_what_happens_to_access_slot_and_credits(
    site: Site, page: Page
) -> None:
    show(site, page, shapes.team(MIA, purchased=1))
    dialog = ask(page, "Remove: Mia Kolar")
    expect(dialog).to_have_accessible_name("Remove Mia Kolar?")
    expect(dialog).to_contain_text("They lose their access at once.")
    expect(dialog).to_contain_text("stays paid (US$49.00 per month) until you lower the number")
    expect(dialog).to_contain_text("Their credits stay in their wallet")
    expect(dialog.get_by_role("button", name="Keep Mia Kolar")).to_be_focused()
    site.answers(REMOVE, Answer(status=204))
    site.answers("GET /billing", shapes.team(member("Mia Kolar", "removed"), purchased=1))
    dialog.get_by_role("button", name="Remove", exact=True).click()
    said(page, "Mia Kolar is removed.")
    expect(row(page, "Mia Kolar")).not_to_be_visible()


def test_a_removal_that_fails_keeps_the_person_and_says_why(site: Site, page: Page) -> None:
    show(site, page, shapes.team(MIA, purchased=1))
    dialog = ask(page, "Remove: Mia Kolar")
    site.answers(REMOVE, problem(500, "internal_error", "Something went wrong here."))
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Mia Kolar was not removed")


def test_who_is_gone_can_be_invited_again(site: Site, page: Page) -> None:
    gone = [member("Mia Kolar", "removed"), member("Leo Brandt", "expired")]
    section = show(site, page, shapes.team(*gone, purchased=1))
    section.get_by_text("Former members and invitations (2)").click()
    expect(row(page, "Leo")).to_contain_text("Invitation expiredExpired on 3 January 2027")
    site.answers(INVITE, Answer(member("Mia Kolar", "invited"), 201))
    row(page, "Mia").get_by_role("button", name="Invite again: Mia Kolar").click()
    said(page, "mia@acme.test is invited, until 3 January 2027.")


def test_the_list_of_former_members_stays_open_when_something_changes(
    site: Site, page: Page
) -> None:
    gone = [member("Mia Kolar", "removed"), member("Leo Brandt", "removed")]
    section = show(site, page, shapes.team(*gone, purchased=2))
    section.get_by_text(re.compile("^Former members")).click()
    site.answers(INVITE, Answer(LEO, 201))
    site.answers("GET /billing", shapes.team(gone[0], LEO, purchased=2))
    row(page, "Leo").get_by_role("button", name="Invite again").click()
    expect(row(page, "Leo")).to_contain_text("Invitation expires")
    expect(row(page, "Mia")).to_be_visible()


def test_without_a_subscription_the_team_is_kept_and_cannot_be_changed(
    site: Site, page: Page
) -> None:
    ended = {"state": "ended", "until": "2026-11-01T00:00:00Z"}
    billing = shapes.subscribed(ended, status="canceled")
    section = show(site, page, {**billing, "members": [shapes.MANAGER, MIA]})
    expect(section).to_contain_text("Without a subscription your team has no access")
    expect(row(page, "Mia Kolar")).to_be_visible()
    expect(section.get_by_role("button")).to_have_count(0)


def test_nobody_but_a_manager_and_no_subscription_needs_no_section(site: Site, page: Page) -> None:
    expect(show(site, page, shapes.no_subscription())).to_have_count(0)


def test_a_name_is_never_markup(site: Site, page: Page) -> None:
    section = show(site, page, shapes.team(member("<img src=x onerror=alert(1)>"), purchased=1))
    expect(section).to_contain_text("<img src=x onerror=alert(1)>")
    expect(section.get_by_role("img")).to_have_count(0)


def test_who_managed_before_is_given_a_slot(site: Site, page: Page) -> None:
    bea = shapes.member("Bea Lind", "waiting", invited_at=None)
    show(site, page, shapes.team(bea, purchased=1))
    expect(row(page, "Bea Lind")).to_contain_text("No slot")
    expect(row(page, "Bea Lind")).to_contain_text("Was a manager")
    site.answers(INVITE, Answer({**bea, "status": "active"}, 201))
    row(page, "Bea Lind").get_by_role("button", name="Give a slot: Bea Lind").click()
    expect(page.get_by_role("status")).to_contain_text("bea@acme.test")
    body = site.calls(INVITE)[0].post_data_json
    assert body == {"email": "bea@acme.test", "name": "Bea Lind"}


def test_a_manager_takes_another_one_off_and_never_themselves(site: Site, page: Page) -> None:
    bea = shapes.member("Bea Lind", role="manager", invited_at=None)
    section = show(site, page, shapes.team(bea, purchased=1))
    expect(section.get_by_role("button", name="Remove: Ana Ruiz")).to_have_count(0)
    dialog = ask(page, "Remove: Bea Lind")
    expect(dialog).to_contain_text("Billing mails and their automatic top-up stop.")
    expect(dialog).not_to_contain_text("Their slot is free")
    site.answers(REMOVE, Answer(status=204))
    dialog.get_by_role("button", name="Remove", exact=True).click()
    said(page, "Bea Lind is removed.")
