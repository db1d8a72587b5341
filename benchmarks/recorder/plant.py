"""What is recorded: Datastreams of one system in the database, and the records that devices would send."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from benchmarks.measuring.topics import Headers, SourceRecord
from client.messaging.records import HEADER_ID, partition_for
from client.metadata.observations import observation_value
from client.metadata.times import format_time
from streamhub.engine.identifiers import new_ids

THINGS: Final = 10
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(seconds=2)
_METADATA: Final = """
WITH system AS (INSERT INTO sensorthings.system (name) VALUES (%(system)s) RETURNING id),
location AS (
    INSERT INTO sensorthings.location (name, description, encoding_type, location, system_id)
    SELECT 'Hall', '', 'application/geo+json', '{"type": "Point", "coordinates": [13, 47.8]}', id FROM system
    RETURNING id
),
thing AS (
    INSERT INTO sensorthings.thing (name, description, system_id)
    SELECT %(system)s || '.Mill' || number, '', id FROM system, generate_series(1, %(things)s) AS number
    RETURNING id, name
),
placed AS (
    INSERT INTO sensorthings.thing_location (thing_id, location_id)
    SELECT thing.id, location.id FROM thing, location WHERE %(placed)s
),
sensor AS (
    INSERT INTO sensorthings.sensor (name, description, encoding_type, metadata)
    VALUES ('s', '', 'text/html', '""') RETURNING id
),
property AS (
    INSERT INTO sensorthings.observed_property (name, definition, description)
    VALUES ('p', 'http://example.org/p', '') RETURNING id
)
INSERT INTO sensorthings.datastream (name, description, unit_of_measurement, observation_type, thing_id,
    sensor_id, observed_property_id, system_id)
SELECT thing.name || '.' || quantity, '', '{}', 'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation',
    thing.id, sensor.id, property.id, system.id
FROM thing, sensor, property, system, unnest(ARRAY['Speed', 'Torque']) AS quantity
RETURNING name, id
"""


def plant(database_url: str, system: str, *, things: int = THINGS, placed: bool = True) -> Mapping[str, int]:
    """Make Things with two Datastreams each; gives the Datastreams' ids by name.

    Args:
        database_url: libpq URL of a database with the service's tables.
        system: Dotted name of the system.
        things: Number of Things.
        placed: Whether they have a Location.
    """
    with psycopg.connect(database_url) as connection:
        values = {"system": system, "things": things, "placed": placed}
        return dict(connection.execute(_METADATA, values).fetchall())


def records(
    datastreams: Mapping[str, int], number: int, *, partitions: int, repeat: float = 0.01
) -> Iterator[SourceRecord]:
    """Make the records of devices, some of them sent twice.

    Args:
        datastreams: Ids by name.
        number: How many records, repeated ones not counted.
        partitions: Of the topic.
        repeat: Share of the records that is sent again.
    """
    chance = random.Random(number)
    names = list(datastreams)
    for first in range(0, number, 10_000):
        few = min(10_000, number - first)
        for index, identifier in enumerate(new_ids(few), first):
            name = names[index % len(names)]
            time = format_time(_START + index // len(names) * _STEP)
            value = observation_value(
                phenomenon_time=time,
                result_time=time,
                result=_result(index, chance),
                datastream_id=datastreams[name],
                attributes={"batch": index // 1000} if index % 10 == 0 else {},
            )
            headers: Headers = [(HEADER_ID, identifier)]
            record = (0, partition_for(name, partitions), name.encode(), value, headers)
            yield record
            if chance.random() < repeat:
                yield record


def _result(index: int, chance: random.Random) -> object:
    if index % 50 == 0:
        return chance.choice(["on", True, None, [1, 2.5], {"a": "b"}, 20.0, 7, 2**60])
    return round(chance.gauss(20, 5), 3)
