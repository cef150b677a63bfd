"""The subscription's life on the running stack: the team, the end that is taken back, the card."""

import pytest
from playwright.sync_api import Page, expect

from infra.local.people import Person
from tests.browser import walk
from tests.stack.running import Stack, until
from tests.stack.test_members import Team

ANOTHER_CARD = "5555555555554444"
ASKS_THE_BANK = "4000002760003184"


@pytest.fixture
def team(stack: Stack) -> Team:
    team = Team(stack)
    team.subscribe(slots=1)
    return team


def confirm(page: Page, name: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_somebody_is_invited_joins_and_is_removed(team: Team, stack: Stack, visit: Page) -> None:
    guest = Person(f"guest@{team.account}.test", team.account, "member")
    members = walk.region(visit, "Team members")
    walk.show(visit, stack, team.manager)
    expect(members).to_contain_text("0 of 1 slot in use")
    members.get_by_role("button", name="Invite").click()
    visit.get_by_label("E-mail").fill(guest.email)
    confirm(visit, "Invite")
    expect(members).to_contain_text("1 of 1 slot in use (1 invited)")

    other = visit.context.new_page()
    walk.show(other, stack, guest)
    other.get_by_role("button", name="Accept invitation").click()
    expect(other.get_by_role("heading", name="You have joined the team")).to_be_visible()

    walk.show(visit, stack, team.manager)
    members.get_by_role("button", name="Remove: Guest").click()
    confirm(visit, "Remove")
    expect(members).to_contain_text("0 of 1 slot in use")
    refused = team.call("GET", "/entitlements", guest)
    assert refused.json()["code"] == "membership_inactive"


def test_a_subscription_is_cancelled_and_kept_and_its_cycle_changed_and_kept(
    team: Team, stack: Stack, visit: Page
) -> None:
    plan = walk.region(visit, "Subscription plan")
    walk.show(visit, stack, team.manager)
    plan.get_by_role("button", name="Cancel subscription").click()
    confirm(visit, "Cancel subscription")
    expect(plan).to_contain_text("Your subscription ends on")
    assert team.billing()["subscription"]["ends_at"]

    plan.get_by_role("button", name="Keep my subscription").click()
    expect(plan).to_contain_text("Renews on")
    assert team.billing()["subscription"]["ends_at"] is None

    plan.get_by_role("button", name="Change cycle").click()
    visit.get_by_role("radio", name="Annual").check()
    confirm(visit, "Change cycle")
    expect(plan).to_contain_text("Annual from")
    assert team.billing()["subscription"]["pending_cycle"] == "annual"

    plan.get_by_role("button", name="Keep monthly").click()
    expect(plan).not_to_contain_text("Annual from")
    assert team.billing()["subscription"]["pending_cycle"] is None


def test_a_new_card_is_entered_at_stripe_and_shown(team: Team, stack: Stack, visit: Page) -> None:
    plan = walk.region(visit, "Subscription plan")
    walk.show(visit, stack, team.manager)
    plan.get_by_role("button", name="Update card").click()
    walk.enter_card(visit, ANOTHER_CARD)
    visit.get_by_role("button", name="Save").click()
    visit.wait_for_url(f"{stack.api}/?card=saved")
    walk.attach(visit, stack, team.manager, card="saved")
    expect(plan).to_contain_text("Your new card is on file")
    expect(plan).to_contain_text("Mastercard •••• 4444")


def test_slots_are_bought_with_the_banks_approval_and_lowered_and_kept(
    stack: Stack, visit: Page
) -> None:
    team = Team(stack)
    team.subscribe(slots=0, card=ASKS_THE_BANK)
    members = walk.region(visit, "Team members")
    number = visit.get_by_label("Slots for team members")
    walk.show(visit, stack, team.manager)
    members.get_by_role("button", name="Manage slots").click()
    number.fill("2")
    expect(visit.get_by_role("dialog")).to_contain_text("Due todayUS$98.00")
    visit.get_by_role("button", name="Confirm").click()
    visit.get_by_role("button", name="Continue to payment").click()
    walk.pay(visit, ASKS_THE_BANK)
    visit.get_by_role("button", name="Approve").click()
    expect(visit.get_by_role("strong").filter(has_text="paid")).to_be_visible()

    until(lambda: team.billing()["slots"]["purchased"] == 2)
    walk.show(visit, stack, team.manager)
    expect(members).to_contain_text("0 of 2 slots in use")
    members.get_by_role("button", name="Manage slots").click()
    visit.get_by_role("button", name="One slot fewer").click()
    expect(visit.get_by_role("dialog")).to_contain_text("Due todayUS$0.00")
    confirm(visit, "Confirm")
    expect(members).to_contain_text("1 slot from ")
    assert team.billing()["slots"]["pending_purchased"] == 1

    members.get_by_role("button", name="Keep 2 slots").click()
    expect(members).not_to_contain_text("1 slot from ")
    assert team.billing()["slots"]["pending_purchased"] is None
