"""What a lane carries: the work on batches, behind one interface for filters, computed columns and joins.

What lives here: the interface and the defaults of work that remembers nothing. What does not: the work itself
(`batch`, `deriving`), when a batch is taken, sent and committed (`lane`).

A batch goes through two steps. `decide` is pure computation on what was read; it may run while the previous
transaction is still being committed. `send` hands the outcome to the producer, inside the transaction that
will also carry the positions. Work that remembers something between batches writes it down in `remember`,
inside that transaction too, and reads it back in `restore`: so after any crash outputs, positions and memory
are those of one and the same moment.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from streamhub.engine.counters import RecordCounts

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on in one partition.

    Attributes:
        offset: Next offset to read.
        note: What the work wants to know again when it goes on there; kept with the committed offset.
    """

    offset: int
    note: str = ""


@dataclass(slots=True)
class Batch:
    """What one turn has read.

    Attributes:
        messages: Records in the order of arrival, without errors.
        positions: Next offset to read of each partition whose records are among them, and of each partition
            whose end was reached.
        ended: Partitions of which everything has been read; empty when nobody needs to know.
        is_idle: Nothing came for a while, from any partition.
    """

    messages: Sequence[Message] = ()
    positions: Mapping[Partition, int] = field(default_factory=dict)
    ended: frozenset[Partition] = frozenset()
    is_idle: bool = False


class Work(ABC):
    """What is done to batches; the defaults are those of work without memory."""

    is_waiting: bool = False
    """Whether something is held back that a turn without new records may set free."""

    needs_ends: bool = False
    """Whether it matters which partitions have been read to their end."""

    crowded: frozenset[Partition] = frozenset()
    """Partitions of which so much is held back that no more should be read for now."""

    @abstractmethod
    def decide(self, batch: Batch) -> Any:  # noqa: ANN401 - only `send` of the same work knows what it is
        """Decide what becomes of a batch; the producer is not used.

        Returns: what `send` needs, or None when there is nothing to send and nothing to commit.
        """

    @abstractmethod
    def send(self, decided: Any, counts: RecordCounts) -> None:  # noqa: ANN401
        """Hand the outcome of a batch to the producer, whose transaction is open.

        Raises:
            KafkaException: the transaction cannot go on.
        """

    def places(self, positions: Mapping[Partition, int]) -> Mapping[Partition, Place]:
        """Say where to go on after a crash, given up to where was read: what is held back is read again."""
        return {partition: Place(offset) for partition, offset in positions.items()}

    def remember(self, counts: RecordCounts) -> None:  # noqa: B027 - without memory there is nothing to do
        """Write down what has to outlive a crash, as of all batches sent; the transaction is open."""

    def restore(self, places: Mapping[Partition, Place]) -> None:  # noqa: B027 - same
        """Forget everything, then read back what was remembered for these partitions.

        Raises:
            StreamAppError: what was remembered cannot be read.
        """
