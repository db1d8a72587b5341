"""TimescaleDB, where it is installed: Observations in a hypertable instead of native partitions.

What lives here: finding out whether it can be used, and the one change of the tables. What does not: anything
else; rows are appended, read and deleted by the same statements, and the function that makes partitions has
nothing to do any more.

Only an empty table is changed, when the service starts or migrates; one with Observations stays as it is. Of
retention, deleting row by row works on; whole chunks are not dropped.

This module has not been run against a TimescaleDB: its tests look at the statements that it sends. They
follow TimescaleDB 2 (create_hypertable, timescaledb_information.hypertables).
"""

import logging
from typing import Final, LiteralString, Protocol

import psycopg
from sqlalchemy import URL

_log = logging.getLogger(__name__)

AVAILABLE: Final = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
INSTALL: Final = "CREATE EXTENSION IF NOT EXISTS timescaledb"
IS_HYPERTABLE: Final = (
    "SELECT 1 FROM timescaledb_information.hypertables"
    " WHERE hypertable_schema = 'sensorthings' AND hypertable_name = 'observation'"
)
LOCK: Final = "LOCK TABLE sensorthings.observation IN ACCESS EXCLUSIVE MODE"
HAS_ROWS: Final = "SELECT 1 FROM sensorthings.observation LIMIT 1"
CONVERT: Final[tuple[LiteralString, ...]] = (
    (
        "CREATE TABLE sensorthings.observation_hyper (LIKE sensorthings.observation"
        " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
    ),
    "DROP TABLE sensorthings.observation",
    "ALTER TABLE sensorthings.observation_hyper RENAME TO observation",
    (
        "ALTER TABLE sensorthings.observation"
        " ADD CONSTRAINT fk_observation_datastream_id FOREIGN KEY (datastream_id)"
        " REFERENCES sensorthings.datastream (id) ON DELETE CASCADE,"
        " ADD CONSTRAINT fk_observation_feature_of_interest_id FOREIGN KEY (feature_of_interest_id)"
        " REFERENCES sensorthings.feature_of_interest (id) ON DELETE CASCADE"
    ),
    (
        "SELECT create_hypertable('sensorthings.observation', 'phenomenon_start',"
        " chunk_time_interval => interval '1 month')"
    ),
    (
        "CREATE OR REPLACE FUNCTION sensorthings.make_observation_partition(instant timestamptz) RETURNS void"
        " LANGUAGE sql AS ''"
    ),
)


class _Found(Protocol):
    def fetchone(self) -> object: ...


class Connection(Protocol):
    """What is needed of a connection inside a transaction."""

    def execute(self, query: LiteralString) -> _Found:
        """Run a statement."""
        ...


def use_hypertable(url: URL) -> bool:
    """Keep Observations in a hypertable, if that is possible.

    Args:
        url: Of the database; its tables are there.

    Returns:
        Whether they are in one now.
    """
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address) as connection:
            return convert(connection)
    except psycopg.Error as error:
        # Not allowed to install it, or not preloaded by the server: native partitions do as well.
        facts = {"action": "timescaledb_not_used", "reason": str(error)}
        _log.warning("TimescaleDB is there but cannot be used", extra=facts)
        return False


def convert(connection: Connection) -> bool:
    """Change the table, if TimescaleDB is there and the table is empty; in the caller's transaction.

    Returns:
        Whether Observations are in a hypertable now.

    Raises:
        psycopg.Error: What the database says.
    """
    if connection.execute(AVAILABLE).fetchone() is None:
        return False
    connection.execute(INSTALL)
    if connection.execute(IS_HYPERTABLE).fetchone() is not None:
        return True
    connection.execute(LOCK)
    if connection.execute(HAS_ROWS).fetchone() is not None:
        return False
    for statement in CONVERT:
        connection.execute(statement)
    return True
