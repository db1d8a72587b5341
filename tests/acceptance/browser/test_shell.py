"""The frame of the site in a browser: palette, theme, time zone, menu without scripts, what failed."""

import re

from playwright.sync_api import Page, expect

from tests.acceptance.browser.conftest import Site
from tests.acceptance.browser.test_car1 import CAR1, log_in


def test_the_palette_leads_anywhere_by_keyboard_alone(page: Page) -> None:
    log_in(page, "sue.smith")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search or jump to")
    expect(box).to_be_focused()
    expect(page.get_by_role("option", name="Home")).to_have_attribute("aria-selected", "true")
    page.keyboard.type("car1")
    # What is found for the first letters is replaced by what is found for all of them.
    expect(page.get_by_role("listbox", name="Results")).to_have_attribute("aria-busy", "false")
    option = page.get_by_role("option", name="Car1").first
    expect(option).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "none")
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "false")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/systems/{CAR1}")
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    page.keyboard.press("?")
    shortcuts = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shortcuts).to_be_visible()
    page.keyboard.press("Escape")
    expect(shortcuts).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/contracts")


def test_the_theme_changes_at_once_and_stays_and_times_follow_the_zone(page: Page) -> None:
    log_in(page, "sue.smith")
    page.goto("/account")
    html = page.locator("html")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.keyboard.press("Control+k")
    page.keyboard.type("switch to dark")
    expect(page.get_by_role("option", name="Switch to dark")).to_have_attribute("aria-selected", "true")
    with page.expect_response("**/look"):
        page.keyboard.press("Enter")
    expect(html).to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) != before
    assert 'data-theme="dark"' in page.request.get("/account").text()  # the server knows: no flash
    page.get_by_title("Theme and time zone").click()
    page.get_by_role("link", name="Another zone").click()
    page.get_by_label("Times are shown in").select_option("Asia/Kolkata")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"^[^?]*/account$"))  # not the address that names it as the next one
    expect(html).to_have_attribute("data-theme", "dark")
    expect(page.locator("time").first).to_have_attribute("title", re.compile(r" IST$"))
    assert page.evaluate("dtwin.time('2026-07-01T00:00:00Z')").startswith("2026-07-01 05:30:00")


def test_what_fails_behind_the_scenes_is_said(page: Page) -> None:
    log_in(page, "sue.smith")
    said = page.get_by_role("alert")
    page.evaluate("console.error = () => {}")  # htmx writes failures there too
    page.evaluate("htmx.ajax('GET', '/systems/is.iceland.None.Here', {target: 'main'})")
    expect(said).to_contain_text("is.iceland.None.Here")
    expect(page.locator("[data-connection]")).to_be_hidden()
    page.context.set_offline(offline=True)
    expect(page.locator("[data-connection]")).to_be_visible()
    page.context.set_offline(offline=False)
    expect(page.locator("[data-connection]")).to_be_hidden()


def test_what_changes_by_itself_stands_still_under_a_press(page: Page) -> None:
    """Who presses a button that is replaced before they let it go has clicked on nothing."""
    log_in(page, "sue.smith")
    page.goto(f"/systems/{CAR1}/apps/car1analytics")
    button = page.locator("#app-state .actions button:enabled").first
    bring_up_to_date = f"""htmx.ajax("GET", "/systems/{CAR1}/apps/car1analytics/state",
        {{target: "#app-state", swap: "outerHTML"}})"""
    button.hover()
    page.mouse.down()
    pressed = button.element_handle()  # not before: the page brings itself up to date at any time
    page.evaluate(bring_up_to_date)
    assert pressed.evaluate("button => button.isConnected")
    page.mouse.move(0, 0)
    page.mouse.up()
    page.evaluate(bring_up_to_date)
    page.wait_for_function("button => !button.isConnected", arg=pressed)


def test_the_palette_closes_by_its_button_as_often_as_it_is_opened(page: Page) -> None:
    log_in(page, "sue.smith")
    palette = page.get_by_role("dialog", name="Search or jump to")
    for _ in range(2):
        page.keyboard.press("Control+k")
        palette.get_by_role("button", name="Close").click()
        expect(palette).to_be_hidden()


def test_menu_and_search_work_without_scripts_on_a_telephone(page: Page, site: Site) -> None:
    log_in(page, "sue.smith")
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(
        base_url=site.url,
        java_script_enabled=False,
        viewport={"width": 390, "height": 844},
        storage_state=page.context.storage_state(),
    )
    phone = context.new_page()
    phone.goto("/dashboard")
    phone.locator("summary", has_text="Menu").click()
    menu = phone.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Home")).to_have_attribute("aria-current", "page")
    menu.get_by_role("link", name="Contracts").click()
    phone.wait_for_url("**/contracts")
    phone.get_by_role("searchbox", name="Search or jump to").fill("car1")
    phone.get_by_role("searchbox", name="Search or jump to").press("Enter")
    phone.get_by_role("link", name="Car1").first.click()
    phone.wait_for_url(f"**/systems/{CAR1}")
    phone.get_by_title("Theme and time zone").click()
    phone.get_by_role("button", name="Dark").click()
    expect(phone.locator("html")).to_have_attribute("data-theme", "dark")
    context.close()
