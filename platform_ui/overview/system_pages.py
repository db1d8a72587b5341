"""The page of one system: how it is, what arrives, and a tab for each kind of thing that belongs to it.

What lives here: which tab shows what; each has an address of its own (`show`). What does not: what is a
problem (``health``), what the broker permits (``permitted``), the lists (each domain's ``listing``).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.acls.registry import read_registry
from platform_ui.audit import service as audit
from platform_ui.client_logs import service as client_logs
from platform_ui.client_logs.access import CurrentPorts
from platform_ui.client_logs.reading import RememberingReader
from platform_ui.clients import listing as clients
from platform_ui.contracts import listing as contracts
from platform_ui.credentials import register
from platform_ui.db import Database, now
from platform_ui.fields import APP_NAME_PATTERN
from platform_ui.flows.reading import measured
from platform_ui.overview.health import Belongings, health_of
from platform_ui.overview.permitted import MOST_SHOWN, permitted_on
from platform_ui.pki.names import Kind
from platform_ui.rest.paging import HTML_SIZE, ListQuery, ListView, PageRequest
from platform_ui.settings import CurrentSettings
from platform_ui.streams import listing as streams
from platform_ui.streams.access import Runner
from platform_ui.streams.listing import Condition
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.systems import service as systems
from platform_ui.systems.models import System, SystemRole
from platform_ui.web import CurrentPage, Page

router = APIRouter(include_in_schema=False)

APPS_WATCHED = 100
"""So many stream apps of a system are looked at for problems [1]."""
SHOWN = 6
ENTRIES_SHOWN = 10


class Tab(StrEnum):
    """The parts of a system's page; `HEALTH` and `STANDINGS` are asked for by htmx alone."""

    OVERVIEW = ""
    CLIENTS = "clients"
    APPS = "apps"
    CONTRACTS = "contracts"
    RULES = "rules"
    HEALTH = "health"
    STANDINGS = "standings"


@dataclass(frozen=True, slots=True)
class _Look:
    """Who looks at which system, and with what."""

    page: Page
    session: AsyncSession
    user: User
    runner: StreamRunner
    settings: CurrentSettings
    system: System
    is_agent: bool
    view: ListView
    state: str

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks for a part of the page."""
        return self.view.part(self.page.request) == "rows"

    def whole(self, tab: Tab, **context: object) -> Response:
        """Return the whole page, opened on a tab."""
        common: dict[str, Any] = {"system": self.system, "is_agent": self.is_agent, "tab": tab.value}
        return self.page.render("overview/system.html", **(common | context))


@router.get("/systems/{name}")
async def show_system(
    page: CurrentPage,
    *,
    database: Database,
    user: LoggedIn,
    runner: Runner,
    settings: CurrentSettings,
    ports: CurrentPorts,
    view: ListQuery,
    name: str,
    show: str = "",
    state: str = "",
) -> Response:
    """Show a system: its health, its live tail, and what belongs to it, on tabs."""
    system = await systems.see_system(database, user, name)
    is_agent = await systems.role_in(database, user, system) is SystemRole.AGENT
    tab = Tab(show) if show in set(Tab) else Tab.OVERVIEW
    look = _Look(
        page,
        database,
        user,
        runner,
        settings,
        system,
        is_agent,
        view.on(show=tab.value),
        state,
    )
    if tab is Tab.CLIENTS:
        return await _show_clients(look)
    if tab is Tab.APPS:
        return await _show_apps(look)
    if tab is Tab.CONTRACTS:
        return await _show_contracts(look)
    if tab is Tab.RULES:
        return await _show_rules(look)
    if tab is Tab.STANDINGS and look.is_partial:
        return await _show_standings(look, ports.topics)
    return await _show_overview(look, health_only=tab is Tab.HEALTH and look.is_partial)


async def _show_overview(look: _Look, *, health_only: bool) -> Response:
    session, user, system = look.session, look.user, look.system
    apps, counts = await streams.page_of_apps(
        session,
        user,
        look.runner,
        PageRequest(page_size=APPS_WATCHED),
        within=streams.of_system(system),
    )
    some = PageRequest(page_size=SHOWN)
    agreed = await contracts.page_of_contracts(session, user, some, within=contracts.of_system(system))
    devices = await clients.page_of_system(session, system, some)
    snapshot = await measured(look.page.request.app.state.flows, look.runner)
    belongings = Belongings(apps.items, agreed.items, devices.total or 0, look.is_agent)
    health = health_of(system, snapshot, belongings, now())
    if health_only:
        return look.page.render("overview/system/health.html", system=system, health=health)
    return look.whole(
        Tab.OVERVIEW,
        health=health,
        topics=system.system_name.topics,
        clients=devices,
        apps=apps.items[:SHOWN],
        apps_total=counts[""],
        contracts=agreed,
        members=await systems.list_members(session, user, system),
        entries=await audit.entries_of(session, system.name, limit=ENTRIES_SHOWN),
    )


async def _show_clients(look: _Look) -> Response:
    listed = await clients.page_of_system(look.session, look.system, look.view.page)
    context: dict[str, Any] = {"view": look.view, "listed": listed}
    if look.is_partial:
        return look.page.render(
            "overview/system/client_rows.html", system=look.system, is_agent=look.is_agent, **context
        )
    return look.whole(Tab.CLIENTS, **context)


async def _show_standings(look: _Look, topics: RememberingReader | None) -> Response:
    """Show how the client apps stand that the address names, each in its place on the page."""
    given = look.page.request.query_params.getlist("client")[:HTML_SIZE]
    names = [name for name in given if re.fullmatch(APP_NAME_PATTERN, name)]
    full = {name: f"{look.system.name}.{name}" for name in names}
    blocked = await register.blocked_among(look.session, Kind.CLIENT, full.values())
    await look.session.commit()  # reading takes its time; the connection goes back to the pool
    states = await client_logs.reported_states(topics, look.system, names)
    return look.page.render(
        "client_logs/standings.html",
        standings=[(full[name], states[name], full[name] in blocked) for name in full],
    )


async def _show_apps(look: _Look) -> Response:
    condition = Condition(look.state) if look.state in set(Condition) else None
    listed, counts = await streams.page_of_apps(
        look.session,
        look.user,
        look.runner,
        look.view.page,
        condition,
        within=streams.of_system(look.system),
    )
    context: dict[str, Any] = {
        "view": look.view.chosen(state=condition or ""),
        "listed": listed,
        "counts": counts,
    }
    if look.is_partial:
        return look.page.render("streams/rows.html", **context)
    return look.whole(Tab.APPS, **context)


async def _show_contracts(look: _Look) -> Response:
    listed = await contracts.page_of_contracts(
        look.session, look.user, look.view.page, within=contracts.of_system(look.system)
    )
    context: dict[str, Any] = {"view": look.view, "listed": listed}
    if look.is_partial:
        return look.page.render("overview/system/contract_rows.html", system=look.system, **context)
    return look.whole(Tab.CONTRACTS, **context)


async def _show_rules(look: _Look) -> Response:
    acl = look.settings.acl
    registry = await read_registry(look.session, acl.principals, look.system.name)
    found = permitted_on(look.system.name, registry)
    return look.whole(
        Tab.RULES,
        permitted=found[:MOST_SHOWN],
        total=len(found),
        is_enforced=look.page.request.app.state.acl_keeper is not None,
    )
