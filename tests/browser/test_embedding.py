"""The tab in a host's own page, on another origin, under the host's own styles."""

from playwright.sync_api import Page, Route, expect

from tests.browser import shapes
from tests.browser.scripted import Answer, Site, problem
from tests.factories import NOON

HOST = "http://127.0.0.1:64999/settings"
CORS = {"access-control-allow-origin": "http://127.0.0.1:64999"}


def embed(site: Site, page: Page, script: str, style: str = "", attributes: str = "") -> None:
    """A host page that knows nothing but the element's address, and runs `script`."""
    for route, body in (
        ("GET /billing", shapes.subscribed()),
        ("GET /invoices", shapes.invoices(shapes.invoice(1))),
    ):
        site.answers(route, Answer(body, headers=CORS))
    document = f"""<!doctype html><html lang="en"><title>Host</title><style>{style}</style>
        <billing-tab api-base="{site.origin}" {attributes}></billing-tab>
        <script>const tab = document.querySelector("billing-tab"); {script}</script>
        <script type="module" src="{site.origin}/assets/billing-tab.js"></script>"""

    def answer(route: Route) -> None:
        if route.request.method == "OPTIONS":
            allow = {**CORS, "access-control-allow-headers": "authorization"}
            route.fulfill(status=204, headers=allow)
        else:
            route.fallback()

    page.route(f"{site.origin}/**", answer)
    page.route(HOST, lambda route: route.fulfill(content_type="text/html", body=document))
    page.goto(HOST)


def active(page: Page) -> None:
    expect(page.get_by_role("region", name="Subscription plan")).to_contain_text("Active")


def test_a_host_on_another_origin_hands_over_a_token(site: Site, page: Page) -> None:
    embed(site, page, 'tab.token = "from-the-host";')
    active(page)
    assert site.requests[0].headers["authorization"] == "Bearer from-the-host"
    assert page.evaluate("tab.token") is None


def test_a_refused_token_is_asked_for_once_more_for_all_requests(site: Site, page: Page) -> None:
    refusal = Answer({"message": "Unauthorized"}, 401, CORS)
    site.answers_next("GET /billing", refusal)
    site.answers_next("GET /invoices", refusal)
    embed(
        site,
        page,
        """window.renewals = 0;
        tab.getToken = async ({ renew }) => renew ? `new-${++renewals}` : "old";""",
    )
    active(page)
    assert page.evaluate("renewals") == 1
    tokens = [each.headers["authorization"] for each in site.calls("GET /billing")]
    assert tokens == ["Bearer old", "Bearer new-1"]


def test_a_host_is_told_when_its_token_is_refused_for_good(site: Site, page: Page) -> None:
    script = (
        'tab.addEventListener("billing-signed-out", () => (window.told = true)); tab.token = "t";'
    )
    refusal = problem(401, "not_signed_in", "Sign in first.")
    site.answers_next("GET /billing", Answer(refusal.body, 401, CORS))
    embed(site, page, script)
    expect(page.get_by_text("You are signed out")).to_be_visible()
    assert page.evaluate("told") is True


def test_another_accounts_token_leaves_nothing_of_the_first(site: Site, page: Page) -> None:
    embed(site, page, 'tab.token = "first";')
    active(page)
    site.answers("GET /billing", Answer(shapes.open_checkout("completing"), headers=CORS))
    site.answers("GET /invoices", Answer(shapes.invoices(), headers=CORS))
    page.evaluate("tab.token = 'second'")
    expect(page.get_by_text("No invoices yet")).to_be_visible()
    expect(page.get_by_text("ACME0001-0001")).to_have_count(0)
    expect(page.get_by_text("Business")).to_have_count(0)


def test_a_host_may_take_over_the_way_to_payment(site: Site, page: Page) -> None:
    script = """tab.addEventListener("billing-navigate", (event) => {
        event.preventDefault(); window.wanted = event.detail.url; }); tab.token = "t";"""
    embed(site, page, script)
    active(page)
    site.answers("GET /catalog", Answer(shapes.catalog(), headers=CORS))
    site.answers("GET /billing", Answer(shapes.open_checkout(), headers=CORS))
    page.evaluate("tab.refresh()")
    page.get_by_role("button", name="Continue to payment").click()
    assert page.evaluate("wanted") == shapes.CHECKOUT
    assert page.url == HOST


def test_the_hosts_styles_stay_out_but_its_theme_comes_in(site: Site, page: Page) -> None:
    style = """h2 { color: rgb(255, 0, 0) !important; font-size: 80px } p { display: none }
        billing-tab { --billing-text: rgb(1, 2, 3); color-scheme: dark }"""
    embed(site, page, 'tab.token = "t";', style)
    active(page)
    heading = page.get_by_role("heading", name="Subscription plan")
    expect(heading).to_have_css("color", "rgb(1, 2, 3)")
    expect(heading).to_have_css("font-size", "16px")
    expect(page.get_by_text("US$99 per month")).to_be_visible()
    surface = page.locator("billing-tab section").first
    expect(surface).to_have_css("background-color", "rgb(25, 27, 32)")


def test_a_host_without_a_dark_mode_gets_a_light_tab(site: Site, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    embed(site, page, 'tab.token = "t";')
    active(page)
    surface = page.locator("billing-tab section").first
    expect(surface).to_have_css("background-color", "rgb(255, 255, 255)")


def test_a_tab_taken_out_of_the_page_asks_nothing_more(site: Site, page: Page) -> None:
    page.clock.install(time=NOON)
    embed(site, page, 'tab.token = "t";')
    active(page)
    site.answers("GET /billing", Answer(shapes.open_checkout("completing"), headers=CORS))
    page.evaluate("tab.refresh()")
    expect(page.get_by_role("region", name="Subscription plan")).to_contain_text("the bank")
    page.evaluate("tab.remove()")
    asked = len(site.requests)
    page.clock.run_for(60_000)
    assert len(site.requests) == asked
