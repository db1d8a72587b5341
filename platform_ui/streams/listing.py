"""The list of a person's stream apps, page by page, with the states that the runner tells.

What lives here: reading the list, whole or by state. What does not: one app and who sees it (``views``).

Whether an app runs is known to the runner alone, so it is asked once for all apps; the database then picks
the page, by the names of the apps in the wanted states.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Select, String, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.contracts.reach import reach_of
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page
from platform_ui.streams.models import StreamApp
from platform_ui.streams.runner_port import Status, StreamRunner
from platform_ui.streams.running import states_of
from platform_ui.streams.views import AppView, views_of
from platform_ui.systems.listing import seen_by
from platform_ui.systems.models import System


class Condition(StrEnum):
    """The states of apps as people choose among them, problems first."""

    FAILED = "failed"
    RUNNING = "running"
    STOPPED = "stopped"


_CONDITION_OF: Final[Mapping[str, Condition]] = {
    "failed": Condition.FAILED,
    "backing_off": Condition.FAILED,
    "unknown": Condition.FAILED,
    "starting": Condition.RUNNING,
    "running": Condition.RUNNING,
}
"""States of the runner; all others stand still."""


def condition_of(status: Status | None) -> Condition:
    """Return how an app is, in one word; one that was never deployed stands still."""
    return _CONDITION_OF.get(status.state, Condition.STOPPED) if status else Condition.STOPPED


_SOURCE, _TARGET = aliased(System), aliased(System)
# The name of an app to the runner. Its index is not needed: only apps that the person sees are compared.
_APP_ID: Final[ColumnElement[str]] = func.concat(_SOURCE.name, ".", StreamApp.name, type_=String())
BY_NAME: Final = Order("apps", (_SOURCE.name, StreamApp.name))


def of_system(system: System) -> ColumnElement[bool]:
    """Return the condition of the apps that read or write a system."""
    return (StreamApp.system_id == system.id) | (StreamApp.target_system_id == system.id)


def _wanted(user: User, page: PageRequest, within: ColumnElement[bool]) -> Select[StreamApp]:
    seen = seen_by(user)
    return (
        select(StreamApp)
        .join(_SOURCE, _SOURCE.id == StreamApp.system_id)
        .join(_TARGET, _TARGET.id == StreamApp.target_system_id)
        .where(
            within,
            StreamApp.system_id.in_(seen) | StreamApp.target_system_id.in_(seen),
            matches(page.q, StreamApp.name, _SOURCE.name, _TARGET.name, StreamApp.description),
        )
    )


def _is_in(condition: Condition | None, states: Mapping[str, Status]) -> ColumnElement[bool]:
    if condition is None:
        return true()
    if condition is Condition.STOPPED:  # whatever the runner does not know was never deployed
        others = [app_id for app_id, status in states.items() if condition_of(status) is not condition]
        return _APP_ID.not_in(others)
    return _APP_ID.in_([app_id for app_id, status in states.items() if condition_of(status) is condition])


async def page_of_apps(
    session: AsyncSession,
    user: User,
    runner: StreamRunner,
    page: PageRequest,
    condition: Condition | None = None,
    *,
    within: ColumnElement[bool] | None = None,
) -> tuple[Listed[AppView], dict[str, int]]:
    """Return one page of the stream apps that read or write a system that a person sees, by system and name.

    Args:
        session: the database.
        user: who asks.
        runner: what runs; asked once.
        page: which part of the list; names, systems and descriptions are searched.
        condition: only apps that are so; all when left out.
        within: only those, such as `of_system`.

    Returns:
        The page, and how many apps the search finds in each `Condition` and altogether (``""``).

    Raises:
        PageTokenError: the token is not one of this list.
        RunnerError: the runner's files cannot be read.
    """
    states = await states_of(runner)
    statement = _wanted(user, page, true() if within is None else within)
    found = await read_page(
        session,
        statement.where(_is_in(condition, states)),
        BY_NAME.turned(page.is_descending),
        page,
    )
    names = (await session.scalars(statement.with_only_columns(_APP_ID))).all()
    counts = Counter(condition_of(states.get(name)).value for name in names)
    apps = [row[0] for row in found.items]
    views = {
        view.app.id: view for view in await views_of(session, apps, await reach_of(session, user), states)
    }
    ordered = [views[app.id] for app in apps if app.id in views]
    figures = {"": len(names)} | {one.value: counts[one.value] for one in Condition}
    return Listed(ordered, found.next_page_token), figures
