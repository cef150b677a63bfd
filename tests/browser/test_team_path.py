"""The subscription's life on the running stack: the team, the end that is taken back, the card."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

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


def test_somebody_is_invited_joins_gets_a_limit_and_is_removed(
    team: Team, stack: Stack, visit: Page
) -> None:
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
    members.get_by_role("button", name="Limit: Guest").click()
    visit.get_by_role("spinbutton").fill("40")
    confirm(visit, "Save")
    expect(members).to_contain_text("0 of 40 credits used this month")
    assert team.call("GET", "/credits", guest).json()["wallet"]["limit"] == 40

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


def test_credits_are_bought_confirmed_and_sent_and_both_see_it_in_their_logs(
    team: Team, stack: Stack, visit: Page
) -> None:
    mia = Person(f"mia@{team.account}.test", team.account, "member")
    team.invite(mia.email)
    team.call("POST", "/invitations/accept", mia)
    credits, log = walk.region(visit, "Credits"), walk.region(visit, "Credit log")
    walk.show(visit, stack, team.manager)
    credits.get_by_role("button", name="Buy credits").click()
    visit.get_by_role("dialog").get_by_role("button", name="Continue to payment").click()
    with walk.webhooks_held(stack):
        walk.pay(visit, walk.PAYS)
        visit.wait_for_url(f"{stack.api}/?credits=bought")
        walk.attach(visit, stack, team.manager, credits="bought")
        expect(credits).to_contain_text("Your credits are waiting for confirmation")
    expect(credits).to_contain_text("500 credits have come")
    expect(log.get_by_role("cell", name="Bought")).to_be_visible()

    send(credits, visit, 150)
    expect(credits).to_contain_text("350 in your wallet")
    expect(log.get_by_role("row").nth(1)).to_contain_text("Sent150TessMiaTess350")
    expect(credits.get_by_role("img")).to_have_accessible_name(re.compile("Bought 500, Sent 150"))

    with visit.expect_download() as downloading:
        log.get_by_role("button", name="Download CSV").click()
    [_, sent, bought] = downloading.value.path().read_text().splitlines()
    assert f"Sent,150,{team.manager.email},{mia.email}" in sent
    assert f"Bought,500,,{team.manager.email}" in bought

    walk.show(visit, stack, mia)
    expect(walk.region(visit, "Your credits")).to_contain_text("Yours to use150")
    expect(log.get_by_role("row").nth(1)).to_contain_text("Received150Your managerYou")
    expect(log.get_by_role("row")).to_have_count(2)


def test_a_wallet_is_topped_up_when_it_is_switched_on_and_when_it_falls(
    team: Team, stack: Stack, visit: Page
) -> None:
    mia = Person(f"mia@{team.account}.test", team.account, "member")
    team.invite(mia.email)
    team.call("POST", "/invitations/accept", mia)
    credits, log = walk.region(visit, "Credits"), walk.region(visit, "Credit log")
    walk.show(visit, stack, team.manager)
    credits.get_by_role("button", name="Alerts and top-up").click()
    visit.get_by_role("switch").check()
    visit.get_by_label("Buy when I have fewer credits than").fill("200")
    visit.get_by_label("At most in a month").fill("1000")
    confirm(visit, "Save and buy 500 credits for US$50.00")
    expect(credits).to_contain_text("500 in your wallet")
    expect(credits).to_contain_text("US$50.00 so far this month.")

    send(credits, visit, 350)
    expect(credits).to_contain_text("650 in your wallet")
    expect(credits).to_contain_text("US$100.00 so far this month.")
    expect(log.get_by_role("row").nth(1)).to_contain_text("Automatic top-up500")


def send(credits: Locator, page: Page, number: int) -> None:
    """To Mia."""
    credits.get_by_role("button", name="Send credits: Mia").click()
    page.get_by_role("spinbutton").fill(str(number))
    confirm(page, "Send credits")
