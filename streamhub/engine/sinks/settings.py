"""Settings that every sink has, and their form for librdkafka.

What lives here: where a sink reads and as whom. What does not: where it writes to, and the names of its
settings in the environment (the sinks); addresses and certificates of Kafka (`client.messaging.security`).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from client.messaging.security import KafkaSecurity


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a copy is run from the outside.

    Attributes:
        is_replay: Whether to read everything there is once and end, instead of going on as a group.
        progress_file: Where to write progress each second.
        metrics_port: Port of the Prometheus page on the loopback address; 0 for none.
    """

    is_replay: bool = False
    progress_file: Path | None = None
    metrics_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """How one copy of a sink reads.

    Attributes:
        bootstrap_servers: Kafka addresses, `host:port[,host:port...]`.
        topics: Names of topics, or patterns that begin with `^`.
        group: Consumer group; copies with the same one share the partitions.
        security: How to reach Kafka.
        copy: Number of this copy, from 0: after a crash it has its partitions back at once; None when copies
            come and go without numbers.
    """

    bootstrap_servers: str
    topics: tuple[str, ...]
    group: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    copy: int | None = None

    @property
    def name(self) -> str:
        """Name of this copy, in Kafka's log and in headers of dead letters."""
        return self.group if self.copy is None else f"{self.group}-{self.copy}"

    def reads(self, topic: str) -> bool:
        """Tell whether a topic is among those to be read."""
        return any(
            re.search(name, topic) is not None if name.startswith("^") else name == topic
            for name in self.topics
        )


def common_settings(settings: SinkSettings) -> dict[str, str | int | float | bool]:
    """Settings that all Kafka clients of a sink share."""
    return {
        **settings.security.to_librdkafka(),
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.name,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
    }


def consumer_settings(settings: SinkSettings) -> dict[str, str | int | float | bool]:
    """Settings of the consumer: committed records only, offsets only when told, a deep queue.

    Source: librdkafka CONFIGURATION.md; figures measured for the engine of the stream apps.
    """
    member: dict[str, str | int | float | bool] = (
        {} if settings.copy is None else {"group.instance.id": settings.name}
    )
    return {
        **common_settings(settings),
        **member,
        "group.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        # What the topics still hold belongs into the sink.
        "auto.offset.reset": "earliest",
        # The end of a partition is the only sign that what is left are transaction markers.
        "enable.partition.eof": True,
        # By range, the first copy would get the first partition of every topic.
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,
        "max.poll.interval.ms": 300_000,
        # New systems are found within seconds.
        "topic.metadata.refresh.interval.ms": 2_000,
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 65_536,
        "fetch.message.max.bytes": 4_194_304,
    }


def producer_settings(settings: SinkSettings) -> dict[str, str | int | float | bool]:
    """Settings of the producer of dead letters: each is kept until Kafka has it.

    Source: librdkafka CONFIGURATION.md.
    """
    return {
        **common_settings(settings),
        "enable.idempotence": True,
        "message.timeout.ms": 0,
        "linger.ms": 5,
        "delivery.report.only.error": True,
        "partitioner": "murmur2_random",
    }
