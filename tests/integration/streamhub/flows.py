"""What the tests of stream apps share: two systems with topics, numbered records in, verified records out."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from client.messaging.records import ReceivedRecord, new_record_id
from client.messaging.topics import SystemName
from streamhub.engine.batch import Headers
from streamhub.specification import StreamAppSpecification
from tests.kafka_clients import connection

STATEMENT = "SELECT * FROM * WHERE result < 4;"
THINGS = ("Seattle", "SanFrancisco", "Reykjavik")
# Results count through 0..15, so a quarter of the records matches the statement.
RESULTS = 16
T = TypeVar("T")


def matching(numbers: Iterable[int]) -> list[int]:
    """Which of the numbered records match the statement."""
    return [number for number in numbers if number % RESULTS < 4]


def eventually(ask: Callable[[], T | None], timeout_s: float = 90.0, what: str = "it") -> T:
    """Ask until there is an answer that is not None or False."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.05)


class Flow:
    """A source and a target system on a real broker, and an app between them."""

    def __init__(self, bootstrap: str, source: str, target: str, partitions: int = 1) -> None:
        self.bootstrap = bootstrap
        self.source = SystemName.parse(source)
        self.target = SystemName.parse(target)
        self._admin = AdminClient(connection(bootstrap))
        self.create(self.source.topics.internal, partitions)
        self.create(self.target.topics.external, partitions)
        self._producer = Producer(
            {**connection(bootstrap), "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        )

    def create(self, topic: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
        self._admin.create_topics([NewTopic(topic, partitions, config=config or {})])[topic].result(
            timeout=30
        )
        eventually(lambda: topic in self._admin.list_topics(timeout=30).topics, what=f"topic {topic}")

    def delete(self, *topics: str) -> None:
        """Delete topics, so that the next example may use their names."""
        for future in self._admin.delete_topics(list(topics)).values():
            future.result(timeout=30)
        eventually(lambda: not {*topics} & {*self._admin.list_topics(timeout=30).topics}, what="deletion")

    def limit(self, topic: str, max_bytes: int) -> None:
        """Let a topic take smaller records only [bytes]."""
        entry = ConfigEntry("max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self._admin.incremental_alter_configs([resource])[resource].result(timeout=30)

    def specification(self, **changes: object) -> StreamAppSpecification:
        fields: dict[str, object] = {
            "name": "app1",
            "source_system": str(self.source),
            "target_system": str(self.target),
            "statement": STATEMENT,
            "bootstrap_servers": self.bootstrap,
        }
        return StreamAppSpecification(**(fields | changes))  # type: ignore[arg-type]

    def produce(self, numbers: Iterable[int], rate: float | None = None) -> None:
        """Produce numbered records; `rate` limits them [records/s]."""
        started = time.monotonic()
        for count, number in enumerate(numbers, 1):
            value = {"result": number % RESULTS, "number": number, "Datastream": {"@iot.id": 7}}
            self.send(self.key(number), json.dumps(value).encode(), [("dt-id", new_record_id().encode())])
            if rate is not None and count % 100 == 0:
                time.sleep(max(0.0, started + count / rate - time.monotonic()))
        assert self._producer.flush(180) == 0

    def key(self, number: int) -> bytes:
        return f"{self.source}.{THINGS[number % len(THINGS)]}.Air Temperature".encode()

    def send(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
    ) -> None:
        while True:
            try:
                self._producer.produce(self.source.topics.internal, value, key, headers=headers or [])
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def flush(self) -> None:
        assert self._producer.flush(180) == 0

    def read(self, topic: str) -> list[ReceivedRecord]:
        """Read all committed records of a topic, partition by partition.

        A commit is told before its markers are in the topic: records are waited for that are there and belong
        to a transaction which has not ended yet. That of a killed app ends when Kafka gives it up.
        """
        consumer = Consumer(
            {
                **connection(self.bootstrap),
                "group.id": f"verifier-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found: list[ReceivedRecord] = []
        ends: dict[int, int] = {}
        ended: set[int] = set()
        deadline = time.monotonic() + 120
        while len(ended) < len(partitions):
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for message in consumer.consume(10_000, 0.2):
                error = message.error()
                if error is None:
                    found.append(_received(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    partition = message.partition() or 0
                    end = ends.setdefault(partition, _end(consumer, topic, partition))
                    if (message.offset() or 0) >= end:
                        ended.add(partition)
                else:
                    raise KafkaException(error)
        consumer.close()
        return found

    def received(self) -> list[ReceivedRecord]:
        return self.read(self.target.topics.external)

    def received_numbers(self) -> list[int]:
        return [number_of(record) for record in self.received()]

    def dead_letters(self) -> list[ReceivedRecord]:
        return self.read(self.source.topics.dead_letters)


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    """Give the end of a partition with all that is not committed yet, as the last answer told it."""
    known = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
    assert known is not None
    return known[1]


def _received(message: Message) -> ReceivedRecord:
    headers = message.headers() or []
    assert isinstance(headers, list)
    return ReceivedRecord(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.key(),
        message.value(),
        tuple((name, value.encode() if isinstance(value, str) else value) for name, value in headers),
    )


def number_of(record: ReceivedRecord) -> int:
    number = json.loads(record.value or b"")["number"]
    assert isinstance(number, int)
    return number


def headers_of(record: ReceivedRecord) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in record.headers}


class AppProcess:
    """The real command line, `python -m streamhub app run`, in a process of its own."""

    def __init__(
        self, flow: Flow, folder: Path, *more: str, name: str = "app1", statement: str = STATEMENT
    ) -> None:
        self.progress_file = folder / f"{name}-progress.json"
        self.progress_file.unlink(missing_ok=True)
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamhub", "app", "run", "--stream-name", name),
                    *("--source-system", str(flow.source), "--target-system", str(flow.target)),
                    *("--filter-logic", statement, "--bootstrap-server", flow.bootstrap),
                    *("--progress-file", str(self.progress_file), *more),
                ],
                stdout=log,
                stderr=log,
            )

    def progress(self) -> dict[str, object]:
        if not self.progress_file.exists():
            return {}
        document: dict[str, object] = json.loads(self.progress_file.read_text())
        return document

    def wait_consumed(self, number: int, timeout_s: float = 90.0) -> None:
        def is_done() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            consumed = self.progress().get("consumed", 0)
            return isinstance(consumed, int) and consumed >= number

        try:
            eventually(is_done, timeout_s, f"consuming {number} records")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.progress()}\n{self.log.read_text()[-2000:]}") from error

    def end(self, signal_number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(60)
