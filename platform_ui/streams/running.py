"""The runner of stream apps as the platform uses it: in threads, and with its errors in our words.

What lives here: asking it, and letting an app run with credentials and access rules. What does not: who may
do that (``service``), when the platform does it by itself (``enforcement``).
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.companies import limits
from platform_ui.credentials.models import Credential
from platform_ui.credentials.service import credentials_of_app
from platform_ui.errors import RunnerError
from platform_ui.pki.names import Identity, Kind
from platform_ui.streams import statements
from platform_ui.streams.permission import AppPermission
from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.runner_port import Status, StreamRunner
from streamhub.errors import StreamHubError
from streamhub.runner.limits import AppLimits
from streamhub.specification import StreamAppSpecification

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


def specification_of(permission: AppPermission, statement: str, brokers: str) -> StreamAppSpecification:
    """Return what the runner needs to run an app.

    Args:
        permission: its systems, and what its contracts let it have.
        statement: what it is to do.
        brokers: Kafka's addresses for the app.
    """
    return StreamAppSpecification(
        name=permission.name,
        source_system=permission.source,
        target_system=permission.target,
        statement=statement,
        bootstrap_servers=brokers,
        contracts=permission.terms,
    )


async def with_outputs(specification: StreamAppSpecification, ports: StreamPorts) -> StreamAppSpecification:
    """Register what an app computes, and return its specification with the ids.

    Raises:
        ConflictError: an output Datastream is taken.
        MetadataError: SensorThings did not take them.
    """
    datastreams = await statements.register(specification, ports.metadata)
    return replace(specification, datastreams=datastreams)


async def start(session: AsyncSession, specification: StreamAppSpecification, ports: StreamPorts) -> None:
    """Let an app run as specified: with credentials of its own, and with what the broker must permit it.

    The broker learns of it first: an app that starts without its rights would only fail.

    Raises:
        BrokerError: the broker did not take the access rules; the app is not started.
        RunnerError: the runner did not take it.
    """
    app_id = specification.app_id
    credentials = None
    if ports.authority is not None:
        credentials = await credentials_of_app(session, ports.authority, app_id)
    if ports.rules is not None:
        credential = await session.get(Credential, (Kind.APP.value, app_id))
        identity = Identity(Kind.APP, app_id) if credential is None else credential.identity
        await ports.rules.ensure(session, [identity.principal])
    counting = await limits.limits_of(session, limits.company_of(app_id), ports.limits)
    held_to = AppLimits(counting.memory_mb, counting.cpus)
    await call_runner(lambda wanted: ports.runner.deploy(wanted, credentials, held_to), specification)


async def states_of(runner: StreamRunner) -> dict[str, Status]:
    """Return what the runner sees, by the ids of apps.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    try:
        return {status.app_id: status for status in await asyncio.to_thread(runner.list)}
    except (OSError, StreamHubError) as error:
        raise _runner_error(error) from error


async def call_runner(action: Callable[[Argument], Answer], argument: Argument) -> Answer:
    """Let the runner do something.

    Raises:
        RunnerError: it did not.
    """
    try:
        return await asyncio.to_thread(action, argument)
    except (OSError, StreamHubError) as error:
        raise _runner_error(error) from error


def _runner_error(error: OSError | StreamHubError) -> RunnerError:
    return RunnerError(
        f"The runner of stream apps cannot be used: {error}",
        hint="Check DTWIN_RUNNER__DIRECTORY and that the runner of stream apps is up.",
    )
