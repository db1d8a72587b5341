"""The page of one stream app, and what its buttons do.

What lives here: state, figures, contracts, outputs, rights, and starting, stopping, restarting, deleting.
What does not: its versions (``version_pages``), its log (``log_pages``), making one (``editor``).
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.audit import service as audit
from platform_ui.audit.models import AuditEntry
from platform_ui.browser import Undo
from platform_ui.contracts.views import titles_of
from platform_ui.db import Database, now
from platform_ui.errors import ContractNeededError, FormError, MetadataError, PlatformError, status_of
from platform_ui.fields import read_form
from platform_ui.rest.paging import PageRequest
from platform_ui.streams import leftovers, service, versions
from platform_ui.streams.access import Figures, Ports, Runner, form_of
from platform_ui.streams.detail.actions import actions_of, why_not_change
from platform_ui.streams.detail.log_lines import read_lines
from platform_ui.streams.detail.situation import situation_of
from platform_ui.streams.figures import cpu_share, curves
from platform_ui.streams.kafka_rights import RightsOf
from platform_ui.streams.leftovers import CurrentObservatory
from platform_ui.streams.permission import AMBIGUOUS
from platform_ui.streams.version_forms import VersionForm
from platform_ui.streams.views import AppView
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False, prefix="/systems/{system}/apps/{name}")

LOG_LINES = 100
VERSIONS = 5
STOPPED = "stream.stopped"


async def show(
    page: Page,
    database: Database,
    user: LoggedIn,
    view: AppView,
    ports: Ports,
    *,
    error: PlatformError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    """Show an app.

    Args:
        page: the request.
        database: the database.
        user: who looks.
        view: the app, as they see it.
        ports: the runner and the other outside parts.
        error: what refused their last wish.
        typed: the fields of it.
    """
    state = page.request.app.state
    values = {"statement": view.app.statement} | (typed or {})
    is_ambiguous = error is not None and error.code == AMBIGUOUS
    fields = (database, user, view.source, values["statement"], view.target)
    listed = None
    if view.sees_source:
        listed = await versions.page_of_versions(database, view, PageRequest(page_size=VERSIONS))
    log = await service.log_part(view, ports.runner, LOG_LINES)
    entries = await audit.entries_of(database, view.app_id) if view.is_ours else []
    rights: RightsOf = state.app_rights
    agreed = [terms.id for terms in view.permission.terms]
    lost = [lack.contract for lack in view.permission.lacks if lack.contract]
    return page.render(
        "streams/show.html",
        status=status_of(error) if error else HTTPStatus.OK,
        **_moving(view, entries, state.figures),
        log=list(read_lines(log.lines)) if log else [],
        cursor=log.cursor if log else "",
        entries=entries,
        values=values,
        errors=error.fields if error else {},
        outputs=await service.outputs_of(view, ports.runner),
        further=view.permission.sources[1:],
        choices=await service.choices_of(*fields) if is_ambiguous else {},
        error=error,
        versions=listed.items if listed else [],
        has_more=bool(listed and listed.next_page_token),
        refusal=why_not_change(view),
        rights=rights(view.permission),
        titles=await titles_of(database, user, [*agreed, *lost]),
    )


def _moving(view: AppView, entries: Sequence[AuditEntry], figures: Figures) -> dict[str, Any]:
    """Return what of the page changes by itself."""
    samples = figures.of(view.app_id)
    stopper = next((entry.user_email for entry in entries if entry.action == STOPPED), "")
    return {
        "view": view,
        "situation": situation_of(view, now()),
        "actions": actions_of(view),
        "curves": curves(samples),
        "cpu": cpu_share(samples),
        "stopper": stopper if view.state == "stopped" and not view.was_ended else "",
    }


@router.get("")
async def show_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str
) -> Response:
    """Show a stream app."""
    view = await service.get_app(database, user, system, name, ports.runner)
    return await show(page, database, user, view, ports)


@router.get("/state")
async def show_state(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    figures: Figures,
    system: str,
    name: str,
) -> Response:
    """Show the part of the app's page that changes by itself."""
    view = await service.get_app(database, user, system, name, runner)
    is_asked = view.is_ours and view.state == "stopped"
    entries = await audit.entries_of(database, view.app_id) if is_asked else []
    return page.render("streams/state.html", **_moving(view, entries, figures))


@router.post("/statement")
async def save_statement(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: Ports, system: str, name: str
) -> Response:
    """Save another statement, as the next version."""
    values = await form_of(page)
    view = await service.get_app(database, user, system, name, ports.runner)
    try:
        number = await versions.save_version(database, user, view, read_form(VersionForm, values), ports)
    except (ContractNeededError, FormError, MetadataError) as error:
        return await show(page, database, user, view, ports, error=error, typed=values)
    restarts = "; the app restarts with it" if view.is_wanted else ""
    return page.redirect(view.url, f"The statement is saved: the app has version {number}{restarts}.")


@router.post("/deploy")
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
        return await show(page, database, user, view, ports, error=error)
    return page.redirect(view.url, f"{name} is being started.")


@router.post("/restart")
async def restart_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Let a new process of an app take over."""
    view = await service.get_app(database, user, system, name, runner)
    await service.restart_app(database, user, view, runner)
    return page.redirect(view.url, f"{name} is being restarted; it goes on where it was.")


@router.post("/stop")
async def stop_app(
    page: CurrentPage, *, database: Database, user: LoggedIn, runner: Runner, system: str, name: str
) -> Response:
    """Let an app stand still."""
    view = await service.get_app(database, user, system, name, runner)
    undo = Undo(f"{view.url}/deploy") if view.is_wanted else None
    await service.stop_app(database, user, view, runner)
    return page.redirect(
        view.url, f"{name} is being stopped. It keeps its place: start it again whenever you like.", undo
    )


@router.get("/delete")
async def show_deletion(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    observatory: CurrentObservatory,
    system: str,
    name: str,
) -> Response:
    """Ask before a stream app is deleted."""
    view = await service.get_app(database, user, system, name, runner)
    service.require_source_side(view)
    outputs = await service.outputs_of(view, runner)
    left = await leftovers.leftovers_of(view, user, outputs, observatory)
    return page.render("streams/delete.html", view=view, left=left)


@router.post("/delete")
async def delete_app(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    observatory: CurrentObservatory,
    system: str,
    name: str,
) -> Response:
    """Delete a stream app, and when it is wished what it has registered."""
    with_outputs = (await page.form()).get("outputs") == "delete"
    view = await service.get_app(database, user, system, name, runner)
    kept = await service.delete_app_and_outputs(
        database, user, view, runner, observatory if with_outputs else None
    )
    words = f" These Datastreams could not be deleted: {', '.join(kept)}." if kept else ""
    return page.redirect(f"/systems/{system}", f"{name} is deleted.{words}")
