"""The database: engine, sessions, the base of all tables, and migrations.

What lives here: how to reach Postgres. What does not: tables (each domain's ``models``) and rules (each
domain's ``service``).
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

from alembic import command
from alembic.config import Config
from fastapi import Depends, Request
from sqlalchemy import DateTime, MetaData, Uuid
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

# Every constraint has a name, so that a violation can be told from another one.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
VERSION_TABLE = "platform_schema_version"  # the SensorThings service may share the server
POOL_SIZE = 10
CONNECT_TIMEOUT_S = 5


class Model(DeclarativeBase):
    """The base of all tables; times are always aware."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's own form


# A request that another one makes by itself works in the other one's transaction, under this name.
SHARED_SESSION = "shared_session"
UUID_TYPE: Uuid[Any] = Uuid(as_uuid=True)
Sessions = async_sessionmaker[AsyncSession]


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def create_engine(url: str) -> AsyncEngine:
    """Return the pooled engine of the whole process; it connects at the first use."""
    return create_async_engine(
        url, pool_size=POOL_SIZE, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )


def create_sessions(engine: AsyncEngine) -> Sessions:
    """Return the factory of sessions; objects stay readable after a commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


async def _open_session(request: Request) -> AsyncIterator[AsyncSession]:
    shared = getattr(request.state, SHARED_SESSION, None)
    if shared is not None:
        yield shared
        return
    sessions = cast(Sessions, request.app.state.sessions)
    async with sessions() as session:
        yield session


Database = Annotated[AsyncSession, Depends(_open_session)]


def violated(error: IntegrityError) -> str:
    """Return the name of the constraint that was violated, or an empty text."""
    diagnostic = getattr(error.orig, "diag", None)
    return str(getattr(diagnostic, "constraint_name", None) or "")


def migrate(url: str) -> None:
    """Bring the schema to the newest version; does nothing when it is there already."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")
