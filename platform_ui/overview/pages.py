"""Pages that show several domains at once: the dashboard, one company, one system."""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn, Visitor
from platform_ui.audit import service as audit
from platform_ui.clients import service as clients
from platform_ui.companies import service as companies
from platform_ui.companies.models import Role
from platform_ui.contracts import views as contracts
from platform_ui.db import Database
from platform_ui.streams import service as streams
from platform_ui.streams.access import Runner
from platform_ui.systems import service as systems
from platform_ui.systems.models import SystemRole
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home(page: CurrentPage, visitor: Visitor) -> Response:
    """Lead people to their dashboard and visitors to the log-in."""
    return page.redirect("/dashboard" if visitor else "/login")


@router.get("/dashboard")
async def show_dashboard(page: CurrentPage, database: Database, user: LoggedIn, runner: Runner) -> Response:
    """Show everything a person has; htmx asks again for the apps, whose states change."""
    apps = await streams.list_apps(database, user, runner)
    if "hx-request" in page.request.headers:
        return page.render("streams/table.html", apps=apps)
    return page.render(
        "overview/dashboard.html",
        apps=apps,
        companies=await companies.list_companies(database, user),
        systems=await systems.list_visible(database, user),
        clients=await clients.list_clients(database, user),
    )


@router.get("/companies/{name}")
async def show_company(page: CurrentPage, database: Database, user: LoggedIn, name: str) -> Response:
    """Show a company with its systems and members."""
    company = await companies.see_company(database, user, name)
    role = await companies.role_in(database, user, company)
    operated = {system.id for system in await systems.list_visible(database, user)}
    return page.render(
        "overview/company.html",
        company=company,
        systems=await systems.list_of_company(database, company),
        operated=operated,
        members=await companies.list_members(database, user, company),
        manages=role is not None and role.includes(Role.ADMIN),
        owns=role is Role.OWNER,
        entries=await audit.entries_of(database, name),
    )


@router.get("/systems/{name}")
async def show_system(
    page: CurrentPage, database: Database, user: LoggedIn, runner: Runner, name: str
) -> Response:
    """Show a system with its live tail, client apps, stream apps and members."""
    system = await systems.see_system(database, user, name)
    return page.render(
        "overview/system.html",
        system=system,
        topics=system.system_name.topics,
        clients=await clients.list_of_system(database, system),
        apps=await streams.list_of_system(database, user, system, runner),
        contracts=await contracts.list_of_system(database, user, system),
        members=await systems.list_members(database, user, system),
        is_agent=await systems.role_in(database, user, system) is SystemRole.AGENT,
        entries=await audit.entries_of(database, name),
    )
