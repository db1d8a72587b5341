"""`python -m benchmarks.produce --records 100000 --rounds 7`: the client's `produce` beside a plain producer.

Three senders take turns in one process, with the same settings of librdkafka and a delivery callback each:

- plain, bytes ready: key, value and headers exist before the clock starts; only the library's call remains.
- plain, bytes made: makes the same record itself by `datetime`, `json.dumps` and `uuid`, and checks nothing.
- client: `DigitalTwinClient.produce`, which checks the arguments and gives a handle for every record.

A turn counts until the last record is acknowledged. Processor time is that of this process with librdkafka's
threads, not that of the broker. Ratios are those of the medians.
"""

import argparse
import gc
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.measuring.broker import add_broker_option, benchmark_broker
from benchmarks.measuring.topics import create_topic, delete_topics, waiting_records
from client.digital_twin_client import DigitalTwinClient
from client.messaging.producer import ProducerSettings
from client.messaging.records import HEADER_ID, new_record_id, partition_for
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.metadata.observations import observation_value
from client.metadata.times import format_time
from client.settings import ClientSettings
from client.testing import InMemorySensorThings

_PARTITIONS: Final = 3
_FLUSH_S: Final = 120.0
_FULL_QUEUE_S: Final = 0.05
_WARM_UP: Final = 5_000
_INSTANCES: Final = {
    "Things": {"mill": {"name": "Mill", "description": "A mill", "properties": {}}},
    "Sensors": {
        "encoder": {
            "name": "Encoder",
            "description": "Counts turns",
            "encodingType": "application/pdf",
            "metadata": "https://example.org/encoder.pdf",
        }
    },
    "Datastreams": {
        "speed": {
            "name": "Speed",
            "description": "Speed of the spindle",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {"name": "rpm", "symbol": "rpm", "definition": "ucum:{rpm}"},
            "ObservedProperty": {
                "name": "Speed",
                "description": "Turns per minute",
                "definition": "https://example.org/speed",
            },
            "Thing": "mill",
            "Sensor": "encoder",
        }
    },
}

Headers = list[tuple[str, str | bytes | None]]
Send = Callable[[int], None]
"""Sends so many records and waits until all are acknowledged."""


class Turn(NamedTuple):
    """One turn of one sender.

    Attributes:
        wall_s: From the first call to the last acknowledgement [s/record].
        cpu_s: Processor time of the process [s/record].
    """

    wall_s: float
    cpu_s: float


class PlainSender:
    """confluent-kafka as its examples show it: `produce` with a callback, and `poll(0)` after every record.

    Args:
        bootstrap: Kafka addresses.
        topic: Where the records go.
        key: Their key.
    """

    def __init__(self, bootstrap: str, topic: str, key: bytes) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                **KafkaSecurity.from_environment().to_librdkafka(),
                **ProducerSettings().to_librdkafka(),
            }
        )
        self._topic = topic
        self._key = key
        self._partition = partition_for(key, _PARTITIONS)
        self._acknowledged = 0

    def send_ready(self, records: Sequence[tuple[bytes, Headers]]) -> None:
        """Send records that exist already."""
        for value, headers in records:
            self._produce(value, headers)
        self._wait(len(records))

    def send_made(self, number: int) -> None:
        """Make records of the same form on the way, as somebody without the client would."""
        for index in range(number):
            now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            document = {
                "phenomenonTime": now,
                "resultTime": now,
                "Datastream": {"@iot.id": 4},
                "result": _result(index),
            }
            value = json.dumps(document, separators=(",", ":")).encode()
            self._produce(value, [(HEADER_ID, str(uuid.uuid4()).encode())])
        self._wait(number)

    def _produce(self, value: bytes, headers: Headers) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    self._key,
                    self._partition,
                    on_delivery=self._count,
                    headers=headers,
                )
                break
            except BufferError:
                self._producer.poll(_FULL_QUEUE_S)
        self._producer.poll(0)

    def _count(self, error: KafkaError | None, _: Message) -> None:
        self._acknowledged += error is None

    def _wait(self, number: int) -> None:
        self._producer.flush(_FLUSH_S)
        if self._acknowledged != number:
            raise SystemExit(f"the plain producer: {self._acknowledged:,} of {number:,} were acknowledged")
        self._acknowledged = 0


