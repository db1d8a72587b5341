"""Topics of a benchmark: made, filled fast, read to their end, deleted."""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from client.messaging.security import KafkaSecurity

Headers = list[tuple[str, str | bytes | None]]
SourceRecord = tuple[int, int, bytes, bytes, Headers]  # which topic, partition, key, value, headers
_READ_TIMEOUT_S: Final = 300.0


def create_topic(
    bootstrap_servers: str, topic: str, partitions: int = 1, *, stamped_by_broker: bool = False
) -> None:
    """Create a topic and wait until it can be used.

    Args:
        bootstrap_servers: The broker.
        topic: Its name.
        partitions: Its partitions.
        stamped_by_broker: Records bear the time of their arrival, whatever the producer says.
    """
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            **KafkaSecurity.from_environment().to_librdkafka(),
            "log_level": 4,
        }
    )
    config = {"message.timestamp.type": "LogAppendTime"} if stamped_by_broker else {}
    admin.create_topics([NewTopic(topic, partitions, config=config)])[topic].result()
    while topic not in admin.list_topics(timeout=10).topics:
        time.sleep(0.1)


def delete_topics(bootstrap_servers: str, topics: Sequence[str]) -> None:
    """Delete those of the topics that exist; their disk space is freed."""
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            **KafkaSecurity.from_environment().to_librdkafka(),
            "log_level": 4,
        }
    )
    present = admin.list_topics(timeout=10).topics
    found = [topic for topic in topics if topic in present]
    if found:
        for future in admin.delete_topics(found).values():
            future.result()


def fill(bootstrap_servers: str, topics: Sequence[str], records: Iterable[SourceRecord]) -> int:
    """Produce records as fast as a client can; returns how many."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            **KafkaSecurity.from_environment().to_librdkafka(),
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
        }
    )
    count = 0
    for which, partition, key, value, headers in records:
        while True:
            try:
                producer.produce(topics[which], value, key, partition, headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    producer.flush()
    return count


def read_committed(bootstrap_servers: str, topic: str) -> Iterator[Message]:
    """Read the committed records of a topic, each partition in its order.

    A commit is told before its markers are in the topic: records that are there when the end comes near, and
    belong to a transaction which has not ended yet, are waited for.

    Raises:
        SystemExit: its end is not reached in 300 s.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            **KafkaSecurity.from_environment().to_librdkafka(),
            "group.id": f"reader-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
        }
    )
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    ends: dict[int, int] = {}
    ended: set[int] = set()
    deadline = time.monotonic() + _READ_TIMEOUT_S
    try:
        while len(ended) < len(partitions):
            if time.monotonic() > deadline:
                raise SystemExit(f"{topic} could not be read to its end: an open transaction?")
            for message in consumer.consume(10_000, 0.5):
                partition = message.partition() or 0
                if message.error() is None:
                    yield message
                elif (message.offset() or 0) >= ends.setdefault(partition, _end(consumer, topic, partition)):
                    ended.add(partition)
    finally:
        consumer.close()


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    """Give the end of a partition with all that is not committed yet, as the last answer told it."""
    return consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)[1]


def waiting_records(bootstrap_servers: str, topic: str) -> int:
    """How many offsets a topic has in all its partitions."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            **KafkaSecurity.from_environment().to_librdkafka(),
            "group.id": f"reader-{uuid.uuid4().hex}",
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        marks = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions]
        return sum(high - low for low, high in marks)
    finally:
        consumer.close()
