"""Keeping the SensorThings service in step: at the start, after every change, and every now and then.

What lives here: when it is brought there, and the difference between what is and what should be. What does
not: what should be there (``wanted``).

The whole state is compared each time. So nothing is lost when the service was away, or when this process
ended between a change and its being sent.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import DigitalTwinError
from platform_ui.access.port import AccessPort, Rights, Share
from platform_ui.access.wanted import (
    CONTRACT_PREFIX,
    SHARE_PREFIX,
    Flow,
    contract_share,
    flows,
    is_ours,
    passed_datastreams,
    passed_systems,
    wanted_apps,
    wanted_principals,
)
from platform_ui.changes import Bell
from platform_ui.contracts.views import InForce, in_force
from platform_ui.db import Sessions
from platform_ui.health import Pulse
from platform_ui.streams.runner_port import StreamRunner

_log = logging.getLogger(__name__)

PERIOD_S: Final = 15.0  # also how long a new Datastream may wait until it is shared


async def bring_principals(session: AsyncSession, port: AccessPort) -> list[str]:
    """Make the principals of the service those that should be there; return the names that were changed.

    Raises:
        MetadataError: the service does not answer, or refuses.
    """
    wanted = await wanted_principals(session)
    return await asyncio.to_thread(_bring_principals, wanted, port)


def _bring_principals(
    wanted: dict[str, Rights], port: AccessPort, is_kept: Callable[[str], bool] = is_ours
) -> list[str]:
    present = port.principals()
    changed = [name for name, rights in wanted.items() if present.get(name) != rights]
    # One that was made by hand is left alone, as is an admin of whatever name.
    gone = [
        name
        for name, rights in present.items()
        if name not in wanted and is_kept(name) and not rights.is_admin
    ]
    for name in gone:
        port.delete_principal(name)
    for name in changed:
        port.put_principal(name, wanted[name])
    return [*gone, *changed]


class AccessKeeper:
    """Brings principals and shares to the service for as long as it runs.

    Args:
        sessions: the platform's database.
        port: the service's administration.
        runner: tells which stream apps are meant to run.

    Attributes:
        bell: rung when something was changed: it looks again at once.
        pulse: how it goes.
    """

    def __init__(self, sessions: Sessions, port: AccessPort, runner: StreamRunner) -> None:
        self._sessions = sessions
        self._port = port
        self._runner = runner
        self.bell = Bell()
        self.pulse = Pulse()

    async def run(self) -> None:
        """Keep the service in step until cancelled."""
        while True:
            try:
                await self.bring()
            except (DigitalTwinError, SQLAlchemyError) as error:
                _log.warning("access to SensorThings cannot be kept in step: %s", error)
                self.pulse.miss(error)
            else:
                self.pulse.beat()
            await self.bell.wait(PERIOD_S)

    async def bring(self) -> None:
        """Bring everything once.

        Raises:
            MetadataError: the service does not answer, or refuses.
            RunnerError: the runner's files cannot be read.
        """
        async with self._sessions() as session:
            await bring_principals(session, self._port)
            found = await flows(session)
            contracts = await in_force(session)
        await asyncio.to_thread(self._bring_shares, found, contracts)

    def _bring_shares(self, found: list[Flow], contracts: list[InForce]) -> None:
        running = {status.app_id for status in self._runner.list() if status.desired == "running"}
        _bring_principals(wanted_apps(running), self._port, lambda name: name.startswith(SHARE_PREFIX))
        wanted = {
            f"{SHARE_PREFIX}{flow.app_id}": share
            for flow in found
            if flow.app_id in running and (share := self._share(flow)) is not None
        }
        for one in contracts:
            shared = contract_share(one, self._port.datastreams(one.terms.provider))
            if shared is not None:
                wanted[f"{CONTRACT_PREFIX}{one.terms.id}"] = shared
        present = self._port.shares()
        for contract, share in wanted.items():
            if present.get(contract) != share:
                self._port.put_share(contract, share)
        for contract in present:
            if contract.startswith((SHARE_PREFIX, CONTRACT_PREFIX)) and contract not in wanted:
                self._port.delete_share(contract)

    def _share(self, flow: Flow) -> Share | None:
        known: dict[str, int] = {}
        for system in passed_systems(flow):
            known |= self._port.datastreams(system)
        passed = passed_datastreams(flow, known) if known else []
        return Share(flow.target, tuple(sorted(known[name] for name in passed))) if passed else None
