"""The rules of stream apps: who may create, change, deploy, stop and delete them.

An agent of the source system may do all of it; the target is another system. When it is of another company, a
contract in force must let it have the records, and so for every joined source of another company than the
target (``permission``). An agent of the target sees the app and may stop it: nobody has to take records.
Whichever side stopped an app starts it again; one that the end of a contract stopped is started by the
source's side, when there is a contract again.

A statement is checked whenever it is saved and deployed (``statements``). At deployment its output
Datastreams are registered. Whether an app runs is asked from the runner, never stored.
"""

import asyncio
from dataclasses import replace

from sqlalchemy import Connection, event, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from platform_ui.accounts.models import User
from platform_ui.accounts.service import new_id
from platform_ui.audit import service as audit
from platform_ui.clients.models import ClientApp
from platform_ui.contracts.views import InForce, list_contracts
from platform_ui.credentials.service import end_app
from platform_ui.db import now
from platform_ui.errors import ConflictError, ContractNeededError, FormError
from platform_ui.streams import leftovers, permission, statements
from platform_ui.streams.forms import CheckForm, StreamAppForm
from platform_ui.streams.models import SOURCE_SIDE, TARGET_SIDE, StreamApp
from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.runner_port import LogPart, StreamRunner
from platform_ui.streams.running import call_runner, specification_of, start, with_outputs
from platform_ui.streams.statements import OutputView
from platform_ui.streams.usage import require_room
from platform_ui.streams.versions import version_of
from platform_ui.streams.views import (
    AppView,
    get_app,
    list_all,
    list_apps,
    list_of_system,
    require_a_side,
    require_source_side,
)
from platform_ui.systems import service as systems
from platform_ui.systems.models import System
from streamhub.outputs import MetadataRegistry

__all__ = [
    "AppView",
    "choices_of",
    "create_app",
    "delete_app",
    "delete_app_and_outputs",
    "deploy_app",
    "find_lacking",
    "get_app",
    "list_apps",
    "list_of_system",
    "log_part",
    "outputs_of",
    "reconcile",
    "require_source_side",
    "restart_app",
    "stop_app",
]


