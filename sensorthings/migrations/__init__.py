"""The history of the tables, as Alembic revisions, run from Python under a lock.

What lives here: the environment and the revisions. What does not: the tables as they are
(`sensorthings.model.tables`); a test holds both equal.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, text

from sensorthings.model.tables import SCHEMA

VERSION_TABLE = "schema_version"
"""Table that knows the revision, inside the service's own Postgres schema."""
_LOCK = 7_482_170_361
"""Key of the advisory lock: two services that start together migrate one after the other."""


def upgrade(url: URL) -> str:
    """Bring the database's tables to the newest revision; does nothing when they are.

    Returns:
        The revision now in place.
    """
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            command.upgrade(configuration(connection), "head")
            found = connection.execute(text(f"SELECT version_num FROM {SCHEMA}.{VERSION_TABLE}"))  # noqa: S608 - constants
            return str(found.scalar_one())
    finally:
        engine.dispose()


def configuration(connection: Connection) -> Config:
    """Give Alembic's configuration for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
