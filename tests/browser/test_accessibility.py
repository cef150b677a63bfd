"""What holds in every state of the page: names, contrast, keyboard, small screens, large text."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser import shapes
from tests.browser.scripted import Site, problem

AXE = Axe()
FAILED = problem(500, "internal_error", "Something went wrong here.")
MEMBER = problem(403, "manager_only", "The billing section is the manager's alone.")
MANY = shapes.invoices(
    shapes.invoice(3, status="open"),
    shapes.invoice(2, status="void", kind="package"),
    shapes.invoice(1),
    next_cursor="older",
)
ENDED = {"state": "ended", "until": "2026-11-01T00:00:00Z"}
TEAM = shapes.team(
    shapes.member("Mia Kolar"),
    shapes.member("Leo Brandt", "invited"),
    shapes.member("Bartholomew Featherstonehaugh-Cholmondeley", "expired"),
    purchased=2,
)
FEWER = shapes.team(shapes.member("Mia Kolar"), purchased=4, pending_purchased=2)
SLOTS_OVERDUE = shapes.team(
    shapes.member("Mia Kolar"),
    purchased=2,
    overdue={"until": "2027-01-29T10:00:00Z", "invoice": shapes.OPEN_INVOICE},
)
CREDITS = shapes.with_credits(
    shapes.team(
        shapes.member("Mia Kolar", credits=150, limit=100, used=100),
        shapes.member("Bartholomew Featherstonehaugh-Cholmondeley", "removed", credits=40),
        purchased=2,
    ),
    2500,
    spent=320,
    held=15,
    debt=5,
)
LOG = shapes.log(
    shapes.entry(9, "transfer", 150, **{"from": "ana", "to": "id-of-mia"}),
    shapes.entry(8, "hold", 15, **{"from": "id-of-bartholomew", "balance_after": None}),
    next_cursor="older",
)
SET: dict[str, Any] = {
    "credits": shapes.settings(200, status="under_way"),
    "top-up waits": shapes.settings(
        200,
        status="waiting",
        charged=shapes.money(19000),
        resumes_at="2026-12-01T00:00:00Z",
    ),
    "top-up stopped": shapes.settings(
        200, status="stopped", stopped={"because": "declined", "at": "2026-11-23T10:00:00Z"}
    ),
}
MOVED: dict[str, Any] = {
    "GET /credits": shapes.wallet(147, held=3, received=170, spent=20, debt=1, limit=25, used=20),
    "GET /entitlements": {"access": "active"},
    "GET /credits/log": LOG,
    "GET /credits/usage": shapes.usage(_2026_11={"bought": 2500, "sent": 150, "spent": 20}),
}
STATES: dict[str, tuple[Any, Any, str]] = {
    "empty": (shapes.no_subscription(), shapes.invoices(), "/"),
    "cancelled": (shapes.open_checkout(), shapes.invoices(), "/?checkout=cancelled"),
    "confirming": (shapes.open_checkout(), shapes.invoices(), "/?checkout=success"),
    "active": (shapes.subscribed(), MANY, "/"),
    "new card": (shapes.subscribed(), MANY, "/?card=saved"),
    "another cycle pending": (shapes.subscribed(pending_cycle="annual"), MANY, "/"),
    "grace": (shapes.overdue(), MANY, "/"),
    "ending": (shapes.ending(), MANY, "/"),
    "ended": (shapes.subscribed(ENDED, status="canceled"), MANY, "/"),
    "team": (TEAM, MANY, "/"),
    "fewer slots pending": (FEWER, MANY, "/"),
    "slots overdue": (SLOTS_OVERDUE, MANY, "/"),
    "credits": (CREDITS, MANY, "/?credits=bought"),
    "top-up waits": (TEAM, MANY, "/"),
    "top-up stopped": (TEAM, MANY, "/"),
    "failed": (FAILED, FAILED, "/"),
    "member": (MEMBER, MEMBER, "/"),
}
DIALOGS = {
    "Change cycle": "active",
    "Change plan": "active",
    "Cancel subscription": "active",
    "Ask sales": "active",
    "Invite": "team",
    "Manage slots": "team",
    "Remove: Mia Kolar": "team",
    "Withdraw: Leo Brandt": "team",
    "Buy credits": "credits",
    "Send credits: Mia Kolar": "credits",
    "Alerts and top-up": "top-up waits",
    "Limit: Mia Kolar": "credits",
}
in_every_state = pytest.mark.parametrize("state", STATES)
in_every_dialog = pytest.mark.parametrize("opener", DIALOGS)

Show = Callable[[str], None]
Violations = Callable[..., list[str]]


@pytest.fixture
def show(site: Site, page: Page) -> Show:
    def show(state: str) -> None:
        billing, invoices, address = STATES[state]
        site.answers("GET /billing", billing)
        site.answers("GET /invoices", invoices)
        site.answers("GET /catalog", shapes.catalog())
        moved = state in ("credits", "member")
        for route, answer in MOVED.items() if moved else ():
            site.answers(route, answer)
        if state in SET:
            site.answers("GET /credits", SET[state])
        site.sign_in(page, address)
        expect(page.locator("billing-tab .tab")).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        expect(page.locator(".plot")).to_have_count(1 if moved else 0)
        for folded in page.locator(".log details, .usage-chart details").all():
            folded.evaluate("details => { details.open = true }")

    return show


@pytest.fixture
def violations(page: Page, complaints: list[str]) -> Violations:
    """What axe finds by these rules, or by all; contrast that it cannot decide counts too."""

    def violations(*rules: str) -> list[str]:
        before = list(complaints)
        found = AXE.run(page, options={"runOnly": list(rules)} if rules else None).response
        complaints[:] = before  # axe tries inline styles of its own, which the policy refuses
        undecided = [each for each in found["incomplete"] if each["id"] == "color-contrast"]
        return [
            f"{rule['id']}: {node['target']}: {node.get('failureSummary', '')}"
            for rule in [*found["violations"], *undecided]
            for node in rule["nodes"]
        ]

    return violations


@in_every_state
def test_names_roles_and_contrast_are_right(
    page: Page, show: Show, violations: Violations, state: str
) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    show(state)
    assert violations() == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert violations("color-contrast") == []


@in_every_dialog
def test_names_roles_and_contrast_are_right_in_a_dialog(
    page: Page, show: Show, violations: Violations, opener: str
) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    open_dialog(page, show, opener)
    # axe does not know that a modal dialog lies above everything, and asks what shines through.
    page.locator(".tab").evaluate("tab => { tab.style.visibility = 'hidden' }")
    assert violations() == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert violations("color-contrast") == []


@in_every_dialog
def test_no_dialog_is_cut_off_at_320_pixels_and_with_text_twice_as_large(
    page: Page, show: Show, opener: str
) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    open_dialog(page, show, opener)
    assert overflowing(page) == []
    page.set_viewport_size({"width": 640, "height": 640})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflowing(page) == []


def open_dialog(page: Page, show: Show, opener: str) -> None:
    show(DIALOGS[opener])
    page.get_by_role("button", name=opener).press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_entrance_has_names_roles_and_contrast(
    site: Site, page: Page, violations: Violations
) -> None:
    page.goto(f"{site.origin}/?code=stolen&state=forged")
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations() == []


@in_every_state
def test_nothing_is_cut_off_at_320_pixels_and_with_text_twice_as_large(
    page: Page, show: Show, state: str
) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    show(state)
    assert overflowing(page) == []
    page.set_viewport_size({"width": 640, "height": 640})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflowing(page) == []


def overflowing(page: Page) -> list[str]:
    """What reaches beyond the right edge of the window; a narrow table's head is out of sight."""
    found: list[str] = page.evaluate("""() => {
        const all = (root) => [...root.querySelectorAll("*")].flatMap((each) =>
            [each, ...(each.shadowRoot ? all(each.shadowRoot) : [])]);
        return all(document).filter((each) => each.checkVisibility() && !each.closest("thead"))
            .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)
            .map((each) => `${each.localName}.${each.className}`);
    }""")
    return found


