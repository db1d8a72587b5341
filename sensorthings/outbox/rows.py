"""The relay's side of the table `outbox`: rows that may be sent, and their removal.

What lives here: the statements, on a connection of the relay's own. What does not: writing rows
(`sensorthings.outbox.entries`), Kafka (`sensorthings.outbox.carrier`).

A row may be sent when no transaction is open any more that could still add one before it: its own transaction
lies below all open ones, or beyond all there are, when the row was restored from another server's backup.
Then rows of one key leave in the order in which they were committed.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Self
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import URL

from sensorthings.model.tables import SCHEMA, outbox

_LOCK: Final = 7_482_170_363
_CONNECT_TIMEOUT_S: Final = 5
_TABLE: Final = sql.Identifier(SCHEMA, outbox.name)
_WAITING: Final = sql.SQL(
    "SELECT id, topic, key, value, dt_id FROM {table}"
    " WHERE (transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    " OR transaction > pg_snapshot_xmax(pg_current_snapshot())::text::bigint) AND topic <> ALL(%s)"
    " ORDER BY id LIMIT %s"
).format(table=_TABLE)
_REMOVE: Final = sql.SQL("DELETE FROM {table} WHERE id = ANY(%s)").format(table=_TABLE)
_REMOVE_SENT: Final = sql.SQL(
    "DELETE FROM {table} AS row USING unnest(%s::bigint[], %s::uuid[]) AS sent (id, dt_id)"
    " WHERE row.dt_id = sent.dt_id AND row.id = coalesce(sent.id, row.id)"
).format(table=_TABLE)


class SentRow(NamedTuple):
    """A row that Kafka has: its number, where it is known, and the id of its record.

    Neither says enough alone: a restored database may use its numbers again, and whoever sends a record to
    two Datastreams gives both rows its id.
    """

    id: int | None
    dt_id: UUID


class WaitingRow(NamedTuple):
    """A row that may be sent; see `sensorthings.outbox.entries.Entry`."""

    id: int
    topic: str
    key: str
    value: str
    dt_id: UUID


class OutboxRows:
    """The table, for the one relay that holds its lock; closing the connection gives the lock back."""

    def __init__(self, url: URL) -> None:
        """Connect.

        Raises:
            psycopg.Error: The database does not answer.
        """
        self._connection = psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="sensorthings-outbox",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def lock(self) -> bool:
        """Take the lock of the relay of this database; False when another one has it.

        Raises:
            psycopg.Error: What the database says.
        """
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        return row is not None and bool(row[0])

    def waiting(self, most: int, without: Collection[str] = ()) -> Sequence[WaitingRow]:
        """Give the first rows that may be sent, in order.

        Args:
            most: Largest number of rows.
            without: Topics whose rows stay for now.

        Raises:
            psycopg.Error: What the database says.
        """
        rows = self._connection.execute(_WAITING, (list(without), most)).fetchall()
        return list(map(WaitingRow._make, rows))

    def remove(self, rows: Sequence[WaitingRow]) -> None:
        """Remove rows that Kafka has.

        Raises:
            psycopg.Error: What the database says.
        """
        self._connection.execute(_REMOVE, ([row.id for row in rows],))

    def remove_sent(self, sent: Sequence[SentRow]) -> int:
        """Remove rows that Kafka has; gives how many were still there.

        Raises:
            psycopg.Error: What the database says.
        """
        return self._connection.execute(
            _REMOVE_SENT, ([row.id for row in sent], [row.dt_id for row in sent])
        ).rowcount

    def identity(self) -> str:
        """Name this database: the same for every address that leads to it.

        Raises:
            psycopg.Error: What the database says.
        """
        row = self._connection.execute(
            "SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())"
            " FROM pg_control_system()"
        ).fetchone()
        return "" if row is None else f"{row[0]}-{row[1]}"
