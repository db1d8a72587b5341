"""The rules of stream apps: who may create, change, deploy, stop and delete them.

An agent of the source system may do all of it; the target system must exist and be another one. An agent of
the target system sees the app and may stop it: nobody has to take records. Whichever side stopped an app
starts it again. A statement is checked whenever it is saved and deployed (``statements``): whoever does that
must be an agent of every system it reads. At deployment its output Datastreams are registered.
Whether an app runs is asked from the runner, never stored. The target's signature comes with contracts.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from platform_ui.accounts.models import User
from platform_ui.accounts.service import new_id
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import ConflictError, ForbiddenError, FormError, NotFoundError, RunnerError
from platform_ui.streams import statements
from platform_ui.streams.forms import StatementForm, StreamAppForm
from platform_ui.streams.models import SOURCE_SIDE, TARGET_SIDE, StreamApp
from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.runner_port import Status, StreamRunner
from platform_ui.streams.statements import OutputView
from platform_ui.systems import service as systems
from platform_ui.systems.models import System, SystemAgent
from streamhub.errors import StreamHubError
from streamhub.outputs import MetadataRegistry
from streamhub.specification import StreamAppSpecification

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")

NOT_DEPLOYED = "not deployed"


@dataclass(frozen=True, slots=True)
class AppView:
    """A stream app with the names of its systems, what the runner sees of it, and whose agent is looking."""

    app: StreamApp
    source: str
    target: str
    status: Status | None
    sides: frozenset[str] = frozenset({SOURCE_SIDE})

    @property
    def app_id(self) -> str:
        """The name of the app to the runner, and its consumer group."""
        return f"{self.source}.{self.app.name}"

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
        side = self.app.stopped_by or SOURCE_SIDE
        if side in self.sides:
            return None
        return self.source if side == SOURCE_SIDE else self.target

    @property
    def is_wanted(self) -> bool:
        """Whether the app is meant to run."""
        return self.status is not None and self.status.desired == "running"


async def list_apps(session: AsyncSession, user: User, runner: StreamRunner) -> list[AppView]:
    """Return the stream apps that read or write a system of a person, by source system and name."""
    operated = await _operated(session, user)
    condition = StreamApp.system_id.in_(operated) | StreamApp.target_system_id.in_(operated)
    return await _views(session, condition, operated, runner)


async def list_of_system(
    session: AsyncSession, user: User, system: System, runner: StreamRunner
) -> list[AppView]:
    """Return the stream apps that read a system, then those that write to it; each by source and name."""
    operated = await _operated(session, user)
    condition = (StreamApp.system_id == system.id) | (StreamApp.target_system_id == system.id)
    views = await _views(session, condition, operated, runner)
    return sorted(views, key=lambda view: view.source != system.name)


async def get_app(
    session: AsyncSession, user: User, system_name: str, name: str, runner: StreamRunner
) -> AppView:
    """Return a stream app whose source or target system a person operates.

    Raises:
        NotFoundError: it is not there, or the person is an agent of neither system.
        RunnerError: the runner's files cannot be read.
    """
    operated = await _operated(session, user)
    source = aliased(System)
    app_id = (
        select(StreamApp.id)
        .join(source, source.id == StreamApp.system_id)
        .where(source.name == system_name, StreamApp.name == name)
    )
    visible = StreamApp.system_id.in_(operated) | StreamApp.target_system_id.in_(operated)
    views = await _views(session, visible & StreamApp.id.in_(app_id), operated, runner)
    if not views:
        raise NotFoundError(f"{system_name} has no stream app named {name}.", code="stream.not_found")
    return views[0]


def require_source_side(view: AppView) -> None:
    """Refuse what only agents of the source system may do.

    Raises:
        ForbiddenError: the person sees the app as an agent of its target.
    """
    if not view.is_ours:
        raise ForbiddenError(
            f"{view.app.name} belongs to {view.source}: only agents of that system may do this.",
            code="stream.not_yours",
            hint="As an agent of the target you may stop the app, and start it again after that.",
        )


async def _operated(session: AsyncSession, user: User) -> set[uuid.UUID]:
    statement = select(SystemAgent.system_id).where(SystemAgent.user_id == user.id)
    return set((await session.scalars(statement)).all())


async def _views(
    session: AsyncSession, condition: ColumnElement[bool], operated: set[uuid.UUID], runner: StreamRunner
) -> list[AppView]:
    source, target = aliased(System), aliased(System)
    statement = (
        select(StreamApp, source.name, target.name)
        .join(source, source.id == StreamApp.system_id)
        .join(target, target.id == StreamApp.target_system_id)
        .where(condition)
        .order_by(source.name, StreamApp.name)
    )
    rows = (await session.execute(statement)).all()
    states = await _states(runner)
    return [
        AppView(app, reads, writes, states.get(f"{reads}.{app.name}"), _sides(app, operated))
        for app, reads, writes in rows
    ]


def _sides(app: StreamApp, operated: set[uuid.UUID]) -> frozenset[str]:
    ends = {SOURCE_SIDE: app.system_id, TARGET_SIDE: app.target_system_id}
    return frozenset(side for side, system_id in ends.items() if system_id in operated)


async def create_app(
    session: AsyncSession, user: User, system_name: str, form: StreamAppForm, metadata: MetadataRegistry
) -> StreamApp:
    """Create a stream app; it is not deployed yet.

    Raises:
        NotFoundError: the source system is not there, or the person is no agent of it.
        FormError: the statement is refused, or the target is missing or the source itself.
        ConflictError: the system has a stream app of this name.
        MetadataError: the statement depends on units that SensorThings does not tell.
    """
    system = await systems.get_system(session, user, system_name)
    target = await systems.find_system(session, form.target_system)
    if target is None:
        raise FormError({"target_system": f"There is no system named {form.target_system}."})
    if target.id == system.id:
        raise FormError({"target_system": "The target must be another system than the source."})
    await statements.check_statement(session, user, system.name, form.statement, metadata)
    present = now()
    app = StreamApp(
        id=new_id(),
        system_id=system.id,
        target_system_id=target.id,
        name=form.name,
        statement=form.statement,
        description=form.description,
        created_at=present,
        created_by=user.id,
        changed_at=present,
    )
    try:
        async with session.begin_nested():
            session.add(app)
    except IntegrityError as error:
        raise ConflictError(
            f"{system_name} already has a stream app named {form.name}.",
            code="stream.exists",
            fields={"name": f"{system_name} already has a stream app named {form.name}."},
        ) from error
    audit.record(
        session,
        user,
        "stream.created",
        f"{system_name}.{form.name}",
        target=target.name,
        statement=form.statement,
    )
    await session.commit()
    return app


async def change_statement(
    session: AsyncSession, user: User, view: AppView, form: StatementForm, ports: StreamPorts
) -> None:
    """Save another statement; an app that is meant to run is deployed again with it.

    Raises:
        FormError: the statement is refused; the old one stays.
        ForbiddenError: the person is no agent of the source system.
        ConflictError: an output Datastream is taken; the old statement stays.
        MetadataError: SensorThings did not answer; the old one stays.
        RunnerError: the runner did not take it; the old one stays.
    """
    require_source_side(view)
    await statements.check_statement(session, user, view.source, form.statement, ports.metadata)
    specification = replace(specification_of(view, ports.brokers), statement=form.statement)
    if view.is_wanted:
        specification = await _with_outputs(specification, ports)
    view.app.statement = form.statement
    view.app.changed_at = now()
    audit.record(session, user, "stream.changed", view.app_id, statement=form.statement)
    await session.flush()
    if view.is_wanted:
        await _call_runner(ports.runner.deploy, specification)
    await session.commit()


async def deploy_app(session: AsyncSession, user: User, view: AppView, ports: StreamPorts) -> None:
    """Want an app to run; its output Datastreams are registered first.

    Args:
        session: the database.
        user: an agent of the side that stopped it; of the source system when nobody did.
        view: the app, as `get_app` gave it to this person.
        ports: the runner, SensorThings and the brokers.

    Raises:
        ConflictError: the other side stopped it or has not deployed it yet, or an output Datastream is taken.
        FormError: the statement is refused, for instance because a source has other units by now.
        MetadataError: SensorThings did not answer.
        RunnerError: the runner did not take it.
    """
    if view.waits_for is not None:
        raise ConflictError(
            f"{view.app.name} can only be started by agents of {view.waits_for}.", code="stream.other_side"
        )
    if view.is_ours:  # the target's side only takes back that it stopped the app
        await statements.check_statement(session, user, view.source, view.app.statement, ports.metadata)
    specification = await _with_outputs(specification_of(view, ports.brokers), ports)
    view.app.stopped_by = None
    audit.record(session, user, "stream.deployed", view.app_id, target=view.target)
    await session.flush()
    await _call_runner(ports.runner.deploy, specification)
    await session.commit()


async def _with_outputs(specification: StreamAppSpecification, ports: StreamPorts) -> StreamAppSpecification:
    datastreams = await statements.register(specification, ports.metadata)
    return replace(specification, datastreams=datastreams)


async def stop_app(session: AsyncSession, user: User, view: AppView, runner: StreamRunner) -> None:
    """Want an app to stand still; it commits what it has done and keeps its place.

    Raises:
        ConflictError: it was never deployed.
        RunnerError: the runner did not take it.
    """
    if view.status is None:
        raise ConflictError(f"{view.app.name} is not deployed.", code="stream.not_deployed")
    if view.app.stopped_by is None:
        view.app.stopped_by = SOURCE_SIDE if view.is_ours else TARGET_SIDE
    audit.record(session, user, "stream.stopped", view.app_id, side=view.app.stopped_by)
    await session.flush()
    await _call_runner(runner.stop, view.app_id)
    await session.commit()


async def delete_app(session: AsyncSession, user: User, view: AppView, runner: StreamRunner) -> None:
    """Delete an app: its process is stopped and its files are removed.

    Raises:
        ForbiddenError: the person is no agent of the source system.
        RunnerError: the runner did not take it; the app stays.
    """
    require_source_side(view)
    await session.delete(view.app)
    audit.record(session, user, "stream.deleted", view.app_id, target=view.target)
    await session.flush()
    if view.status is not None:
        await _call_runner(runner.remove, view.app_id)
    await session.commit()


async def reconcile(session: AsyncSession, runner: StreamRunner, brokers: str) -> list[str]:
    """Give the runner what is now true of every app that is meant to run; return those it restarts for it.

    Apps that were deployed before must learn that the broker has another address, for instance after a start
    on another port.

    Raises:
        RunnerError: the runner did not take it.
    """
    views = await _views(session, true(), set(), runner)
    moved = []
    for view in views:
        if view.is_wanted:
            deployed = await _call_runner(runner.specification, view.app_id)
            registered = deployed.datastreams if deployed is not None else {}
            specification = replace(specification_of(view, brokers), datastreams=registered)
            if deployed != specification:
                await _call_runner(runner.deploy, specification)
                moved.append(view.app_id)
    return moved


async def log_of(view: AppView, runner: StreamRunner, lines: int) -> list[str]:
    """Return the last lines that an app has logged; nothing when it was never deployed.

    The log may tell of records that were not shared, so it is for agents of the source system only.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    if view.status is None or not view.is_ours:
        return []
    try:
        return list(await asyncio.to_thread(runner.log_tail, view.app_id, lines=lines))
    except (OSError, StreamHubError) as error:
        raise _runner_error(error) from error


