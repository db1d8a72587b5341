"""The stream app editor in a browser: faults at their place, completion, a preview, an app that runs."""

import secrets

from playwright.sync_api import Page, Route, expect

from tests.acceptance.browser.conftest import Site
from tests.acceptance.browser.test_car1 import CAR1, fresh, log_in, produce
from tests.acceptance.editing import statement_editor

CAR2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"


def test_from_an_idea_to_a_running_app_on_one_screen_by_keyboard(page: Page, site: Site) -> None:
    name = f"cold-{secrets.token_hex(3)}"
    log_in(page, "sue.smith")
    produce(site, CAR1, fresh(2), fresh(9))
    page.goto(f"/systems/{CAR1}/apps/new")
    page.get_by_label("Target system").fill(CAR2)
    page.get_by_label("Name", exact=True).fill(name)
    editor = statement_editor(page)
    editor.press("Control+a")
    page.keyboard.type("SELECT * FROM * WHERE result << 4")
    expect(page.locator(".cm-lintRange-error")).to_have_text("<")
    expect(page.locator("#statement-check")).to_contain_text("result << 4")  # it is about all that was typed
    expect(page.locator(".fault-place")).to_have_text("Go to line 1, column 31")
    page.locator(".fault-place").press("Enter")
    editor.press("Delete")
    expect(page.locator("#statement-check")).to_contain_text("Keeps those for which result < 4.")
    expect(page.locator(".cm-lintRange-error")).to_have_count(0)
    editor.press("Control+Enter")
    expect(page.locator(".trial")).to_contain_text("result < 4 was false for")
    editor.press("Tab")
    expect(editor).not_to_be_focused()
    page.get_by_role("button", name="Create and deploy").press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator("#app-state .state").first).to_have_text("running")
    page.goto(f"/systems/{CAR1}/apps/{name}/delete")
    page.get_by_role("button", name="Delete the stream app").click()


def test_names_and_functions_are_completed(page: Page) -> None:
    log_in(page, "sue.smith")
    page.goto(f"/systems/{CAR1}/apps/new")
    editor = statement_editor(page)
    editor.press("Control+a")
    page.keyboard.type("SELECT * FROM * WHERE dist")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("distance_m")
    page.get_by_role("option", name="distance_m").click()
    expect(editor).to_contain_text("distance_m(")
    editor.press("Control+a")
    page.keyboard.type("SELECT * FROM cz")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text(CAR2)


def test_who_types_before_the_editor_has_come_goes_on_typing_in_it(page: Page) -> None:
    log_in(page, "sue.smith")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/codemirror.min.js*", hold)
    page.goto(f"/systems/{CAR1}/apps/new", wait_until="commit")
    field = page.locator("[data-statement-editor] textarea")
    field.press("Control+a")
    page.keyboard.type("SELECT * FROM * WHERE  4")
    for _ in " 4":
        page.keyboard.press("ArrowLeft")
    while not held:  # the request follows those for the modules that import it, however long they take
        page.wait_for_timeout(50)  # in which the page's events are seen to
    held[0].continue_()
    statement_editor(page)
    page.keyboard.type("result <")
    expect(field).to_have_value("SELECT * FROM * WHERE result < 4")
