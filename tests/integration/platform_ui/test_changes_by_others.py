"""What another process changes in the platform's database is noticed at once, not at the next look around."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from platform_ui import changes, db
from platform_ui.audit import service as audit
from platform_ui.changes import Bell

pytestmark = pytest.mark.postgres
LONGEST_S = 60.0


@pytest.fixture
async def engine(platform_database: str) -> AsyncIterator[AsyncEngine]:
    made = db.create_engine(platform_database)
    yield made
    await made.dispose()


@pytest.fixture
async def bell(platform_database: str) -> AsyncIterator[Bell]:
    """A bell that is rung for others; silent when the test begins."""
    rung = Bell()
    task = asyncio.create_task(changes.ring_for_others(platform_database, [rung]))
    assert await rung.wait(LONGEST_S), "it is rung once when it listens: something may have been missed"
    yield rung
    task.cancel()


async def test_a_commit_of_another_process_rings(engine: AsyncEngine, bell: Bell) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(changes.announce, "somebody else")
    assert await bell.wait(LONGEST_S)


async def test_what_this_process_does_and_what_nobody_commits_rings_nothing(
    engine: AsyncEngine, bell: Bell
) -> None:
    async with engine.connect() as connection:
        await connection.run_sync(changes.announce, "somebody else")
        await connection.rollback()
    async with engine.begin() as connection:
        await connection.run_sync(changes.announce)
    async with engine.begin() as connection:
        # Notices come in the order of their commits, so this one is the first that can ring.
        await connection.run_sync(changes.announce, "the last")
    assert await bell.wait(LONGEST_S)
    assert not bell.is_rung


async def test_every_entry_of_the_audit_log_is_told(
    platform_database: str, engine: AsyncEngine, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Connection] = []
    monkeypatch.setattr(audit, "announce", told.append)
    async with db.create_sessions(engine)() as session:
        audit.record(session, audit.PLATFORM, "account.disabled", "mia@example.com")
        await session.commit()
    assert len(told) == 1


async def test_a_listener_whose_connection_was_cut_listens_again(
    engine: AsyncEngine, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "RETRY_S", 0.1)
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
            )
        )
    assert await bell.wait(LONGEST_S), "what it may have missed meanwhile counts as a change"