async def outputs_of(view: AppView, runner: StreamRunner) -> list[OutputView]:
    """Return the Datastreams that an app writes; none when it passes records on as they are.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    deployed = await _call_runner(runner.specification, view.app_id) if view.status is not None else None
    return await asyncio.to_thread(
        statements.outputs_of,
        view.app.statement,
        target=view.target,
        app_name=view.app.name,
        registered=deployed.datastreams.items() if deployed is not None else (),
    )


def specification_of(view: AppView, brokers: str) -> StreamAppSpecification:
    """Return what the runner needs to run an app."""
    return StreamAppSpecification(
        name=view.app.name,
        source_system=view.source,
        target_system=view.target,
        statement=view.app.statement,
        bootstrap_servers=brokers,
    )


async def _states(runner: StreamRunner) -> dict[str, Status]:
    try:
        return {status.app_id: status for status in await asyncio.to_thread(runner.list)}
    except (OSError, StreamHubError) as error:
        raise _runner_error(error) from error


async def _call_runner(action: Callable[[Argument], Answer], argument: Argument) -> Answer:
    try:
        return await asyncio.to_thread(action, argument)
    except (OSError, StreamHubError) as error:
        raise _runner_error(error) from error


def _runner_error(error: OSError | StreamHubError) -> RunnerError:
    return RunnerError(
        f"The runner of stream apps cannot be used: {error}",
        hint="Check DTWIN_RUNNER__DIRECTORY and that the runner of stream apps is up.",
    )
