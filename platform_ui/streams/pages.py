"""The pages of stream apps: list, show, create, change, deploy, stop, delete, log."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.audit import service as audit
from platform_ui.db import Database
from platform_ui.errors import ContractNeededError, FormError, MetadataError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.streams import service, statements
from platform_ui.streams.access import Ports, Runner
from platform_ui.streams.forms import CheckForm, StatementForm, StreamAppForm
from platform_ui.streams.permission import AMBIGUOUS
from platform_ui.systems import service as systems
from platform_ui.web import CurrentPage, Page
from streamhub.explanation import Section

router = APIRouter(include_in_schema=False)

LOG_LINES = 100
LOG_LINES_DOWNLOAD = 100_000


@router.get("/apps")
async def list_apps(page: CurrentPage, database: Database, user: LoggedIn, runner: Runner) -> Response:
    """Show the stream apps of all systems of the person; htmx asks for the table alone."""
    apps = await service.list_apps(database, user, runner)
    if "hx-request" in page.request.headers:
        return page.render("streams/table.html", apps=apps)
    return page.render("streams/list.html", apps=apps, systems=await systems.list_systems(database, user))


@router.post("/systems/{system}/apps/check")
async def check_statement(
    page: CurrentPage, database: Database, user: LoggedIn, ports: Ports, system: str
) -> Response:
    """Tell whether a statement would be accepted, and what it means, while it is being typed."""
    found = await systems.get_system(database, user, system)
    values = await page.form()
    message, sections = "", list[Section]()
    lacking: ContractNeededError | None = None
    try:
        form = read_form(CheckForm, values)
        lacking = await service.find_lacking(database, found, form)
        compiled = await statements.check_statement(
            database, user, found.name, form.statement, ports.metadata, target=form.target_system or None
        )
        sections = statements.sections_of(compiled)
    except (FormError, MetadataError) as error:
        message = error.fields.get("statement", error.detail)
    return page.render("streams/check.html", message=message, sections=sections, lacking=lacking)


@router.get("/systems/{system}/apps/new")
async def show_form(page: CurrentPage, database: Database, user: LoggedIn, system: str) -> Response:
    """Show the form of a new stream app."""
    found = await systems.get_system(database, user, system)
    values = {"statement": f"SELECT * FROM {found.name};"}  # noqa: S608 - our own language, never SQL
    return page.render(
        "streams/new.html",
        system=found,
        systems=await systems.list_systems(database, user),
        values=values,
        errors={},
        lacking=None,
        choices={},
    )


@router.post("/systems/{system}/apps/new")
async def create_app(
    page: CurrentPage, database: Database, user: LoggedIn, ports: Ports, system: str
) -> Response:
    """Create a stream app."""
    values = await _form_of(page)
    found = await systems.get_system(database, user, system)
    try:
        form = read_form(StreamAppForm, values)
        app = await service.create_app(database, user, system, form, ports.metadata)
    except PlatformError as error:
        typed = (found.name, values.get("statement", ""), values.get("target_system", ""))
        return page.render(
            "streams/new.html",
            status=status_of(error),
            system=found,
            systems=await systems.list_systems(database, user),
            values=values,
            errors=error.fields,
            lacking=error if isinstance(error, ContractNeededError) else None,
            choices=await service.choices_of(database, user, *typed) if error.code == AMBIGUOUS else {},
        )
    return page.redirect(
        f"/systems/{system}/apps/{app.name}", f"{app.name} is created. Deploy it to let it run."
    )


async def _form_of(page: Page) -> dict[str, str]:
    """Return the fields; contracts may be chosen for several sources, by one select each."""
    chosen = (await page.request.form()).getlist("contracts")
    return await page.form() | {
        "contracts": " ".join(one for one in chosen if isinstance(one, str)).replace("\x00", "")
    }


@router.get("/systems/{system}/apps/{name}")
async def show_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Show a stream app."""
    view = await service.get_app(database, user, system, name, runner)
    return await _show(page, database, user, view, runner)


async def _show(
    page: Page,
    database: Database,
    user: LoggedIn,
    view: service.AppView,
    runner: Runner,
    *,
    error: PlatformError | None = None,
    statement: str | None = None,
) -> Response:
    typed = view.app.statement if statement is None else statement
    is_ambiguous = error is not None and error.code == AMBIGUOUS
    return page.render(
        "streams/show.html",
        status=status_of(error) if error else 200,
        view=view,
        log=await service.log_of(view, runner, LOG_LINES),
        entries=await audit.entries_of(database, view.app_id) if view.is_ours else [],
        values={"statement": typed},
        errors=error.fields if error else {},
        outputs=await service.outputs_of(view, runner),
        further=view.permission.sources[1:],
        choices=await service.choices_of(database, user, view.source, typed, view.target)
        if is_ambiguous
        else {},
        error=error,
    )


@router.get("/systems/{system}/apps/{name}/state")
async def show_state(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Show the part of the app's page that changes by itself."""
    view = await service.get_app(database, user, system, name, runner)
    return page.render("streams/state.html", view=view, log=await service.log_of(view, runner, LOG_LINES))


@router.post("/systems/{system}/apps/{name}/statement")
async def change_statement(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str
) -> Response:
    """Save another statement."""
    values = await _form_of(page)
    view = await service.get_app(database, user, system, name, ports.runner)
    try:
        await service.change_statement(database, user, view, read_form(StatementForm, values), ports)
    except (ContractNeededError, FormError, MetadataError) as error:
        typed = values.get("statement", "")
        return await _show(page, database, user, view, ports.runner, error=error, statement=typed)
    notice = (
        "The statement is saved; the app restarts with it." if view.is_wanted else "The statement is saved."
    )
    return page.redirect(view.url, notice)


@router.post("/systems/{system}/apps/{name}/deploy")
async def deploy_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str
) -> Response:
    """Let an app run."""
    view = await service.get_app(database, user, system, name, ports.runner)
    try:
        await service.deploy_app(database, user, view, ports)
    except (ContractNeededError, FormError, MetadataError) as error:
        if not view.is_ours:  # there is no form that could show it
            raise
        return await _show(page, database, user, view, ports.runner, error=error)
    return page.redirect(view.url, f"{name} is being started.")


@router.post("/systems/{system}/apps/{name}/stop")
async def stop_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Let an app stand still."""
    view = await service.get_app(database, user, system, name, runner)
    await service.stop_app(database, user, view, runner)
    return page.redirect(view.url, f"{name} is being stopped; it keeps its place in the stream.")


@router.get("/systems/{system}/apps/{name}/delete")
async def show_deletion(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Ask before a stream app is deleted."""
    view = await service.get_app(database, user, system, name, runner)
    service.require_source_side(view)
    return page.render("streams/delete.html", view=view)


@router.post("/systems/{system}/apps/{name}/delete")
async def delete_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Delete a stream app."""
    view = await service.get_app(database, user, system, name, runner)
    await service.delete_app(database, user, view, runner)
    return page.redirect(f"/systems/{system}", f"{name} is deleted.")


@router.get("/systems/{system}/apps/{name}/log")
async def download_log(
    database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Give the log of an app as a file, to the agents of its source system."""
    view = await service.get_app(database, user, system, name, runner)
    service.require_source_side(view)
    lines = await service.log_of(view, runner, LOG_LINES_DOWNLOAD)
    return PlainTextResponse(
        "".join(f"{line}\n" for line in lines),
        headers={"Content-Disposition": f'attachment; filename="{view.app_id}.log"'},
    )
