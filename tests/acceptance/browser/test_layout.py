"""Pages fit their window, on a desk and on a telephone, and what must be seen whole is seen whole."""

import re
import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.test_car1 import CAR1, log_in

DESK, TABLET, TELEPHONE = (1280, 900), (768, 1024), (390, 844)
COMPANY = "/companies/cz.icecars"
_PAGES = (
    "/dashboard",
    "/contracts",
    "/contracts/new",
    "/explain",
    "/account",
    "/account/name",
    "/account/tokens",
    COMPANY,
    f"{COMPANY}/members",
    f"{COMPANY}/limits",
    f"{COMPANY}/audit",
    f"/systems/{CAR1}",
    f"/systems/{CAR1}/members",
    f"/systems/{CAR1}/audit",
    f"/systems/{CAR1}/clients/car_1/credentials",
    f"/systems/{CAR1}/apps/car1analytics",
)
_CUT = """
[...document.querySelectorAll(".main-nav a, .who > *")].filter(shown => {
  const place = shown.getBoundingClientRect();
  return place.left < 0 || place.right > innerWidth || shown.scrollWidth > shown.clientWidth + 1;
}).map(shown => shown.textContent.trim())
"""
_OVERLAP = """
(() => {
  const last = document.querySelector(".main-nav a:last-child").getBoundingClientRect();
  const who = document.querySelector(".who").getBoundingClientRect();
  return last.top < who.bottom && last.bottom > who.top && last.right > who.left;
})()
"""


@pytest.mark.parametrize(
    "size",
    [DESK, pytest.param((1250, 900), marks=pytest.mark.extended), TABLET, TELEPHONE],
    ids=lambda size: f"{size[0]}px",
)
def test_no_page_is_wider_than_the_window_and_the_navigation_is_whole(
    page: Page, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    log_in(page, "stefan.gunnarsson")  # the longest name
    assert page.evaluate(_CUT) == []
    assert not page.evaluate(_OVERLAP)
    page.get_by_role("button", name="Log out").click()
    log_in(page, "sue.smith")
    wide = []
    for path in _PAGES:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


_SEEN_WHOLE = """
link => {
  const [place, bar] = [link, link.parentElement].map(one => one.getBoundingClientRect());
  return place.left >= bar.left && place.right <= bar.right;
}
"""


def test_on_a_telephone_a_system_shows_which_part_it_is_at_and_the_keyboard_reaches_the_others(
    page: Page,
) -> None:
    page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
    log_in(page, "sue.smith")
    places = page.get_by_role("navigation", name="Parts of this system")
    for ending, name in (("", "Overview"), ("/logs", "Client logs"), ("/audit", "Audit log")):
        page.goto(f"/systems/{CAR1}{ending}")
        here = places.locator("[aria-current=page]")
        expect(here).to_have_text(name)
        assert here.evaluate(_SEEN_WHOLE), name
    places.get_by_role("link", name="Audit log").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/systems/{CAR1}/members")
    expect(places.locator("[aria-current=page]")).to_have_text("Members")


def test_on_a_telephone_each_part_of_a_company_is_seen_whole_where_the_keyboard_comes_to_it(
    page: Page,
) -> None:
    page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
    log_in(page, "sue.smith")
    places = page.get_by_role("navigation", name="Parts of this company")
    for ending, name in (("", "Overview"), ("/members", "Members"), ("/limits", "Limits")):
        page.goto(f"{COMPANY}{ending}")
        here = places.locator("[aria-current=page]")
        expect(here).to_have_text(name)
        assert here.evaluate(_SEEN_WHOLE), name
    page.get_by_label("Where you are").get_by_role("link").last.focus()
    for name in ("Overview", "Contracts", "Members", "Limits", "Audit log"):
        page.keyboard.press("Tab")
        link = places.get_by_role("link", name=name)
        expect(link).to_be_focused()
        assert link.evaluate(_SEEN_WHOLE), name
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{COMPANY}/audit")
    expect(places.locator("[aria-current=page]")).to_have_text("Audit log")


_WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => window.shifts.push(...list.getEntries().filter(one => !one.hadRecentInput)))
  .observe({ type: "layout-shift", buffered: true });
"""
_SHIFTED = "window.shifts.reduce((sum, one) => sum + one.value, 0)"


def test_on_a_telephone_nothing_is_pushed_down_by_what_comes_later(page: Page) -> None:
    """What a script puts in has its room from the beginning (Core Web Vitals: a shift of 0.1 is the most)."""
    page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
    log_in(page, "sue.smith")
    page.add_init_script(_WATCH_SHIFTS)
    page.goto(f"/systems/{CAR1}/apps/new")
    expect(page.locator(".is-enhanced .example").first).to_be_visible()
    expect(page.locator(".editor-host")).to_be_visible()
    assert page.evaluate(_SHIFTED) < 0.05
    things = [{"@iot.id": number, "name": f"cz.icecars.Fleet.Car{number}.Main"} for number in range(40)]
    page.route(
        "**/explorer/data/v1.1/Things?*",
        lambda route: route.fulfill(json={"@iot.count": len(things), "value": things}),
    )
    page.goto("/explorer")
    expect(page.get_by_text("40 of 40 Things")).to_be_visible()
    assert page.evaluate(_SHIFTED) < 0.05


def test_a_text_that_is_too_long_goes_in_whole_and_says_so_before_it_is_sent(page: Page) -> None:
    log_in(page, "sue.smith")
    page.goto("/account/name")
    field = page.get_by_label("First name")
    field.fill("x" * 60)
    page.get_by_role("button", name="Change it").click()
    expect(field).to_have_value("x" * 60)
    expect(field).to_be_focused()
    said = field.evaluate("field => field.validationMessage")
    assert said == "At most 50 characters; this has 60."
    field.fill("x" * 50)
    assert field.evaluate("field => field.checkValidity()")


def test_the_state_of_client_apps_comes_into_their_list_by_itself(page: Page) -> None:
    log_in(page, "sue.smith")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    for path in ("/clients", f"/systems/{CAR1}?show=clients", f"/systems/{CAR1}"):
        page.goto(path)
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="car_1", exact=True))
        expect(row).to_contain_text("never heard")
    assert faults == []


def test_the_qr_code_of_the_second_factor_is_shown_whole(page: Page) -> None:
    page.goto("/signup")
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Last name").fill("Holm")
    page.get_by_label("E-mail address").fill(f"ada.{secrets.token_hex(4)}@example.com")
    page.get_by_label("New password").fill("a long password")
    page.get_by_label("Repeat the password").fill("a long password")
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
    page.goto("/account/second-factor")
    page.get_by_role("button", name="Set it up").click()
    drawing = page.get_by_role("img", name="QR code with the secret below").locator("svg")
    expect(drawing).to_have_attribute(
        "viewBox", re.compile(r"^0 0 \d+ \d+$")
    )  # without it, a smaller one is cut
    assert page.evaluate("svg => svg.getBBox().width <= svg.viewBox.baseVal.width", drawing.element_handle())


def test_the_footer_leads_to_why(page: Page) -> None:
    log_in(page, "sue.smith")
    page.get_by_role("contentinfo").get_by_role("link", name="Ask why").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Why, or why not")
