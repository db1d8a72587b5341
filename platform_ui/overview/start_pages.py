"""The beginning in one form: company, system, client app, and a second system that receives.

What lives here: the form and the order in which it is done. What does not: the rules of what is made (each
domain's service). Every step is kept as soon as it is done; whoever sends the form again after a failure goes
on from there.
"""

from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.broker import TopicAdministrator
from platform_ui.clients import service as clients
from platform_ui.clients.forms import AppName, ClientForm
from platform_ui.companies import service as companies
from platform_ui.companies.forms import CompanyForm, Domain, Enterprise
from platform_ui.companies.models import Role
from platform_ui.db import Database
from platform_ui.errors import ConflictError, FormError, PlatformError, status_of
from platform_ui.fields import LEVEL_PATTERN, Form, read_form
from platform_ui.systems import service as systems
from platform_ui.systems.access import Topics
from platform_ui.systems.forms import Station, SystemForm, Workcenter
from platform_ui.systems.models import MAX_STATION
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

DEFAULTS: Final = {
    "domain": "org",
    "enterprise": "",
    "workcenter": "Lab",
    "station": "Device1",
    "client": "sensor_1",
    "receiver": "Results",
}
MaybeStation = Annotated[str, StringConstraints(max_length=MAX_STATION, pattern=LEVEL_PATTERN)]


class StartForm(Form):
    """What makes a beginning; no second system when `receiver` is empty."""

    domain: Domain
    enterprise: Enterprise
    workcenter: Workcenter
    station: Station
    client: AppName
    receiver: MaybeStation = ""

    @property
    def company(self) -> str:
        """The full name of the company."""
        return f"{self.domain}.{self.enterprise}"

    @property
    def system(self) -> str:
        """The full name of the first system."""
        return f"{self.company}.{self.workcenter}.{self.station}"

    @property
    def stations(self) -> tuple[str, ...]:
        """The stations of the systems, the first one last: it is where the person goes on."""
        receiving = (self.receiver,) if self.receiver and self.receiver != self.station else ()
        return (*receiving, self.station)


@router.get("/start")
async def show_start(page: CurrentPage, database: Database, user: LoggedIn) -> Response:
    """Show the form; with the company that the person has already."""
    owned = await companies.list_companies(database, user, Role.ADMIN)
    values = dict(DEFAULTS)
    if owned:
        values["domain"], values["enterprise"] = owned[0].name.split(".")
    return page.render("overview/start.html", values=values, errors={}, error=None, owned=bool(owned))


@router.post("/start")
async def start(page: CurrentPage, database: Database, user: LoggedIn, topics: Topics) -> Response:
    """Make all of it, and lead to the page that connects the client app."""
    values = await page.form()
    try:
        form = read_form(StartForm, values)
        await _make(database, user, form, topics)
    except PlatformError as error:
        return page.render(
            "overview/start.html",
            status=status_of(error),
            values=values,
            errors=error.fields,
            error=None if error.fields else error,
            owned=False,
        )
    return page.redirect(
        f"/systems/{form.system}/clients/{form.client}", f"{form.system} is ready. Now connect {form.client}."
    )


async def _make(session: AsyncSession, user: User, form: StartForm, topics: TopicAdministrator) -> None:
    owned = {company.name for company in await companies.list_companies(session, user, Role.ADMIN)}
    if form.company not in owned:
        await companies.create_company(
            session, user, CompanyForm(domain=form.domain, enterprise=form.enterprise)
        )
    operated = {system.name for system in await systems.list_systems(session, user)}
    for station in form.stations:
        wanted = SystemForm(company=form.company, workcenter=form.workcenter, station=station)
        if wanted.name not in operated:
            await systems.create_system(session, user, wanted, topics)
    try:
        await clients.create_client(session, user, form.system, ClientForm(name=form.client))
    except ConflictError as error:
        if form.system not in operated:
            raise FormError({"client": error.detail}) from error
