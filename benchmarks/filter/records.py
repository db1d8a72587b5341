"""The topics and records of the filter benchmark: made once, read by every program."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.measuring.topics import Headers, SourceRecord
from client.messaging.records import partition_for

SOURCE_SYSTEM: Final = "is.bench.Weather.Stations"
THINGS: Final = ("Seattle", "SanFrancisco", "Reykjavik", "Salzburg", "Prague")
# The result counts through 0..15: a quarter of the records is below 4.
RESULTS: Final = 16
LIMIT: Final = 4
_TEMPLATE: Final = (
    b'{"phenomenonTime":"2026-01-02T03:04:05.000006Z","resultTime":"2026-01-02T03:04:05.100006Z",'
    b'"result":%d.5,"Datastream":{"@iot.id":7},"longitude":-122.3321,"latitude":47.6062,"number":%d}'
)


def matching(records: int) -> int:
    """How many of the first `records` records match."""
    whole, rest = divmod(records, RESULTS)
    return whole * LIMIT + min(rest, LIMIT)


def source_records(records: int, partitions: int, systems: Sequence[str]) -> Iterator[SourceRecord]:
    """Records as clients make them: keys by Datastream, JSON values, the header that each record has.

    Every partition holds the same number, and its records are of Things that belong there.
    """
    base = uuid.uuid4().hex[:24]
    placed = [(key, partition_for(key, partitions)) for key in _keys(systems[0], partitions)]
    for number in range(records):
        key, partition = placed[number % len(placed)]
        value = _TEMPLATE % (number % RESULTS, number)
        headers: Headers = [("dt-id", f"{base}{number:012d}".encode())]
        yield 0, partition, key, value, headers


def _keys(system: str, partitions: int) -> list[bytes]:
    """Keys of the five Things; with several partitions of as many for each of these."""
    if partitions == 1:
        return [f"{system}.{thing}.Air Temperature".encode() for thing in THINGS]
    chosen: dict[int, list[bytes]] = {partition: [] for partition in range(partitions)}
    number = 0
    while any(len(keys) < len(THINGS) for keys in chosen.values()):
        key = f"{system}.{THINGS[number % len(THINGS)]}{number}.Air Temperature".encode()
        keys = chosen[partition_for(key, partitions)]
        if len(keys) < len(THINGS):
            keys.append(key)
        number += 1
    return [key for row in zip(*chosen.values(), strict=True) for key in row]
