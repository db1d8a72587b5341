"""The topics and records of the benchmark: made once, read by every program, counted afterwards."""

import time
import uuid
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

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


def create_topic(bootstrap_servers: str, topic: str) -> None:
    """Create a topic of one partition and wait until it can be used."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1)])[topic].result()
    while topic not in admin.list_topics(timeout=10).topics:
        time.sleep(0.1)


def delete_topics(bootstrap_servers: str, topics: list[str]) -> None:
    """Delete topics; their disk space is freed."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for future in admin.delete_topics(topics).values():
        future.result()


def preload(bootstrap_servers: str, topic: str, records: int) -> None:
    """Fill the source as clients do: keys by Datastream, JSON values, the two headers of a record."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
        }
    )
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    base = uuid.uuid4().hex[:24]
    keys = [f"{SOURCE_SYSTEM}.{thing}.Air Temperature".encode() for thing in THINGS]
    for number in range(records):
        headers: list[tuple[str, str | bytes | None]] = [
            ("dt-id", f"{base}{number:012d}".encode()),
            ("traceparent", trace),
        ]
        value = _TEMPLATE % (number % RESULTS, number)
        while True:
            try:
                producer.produce(topic, value, keys[number % len(keys)], 0, headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def read_output(bootstrap_servers: str, topic: str) -> tuple[int, float]:
    """Count the committed records of an output topic and the time between the first and the last.

    Returns: number of records; span of their creation times [s].
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"count-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    count, first, last, at_end = 0, 0, 0, False
    while not at_end:
        for message in consumer.consume(10_000, 0.5):
            if message.error() is not None:
                at_end = True
                continue
            stamp = message.timestamp()[1]
            first = first or stamp
            last = stamp
            count += 1
    consumer.close()
    return count, (last - first) / 1000
