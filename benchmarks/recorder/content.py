"""What topic and store hold, as counts and hashes that can be compared; knows nothing of the recorder's code.

A hash is the sum of the SHA-256 of every observation, so that order does not matter and repetition does.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from confluent_kafka import Message

from benchmarks.measuring.topics import read_committed

_MODULUS: Final = 2**256
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


class Content(NamedTuple):
    """What one side holds.

    Attributes:
        number: Number of observations.
        digest: Their hash.
    """

    number: int
    digest: str


def topic_content(bootstrap_servers: str, topics: Sequence[str]) -> Content:
    """Read topics with a plain consumer; records with one dt-id count once."""
    seen: set[bytes] = set()

    def lines() -> Iterator[str]:
        for topic in topics:
            for message in read_committed(bootstrap_servers, topic):
                identifier = _identifier(message)
                if identifier.bytes not in seen:
                    seen.add(identifier.bytes)
                    yield _line_of_record(message, identifier)

    return _content(lines())


def _identifier(message: Message) -> UUID:
    headers = dict(message.headers() or ())
    return UUID((headers["dt-id"] or b"").decode())  # type: ignore[union-attr]


def _line_of_record(message: Message, identifier: UUID) -> str:
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

    def lines() -> Iterator[str]:
        with (
            psycopg.connect(database_url) as connection,
            connection.cursor("content") as cursor,
        ):
            cursor.itersize = 10_000
            for name, phenomenon, told, result, parameters, identifier in cursor.execute(_STORED):
                rest = None if parameters is None else json.loads(parameters)
                yield _line(name, phenomenon, told, json.loads(result), rest, identifier)

    return _content(lines())


def _line(*parts: object) -> str:
    *values, identifier = parts
    return json.dumps([*values, str(identifier)], sort_keys=True)


def _content(lines: Iterable[str]) -> Content:
    count = total = 0
    for line in lines:
        count += 1
        total = (total + int.from_bytes(hashlib.sha256(line.encode()).digest())) % _MODULUS
    return Content(count, f"{total:064x}")
