"""The pages of the first visit: the setup code, what is checked, the first person, the demo.

What lives here: pages. What does not: who may set the platform up, and that it happens once (``first_run``),
what is checked (``checks``).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from platform_ui.accounts.forms import SignUpForm
from platform_ui.accounts.origin import origin_of
from platform_ui.accounts.pages import answer_too_many, at_field, start_session
from platform_ui.browser import browser_token
from platform_ui.db import Database
from platform_ui.errors import ConflictError, FormError, PlatformError, TooManyAttemptsError, status_of
from platform_ui.fields import read_form
from platform_ui.operations.access import CurrentFirstRun, CurrentWatch
from platform_ui.operations.findings import worst_first
from platform_ui.operations.first_run import WELCOME, FirstRun, check_code
from platform_ui.operations.watch import Watch
from platform_ui.setting_values import Mode
from platform_ui.settings import CurrentSettings
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)

_SECRET = frozenset({"password", "confirm", "csrf_token"})


@router.get("/welcome")
async def show_welcome(
    page: CurrentPage, database: Database, first_run: CurrentFirstRun, watch: CurrentWatch
) -> Response:
    """Show the wizard, while nobody has an account yet; htmx asks again for what is checked."""
    has_database = True
    try:
        if not await first_run.is_waiting(database):
            return page.redirect("/")
    except SQLAlchemyError:
        has_database = False
    if not first_run.is_let_in(browser_token(page.request)):
        return page.render("operations/code.html", errors={})
    if "hx-request" in page.request.headers:
        return page.render("operations/checks.html", **await _checked(watch))
    return await _wizard(page, watch, {}, {}, has_database=has_database)


@router.post("/welcome/code")
async def show_code(page: CurrentPage, database: Database, first_run: CurrentFirstRun) -> Response:
    """Let a browser go on that shows the setup code."""
    if not await first_run.is_waiting(database):
        return page.redirect("/")
    values = await page.form()
    try:
        await check_code(first_run, database, values.get("code", ""), origin_of(page.request))
    except (FormError, TooManyAttemptsError) as error:
        errors = error.fields or {"code": error.detail}
        return answer_too_many(
            page.render("operations/code.html", status=status_of(error), errors=errors), error
        )
    await database.commit()
    first_run.let_in(browser_token(page.request))
    return page.redirect(WELCOME)


@router.post("/welcome")
async def set_up(
    page: CurrentPage, database: Database, first_run: CurrentFirstRun, watch: CurrentWatch
) -> Response:
    """Make the account of the first person, who runs the platform, and lead them to their first system."""
    if not await _may_go_on(page, database, first_run):
        return page.redirect("/")
    values = await page.form()
    try:
        user = await first_run.make_first_person(database, read_form(SignUpForm, values))
    except ConflictError:
        return page.redirect("/login", "Somebody else was faster: this platform is set up.")
    except FormError as error:
        kept = {name: text for name, text in values.items() if name not in _SECRET}
        return await _wizard(page, watch, kept, at_field(error.fields), status=status_of(error))
    await start_session(page.request, database, user)
    return page.redirect("/start", f"Welcome, {user.first_name}. You run this platform. Begin with a system.")


@router.post("/welcome/demo")
async def load_demo(
    *,
    page: CurrentPage,
    database: Database,
    first_run: CurrentFirstRun,
    watch: CurrentWatch,
    settings: CurrentSettings,
) -> Response:
    """Make the companies of the demonstration; its first person runs the platform."""
    if settings.mode is not Mode.DEMO or not await _may_go_on(page, database, first_run):
        return page.redirect("/")
    try:
        await page.request.app.state.load_demo()
    except PlatformError as error:
        errors = {"demo": f"{error.detail} {error.hint}".strip()}
        return await _wizard(page, watch, {}, errors, status=status_of(error))
    return page.redirect("/login", "The demonstration is loaded. Log in as one of the people in its README.")


async def _may_go_on(page: Page, database: Database, first_run: FirstRun) -> bool:
    return first_run.is_let_in(browser_token(page.request)) and await first_run.is_waiting(database)


async def _checked(watch: Watch) -> dict[str, Any]:
    findings = worst_first(await watch.findings())
    return {"findings": findings, "troubles": sum(one.is_trouble for one in findings)}


async def _wizard(
    page: Page,
    watch: Watch,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = HTTPStatus.OK,
    has_database: bool = True,
) -> Response:
    return page.render(
        "operations/welcome.html",
        status=status,
        values=values,
        errors=errors,
        has_database=has_database,
        **await _checked(watch),
    )
