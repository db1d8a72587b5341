"""Keeps what was last seen of the platform, so that many who look at it ask its parts only once.

What lives here: when parts are asked again, since when they are as they are, and the queries of what only
operators see. What does not: asking (``checks``), what follows (``facts``).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import State

from platform_ui.accounts.models import User, UserSession
from platform_ui.acls.keeper import AclKeeper
from platform_ui.audit import service as audit
from platform_ui.credentials.register import newest_endings
from platform_ui.db import Sessions, now
from platform_ui.errors import BrokerError
from platform_ui.operations.checks import Parts, look
from platform_ui.operations.facts import (
    Drift,
    Ending,
    Health,
    Inside,
    Keeper,
    Store,
    compare_topics,
    for_member,
    for_operator,
    health_of,
)
from platform_ui.operations.findings import Finding, Level
from platform_ui.systems.listing import seen_by
from platform_ui.systems.models import System

PARTS_S: Final = 5.0
DRIFT_S: Final = 20.0
STORE_S: Final = 30.0
DRIFT_TIMEOUT_S: Final = 15.0
MOST_LINES: Final = 50
MOST_ENDINGS: Final = 50
LARGEST_TABLES: Final = 5

_Value = TypeVar("_Value")


class Remembered(Generic[_Value]):
    """Something that is asked for again only when the last answer is old; one asks, the others wait.

    Args:
        ask: Asks.
        seconds: How long an answer counts [s].
        clock: A monotonic clock [s].
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[_Value]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._answers: list[_Value] = []
        self._until = float("-inf")

    async def value(self) -> _Value:
        """Return the answer."""
        async with self._lock:
            if not self._answers or self._clock() >= self._until:
                self._answers = [await self._ask()]
                self._until = self._clock() + self._seconds
            return self._answers[0]

    def forget(self) -> None:
        """Ask again the next time."""
        self._until = float("-inf")


class Watch:
    """Looks at the platform for whoever wants to know.

    Args:
        state: What the site is made of: its parts may be replaced while it runs, as tests do.
        clock: The present time.
        monotonic: A clock for durations [s].
    """

    def __init__(
        self,
        state: State,
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._clock = clock
        self._since: dict[str, tuple[Level, datetime]] = {}
        self._drift_since: datetime | None = None
        self._findings = Remembered(self._look, PARTS_S, monotonic)
        self._drift = Remembered(self._compare, DRIFT_S, monotonic)
        self._store = Remembered(self._measure_store, STORE_S, monotonic)

    async def findings(self) -> list[Finding]:
        """Return how the parts are."""
        return await self._findings.value()

    async def health(self, session: AsyncSession, user: User) -> Health:
        """Return how the platform is, as far as somebody may see it.

        Args:
            session: The platform's database.
            user: Who asks.
        """
        findings, snapshot, present = await self.findings(), self._state.flows.snapshot(), self._clock()
        if not user.is_operator:
            health = health_of(present, findings, snapshot, Inside())
            names = await session.scalars(select(System.name).where(System.id.in_(seen_by(user))))
            return for_member(health, frozenset(names))
        systems = (await session.execute(select(System.name, System.created_at))).all()
        endings = await newest_endings(session, present, MOST_ENDINGS)
        inside = Inside(
            await self._drift.value(),
            self._keepers(),
            compare_topics([(name, at) for name, at in systems], snapshot, present),
            tuple(Ending(kind, name, until) for kind, name, until in endings),
            await self._store.value(),
        )
        return for_operator(health_of(present, findings, snapshot, inside))

    async def apply_rules(self, session: AsyncSession, operator: User) -> tuple[int, int] | None:
        """Bring the broker's access rules to what is registered, write that down and commit.

        Args:
            session: The platform's database.
            operator: Who wants it.

        Returns:
            How many rules were made and removed; nothing where nobody keeps any.

        Raises:
            BrokerError: the broker does not do it.
        """
        keeper = cast("AclKeeper | None", self._state.acl_keeper)
        if keeper is None:
            return None
        plan = (await keeper.apply(session)).plan
        made, removed = len(plan.creations), len(plan.deletions)
        audit.record(
            session,
            operator,
            "platform.rules_applied",
            audit.PLATFORM_NAME,
            made=str(made),
            removed=str(removed),
        )
        await session.commit()
        self._drift.forget()
        return made, removed

    def _parts(self) -> Parts:
        state = self._state
        return Parts(
            state.settings, state.sessions, state.topics, state.acl_keeper, state.runner, state.authority
        )

    async def _look(self) -> list[Finding]:
        found = await look(self._parts())
        present = self._clock()
        self._since = {
            one.part: (one.level, present)
            if self._since.get(one.part, (None,))[0] != one.level
            else self._since[one.part]
            for one in found
        }
        return [replace(one, since=self._since[one.part][1]) for one in found]

    async def _compare(self) -> Drift:
        keeper = cast("AclKeeper | None", self._state.acl_keeper)
        if keeper is None:
            return Drift()
        try:
            async with asyncio.timeout(DRIFT_TIMEOUT_S), cast(Sessions, self._state.sessions)() as session:
                comparison = await keeper.drift(session)
        except TimeoutError:
            return Drift(trouble="Kafka does not tell its access rules in time.")
        except BrokerError as error:
            return Drift(trouble=f"{error.detail} {error.hint}".strip())
        except SQLAlchemyError as error:
            return Drift(trouble=f"The database does not answer: {type(error).__name__}.")
        plan = comparison.plan
        if plan.is_empty:
            self._drift_since = None
        elif self._drift_since is None:
            self._drift_since = self._clock()
        return Drift(
            tuple(line for line, _ in zip(plan.lines(), range(MOST_LINES), strict=False)),
            len(plan.creations) + len(plan.deletions),
            len(plan.foreign),
            tuple(str(entry) for entry in plan.voiding),
            len(comparison.wanted),
            self._drift_since,
        )

    async def _measure_store(self) -> Store:
        async with cast(Sessions, self._state.sessions)() as session:
            return await read_store(session, self._clock())

    def _keepers(self) -> tuple[Keeper, ...]:
        state, snapshot = self._state, self._state.flows.snapshot()
        known: Sequence[tuple[str, Any]] = (
            ("Access rules in Kafka", state.acl_keeper),
            ("Access to SensorThings", state.keeper),
            ("Contracts of stream apps", state.enforcement),
            ("Audit log to its topics", state.audit_keeper),
        )
        found = [Keeper.of(name, one.pulse) for name, one in known if one is not None]
        failed_at = self._clock() if snapshot.trouble else None
        sampler = Keeper("Figures of what flows", snapshot.at, failed_at, snapshot.trouble, bool(failed_at))
        return (*found, sampler)


async def read_store(session: AsyncSession, present: datetime) -> Store:
    """Read how large the database is, and who is there; two queries.

    Args:
        session: The platform's database.
        present: The present time.
    """
    people = select(func.count()).select_from(User).where(User.disabled_at.is_(None)).scalar_subquery()
    open_ = (
        select(func.count())
        .select_from(UserSession)
        .where(UserSession.expires_at > present, UserSession.waits_for_code.is_(False))
        .scalar_subquery()
    )
    size = func.pg_database_size(func.current_database())
    row = (await session.execute(select(size, people, open_))).one()
    tables = await session.execute(
        text(
            "SELECT relname, pg_total_relation_size(oid) AS size FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY size DESC LIMIT :most"
        ),
        {"most": LARGEST_TABLES},
    )
    return Store(row[0], tuple((name, size) for name, size in tables), row[1], row[2])
