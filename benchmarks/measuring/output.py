"""What a program wrote: counted, hashed regardless of order, and timed by the stamps of its records."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from confluent_kafka import Message

from benchmarks.measuring.topics import read_committed

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Output:
    """A committed output.

    Attributes:
        count: Number of records.
        span_s: Time between the first and the last record [s].
        digest: Hash of what `identify` told of every record, whatever their order; of this process only.
    """

    count: int
    span_s: float
    digest: int


def read_output(bootstrap_servers: str, topic: str, identify: Callable[[Message], Hashable]) -> Output:
    """Read an output topic to its end.

    Args:
        bootstrap_servers: The broker.
        topic: What was written.
        identify: What has to be equal in the outputs of two programs.
    """
    count, first, last, digest = 0, 0, 0, 0
    for message in read_committed(bootstrap_servers, topic):
        stamp = message.timestamp()[1]
        first = min(first, stamp) if first else stamp
        last = max(last, stamp)
        digest = (digest + hash(identify(message))) & _MASK
        count += 1
    return Output(count, (last - first) / 1000, digest)


def key_and_value(message: Message) -> Hashable:
    """For programs that forward: both unchanged."""
    return message.key(), message.value()
