"""Keeping the broker's access rules in step: at the start, after every change, and every now and then.

What lives here: when rules are brought to the broker, and what is done about drift. What does not: what they
are (``compiling``), the steps (``planning``), the broker (``kafka_port``).

How it works: after a change, what should be there is compiled again, and the difference to what was brought
last is sent at once, without asking the broker: a revocation is there within a second or so. Every minute the
broker is asked for everything, and what has drifted is mended. Both compare whole states, so nothing is lost
when the broker was away, or when this process ended between a change and its being sent. Only one writer
works at a time, whatever process it is in (``registry.wait_for_turn``).
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import DigitalTwinError
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import Registry, compile_entries
from platform_ui.acls.connection import UNREACHABLE
from platform_ui.acls.entries import Entry
from platform_ui.acls.kafka_port import AclPort, carry_out
from platform_ui.acls.planning import Plan, plan_changes
from platform_ui.acls.registry import read_registry, wait_for_turn
from platform_ui.changes import Bell
from platform_ui.db import Sessions
from platform_ui.errors import AuthorizerMissingError, BrokerError
from platform_ui.health import Pulse

_log = logging.getLogger(__name__)

COMPARE_PERIOD_S: Final = 60.0
RETRY_S: Final = 5.0
STARTING_S: Final = 30.0
"""So long Kafka may take to be there after the platform is: that is no failure [s]."""
_LINES_LOGGED: Final = 20
_FOLLOW_TIMEOUT_S: Final = 10.0
_FOLLOW_PAUSE_S: Final = 0.05


class Counters(Protocol):
    """What the keeper tells whoever counts."""

    def entries_changed(self, made: int, removed: int) -> None:
        """Count entries that were made and removed."""

    def drift_mended(self, made: int, removed: int) -> None:
        """Count those of them that somebody else had changed."""

    def compared(self, entries: int) -> None:
        """Note that the broker has as many entries, all as they should be."""


class Uncounted:
    """Counts nothing."""

    def entries_changed(self, made: int, removed: int) -> None:
        """Count nothing."""

    def drift_mended(self, made: int, removed: int) -> None:
        """Count nothing."""

    def compared(self, entries: int) -> None:
        """Count nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A look at registry and broker.

    Attributes:
        plan: What would have to change.
        wanted: Entries that should be there.
        present: Entries that are there, of whomever.
    """

    plan: Plan
    wanted: frozenset[Entry]
    present: frozenset[Entry]


async def drift(session: AsyncSession, port: AclPort, principals: Principals) -> Comparison:
    """Compare registry and broker; change nothing.

    Args:
        session: The platform's database.
        port: The broker.
        principals: How it comes to know who somebody is.

    Raises:
        BrokerError: The broker does not answer, has no authorizer, or refuses.
    """
    registry = await read_registry(session, principals)
    return await asyncio.to_thread(_compare, registry, port)


async def apply(session: AsyncSession, port: AclPort, principals: Principals) -> Comparison:
    """Bring the broker to what the registry says; return what was to be done.

    Nobody else changes access rules until the session's transaction ends.

    Raises:
        BrokerError: A step failed; another run goes on from there.
    """
    await wait_for_turn(session)
    comparison = await drift(session, port, principals)
    await asyncio.to_thread(carry_out, comparison.plan, comparison.present, port)
    return comparison


async def ensure(
    session: AsyncSession, port: AclPort, principals: Principals, identities: Collection[str]
) -> frozenset[Entry]:
    """Bring the entries of given principals to the broker now, as this session sees the registry.

    For whoever starts a program that needs them at once. What the session has not committed yet counts; until
    it ends, nobody else changes access rules.

    Args:
        session: The platform's database.
        port: The broker.
        principals: How it comes to know who somebody is.
        identities: Principals, ``User:<kind>.<uid>``.

    Returns:
        All entries of them, which are at the broker now.

    Raises:
        BrokerError: A step failed.
    """
    await wait_for_turn(session)
    registry = await read_registry(session, principals)
    return await asyncio.to_thread(_ensure, registry, port, frozenset(identities))


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the search for cycles: a hundred thousand tuples have none, and looking for them takes long."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _compare(registry: Registry, port: AclPort) -> Comparison:
    with _without_collection():
        present = port.describe()
        wanted = compile_entries(registry)
        return Comparison(plan_changes(wanted, present, registry.systems), wanted, present)


def _ensure(registry: Registry, port: AclPort, identities: frozenset[str]) -> frozenset[Entry]:
    wanted = frozenset(entry for entry in compile_entries(registry) if entry.principal in identities)
    present = _present(port, identities)
    carry_out(plan_changes(wanted, present), present, port)
    # The controller answers first and the brokers follow, usually within milliseconds.
    deadline = time.monotonic() + _FOLLOW_TIMEOUT_S
    while _present(port, identities) != wanted:
        if time.monotonic() > deadline:
            raise BrokerError(
                f"The broker does not show the new access rules of {', '.join(sorted(identities))}.",
                hint="Try again: it may be catching up after a restart.",
            )
        time.sleep(_FOLLOW_PAUSE_S)
    return wanted


def _present(port: AclPort, identities: frozenset[str]) -> frozenset[Entry]:
    return frozenset[Entry]().union(*(port.describe(principal) for principal in identities))


class AclKeeper:
    """Keeps the rules of one cluster for as long as it runs.

    Args:
        sessions: The platform's database.
        port: The broker.
        principals: How it comes to know who somebody is.
        counters: Told what was done.
        bring_quotas: Brings quotas to the broker; called with every full comparison.
        clock: A monotonic clock [s].

    Attributes:
        bell: Rung when something was changed: it looks again at once.
        pulse: How it goes.
    """

    def __init__(
        self,
        sessions: Sessions,
        port: AclPort,
        principals: Principals = Principals.CERTIFICATES,
        counters: Counters | None = None,
        *,
        bring_quotas: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._port = port
        self._principals = principals
        self._counters = counters or Uncounted()
        self._bring_quotas = bring_quotas
        self._clock = clock
        self._brought: frozenset[Entry] | None = None
        self._compared_at = float("-inf")
        self._began = float("-inf")
        self._is_told = False
        self.bell = Bell()
        self.pulse = Pulse()

    async def run(self) -> None:
        """Keep the rules until cancelled."""
        self._began = self._clock()
        while True:
            wait_s = RETRY_S
            try:
                await self.turn()
            except AuthorizerMissingError as error:
                self._tell_once(error)
                self.pulse.miss(error)
                wait_s = COMPARE_PERIOD_S
            except (DigitalTwinError, SQLAlchemyError) as error:
                self._forget()
                self._note(error)
            else:
                self._is_told = False
                self.pulse.beat()
                wait_s = max(self._compared_at + COMPARE_PERIOD_S - self._clock(), 0)
            await self.bell.wait(wait_s)

    async def turn(self) -> None:
        """Send what has changed; compare with the whole broker instead when that is due.

        Raises:
            BrokerError: The broker does not answer, has no authorizer, or refuses.
        """
        is_due = self._brought is None or self._clock() - self._compared_at >= COMPARE_PERIOD_S
        async with self._sessions() as session:
            await wait_for_turn(session)
            registry = await read_registry(session, self._principals)
            await asyncio.to_thread(self._bring_all if is_due else self._bring_changes, registry)

    async def ensure(self, session: AsyncSession, identities: Collection[str]) -> None:
        """Bring the entries of given principals now; see `ensure`.

        Where the broker enforces nothing, there is nothing to bring. What is brought is remembered, also when
        the session ends without a commit: otherwise, what is withdrawn before the keeper has looked would
        stand until the next comparison with the broker.
        """
        try:
            made = await ensure(session, self._port, self._principals, identities)
        except AuthorizerMissingError as error:
            self._tell_once(error)
        except BrokerError:
            self._forget()
            raise
        else:
            if self._brought is not None:
                others = (entry for entry in self._brought if entry.principal not in identities)
                self._brought = frozenset(others) | made
        self.bell.ring()

    async def drift(self, session: AsyncSession) -> Comparison:
        """Compare registry and broker; see `drift`."""
        return await drift(session, self._port, self._principals)

    async def apply(self, session: AsyncSession) -> Comparison:
        """Bring the broker to what the registry says now; see `apply`."""
        comparison = await apply(session, self._port, self._principals)
        self.bell.ring()
        return comparison

    def _note(self, error: Exception) -> None:
        is_beginning = self.pulse.succeeded_at is None and self._clock() - self._began < STARTING_S
        if is_beginning and isinstance(error, BrokerError) and error.code == UNREACHABLE:
            _log.info("access rules wait for Kafka: %s", error, extra={"action": "acl"})
            return
        self.pulse.miss(error)
        _log.warning("access rules cannot be kept in step: %s", error, extra={"action": "acl"})

    def _forget(self) -> None:
        # What a failed run has brought is not known: the next one asks the broker.
        self._brought = None

    def _tell_once(self, error: AuthorizerMissingError) -> None:
        self._forget()
        if not self._is_told:
            _log.warning("%s %s", error.detail, error.hint, extra={"action": "acl"})
        self._is_told = True

    def _bring_changes(self, registry: Registry) -> None:
        before = self._brought or frozenset()
        with _without_collection():
            wanted = compile_entries(registry)
            plan = plan_changes(wanted, before)
        if plan.is_empty:
            return
        self._brought = None
        carry_out(plan, before, self._port)
        self._brought = wanted
        self._counters.entries_changed(len(plan.creations), len(plan.deletions))
        _log_plan("access rule", plan, logging.INFO)

    def _bring_all(self, registry: Registry) -> None:
        before, self._brought = self._brought, None
        comparison = _compare(registry, self._port)
        carry_out(comparison.plan, comparison.present, self._port)
        self._brought = comparison.wanted
        self._compared_at = self._clock()
        self._report(comparison, before)
        try:
            changed = self._bring_quotas()
        except BrokerError as error:
            # Rules come first: a cluster whose operator alone sets quotas is no failure.
            _log.warning("quotas are not kept: %s", error, extra={"action": "quota"})
        else:
            if changed:
                _log.info("quotas of %d users brought to the broker", changed, extra={"action": "quota"})

    def _report(self, comparison: Comparison, before: frozenset[Entry] | None) -> None:
        plan = comparison.plan
        self._counters.entries_changed(len(plan.creations), len(plan.deletions))
        self._counters.compared(len(comparison.wanted))
        for entry in plan.voiding:
            _log.warning("everybody may do more than the rules say: %s", entry, extra={"action": "acl"})
        if before is None:
            _log_plan("access rule", plan, logging.INFO)
            return
        drifted = _drifted(plan, before, comparison.wanted)
        self._counters.drift_mended(len(drifted.creations), len(drifted.deletions))
        _log_plan("drift of access rules mended", drifted, logging.WARNING)


def _drifted(plan: Plan, before: frozenset[Entry], wanted: frozenset[Entry]) -> Plan:
    """Give the part of a plan that no change of the registry explains."""
    fresh, gone = wanted - before, before - wanted
    return Plan(
        refusals=plan.refusals - fresh,
        removals=plan.removals - gone,
        grants=plan.grants - fresh,
        pardons=plan.pardons - gone,
    )


def _log_plan(what: str, plan: Plan, level: int) -> None:
    lines = list(plan.lines()) if len(plan.creations) + len(plan.deletions) <= _LINES_LOGGED else None
    if lines is None:
        _log.log(
            level,
            "%s: %d made, %d removed",
            what,
            len(plan.creations),
            len(plan.deletions),
            extra={"action": "acl"},
        )
        return
    for line in lines:
        _log.log(level, "%s: %s", what, line, extra={"action": "acl"})
