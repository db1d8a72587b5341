"""Keeping stream apps within their contracts, certificates and limits, for as long as the platform runs.

What lives here: what is done to apps when nobody asks: contracts whose end has come are ended, apps that no
contract permits any more are stopped, apps whose terms have changed are deployed anew with them, and so are
apps a third of whose certificate's life is left; other limits of a company reach its apps. What does not:
which contracts an app needs (``permission``).

The whole state is compared each time: at once after every request that may have changed something, and every
two seconds, because an end comes without a request. So nothing is lost when this process ends in between.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, cast

from sqlalchemy import select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import DigitalTwinError
from platform_ui.audit import service as audit
from platform_ui.changes import Bell
from platform_ui.companies import limits
from platform_ui.companies.limits import Limits
from platform_ui.contracts import service as contracts
from platform_ui.credentials.models import Credential, IssuedCertificate
from platform_ui.credentials.service import needs_renewal
from platform_ui.db import Sessions, now
from platform_ui.errors import RunnerError
from platform_ui.health import Pulse
from platform_ui.pki.names import Kind
from platform_ui.streams.models import CONTRACT, StreamApp
from platform_ui.streams.permission import permissions
from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.running import call_runner, specification_of, start
from platform_ui.streams.views import AppView, list_all
from streamhub.contracts import ContractTerms
from streamhub.runner.limits import AppLimits

_log = logging.getLogger(__name__)

PERIOD_S: Final = 2.0  # an end that comes by itself takes effect at most so late


class Enforcement:
    """Stops and redeploys stream apps as contracts and certificates demand.

    Args:
        sessions: the platform's database.
        ports: the runner, the brokers, the authority and the access rules.
        bells: those of others who bring contracts elsewhere; rung when one has ended by itself.

    Attributes:
        bell: rung when something was changed: it looks again at once.
        pulse: how it goes.
    """

    def __init__(self, sessions: Sessions, ports: StreamPorts, bells: Sequence[Bell] = ()) -> None:
        self.bell = Bell()
        self.pulse = Pulse()
        self._bells = bells
        self._sessions = sessions
        self._ports = ports
        self._deployed: dict[str, tuple[ContractTerms, ...]] = {}
        self._limited: dict[str, AppLimits] = {}

    async def run(self) -> None:
        """Enforce until cancelled."""
        while True:
            try:
                await self.enforce()
            except (DigitalTwinError, SQLAlchemyError) as error:
                _log.warning("stream apps cannot be kept within their contracts: %s", error)
                self.pulse.miss(error)
            else:
                self.pulse.beat()
            await self.bell.wait(PERIOD_S)

    async def enforce(self) -> None:
        """Bring every app to what its contracts and certificates demand, once.

        One app that cannot be brought there does not keep the others from it.

        Raises:
            RunnerError: the runner's files cannot be read.
        """
        async with self._sessions() as session:
            for contract in await contracts.expire(session):
                _log.warning("contract %s has expired", contract)
                for bell in self._bells:
                    bell.ring()
            views = [view for view in await list_all(session, self._ports.runner, true()) if view.is_wanted]
            has_authority = self._ports.authority is not None
            certified = await self._certified(session) if has_authority else {view.app_id for view in views}
            counting = await limits.limits_of_all(session, self._ports.limits)
        await self._limit(views, counting)
        for view in views:
            try:
                await self._enforce(view, is_ageing=view.app_id not in certified)
            except (DigitalTwinError, SQLAlchemyError) as error:
                _log.warning("%s cannot be kept within its contracts: %s", view.app_id, error)

    async def _limit(self, views: Sequence[AppView], counting: Mapping[str, Limits]) -> None:
        """Hold apps that run to the limits of now; those that an operator has just changed are others."""
        common = self._ports.limits
        former, self._limited = self._limited, {}
        for view in views:
            own = counting.get(limits.company_of(view.app_id), common)
            wanted = AppLimits(own.memory_mb, own.cpus)
            try:
                if former.get(view.app_id) != wanted:
                    await call_runner(partial(self._ports.runner.limit, view.app_id), wanted)
                self._limited[view.app_id] = wanted
            except RunnerError as error:  # contracts are kept all the same, and those of other apps, too
                _log.warning("%s cannot be held to its limits: %s", view.app_id, error)

    async def _enforce(self, view: AppView, *, is_ageing: bool) -> None:
        is_new = self._deployed.get(view.app_id) != view.permission.terms
        if view.permission.permitted and not is_ageing and not is_new:
            return
        async with self._sessions() as session:
            if view.permission.permitted:
                await self._deploy(session, view, is_ageing=is_ageing)
            else:
                await self._stop(session, view)

    async def _stop(self, session: AsyncSession, view: AppView) -> None:
        """The runner first: a crash in between leaves an app that stands, and nobody who stopped it."""
        self._deployed.pop(view.app_id, None)
        app = await self._hold(session, view)
        held = await permissions(session, StreamApp.id == view.app.id)
        if app is None or held[app.id].permitted:  # somebody was faster, or is at it
            await session.commit()
            return
        await call_runner(self._ports.runner.stop, view.app_id)
        app.stopped_by = app.stopped_by or CONTRACT
        lacking = ", ".join(lack.contract or lack.provider for lack in held[app.id].lacks)
        audit.record(session, audit.PLATFORM, "stream.stopped", view.app_id, side=CONTRACT, contract=lacking)
        await session.commit()
        _log.warning("%s is stopped: no contract in force for %s", view.app_id, lacking)

    async def _deploy(self, session: AsyncSession, view: AppView, *, is_ageing: bool) -> None:
        """With what is true while the app is held: whoever began with other terms has ended by then."""
        app = await self._hold(session, view)
        deployed = await call_runner(self._ports.runner.specification, view.app_id)
        if app is None or deployed is None or app.stopped_by is not None:  # somebody was faster, or is at it
            return
        held = (await permissions(session, StreamApp.id == app.id))[app.id]
        if not held.permitted:
            return
        wanted = specification_of(held, app.statement, self._ports.brokers)
        specification = replace(wanted, datastreams=deployed.datastreams)
        if is_ageing or deployed.contracts != specification.contracts:
            await start(session, specification, self._ports)
            await session.commit()
            _log.warning(
                "%s is deployed again: %s",
                view.app_id,
                "it needs a new certificate" if is_ageing else "the terms of its contracts have changed",
            )
        self._deployed[view.app_id] = held.terms

    async def _hold(self, session: AsyncSession, view: AppView) -> StreamApp | None:
        """Hold an app until the commit; nothing when it is gone, or held by somebody who is changing it.

        The others do not wait for that one: it is looked at again after the period.
        """
        return await session.get(
            StreamApp, view.app.id, populate_existing=True, with_for_update={"skip_locked": True}
        )

    async def _certified(self, session: AsyncSession) -> set[str]:
        """Return the apps that need no new certificate: theirs is young enough, or they are blocked."""
        newest = (
            select(
                Credential.name,
                Credential.blocked_at,
                IssuedCertificate.not_before,
                IssuedCertificate.not_after,
            )
            .outerjoin(
                IssuedCertificate,
                (IssuedCertificate.kind == Credential.kind)
                & (IssuedCertificate.name == Credential.name)
                & (IssuedCertificate.epoch == Credential.epoch)
                & IssuedCertificate.revoked_at.is_(None),
            )
            .where(Credential.kind == Kind.APP.value)
            .ext(distinct_on(Credential.name))
            .order_by(Credential.name, IssuedCertificate.not_after.desc())
        )
        present = now()
        rows = cast(
            "Sequence[tuple[str, datetime | None, datetime | None, datetime | None]]",
            (await session.execute(newest)).all(),
        )
        return {
            name
            for name, blocked, begin, end in rows
            if blocked is not None
            or (begin is not None and end is not None and not needs_renewal(end, end - begin, present))
        }
