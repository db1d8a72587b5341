"""Stream apps as people see them: those of the systems that they operate or may look at.

What lives here: reading, and who may act for which side. What does not: the rules of what is done
(``service``), and asking the runner for more than states (``running``).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.contracts.reach import Reach, reach_of
from platform_ui.errors import ForbiddenError, NotFoundError
from platform_ui.streams.models import CONTRACT, SOURCE_SIDE, TARGET_SIDE, StreamApp
from platform_ui.streams.permission import AppPermission, permissions
from platform_ui.streams.runner_port import Status, StreamRunner
from platform_ui.streams.running import states_of
from platform_ui.systems.models import System

NOT_DEPLOYED = "not deployed"


@dataclass(frozen=True, slots=True)
class AppView:
    """A stream app with what its contracts permit, what the runner sees of it, and who is looking.

    Attributes:
        app: The app.
        permission: Its systems and contracts.
        status: What the runner sees; nothing when it was never deployed.
        sides: Sides of which the person operates the system.
        sees_source: Whether the person may look at the source system.
    """

    app: StreamApp
    permission: AppPermission
    status: Status | None
    sides: frozenset[str] = frozenset({SOURCE_SIDE})
    sees_source: bool = True

    @property
    def source(self) -> str:
        """Full name of the system that the app belongs to."""
        return self.permission.source

    @property
    def target(self) -> str:
        """Full name of the system that receives."""
        return self.permission.target

    @property
    def app_id(self) -> str:
        """The name of the app to the runner, and its consumer group."""
        return self.permission.app_id

    @property
    def url(self) -> str:
        """The address of the app's page."""
        return f"/systems/{self.source}/apps/{self.app.name}"

    @property
    def state(self) -> str:
        """What to show: the runner's word, or that it was never deployed."""
        return self.status.state if self.status else NOT_DEPLOYED

    @property
    def is_ours(self) -> bool:
        """Whether the person operates the source system, and so may change and delete the app."""
        return SOURCE_SIDE in self.sides

    @property
    def waits_for(self) -> str | None:
        """The system whose agents alone may start the app; nothing when this person may."""
        side = TARGET_SIDE if self.app.stopped_by == TARGET_SIDE else SOURCE_SIDE
        if side in self.sides:
            return None
        return self.source if side == SOURCE_SIDE else self.target

    @property
    def is_wanted(self) -> bool:
        """Whether the app is meant to run."""
        return self.status is not None and self.status.desired == "running"

    @property
    def was_ended(self) -> bool:
        """Whether the end of a contract stopped the app."""
        return self.app.stopped_by == CONTRACT


async def list_apps(session: AsyncSession, user: User, runner: StreamRunner) -> list[AppView]:
    """Return the stream apps that read or write a system that a person sees, by source system and name."""
    reach = await reach_of(session, user)
    condition = StreamApp.system_id.in_(reach.seen) | StreamApp.target_system_id.in_(reach.seen)
    return await _views(session, condition, reach, runner)


async def list_of_system(
    session: AsyncSession, user: User, system: System, runner: StreamRunner
) -> list[AppView]:
    """Return the stream apps that read a system, then those that write to it; each by source and name."""
    condition = (StreamApp.system_id == system.id) | (StreamApp.target_system_id == system.id)
    views = await _views(session, condition, await reach_of(session, user), runner)
    return sorted(views, key=lambda view: view.source != system.name)


async def get_app(
    session: AsyncSession, user: User, system_name: str, name: str, runner: StreamRunner
) -> AppView:
    """Return a stream app whose source or target system a person sees.

    Raises:
        NotFoundError: it is not there, or the person sees neither system.
        RunnerError: the runner's files cannot be read.
    """
    reach = await reach_of(session, user)
    source = aliased(System)
    app_id = (
        select(StreamApp.id)
        .join(source, source.id == StreamApp.system_id)
        .where(source.name == system_name, StreamApp.name == name)
    )
    visible = StreamApp.system_id.in_(reach.seen) | StreamApp.target_system_id.in_(reach.seen)
    views = await _views(session, visible & StreamApp.id.in_(app_id), reach, runner)
    if not views:
        raise NotFoundError(f"{system_name} has no stream app named {name}.", code="stream.not_found")
    return views[0]


async def list_all(
    session: AsyncSession, runner: StreamRunner, condition: ColumnElement[bool]
) -> list[AppView]:
    """Return stream apps as the platform itself sees them, by source system and name."""
    return await _views(session, condition, Reach(frozenset(), frozenset()), runner)


def require_source_side(view: AppView) -> None:
    """Refuse what only agents of the source system may do.

    Raises:
        ForbiddenError: the person sees the app in another part.
    """
    if not view.is_ours:
        hint = "As an agent of the target you may stop the app, and start it again after that."
        raise ForbiddenError(
            f"{view.app.name} belongs to {view.source}: only agents of that system may do this.",
            code="stream.not_yours",
            hint=hint if TARGET_SIDE in view.sides else "",
        )


def require_inside(view: AppView) -> None:
    """Refuse what may tell of records that were not shared: it is for those who see the source system.

    Raises:
        ForbiddenError: the person sees the target system only.
    """
    if not view.sees_source:
        raise ForbiddenError(
            f"{view.app.name} belongs to {view.source}: its log and its former statements are not shared.",
            code="stream.not_yours",
            hint=f"Ask an agent of {view.source}.",
        )


def require_a_side(view: AppView) -> None:
    """Refuse what only agents of the source or the target system may do.

    Raises:
        ForbiddenError: the person may only look at the app.
    """
    if not view.sides:
        raise ForbiddenError(
            f"Only agents of {view.source} and {view.target} may do this.", code="stream.not_yours"
        )


async def _views(
    session: AsyncSession, condition: ColumnElement[bool], reach: Reach, runner: StreamRunner
) -> list[AppView]:
    apps = (await session.scalars(select(StreamApp).where(condition))).all()
    states = await states_of(runner)
    return _together(apps, await permissions(session, condition), reach, states)


async def views_of(
    session: AsyncSession, apps: Sequence[StreamApp], reach: Reach, states: Mapping[str, Status]
) -> list[AppView]:
    """Return apps with their permissions and states, by source system and name.

    Args:
        session: the database.
        apps: which ones.
        reach: the systems of the person who looks.
        states: what the runner sees, by the ids of apps.
    """
    found = await permissions(session, StreamApp.id.in_([app.id for app in apps]))
    return _together(apps, found, reach, states)


def _together(
    apps: Sequence[StreamApp],
    found: Mapping[uuid.UUID, AppPermission],
    reach: Reach,
    states: Mapping[str, Status],
) -> list[AppView]:
    known = {app.id: app for app in apps}
    return [
        AppView(
            known[key],
            permission,
            states.get(permission.app_id),
            _sides(known[key], reach),
            known[key].system_id in reach.seen,
        )
        for key, permission in found.items()
        if key in known
    ]


def _sides(app: StreamApp, reach: Reach) -> frozenset[str]:
    ends = {SOURCE_SIDE: app.system_id, TARGET_SIDE: app.target_system_id}
    return frozenset(side for side, system_id in ends.items() if system_id in reach.operated)
