"""What topic and store hold, observation by observation; knows nothing of the recorder's code."""

import json
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import psycopg
from confluent_kafka import Message

from benchmarks.measuring.content import Content, content_of, distinct_records

_KNOWN: Final = ("phenomenonTime", "resultTime", "result", "Datastream")
_STORED: Final = """
SELECT datastream.name, to_char(phenomenon, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(told, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), result, parameters, dt_id
FROM (
    SELECT datastream_id, observation.phenomenon_start AT TIME ZONE 'UTC' AS phenomenon,
        result_time AT TIME ZONE 'UTC' AS told, coalesce(result, to_jsonb(result_number))::text AS result,
        parameters::text, dt_id
    FROM sensorthings.observation
) AS observation JOIN sensorthings.datastream ON datastream.id = datastream_id
"""


def topic_content(bootstrap_servers: str, topics: Sequence[str]) -> Content:
    """Read topics with a plain consumer; records with one dt-id count once."""
    return content_of(
        _line_of_record(message, UUID(identifier))
        for identifier, message in distinct_records(bootstrap_servers, topics)
    )


def _line_of_record(message: Message, identifier: UUID) -> bytes:
    document = json.loads(message.value() or b"")
    rest = {name: value for name, value in document.items() if name not in _KNOWN} or None
    return _line(
        (message.key() or b"").decode(),
        document["phenomenonTime"],
        document["resultTime"],
        document["result"],
        rest,
        identifier,
    )


def store_content(database_url: str) -> Content:
    """Read the whole store."""

    def lines() -> Iterator[bytes]:
        with (
            psycopg.connect(database_url) as connection,
            connection.cursor("content") as cursor,
        ):
            cursor.itersize = 10_000
            for name, phenomenon, told, result, parameters, identifier in cursor.execute(_STORED):
                rest = None if parameters is None else json.loads(parameters)
                yield _line(name, phenomenon, told, json.loads(result), rest, identifier)

    return content_of(lines())


def _line(*parts: object) -> bytes:
    *values, identifier = parts
    return json.dumps([*values, str(identifier)], sort_keys=True).encode()
