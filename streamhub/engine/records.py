"""What the engine reads of a record, and the headers that say where a record comes from.

What lives here: the shape of a consumed record, the headers that leave with a record, sending and
waiting for a full queue. What does not: deciding (`batch`), setting aside (`dead_letters`).

Headers: a record that leaves keeps `dt-id` and `traceparent` of its source and gets `dt-app`, `dt-contract`
and `dt-origin`; other headers stay inside the source system. A source record without `dt-id` gets none: an id
invented here would differ after a restart, so sinks recognise such a record by `dt-origin`, which is unique
and stable.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice, starmap
from typing import Any, Final, Protocol

from confluent_kafka import KafkaException, Producer

from client.messaging.records import (
    HEADER_APP,
    HEADER_CONTRACT,
    HEADER_ID,
    HEADER_ORIGIN,
    HEADER_TRACEPARENT,
)

KEPT_HEADERS: Final = frozenset({HEADER_ID, HEADER_TRACEPARENT})
_FULL_QUEUE_WAIT_S: Final = 0.05

Headers = list[tuple[str, str | bytes | None]]


class Record(Protocol):
    """What the engine reads of a record that was consumed: `confluent_kafka.Message` without an error."""

    def topic(self) -> str:
        """Topic of the source."""

    def key(self) -> bytes | None:
        """Key."""

    def value(self) -> bytes | None:
        """Value; None for a tombstone."""

    def headers(self) -> Headers | None:
        """Headers; None when there are none."""

    def partition(self) -> int:
        """Partition of the source."""

    def offset(self) -> int:
        """Offset in the partition."""


class TimedRecord(Record, Protocol):
    """A record that Kafka keeps a time for."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of the time, and the time [ms since 1970], not positive when there is none."""


class Sender(Protocol):
    """Who sends: a stream app's specification, or whatever else writes records on."""

    @property
    def app_id(self) -> str:
        """Name of it."""

    @property
    def contract(self) -> str | None:
        """Contract that permits the flow; None inside one company."""


def added_headers(app_id: str, contract: str | None) -> Headers:
    """Headers that the records of an app get, besides `dt-origin`.

    Args:
        app_id: The app.
        contract: The contract by which they leave; None when there is none.
    """
    added: Headers = [(HEADER_APP, app_id.encode())]
    if contract is not None:
        added.append((HEADER_CONTRACT, contract.encode()))
    return added


def origin_header(record: Record) -> tuple[str, str]:
    """`dt-origin` of a record: topic/partition/offset."""
    return HEADER_ORIGIN, f"{record.topic()}/{record.partition()}/{record.offset()}"


def when_there_is_room(producer: Producer, send: Callable[[], object]) -> None:
    """Send, as soon as the queue of the producer has room.

    Args:
        producer: Whose queue it is.
        send: Puts one record into the queue; raises BufferError when that is full.
    """
    while True:
        try:
            send()
        except BufferError:
            producer.poll(_FULL_QUEUE_WAIT_S)
        else:
            return


def send_all(
    producer: Producer, calls: Sequence[tuple[Any, ...]], refuse: Callable[[int, KafkaException], None]
) -> None:
    """Make many calls of `Producer.produce`, in order, and wait whenever the queue is full.

    Args:
        producer: With an open transaction.
        calls: The arguments of each call, by position.
        refuse: Told the number of a call that the producer refuses, and why; the next ones follow when it
            returns.
    """
    produce = producer.produce
    done: list[None] = []
    while len(done) < len(calls):
        try:
            # A loop in C over all calls; what raised is the one behind the last that was made.
            done.extend(starmap(produce, islice(calls, len(done), None)))
        except BufferError:
            when_there_is_room(producer, partial(produce, *calls[len(done)]))
            done.append(None)
        except KafkaException as error:
            refuse(len(done), error)
            done.append(None)