def focused(page: Page) -> str:
    """Name of what has the focus, which must be in view with a visible outline."""
    name: str = page.evaluate("""() => {
        const deepest = (root) => root.activeElement?.shadowRoot?.activeElement
            ? deepest(root.activeElement.shadowRoot) : root.activeElement;
        const focused = deepest(document);
        if (focused === document.body) return "";
        const outlined = focused.type === "radio" ? focused.nextElementSibling : focused;
        if (getComputedStyle(outlined).outlineStyle === "none") return "no outline";
        return focused.ariaLabel ?? (focused.type === "radio" ? focused.name : focused.innerText);
    }""")
    return name


def walk(page: Page) -> list[str]:
    """Names along the Tab key, from the top of the page to its end."""
    names: list[str] = []
    while len(names) < 30:
        page.keyboard.press("Tab")
        names.append(focused(page))
        if names[-1] == "":
            break
    return names[:-1]


def test_the_keyboard_reaches_everything_in_reading_order(page: Page, show: Show) -> None:
    show("active")
    download = "Download PDF of invoice ACME0001-000"
    assert walk(page) == [
        "Skip to billing",
        "Sign out",
        "Change cycle",
        "Change plan",
        "Update card",
        "Cancel subscription",
        "Invite",
        "Manage slots",
        "Buy credits",
        "Send credits",
        "Alerts and top-up",
        "Ask sales",
        "Pay invoice ACME0001-0003",
        f"{download}3",
        f"{download}2",
        f"{download}1",
        "Show older invoices",
    ]


def test_each_group_of_choices_is_one_stop_of_the_keyboard(page: Page, show: Show) -> None:
    show("empty")
    stops = ["Skip to billing", "Sign out", "cycle", "currency", "plan", "Subscribe"]
    assert walk(page) == [*stops, "help@sales.test", "Ask sales"]


def test_a_choice_is_made_with_the_arrow_keys(page: Page, show: Show) -> None:
    show("empty")
    page.get_by_role("radio", name="Monthly").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Quarterly")).to_be_checked()
    expect(page.get_by_text("US$159.00")).to_be_visible()


def test_skipping_leads_into_the_billing(page: Page, show: Show) -> None:
    show("active")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_without_motion_nothing_turns(page: Page, show: Show) -> None:
    page.emulate_media(reduced_motion="reduce")
    show("confirming")
    expect(page.locator(".spinner")).to_have_css("animation-name", "none")


def test_on_paper_there_are_no_buttons(page: Page, show: Show) -> None:
    page.emulate_media(media="print")
    show("active")
    expect(page.get_by_role("rowheader", name="ACME0001-0003")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
