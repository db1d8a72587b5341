"""A running demo as the acceptance tests see it: its addresses, and what its topics hold."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from client.messaging.security import KafkaSecurity
from setup.local.paths import Home
from setup.local.trust import LocalTrust


@dataclass(frozen=True)
class Demo:
    platform: str
    kafka: str
    sensorthings: str
    home: Path
    elasticsearch: str = ""
    introduction: str = ""

    def security(self, service: str = "operator") -> KafkaSecurity:
        """Return how one of the services reaches the broker; the operator may do everything."""
        trust = LocalTrust(self.home / "pki", Home(self.home).pki_passphrase_file)
        return KafkaSecurity.from_environment(trust.files(service).environment())


def wait_for(holds: Callable[[], bool], timeout_s: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"did not happen within {timeout_s} s"
        time.sleep(0.3)


def end_offsets(demo: Demo, topic: str) -> list[int]:
    return [high for _, high in _bounds(demo, topic)]


def _bounds(demo: Demo, topic: str) -> list[tuple[int, int]]:
    reader = _consumer(demo)
    try:
        partitions = reader.list_topics(topic, timeout=30).topics[topic].partitions
        return [
            reader.get_watermark_offsets(TopicPartition(topic, number), timeout=30) for number in partitions
        ]
    finally:
        reader.close()


def _consumer(demo: Demo) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": demo.kafka,
            **demo.security().to_librdkafka(),
            "group.id": "walkthrough-verifier",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


def read(demo: Demo, topic: str) -> list[tuple[str, str, dict[str, object], dict[str, str]]]:
    """Return all committed records of a topic: position, key, value, headers."""
    reader = _consumer(demo)
    partitions = reader.list_topics(topic, timeout=30).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, 0) for number in partitions])
    records, ended = [], set[int]()
    try:
        while len(ended) < len(partitions):
            message = reader.poll(30)
            assert message is not None, f"{topic} could not be read to its end"
            if error := message.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                ended.add(message.partition() or 0)  # told again whenever more has come and was read
                continue
            headers = {
                name: value.decode()
                for name, value in dict(message.headers() or []).items()
                if isinstance(value, bytes)
            }
            position = f"{topic}/{message.partition()}/{message.offset()}"
            name = (message.key() or b"").decode()
            records.append((position, name, json.loads(message.value() or b"{}"), headers))
    finally:
        reader.close()
    return records
