"""Pages fit their window, on a desk and on a telephone, and what must be seen whole is seen whole."""

import re
import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser.test_car1 import CAR1, log_in

DESK, TABLET, TELEPHONE = (1280, 900), (768, 1024), (390, 844)
_PAGES = (
    "/dashboard",
    "/contracts",
    "/contracts/new",
    "/explain",
    "/account",
    "/account/tokens",
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
