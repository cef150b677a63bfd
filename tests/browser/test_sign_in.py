"""Signing in and out by the page itself, at any OpenID provider."""

import os
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import shapes
from tests.browser.scripted import PROVIDER, Site, problem
from tests.factories import NOON


@pytest.fixture(autouse=True)
def subscribed(site: Site) -> None:
    site.answers("GET /billing", shapes.subscribed())
    site.answers("GET /invoices", shapes.invoices())


def alert(page: Page, text: str) -> None:
    expect(page.get_by_role("alert")).to_contain_text(text)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("billing-tab")).to_have_count(0)


def test_nobody_signed_in_sees_the_entrance_and_nothing_is_asked_of_the_api(
    site: Site, page: Page
) -> None:
    page.goto(site.origin)
    expect(page.get_by_role("heading", name="Sign in to see your billing")).to_be_visible()
    assert site.requests == []


def test_the_provider_is_asked_for_a_code_with_proof_of_possession(site: Site, page: Page) -> None:
    page.goto(site.origin)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{PROVIDER}/authorize**")
    asked = {name: value for name, (value,) in parse_qs(urlsplit(page.url).query).items()}
    unguessable = {asked.pop(name) for name in ("state", "nonce", "code_challenge")}
    assert asked == {
        "response_type": "code",
        "client_id": os.environ["OIDC_CLIENT_ID"],
        "redirect_uri": f"{site.origin}/",
        "scope": os.environ["OIDC_SCOPE"],
        "audience": os.environ["JWT_AUDIENCE"],
        "code_challenge_method": "S256",
    }
    assert all(re.fullmatch(r"[\w-]{43}", each) for each in unguessable)
    assert len(unguessable) == 3


def test_signed_in_the_page_shows_who_it_is_and_forgets_the_code(site: Site, page: Page) -> None:
    site.walk_through_sign_in(page)
    expect(page.get_by_role("banner").get_by_text("Ana Ruiz")).to_be_visible()
    expect(page.get_by_role("region", name="Subscription plan")).to_contain_text("Active")
    assert page.url == f"{site.origin}/"
    page.go_back()
    assert "code=" not in page.url
    assert {each.headers["authorization"] for each in site.requests} == {"Bearer token-of-ana"}


def test_a_reload_and_the_way_back_from_payment_need_no_second_sign_in(
    site: Site, page: Page
) -> None:
    site.walk_through_sign_in(page)
    page.reload()
    expect(page.get_by_role("banner").get_by_text("Ana Ruiz")).to_be_visible()
    page.goto("https://checkout.test/c/pay/cs_1")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("banner").get_by_text("Ana Ruiz")).to_be_visible()


def test_two_people_in_two_tabs_stay_two_people(site: Site, page: Page) -> None:
    site.walk_through_sign_in(page)
    site.person = {"name": "Ben Osei", "email": "ben@globex.test", "sub": "ben"}
    other = site.context.new_page()
    site.walk_through_sign_in(other)
    expect(other.get_by_role("banner").get_by_text("Ben Osei")).to_be_visible()
    page.reload()
    expect(page.get_by_role("banner").get_by_text("Ana Ruiz")).to_be_visible()
    expect(page.get_by_role("region", name="Subscription plan")).to_contain_text("Active")
    assert site.requests[-1].headers["authorization"] == "Bearer token-of-ana"


def test_the_address_asked_for_before_the_sign_in_is_there_again(site: Site, page: Page) -> None:
    site.answers("GET /billing", shapes.open_checkout())
    site.walk_through_sign_in(page, "/?checkout=success")
    plan = page.get_by_role("region", name="Subscription plan")
    expect(plan).to_contain_text("Payment received, waiting for confirmation")


def test_a_person_who_refuses_is_told_in_words(site: Site, page: Page) -> None:
    site.refusal = "access_denied"
    site.walk_through_sign_in(page)
    alert(page, "Sign-in was cancelled, or you are not allowed to use this page.")
    assert page.url == f"{site.origin}/"


def test_an_answer_to_nobodys_question_is_refused(site: Site, page: Page) -> None:
    page.goto(f"{site.origin}/?code=stolen&state=forged")
    alert(page, "has expired or was started in another tab")
    assert page.url == f"{site.origin}/"


def test_a_sign_in_that_took_too_long_is_started_anew(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    page.goto(site.origin)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Continue").wait_for()
    page.clock.fast_forward("11:00")
    page.get_by_role("link", name="Continue").click()
    alert(page, "has expired or was started in another tab")


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"aud": "another"}, {"iss": "https://another.example"}],
    ids=["nonce", "audience", "issuer"],
)
def test_an_identity_meant_for_another_sign_in_is_refused(
    site: Site, page: Page, claims: dict[str, str]
) -> None:
    site.claims = claims
    site.walk_through_sign_in(page)
    alert(page, "does not belong to this page")


def test_a_provider_that_does_not_answer_is_named_as_the_reason(site: Site, page: Page) -> None:
    site.context.route(f"{PROVIDER}/**", lambda route: route.abort())
    page.goto(site.origin)
    page.get_by_role("button", name="Sign in").click()
    alert(page, "cannot be reached")


def test_a_token_that_the_api_refuses_leads_back_to_the_entrance(site: Site, page: Page) -> None:
    site.answers("GET /billing", problem(401, "not_signed_in", "Sign in first."))
    site.sign_in(page)
    alert(page, "Your session has ended. Sign in again.")
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_signing_out_forgets_here_and_at_the_provider(site: Site, page: Page) -> None:
    site.walk_through_sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{PROVIDER}/logout**")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["client_id"] == [os.environ["OIDC_CLIENT_ID"]]
    assert asked["id_token_hint"][0].startswith("e30.")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
