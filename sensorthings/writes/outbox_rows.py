"""Observations made over HTTP, as the records that Kafka shall get.

What lives here: value and id of a record, and writing its row of the outbox. What does not: topic and key
(`sensorthings.writes.streams`), sending (`sensorthings.outbox`).

A record's dt-id is stored with its Observation, so that the recorder, which reads the record back, knows it
to be there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Text, Uuid, bindparam, func, insert, select

from client.messaging.records import new_record_id
from client.metadata.times import format_time
from sensorthings.database import Session, prepare
from sensorthings.model.tables import outbox


class OutboxRow(NamedTuple):
    """A row of the outbox.

    Attributes:
        topic: Such as `<system>.int`.
        key: Full unique name of the Datastream.
        value: Text of the record's value.
        dt_id: Id of the record, stored with its Observation too.
    """

    topic: str
    key: str
    value: str
    dt_id: UUID


def new_dt_id() -> UUID:
    """Make the id of a record: a UUID of version 7."""
    return UUID(new_record_id())


def record_value(stream_id: int, values: Mapping[str, Any], *, is_multi: bool = False) -> str:
    """Give the value of a record: SensorThings-style JSON.

    Args:
        stream_id: Id of its Datastream.
        values: Columns of the Observation, with its result as the client sent it.
        is_multi: Whether the Datastream is a MultiDatastream.
    """
    start, end = values["phenomenon_start"], values["phenomenon_end"]
    result_time = values.get("result_time")
    record: dict[str, Any] = {
        "phenomenonTime": format_time(start) if start == end else _interval(start, end),
        "resultTime": None if result_time is None else format_time(result_time),
        "result": values["result"],
        "MultiDatastream" if is_multi else "Datastream": {"@iot.id": stream_id},
    }
    if values.get("valid_start") is not None:
        record["validTime"] = _interval(values["valid_start"], values["valid_end"])
    if values.get("result_quality") is not None:
        record["resultQuality"] = values["result_quality"]
    if values.get("parameters") is not None:
        record["parameters"] = values["parameters"]
    return orjson.dumps(record).decode()


async def write_outbox(session: Session, rows: Sequence[OutboxRow]) -> None:
    """Insert rows into the outbox, in one statement, in the transaction that makes their Observations.

    Raises:
        psycopg.Error: What the database says.
    """
    if rows:
        columns = zip(*rows, strict=True)
        await session.run(
            _INSERT, {name: list(column) for name, column in zip(_COLUMNS, columns, strict=True)}
        )


def _interval(start: Any, end: Any) -> str:  # noqa: ANN401 - columns of a row
    return f"{format_time(start)}/{format_time(end)}"


_COLUMNS: Final = OutboxRow._fields
_ROWS = (
    func.unnest(*(bindparam(name, type_=ARRAY(Uuid if name == "dt_id" else Text)) for name in _COLUMNS))
    .table_valued(*_COLUMNS, name="rows")
    .render_derived()
)
_INSERT = prepare(insert(outbox).from_select(list(_COLUMNS), select(*(_ROWS.c[name] for name in _COLUMNS))))
