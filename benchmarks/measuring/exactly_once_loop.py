"""The reference's skeleton: a plain confluent-kafka loop that consumes, works and commits in transactions.

What lives here: settings as fast as we know, batches, commits on time, rebalances, the end. What does not:
the work on a batch. It ends at the end of its partitions, or on SIGTERM, and prints what it has used.
"""

import json
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import Consumer, Message, Producer, TopicPartition

COMMIT_INTERVAL_S: Final = 0.1
BATCH: Final = 5_000

Work = Callable[[Sequence[Message]], None]


def consumer_settings(bootstrap: str, group: str) -> dict[str, str | int | float | bool]:
    """Settings of a fast, transactional consumer."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 1_000,
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 65_536,
        "fetch.message.max.bytes": 4_194_304,
    }


def producer_settings(bootstrap: str, transactional_id: str) -> dict[str, str | int | float | bool]:
    """Settings of a fast, transactional producer."""
    return {
        "bootstrap.servers": bootstrap,
        "transactional.id": transactional_id,
        "linger.ms": 5,
        "batch.size": 1_000_000,
        "batch.num.messages": 100_000,
        "queue.buffering.max.messages": 1_000_000,
    }


class ExactlyOnceLoop:
    """Consume a batch, work on it, commit output and offsets together when the interval is over.

    Args:
        bootstrap: Kafka addresses.
        group: Consumer group; with `copy` the transactional id.
        copy: Number of this process among those of the group.
        commit_interval_s: Time between two commits [s].
    """

    def __init__(
        self, bootstrap: str, group: str, *, copy: int = 0, commit_interval_s: float = COMMIT_INTERVAL_S
    ) -> None:
        self.producer = Producer(producer_settings(bootstrap, f"{group}-{copy}"))
        self._consumer = Consumer(consumer_settings(bootstrap, group))
        self._interval = commit_interval_s
        self._begun = 0.0
        self._ended: set[tuple[str | None, int | None]] = set()
        self._is_stopped = False

    def run(
        self,
        topics: Sequence[str],
        work: Work,
        *,
        until_end: bool = True,
        assigned: Sequence[TopicPartition] = (),
    ) -> None:
        """Work until the end of all partitions, or until SIGTERM.

        Args:
            topics: What to subscribe to.
            work: Called with every batch, inside a transaction.
            until_end: Whether the end of all assigned partitions ends it.
            assigned: Take these partitions instead, without a share in the group.
        """
        signal.signal(signal.SIGTERM, self._stop)
        self.producer.init_transactions()
        if assigned:
            self._consumer.assign(list(assigned))
        else:
            self._consumer.subscribe(list(topics), on_revoke=self._before_rebalance)
        started_cpu = time.process_time()
        while not self._is_stopped:
            left = self._begun + self._interval - time.monotonic() if self._begun else 0.05
            # The first record as soon as it comes, then what else is there: a full batch is not waited for.
            messages = self._consumer.consume(1, max(left, 0.0))
            if messages:
                messages += self._consumer.consume(BATCH - 1, 0)
                if any(map(Message.error, messages)):
                    messages = self._without_news(messages)
            if messages:
                if not self._begun:
                    self.producer.begin_transaction()
                    self._begun = time.monotonic()
                work(messages)
            is_at_end = until_end and bool(self._ended) and self._has_all_ends()
            if self._begun and (is_at_end or time.monotonic() - self._begun >= self._interval):
                self._commit()
            if is_at_end:
                break
        self._commit()
        used = time.process_time() - started_cpu
        self._consumer.close()
        print(json.dumps({"cpu_s": used, "start_cpu_s": started_cpu}), flush=True)

    def _stop(self, *_: object) -> None:
        self._is_stopped = True

    def _without_news(self, messages: Sequence[Message]) -> list[Message]:
        self._ended.update((m.topic(), m.partition()) for m in messages if m.error() is not None)
        return [message for message in messages if message.error() is None]

    def _has_all_ends(self) -> bool:
        assigned = {(place.topic, place.partition) for place in self._consumer.assignment()}
        return bool(assigned) and assigned <= self._ended

    def _before_rebalance(self, *_: object) -> None:
        self._commit()
        self._ended.clear()

    def _commit(self) -> None:
        if self._begun:
            self.producer.send_offsets_to_transaction(
                self._consumer.position(self._consumer.assignment()), self._consumer.consumer_group_metadata()
            )
            self.producer.commit_transaction()
            self._begun = 0.0


def send_batch(producer: Producer, topic: str, records: list[dict[str, object]], partition: int = -1) -> None:
    """Produce dictionaries with `produce_batch`, again those that found the queue full."""
    waiting = records
    while waiting:
        producer.produce_batch(topic, waiting, partition)
        waiting = [record for record in waiting if record.pop("_error", None) is not None]
        producer.poll(0.05 if waiting else 0)
