"""The paced producer of numbered records: never ahead of the faults, patient with a broker that is away."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.exactly_once.numbered import Record, side_name
from client.messaging.records import new_record_id, partition_for

_STEP: Final = 100
_DELIVERY_S: Final = 600


class PacedProducer:
    """Produces in a thread of its own.

    Args:
        bootstrap: Kafka addresses.
        systems: One system, or one per side.
        partitions: Partitions of their topics.
        records: What to produce.
        rate: Records per second.
        limit: How many records may have been produced by now.
    """

    def __init__(
        self,
        bootstrap: str,
        systems: tuple[str, ...],
        partitions: int,
        records: Iterator[Record],
        *,
        rate: float,
        limit: Callable[[], int],
    ) -> None:
        self._systems = systems
        self._partitions = partitions
        self._records = records
        self._rate = rate
        self._limit = limit
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": _DELIVERY_S * 1000,
                "queue.buffering.max.messages": 1_000_000,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,
                "error_cb": lambda _error: None,
            }
        )
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self._stopping = threading.Event()
        self.count = 0
        self.failed = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_done(self) -> bool:
        """Whether every record is acknowledged (or the thread has failed: `check` tells)."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Give up."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def check(self) -> None:
        """Complain when a record was not acknowledged.

        Raises:
            SystemExit: one was not, so the run proves nothing.
        """
        if self.error is not None or self.failed:
            raise SystemExit(f"the producer failed: {self.failed} records refused, {self.error!r}")

    def _run(self) -> None:
        try:
            self._produce()
        except BaseException as error:
            self.error = error
            raise

    def _produce(self) -> None:
        due = time.monotonic()
        for record in self._records:
            if self.count % _STEP == 0:
                while self.count >= self._limit():
                    if self._stopping.wait(0.05):
                        return
                    self._producer.poll(0)
                due = max(due + _STEP / self._rate, time.monotonic() - 1.0)
                if self._stopping.wait(max(due - time.monotonic(), 0.0)):
                    return
                self._producer.poll(0)
            self._send(record)
            self.count += 1
        left = self._producer.flush(_DELIVERY_S)
        self.failed += left

    def _send(self, record: Record) -> None:
        system = self._systems[record.side % len(self._systems)]
        key = f"{system}.{record.thing}.{side_name(record.side)}".encode()
        partition = partition_for(key, self._partitions)
        while True:
            try:
                self._producer.produce(
                    f"{system}.int",
                    record.value,
                    key,
                    partition,
                    on_delivery=self._on_delivery,
                    headers=[("dt-id", new_record_id().encode())],
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failed += 1