def _result(index: int) -> float:
    return index % 1000 / 10


def _ready_records(number: int) -> list[tuple[bytes, Headers]]:
    def value(index: int) -> bytes:
        now = format_time(datetime.now(UTC))
        return observation_value(
            phenomenon_time=now, result_time=now, result=_result(index), datastream_id=4, attributes={}
        )

    return [(value(index), [(HEADER_ID, new_record_id().encode())]) for index in range(number)]


def _client(bootstrap: str, system: SystemName) -> DigitalTwinClient:
    client = DigitalTwinClient(
        "bench",
        str(system),
        "in-memory",
        bootstrap,
        server=InMemorySensorThings(),
        settings=ClientSettings(alive_s=0),
    )
    with tempfile.TemporaryDirectory(prefix="dtwin-bench-") as folder:
        path = Path(folder) / "instances.json"
        path.write_text(json.dumps(_INSTANCES), encoding="utf-8")
        client.register(path)
    return client


def _take_turns(senders: Mapping[str, Send], records: int, rounds: int) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in senders}
    for send in senders.values():
        send(min(_WARM_UP, records))
    # The prepared records stay out of the collector's sight: it would look through them again and again for
    # the one sender that makes objects of its own.
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        # Nobody always comes after the same one.
        for name in list(senders) if number % 2 == 0 else reversed(list(senders)):
            begun, begun_cpu = time.perf_counter(), time.process_time()
            senders[name](records)
            wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
            turns[name].append(Turn(wall_s / records, cpu_s / records))
            print(f"round {number + 1}  {name:20} {records / wall_s:>10,.0f} records/s", flush=True)
    return turns


def _print_table(turns: Mapping[str, Sequence[Turn]], reference: str) -> None:
    medians = {
        name: Turn(statistics.median(t.wall_s for t in each), statistics.median(t.cpu_s for t in each))
        for name, each in turns.items()
    }
    base = medians[reference]
    columns = f"{'records/s':>11} {'CPU us/record':>14} {'rate ratio':>11} {'CPU ratio':>10}"
    print(f"\n{'median of the rounds':20} {columns}")
    for name, each in medians.items():
        print(
            f"{name:20} {1 / each.wall_s:>11,.0f} {each.cpu_s * 1e6:>14.2f} "
            f"{base.wall_s / each.wall_s:>11.2f} {base.cpu_s / each.cpu_s:>10.2f}"
        )
    print(f"ratios: to {reference!r}; above 1 is better than it (wanted of the client's rate: at least 0.7)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.produce", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="in every turn")
    parser.add_argument("--rounds", type=int, default=7, help="medians are shown")
    add_broker_option(parser)
    given = parser.parse_args()
    with benchmark_broker(given.bootstrap_server) as address:
        system = SystemName.parse(f"at.bench.Line.S{uuid.uuid4().hex[:8]}")
        for topic in system.topics.all():
            create_topic(address, topic, _PARTITIONS)
        try:
            _compare(address, system, given.records, given.rounds)
        finally:
            delete_topics(address, list(system.topics.all()))


def _compare(address: str, system: SystemName, records: int, rounds: int) -> None:
    topic = system.topics.internal
    plain = PlainSender(address, topic, f"{system}.Mill.Speed".encode())
    ready = _ready_records(records)
    with _client(address, system) as client:

        def send_by_client(number: int) -> None:
            for index in range(number):
                client.produce("speed", _result(index))
            client.flush(_FLUSH_S)

        senders: dict[str, Send] = {
            "plain, bytes ready": lambda number: plain.send_ready(ready[:number]),
            "plain, bytes made": plain.send_made,
            "client": send_by_client,
        }
        turns = _take_turns(senders, records, rounds)
    found = waiting_records(address, topic)
    expected = len(senders) * (rounds * records + min(_WARM_UP, records))
    if found != expected:
        raise SystemExit(f"{found:,} records are in {topic}, {expected:,} were acknowledged")
    _print_table(turns, "plain, bytes ready")


if __name__ == "__main__":
    main()
