"""The records of the join benchmark: two quantities in turn, a few milliseconds apart, on some Things."""

from collections.abc import Hashable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import msgspec
from confluent_kafka import Message

from benchmarks.measuring.topics import Headers, SourceRecord
from client.messaging.records import partition_for

SOURCE_SYSTEM: Final = "at.bench.Mill.M1"
QUANTITIES: Final = ("Speed", "Torque")
WITHIN_S: Final = 1
_THINGS_PER_PARTITION: Final = 2
_STEP_US: Final = 5_000
_JITTER_US: Final = 4_001
_START: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_RESULTS: Final = 997


class Pair(msgspec.Struct, frozen=True, rename="camel"):
    """What the outputs of all programs have in common."""

    phenomenon_time: datetime
    result: float


_decode = msgspec.json.Decoder(Pair).decode


def pair_of(message: Message) -> Hashable:
    """What has to be equal in the outputs."""
    return _decode(message.value() or b"")


def statement(systems: Sequence[str], partitions: int) -> str:
    """The join in our language; with several partitions by Thing, so that they can be shared."""
    left, right = systems[0], systems[-1]
    if partitions == 1:
        thing = things(left, 1)[0]
        where = f"l.name = '{left}.{thing}.{QUANTITIES[0]}' AND r.name = '{right}.{thing}.{QUANTITIES[1]}'"
        on = ""
    else:
        where = f"l.name LIKE '%.{QUANTITIES[0]}' AND r.name LIKE '%.{QUANTITIES[1]}'"
        on = "ON l.thing = r.thing "
    return (
        f"SELECT l.result * r.result AS power UNIT 'W' FROM {left} AS l "  # noqa: S608 - not SQL
        f"JOIN {right} AS r WITHIN {WITHIN_S} s {on}WHERE {where}"
    )


def things(system: str, partitions: int) -> list[str]:
    """Names of Things, as many for each partition."""
    if partitions == 1:
        return ["Spindle"]
    chosen: dict[int, list[str]] = {partition: [] for partition in range(partitions)}
    number = 0
    while any(len(names) < _THINGS_PER_PARTITION for names in chosen.values()):
        name = f"Spindle{number}"
        names = chosen[partition_for(f"{system}.{name}.{QUANTITIES[0]}", partitions)]
        if len(names) < _THINGS_PER_PARTITION:
            names.append(name)
        number += 1
    return [name for row in zip(*chosen.values(), strict=True) for name in row]


def source_records(records: int, partitions: int, systems: Sequence[str]) -> Iterator[SourceRecord]:
    """Records as clients make them; each Thing has its two quantities in turn."""
    base = uuid4().hex[:24]
    names = things(systems[0], partitions)
    if len(systems) > 1 and partitions > 1:
        # A Thing's partition depends on its system's name: the two topics would not be alike.
        raise SystemExit("two topics are measured with one partition each")
    placed = [
        (side % len(systems), partition_for(key, partitions), key)
        for side, quantity in enumerate(QUANTITIES)
        for key in (f"{systems[side % len(systems)]}.{name}.{quantity}".encode() for name in names)
    ]
    for number in range(records):
        which, partition, key = placed[number % len(placed)]
        moment = _START + timedelta(microseconds=number * _STEP_US + number * 7919 % _JITTER_US)
        stamp = moment.isoformat(timespec="microseconds")[:26]
        value = (
            f'{{"phenomenonTime":"{stamp}Z","resultTime":"{stamp}Z","result":{number % _RESULTS}.5,'
            f'"Datastream":{{"@iot.id":{7 + which}}}}}'
        )
        headers: Headers = [("dt-id", f"{base}{number:012d}".encode())]
        yield which, partition, key, value.encode(), headers
