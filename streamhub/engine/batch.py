"""One batch through the compiled statement: forward what matches, set aside what cannot be used.

What lives here: the loop that costs, once per record that leaves. What does not: transactions and offsets
(`transaction`), the turn of the lane (`lane`), the language (`streamhub.query`), dead letters
(`dead_letters`), what a record is and which headers it keeps (`records`).

How it works: `decide` looks at records and prepares the calls of the producer, so it may run while a
transaction is being committed; `send` makes these calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from client.errors import RecordFormatError
from client.messaging.records import (
    HEADER_ID,
    HEADER_ORIGIN,
    UNREADABLE_HEADERS,
    partition_for,
)
from streamhub.engine.counters import RecordCounts
from streamhub.engine.dead_letters import DeadLetters
from streamhub.engine.records import (
    KEPT_HEADERS,
    Headers,
    Record,
    TimedRecord,
    added_headers,
    origin_header,
    send_all,
)
from streamhub.engine.topics import TopicFacts
from streamhub.engine.windows import Windows
from streamhub.specification import StreamAppSpecification

__all__ = ["BatchForwarder", "Decided", "Decision", "Headers", "Record", "Statement"]

CODE_TOO_LARGE: Final = "record.too_large"
CODE_PROCESSING_FAILED: Final = "record.processing_failed"
# A key costs about 200 bytes here; an app sees few Datastreams, an attacker may send many keys.
_MOST_CACHED_KEYS: Final = 50_000
# librdkafka: "let the partitioner choose".
_ANY_PARTITION: Final = -1


class Decision(Protocol):
    """What a compiled statement says about one batch."""

    @property
    def accepted(self) -> Sequence[int]:
        """Indices of the records that match, ascending."""

    @property
    def rejected(self) -> Sequence[tuple[int, str, str]]:
        """Index, code and detail of the records that cannot be used, ascending."""

    @property
    def mismatches(self) -> int:
        """Comparisons that were false because of another type."""

    @property
    def missing(self) -> int:
        """Comparisons that were false because an attribute is missing."""


class Statement(Protocol):
    """The part of a compiled statement that the engine uses."""

    @property
    def needs_key(self) -> bool:
        """Whether keys are looked at; when not, `filter_batch` needs none."""

    @property
    def rewrites(self) -> bool:
        """Whether what leaves is not always the value itself."""

    def filter_batch(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Decision:
        """Decide about a batch."""

    def rewrite(self, key: bytes | None, value: bytes | None) -> bytes | None:
        """Give what leaves of one value."""


# Arguments of `Producer.produce`: topic, value, key, partition, two callbacks, timestamp, headers. A tuple is
# passed on as it is, while named arguments are gathered anew for each call.
_Call = tuple[str, bytes | None, bytes | None, int, None, None, int, Headers]


@dataclass(slots=True)
class Decided:
    """A batch that was decided about, ready to be sent.

    Attributes:
        calls: For each record that leaves, the arguments for the producer, in arrival order.
        leaving: The records that leave, as many as calls.
        refused: Records that cannot be used, with code and detail.
        unreadable: Records that match and whose headers cannot be read, with the error.
        mismatches: Comparisons that were false because of another type.
        missing: Comparisons that were false because an attribute is missing.
    """

    calls: list[_Call] = field(default_factory=list)
    leaving: list[Record] = field(default_factory=list)
    refused: list[tuple[Record, str, str]] = field(default_factory=list)
    unreadable: list[tuple[Record, Exception]] = field(default_factory=list)
    mismatches: int = 0
    missing: int = 0


class BatchForwarder:
    """Sends what matches to the target and what cannot be used to the dead-letter topic, in arrival order.

    It keeps true: every record given to it is forwarded, set aside, or did not match; none is left out
    without being counted. It does not begin or commit transactions.
    """

    def __init__(
        self,
        specification: StreamAppSpecification,
        statement: Statement,
        producer: Producer,
        topics: TopicFacts,
    ) -> None:
        self._statement = statement
        self._producer = producer
        self._target = specification.target_topic
        self._source = specification.source_topic
        self._windows = Windows(specification)
        self._dead_letters = DeadLetters(
            producer, specification, topics.max_dead_letter_bytes, specification.contracts_by_topic
        )
        self._partitions = _Partitions(topics.target_partitions)
        self._origins = _Origins(specification.source_topic)
        self._added = added_headers(specification.app_id, specification.contract_header)

    def forward(self, messages: Sequence[TimedRecord], counts: RecordCounts) -> None:
        """Decide about a batch and send what leaves.

        Args:
            messages: Records without errors, in arrival order.
            counts: Numbers of the open transaction; they grow, `consumed` too.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        self.send(self.decide(messages), counts)
        counts.consumed += len(messages)

    def decide(self, messages: Sequence[TimedRecord]) -> Decided:
        """Decide about a batch without sending anything; needs no open transaction.

        Args:
            messages: Records without errors, in arrival order.
        """
        decided = Decided()
        self._decide(self._windows.inside(self._source, messages), decided)
        return decided

    def send(self, decided: Decided, counts: RecordCounts) -> None:
        """Send what was decided, once.

        Args:
            decided: What `decide` gave.
            counts: Numbers of the open transaction; they grow, except `consumed`: that is the reader's.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        counts.mismatches += decided.mismatches
        counts.missing += decided.missing
        self._send(decided, counts)
        for message, error in decided.unreadable:
            self._dead_letters.set_aside_without_headers(message, error, counts)
        for message, code, detail in decided.refused:
            self._dead_letters.set_aside(message, code, detail, counts)

    def _decide(self, messages: Sequence[Record], decided: Decided) -> None:
        keys = [message.key() for message in messages] if self._statement.needs_key else ()
        values = [message.value() for message in messages]
        try:
            decision = self._statement.filter_batch(keys, values)
        except Exception as error:  # noqa: BLE001 - the dead-letter decision: found again one by one below
            if len(messages) == 1:
                decided.refused.append((messages[0], CODE_PROCESSING_FAILED, repr(error)))
                return
            for message in messages:
                self._decide([message], decided)
            return
        decided.mismatches += decision.mismatches
        decided.missing += decision.missing
        decided.refused += [(messages[index], code, detail) for index, code, detail in decision.rejected]
        leaving = [messages[index] for index in decision.accepted]
        if self._statement.rewrites:
            self._prepare_rewritten(leaving, decided)
        else:
            self._prepare(leaving, decided)

    def _prepare(self, leaving: list[Record], decided: Decided) -> None:
        kept = _take_headers(leaving, decided)
        # The hot loop: local names, and no step that the record does not need.
        target, partitions, origins, added = self._target, self._partitions, self._origins, self._added
        decided.leaving += leaving
        decided.calls += [
            (
                target,
                message.value(),
                (key := message.key()),
                partitions[key],
                None,
                None,
                0,
                [*headers, *added, (HEADER_ORIGIN, f"{origins[message.partition()]}{message.offset()}")],
            )
            for message, headers in zip(leaving, kept, strict=True)
        ]

    def _prepare_rewritten(self, leaving: list[Record], decided: Decided) -> None:
        for message, headers in zip(leaving, _take_headers(leaving, decided), strict=True):
            key = message.key()
            try:
                value = self._statement.rewrite(key, message.value())
            except RecordFormatError as error:
                decided.refused.append((message, error.code, error.detail))
                continue
            except Exception as error:  # noqa: BLE001 - the dead-letter decision of one record
                decided.refused.append((message, CODE_PROCESSING_FAILED, repr(error)))
                continue
            sent = [*headers, *self._added, origin_header(message)]
            decided.leaving.append(message)
            decided.calls.append((self._target, value, key, self._partitions[key], None, None, 0, sent))

    def _send(self, decided: Decided, counts: RecordCounts) -> None:
        refused = 0

        def refuse(number: int, error: KafkaException) -> None:
            nonlocal refused
            self._set_aside_if_too_large(decided.leaving[number], error, counts)
            refused += 1

        send_all(self._producer, decided.calls, refuse)
        counts.forwarded += len(decided.calls) - refused

    def _set_aside_if_too_large(self, message: Record, error: KafkaException, counts: RecordCounts) -> None:
        if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
            raise error
        detail = f"the record does not fit into topic {self._target}: raise max.message.bytes there"
        self._dead_letters.set_aside(message, CODE_TOO_LARGE, detail, counts)


def _take_headers(leaving: list[Record], decided: Decided) -> list[Headers]:
    """Read the headers to keep; a record whose headers cannot be read is taken out of `leaving`."""
    kept: list[Headers] = []
    if not leaving:
        return kept
    # The faster way of `client.messaging.records.read_headers`: `map` too looks for an exception that hides
    # behind a result. The records of a consumer are of one class.
    read = type(leaving[0]).headers
    while len(kept) < len(leaving):
        try:
            for headers in map(read, leaving[len(kept) :]):
                if headers is None:
                    kept.append([])
                elif len(headers) == 1 and headers[0][0] == HEADER_ID:  # what most records carry
                    kept.append(headers)
                else:
                    kept.append([header for header in headers if header[0] in KEPT_HEADERS])
        except UNREADABLE_HEADERS as error:
            decided.unreadable.append((leaving.pop(len(kept)), error))
    return kept


class _Partitions(dict[bytes | None, int]):
    """Partitions by key: asked for per record, but the answer differs per Thing only."""

    def __init__(self, partition_count: int) -> None:
        super().__init__({None: _ANY_PARTITION})
        self._partition_count = partition_count

    def __missing__(self, key: bytes | None) -> int:
        if key is None:
            return _ANY_PARTITION
        if len(self) >= _MOST_CACHED_KEYS:
            self.clear()
        partition = self[key] = partition_for(key, self._partition_count)
        return partition


class _Origins(dict[int, str]):
    """The part of `dt-origin` before the offset, by partition."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic = topic

    def __missing__(self, partition: int) -> str:
        text = self[partition] = f"{self._topic}/{partition}/"
        return text