async def create_app(
    session: AsyncSession, user: User, system_name: str, form: StreamAppForm, metadata: MetadataRegistry
) -> StreamApp:
    """Create a stream app; it is not deployed yet.

    Raises:
        NotFoundError: the source system is not there, or the person is no agent of it.
        FormError: the statement is refused, the target is the source itself or missing in its company, or
            several contracts fit and none was chosen.
        ContractNeededError: records would cross companies without a contract; a target that is not there
            looks the same.
        ConflictError: the system has a stream app of this name.
        MetadataError: the statement depends on units that SensorThings does not tell.
    """
    system = await systems.get_system(session, user, system_name)
    target = await _target_of(session, system, form.target_system)
    sources = (system.name, *statements.further_sources(form.statement, system.name))
    fitting = await permission.candidates(session, sources, target, form.target_system)
    contracts = permission.choose(fitting, form.target_system, form.contracts)
    if target is None:
        raise FormError({"target_system": f"There is no system named {form.target_system}."})
    await statements.check_statement(session, user, system.name, form.statement, metadata, target=target.name)
    present = now()
    app = StreamApp(
        id=new_id(),
        system_id=system.id,
        target_system_id=target.id,
        name=form.name,
        statement=form.statement,
        version=1,
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
    await permission.bind(session, app, contracts)
    session.add(version_of(app, user, [contract.terms.id for contract in contracts]))
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


async def choices_of(
    session: AsyncSession, user: User, source: str, statement: str, target_name: str
) -> dict[str, list[InForce]]:
    """Return the contracts among which a person chooses for an app, by each source that several fit.

    Args:
        session: the database.
        user: who chooses; the purpose of a contract that they do not see is left out.
        source: full name of the system that the app belongs to.
        statement: what it is to run.
        target_name: full name of the system that receives.
    """
    target = await systems.find_system(session, target_name)
    sources = (source, *statements.further_sources(statement, source))
    fitting = await permission.candidates(session, sources, target, target_name)
    seen = {view.contract.id for view in await list_contracts(session, user)}
    return {
        name: [one if one.terms.id in seen else replace(one, purpose="") for one in contracts]
        for name, contracts in fitting.items()
        if len(contracts) > 1
    }


async def find_lacking(session: AsyncSession, system: System, form: CheckForm) -> ContractNeededError | None:
    """Return which contract an app would lack, while its statement is being typed; nothing when none.

    Raises:
        FormError: the target cannot be one.
    """
    if not form.target_system:
        return None
    target = await _target_of(session, system, form.target_system)
    sources = (system.name, *statements.further_sources(form.statement, system.name))
    fitting = await permission.candidates(session, sources, target, form.target_system)
    missing = [source for source, contracts in fitting.items() if not contracts]
    return ContractNeededError(missing[0], form.target_system) if missing else None


async def _target_of(session: AsyncSession, source: System, name: str) -> System | None:
    """Find the target; one of another company that is not there is treated as one without a contract."""
    try:
        SystemName.parse(name)
    except InvalidNameError as error:
        raise FormError({"target_system": str(error)}) from error
    target = await systems.find_system(session, name)
    if target is not None and target.id == source.id:
        raise FormError({"target_system": "The target must be another system than the source."})
    return target


async def deploy_app(session: AsyncSession, user: User, view: AppView, ports: StreamPorts) -> None:
    """Want an app to run; its output Datastreams are registered first.

    Args:
        session: the database.
        user: an agent of the side that stopped it; of the source system when nobody did.
        view: the app, as `get_app` gave it to this person.
        ports: the runner, SensorThings, the brokers, the authority and the access rules.

    Raises:
        ForbiddenError: the person may only look at the app.
        ConflictError: the other side stopped it or has not deployed it yet, an output Datastream is taken, or
            its company runs as many apps as it may.
        ContractNeededError: a contract that it needs is not in force.
        FormError: the statement is refused, for instance because a source has other units by now.
        MetadataError: SensorThings did not answer.
        BrokerError: the broker did not take its access rules.
        RunnerError: the runner did not take it.
    """
    require_a_side(view)
    await session.refresh(view.app, with_for_update=True)  # the enforcement may be stopping it
    if view.waits_for is not None:
        raise ConflictError(
            f"{view.app.name} can only be started by agents of {view.waits_for}.", code="stream.other_side"
        )
    await require_room(session, view.app_id, ports.runner, ports.limits)
    permitted = await permission.rebind(session, view.app, view.permission, view.app.statement)
    if view.is_ours:  # the target's side only takes back that it stopped the app
        await statements.check_statement(
            session, user, view.source, view.app.statement, ports.metadata, target=view.target
        )
    specification = await with_outputs(specification_of(permitted, view.app.statement, ports.brokers), ports)
    view.app.stopped_by = None
    audit.record(session, user, "stream.deployed", view.app_id, target=view.target)
    await session.flush()
    await start(session, specification, ports)
    await session.commit()


async def stop_app(session: AsyncSession, user: User, view: AppView, runner: StreamRunner) -> None:
    """Want an app to stand still; it commits what it has done and keeps its place.

    Raises:
        ForbiddenError: the person may only look at the app.
        ConflictError: it was never deployed.
        RunnerError: the runner did not take it.
    """
    require_a_side(view)
    if view.status is None:
        raise ConflictError(f"{view.app.name} is not deployed.", code="stream.not_deployed")
    if view.app.stopped_by is None:
        view.app.stopped_by = SOURCE_SIDE if view.is_ours else TARGET_SIDE
    audit.record(session, user, "stream.stopped", view.app_id, side=view.app.stopped_by)
    await session.flush()
    await call_runner(runner.stop, view.app_id)
    await session.commit()


async def restart_app(session: AsyncSession, user: User, view: AppView, runner: StreamRunner) -> None:
    """Want a new process of an app; the present one commits and leaves first, one that is down starts now.

    Raises:
        ForbiddenError: the person is no agent of the source system.
        ConflictError: it is not meant to run.
        RunnerError: the runner did not take it.
    """
    require_source_side(view)
    await session.refresh(view.app, with_for_update=True)  # the enforcement may be stopping it
    if not view.is_wanted or view.app.stopped_by is not None:
        raise ConflictError(
            f"{view.app.name} is not meant to run: start it instead.", code="stream.not_running"
        )
    audit.record(session, user, "stream.restarted", view.app_id, target=view.target)
    await session.flush()
    await call_runner(runner.restart, view.app_id)
    await session.commit()


async def delete_app(session: AsyncSession, user: User, view: AppView, runner: StreamRunner) -> None:
    """Delete an app: its process is stopped and its files are removed.

    Raises:
        ForbiddenError: the person is no agent of the source system.
        RunnerError: the runner did not take it; the app stays.
    """
    require_source_side(view)
    await session.delete(view.app)
    await end_app(session, view.app_id)
    audit.record(session, user, "stream.deleted", view.app_id, target=view.target)
    await session.flush()
    if view.status is not None:
        await call_runner(runner.remove, view.app_id)
    await session.commit()


async def delete_app_and_outputs(
    session: AsyncSession,
    user: User,
    view: AppView,
    runner: StreamRunner,
    observatory: leftovers.Observatory | None,
) -> list[str]:
    """Delete an app and then the Datastreams that it has registered; return the names of those that stay.

    Args:
        session: the database.
        user: an agent of the source system; for the Datastreams also of the target.
        view: the app, as `get_app` gave it to this person.
        runner: the runner of stream apps.
        observatory: where the Datastreams are; nothing when they are to be kept.

    Raises:
        ForbiddenError: the person is no agent of the source system, or not of the target; nothing is deleted.
        RunnerError: the runner did not take it; the app stays.
    """
    if observatory is None:
        await delete_app(session, user, view, runner)
        return []
    require_source_side(view)
    leftovers.require_target_side(view)
    outputs = await outputs_of(view, runner)
    await delete_app(session, user, view, runner)
    kept = await leftovers.delete(outputs, user, observatory)
    gone = [one.name for one in outputs if one.iot_id is not None and one.name not in kept]
    if gone:
        audit.record(session, user, "stream.outputs_deleted", view.app_id, datastreams=", ".join(gone))
        await session.commit()
    return kept


async def reconcile(session: AsyncSession, ports: StreamPorts) -> list[str]:
    """Give the runner what is now true of every app that is meant to run; return those it restarts for it.

    Apps that were deployed before must learn that the broker has another address, for instance after a start
    on another port. What contracts do not permit is left to the enforcement.

    Raises:
        RunnerError: the runner did not take it.
    """
    moved = []
    for view in await list_all(session, ports.runner, true()):
        if view.is_wanted and view.permission.permitted:
            deployed = await call_runner(ports.runner.specification, view.app_id)
            registered = deployed.datastreams if deployed is not None else {}
            wanted = specification_of(view.permission, view.app.statement, ports.brokers)
            specification = replace(wanted, datastreams=registered)
            if deployed != specification:
                await start(session, specification, ports)
                await session.commit()
                moved.append(view.app_id)
    return moved


async def log_part(view: AppView, runner: StreamRunner, lines: int, cursor: str = "") -> LogPart | None:
    """Return the last lines that an app has logged, or those since a cursor; nothing when there is no log.

    The log may tell of records that were not shared, so it is for those who see the source system only.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    if view.status is None or not view.sees_source:
        return None
    return await call_runner(lambda app_id: runner.read_log(app_id, cursor, lines), view.app_id)


async def outputs_of(view: AppView, runner: StreamRunner) -> list[OutputView]:
    """Return the Datastreams that an app writes; none when it passes records on as they are.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    deployed = await call_runner(runner.specification, view.app_id) if view.status is not None else None
    return await asyncio.to_thread(
        statements.outputs_of,
        view.app.statement,
        target=view.target,
        app_name=view.app.name,
        registered=deployed.datastreams.items() if deployed is not None else (),
    )


@event.listens_for(ClientApp, "before_insert")
def _name_client(_: Mapper[ClientApp], connection: Connection, client: ClientApp) -> None:
    """Client apps know nothing of stream apps, which stand above them; so they are looked at from here."""
    _refuse_shared_name(connection, client, StreamApp)


@event.listens_for(StreamApp, "before_insert")
def _name_app(_: Mapper[StreamApp], connection: Connection, app: StreamApp) -> None:
    _refuse_shared_name(connection, app, ClientApp)


def _refuse_shared_name(
    connection: Connection, fresh: ClientApp | StreamApp, kind: type[ClientApp | StreamApp]
) -> None:
    """Refuse the name of the other kind: a device could move the app's place, or end its transactions.

    Raises:
        ConflictError: it is taken; both would use one consumer group and one kind of transactional ids.
    """
    same = select(kind.id).where(kind.system_id == fresh.system_id, kind.name == fresh.name)
    if connection.scalar(same) is not None:
        word = "client app" if kind is ClientApp else "stream app"
        reason = f"The system has a {word} named {fresh.name}: choose another name."
        raise ConflictError(reason, code="app.name_taken", fields={"name": reason})
