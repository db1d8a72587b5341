"""What the client needs from a message broker, as protocols.

What lives here: the ports. What does not: their implementations (`broker`, `producer`, `consumer` for Kafka;
`client.testing` in memory).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from client.messaging.delivery import DeliveryBook, DeliveryHandle
from client.messaging.records import ReceivedRecord

Headers: TypeAlias = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class ConnectionListener:
    """Whom to tell that the broker went away and came back; called by the producer's thread: do not block."""

    disconnected: Callable[[], None]
    reconnected: Callable[[], None]


class Producer(Protocol):
    """Sends records; thread-safe."""

    @property
    def book(self) -> DeliveryBook:
        """How many records were delivered and how many failed."""
        ...

    def produce(
        self, topic: str, key: bytes, value: bytes, headers: Headers, *, wait_s: float | None = None
    ) -> DeliveryHandle:
        """Hand over a record and return at once; `wait_s` bounds the wait for room in a full queue [s].

        Raises:
            QueueFullError: when there was no room; the record was not taken.
            DeliveryError: when the record can never be sent.
        """
        ...

    def produce_aside(self, topic: str, key: bytes, value: bytes, headers: Headers) -> bool:
        """Hand over a record whose loss is bearable (log lines): never waits nor fails; False if dropped."""
        ...

    def reopen(self, timeout_s: float) -> bool:
        """Connect anew, with what the certificate files hold now; no record is lost, doubled or overtaken.

        Args:
            timeout_s: How long new records may wait for those that are on their way [s].

        Returns:
            False when these were not delivered in time: the old connections stay, try again later.
        """
        ...

    def flush(self, timeout_s: float) -> None:
        """Wait until every record is delivered.

        Raises:
            DeliveryError: listing what failed since the last flush and what is still open.
        """
        ...

    def close(self, timeout_s: float) -> None:
        """Flush and stop; raises like flush, but stops in any case."""
        ...


class Consumer(Protocol):
    """Reads records of a consumer group; used by one thread at a time."""

    def receive(self, max_records: int, timeout_s: float) -> list[ReceivedRecord]:
        """Return what is there, waiting for a first record at most `timeout_s` [s].

        Raises:
            MessagingError: when reading cannot go on.
        """
        ...

    def commit(self, *, wait: bool) -> None:
        """Commit everything received so far."""
        ...

    def reopen(self) -> None:
        """Connect anew before the next `receive`, with what the certificate files hold then; any thread."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class Broker(Protocol):
    """Where records go: makes producers and consumers."""

    def partition_counts(self, topics: Sequence[str], timeout_s: float) -> Mapping[str, int]:
        """Look topics up.

        Raises:
            BrokerUnavailableError: no answer within the time.
            TopicNotFoundError: a topic is missing.
            NotAuthorizedError: this principal may not see a topic.
        """
        ...

    def producer(self, client_id: str, listener: ConnectionListener | None = None) -> Producer:
        """Make a producer."""
        ...

    def consumer(self, client_id: str, group_id: str, topics: Sequence[str], start: str) -> Consumer:
        """Make a consumer; `start` (earliest, latest) counts where the group has committed nothing."""
        ...
