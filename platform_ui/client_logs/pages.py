"""The page of one client app: how it stands, and how it connects.

Its log lines are in ``log_pages``; its description, certificates and tokens are pages of ``clients``,
``credentials`` and ``access``.
"""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.client_logs import connection as connecting
from platform_ui.client_logs.access import CurrentPorts
from platform_ui.clients import service as clients
from platform_ui.clients.snippets import Place, ways
from platform_ui.credentials.access import MaybeAuthority
from platform_ui.db import Database, now
from platform_ui.settings import CurrentSettings
from platform_ui.systems import service as systems
from platform_ui.systems.models import SystemRole
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

PATIENCE_S = 60.0
_FOREVER_S = 10.0**11  # the year 5138: whatever lies beyond is no time of ours


@router.get("/systems/{system}/clients/{name}")
async def show_client(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    settings: CurrentSettings,
    authority: MaybeAuthority,
    system: str,
    name: str,
    way: str = "",
) -> Response:
    """Show how a client app connects, and whether it has."""
    client, found = await clients.see_client(database, user, system, name)
    place = Place(
        clients.configuration_of(client, found, settings),
        clients.sensorthings_url(client, settings),
        settings.mqtt_url,
    )
    known = ways(place)
    return page.render(
        "client_logs/connect.html",
        client=client,
        system=found,
        ways=known,
        way=next((one for one in known if one.key == way), known[0]),
        archive=f"{place.folder}.tar.gz",
        has_authority=authority is not None,
        is_agent=await systems.role_in(database, user, found) is SystemRole.AGENT,
        since=int(now().timestamp()),
    )


@router.get("/systems/{system}/clients/{name}/standing")
async def show_standing(
    page: CurrentPage, *, database: Database, user: LoggedIn, ports: CurrentPorts, system: str, name: str
) -> Response:
    """Show how a client app stands, as the part of its pages that is asked for again and again."""
    client, found, standing = await connecting.standing(database, user, system, name, ports)
    return page.render("client_logs/standing.html", client=client, system=found, standing=standing)


@router.get("/systems/{system}/clients/{name}/connection")
async def show_connection(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    ports: CurrentPorts,
    system: str,
    name: str,
    since: float = 0,
) -> Response:
    """Show whether a record of a client app has arrived; once it has, the part asks no more.

    Args:
        page: the page.
        database: the database.
        user: who asks.
        ports: what is asked.
        system: full name of the system.
        name: name of the client app.
        since: when the waiting began, in seconds since 1970; after a minute the checks unfold by themselves.
    """
    found = await connecting.connection(database, user, system, name, ports)
    began = datetime.fromtimestamp(since if 0 < since < _FOREVER_S else now().timestamp(), UTC)
    waited_s = max(0.0, (now() - began).total_seconds())
    is_part = "hx-request" in page.request.headers
    return page.render(
        f"client_logs/connection{'' if is_part else '_page'}.html",
        found=found,
        client=found.client,
        system=found.system,
        since=int(began.timestamp()),
        is_agent=await systems.role_in(database, user, found.system) is SystemRole.AGENT,
        is_impatient=waited_s >= PATIENCE_S,
    )
