"""Settings of the engine's Kafka clients: the figures that decide speed and safety.

What lives here: librdkafka settings dictionaries. What does not: addresses and certificates of a
deployment (`streamhub.specification`, `client.messaging.security`).
"""

from dataclasses import dataclass
from typing import Final

from client.messaging.security import KafkaSecurity
from streamhub.specification import StreamAppSpecification

SESSION_TIMEOUT_MS: Final = 6_000
HEARTBEAT_INTERVAL_MS: Final = 1_000
# Bounds how long readers of the target wait for the transaction of a copy that died for good.
TRANSACTION_TIMEOUT_MS: Final = 10_000
# What Kafka adds to a record at most inside a batch (batch header 61, record header and varints).
RECORD_OVERHEAD_BYTES: Final = 256
DEFAULT_MAX_RECORD_BYTES: Final = 1_048_588
# librdkafka refuses smaller values.
_SMALLEST_MAX_BYTES: Final = 1_000
_FASTEST_BATCH_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """How one copy of a stream app runs.

    Attributes:
        specification: What the app does.
        security: How to reach Kafka.
        copy: Number of this copy among those running the same app, from 0; each number may run once.
        batch_records: Most records taken in one turn.
        idle_wait_s: Longest wait for the first record of a turn [s].
        stop_grace_s: Longest time to finish the open transaction when asked to stop [s].
        measure_interval_s: Time between two measurements of the lag [s].
    """

    specification: StreamAppSpecification
    security: KafkaSecurity
    copy: int = 0
    batch_records: int = 5_000
    idle_wait_s: float = 0.2
    stop_grace_s: float = 10.0
    measure_interval_s: float = 1.0

    @property
    def instance_id(self) -> str:
        """Stable name of this copy: transactional id and static group member.

        Names of apps hold no dot, so the ids of one app never begin like those of another.
        """
        return f"{self.specification.app_id}.{self.copy}"


def common_settings(settings: LaneSettings) -> dict[str, str | int | float | bool]:
    """Settings that consumer, producer and admin client share."""
    return {
        **settings.security.to_librdkafka(),
        "bootstrap.servers": settings.specification.bootstrap_servers,
        "client.id": settings.instance_id,
        # A broker that comes back is found again within a second, not ten.
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
    }


def observer_settings(settings: LaneSettings) -> dict[str, str | int | float | bool]:
    """Settings of the admin client that measures the lag.

    Source: librdkafka CONFIGURATION.md.
    """
    return {
        **common_settings(settings),
        # A broker that comes back has a new leader epoch, and refuses the old one (FENCED_LEADER_EPOCH) until
        # it is looked up again: by default up to 15 min without a lag, and so without a watch for stalls.
        "metadata.max.age.ms": 10_000,
        "topic.metadata.refresh.interval.ms": 5_000,
    }


def consumer_settings(settings: LaneSettings) -> dict[str, str | int | float | bool]:
    """Settings of the consumer: read committed, offsets only through transactions, a deep prefetch queue.

    Source: librdkafka CONFIGURATION.md; figures measured for this engine.
    """
    return {
        **common_settings(settings),
        "group.id": settings.specification.app_id,
        # A copy that returns after a crash gets its partitions back at once instead of after the session.
        "group.instance.id": settings.instance_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        # A new app begins with what the topic still holds: nothing is missed between creation and start.
        "auto.offset.reset": "earliest",
        # The end of a partition is the only sign that what is left are transaction markers.
        "enable.partition.eof": True,
        "partition.assignment.strategy": "range",
        "session.timeout.ms": SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
        "max.poll.interval.ms": 300_000,
        # The default of 1000 ms starves a fast consumer by a factor of nine.
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 65_536,
        "fetch.message.max.bytes": 4_194_304,
    }


def restoring_settings(settings: LaneSettings) -> dict[str, str | int | float | bool]:
    """Settings of the consumer that reads back what an app remembers, committed records only."""
    return {
        **common_settings(settings),
        # Never used: partitions are assigned by hand and no offset is committed.
        "group.id": settings.specification.app_id,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 50,
    }


def producer_settings(
    settings: LaneSettings, max_record_bytes: int, max_dead_letter_bytes: int
) -> dict[str, str | int | float | bool]:
    """Settings of the transactional producer.

    Args:
        settings: How this copy runs.
        max_record_bytes: Largest record that the target takes [bytes].
        max_dead_letter_bytes: Largest record that the dead-letter topic takes [bytes].

    Source: librdkafka CONFIGURATION.md; figures measured for this engine.
    """
    largest = max(max_record_bytes - RECORD_OVERHEAD_BYTES, _SMALLEST_MAX_BYTES)
    largest_letter = max(max_dead_letter_bytes - RECORD_OVERHEAD_BYTES, _SMALLEST_MAX_BYTES)
    return {
        **common_settings(settings),
        "transactional.id": settings.instance_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "enable.idempotence": True,
        "acks": "all",
        # Nobody sees a record before its transaction is committed, and committing sends what is left: until
        # then there is no hurry, and large batches spare the broker half of its work.
        "linger.ms": int(settings.specification.commit_interval_s * 1_000),
        # Of a transaction it only matters whether all of it arrived; that is what committing tells.
        "delivery.report.only.error": True,
        "message.max.bytes": largest,
        # Both topics are written by this one producer; a larger record of the target travels alone.
        "batch.size": min(_FASTEST_BATCH_BYTES, largest, largest_letter),
        "batch.num.messages": 100_000,
        "queue.buffering.max.messages": 1_000_000,
        # As Java clients hash, for records that are not placed by Thing.
        "partitioner": "murmur2_random",
    }
