"""One batch through the compiled statement: forward what matches, set aside what cannot be used.

What lives here: the loop that costs, once per record that leaves. What does not: transactions and offsets
(`transaction`), the turn of the lane (`lane`), the language (`streamhub.query`).

Headers: a forwarded record keeps `dt-id` and `traceparent` of its source and gets `dt-app`, `dt-contract` and
`dt-origin`; other headers stay inside the source system. A source record without `dt-id` gets none: an id
invented here would differ after a restart, so sinks recognise such a record by `dt-origin`, which is unique
and stable.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from client.errors import RecordFormatError
from client.messaging.records import (
    HEADER_APP,
    HEADER_CONTRACT,
    HEADER_ERROR,
    HEADER_ERROR_DETAIL,
    HEADER_ID,
    HEADER_ORIGIN,
    HEADER_TRACEPARENT,
    UNREADABLE_HEADERS,
    partition_for,
    read_headers,
)
from streamhub.engine.counters import RecordCounts
from streamhub.engine.settings import RECORD_OVERHEAD_BYTES
from streamhub.engine.topics import TopicFacts
from streamhub.specification import StreamAppSpecification

_log = logging.getLogger(__name__)

CODE_TOO_LARGE: Final = "record.too_large"
CODE_PROCESSING_FAILED: Final = "record.processing_failed"
CODE_HEADERS_NOT_TEXT: Final = "record.headers_not_text"
_KEPT_HEADERS: Final = frozenset({HEADER_ID, HEADER_TRACEPARENT})
_LONGEST_DETAIL: Final = 500
# A key costs about 200 bytes here; an app sees few Datastreams, an attacker may send many keys.
_MOST_CACHED_KEYS: Final = 50_000
_FULL_QUEUE_WAIT_S: Final = 0.05
# librdkafka: "let the partitioner choose".
_ANY_PARTITION: Final = -1

Headers = list[tuple[str, str | bytes | None]]


class Record(Protocol):
    """What the engine reads of a record that was consumed: `confluent_kafka.Message` without an error."""

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
    def projects(self) -> bool:
        """Whether values are rewritten."""

    def filter_batch(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Decision:
        """Decide about a batch."""

    def project(self, key: bytes | None, value: bytes | None) -> bytes:
        """Rewrite one value."""


class BatchForwarder:
    """Sends what matches to the target and what cannot be used to the dead-letter topic, in arrival order.

    It keeps true: every record given to `forward` is forwarded, set aside, or did not match; none is left out
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
        self._dead_letters = specification.dead_letter_topic
        self._largest_letter = topics.max_dead_letter_bytes - RECORD_OVERHEAD_BYTES
        self._partitions = _Partitions(topics.target_partitions)
        self._origins = _Origins(specification.source_topic)
        self._added: Headers = [(HEADER_APP, specification.app_id.encode())]
        if specification.contract is not None:
            self._added.append((HEADER_CONTRACT, specification.contract.encode()))

    def forward(self, messages: Sequence[Record], counts: RecordCounts) -> None:
        """Decide about a batch and send what leaves; `counts` grows.

        Args:
            messages: Records without errors, in arrival order.
            counts: Numbers of the open transaction.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        keys = [message.key() for message in messages]
        values = [message.value() for message in messages]
        counts.consumed += len(messages)
        try:
            decision = self._statement.filter_batch(keys, values)
        except Exception as error:  # noqa: BLE001 - the dead-letter decision: found again one by one below
            if len(messages) == 1:
                self._set_aside(messages[0], CODE_PROCESSING_FAILED, repr(error), counts)
                return
            counts.consumed -= len(messages)
            for message in messages:
                self.forward([message], counts)
            return
        counts.mismatches += decision.mismatches
        counts.missing += decision.missing
        if self._statement.projects:
            self._send_projected(messages, decision.accepted, counts)
        else:
            self._send(messages, keys, values, decision.accepted, counts)
        for index, code, detail in decision.rejected:
            self._set_aside(messages[index], code, detail, counts)

    def _send(
        self,
        messages: Sequence[Record],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        accepted: Sequence[int],
        counts: RecordCounts,
    ) -> None:
        # The hot loop: local names, one list per record, positional arguments.
        produce = self._producer.produce
        target = self._target
        partitions = self._partitions
        origins = self._origins
        added = self._added
        read = read_headers
        refused = 0
        for index in accepted:
            message = messages[index]
            key = keys[index]
            try:
                headers = read(message)
            except UNREADABLE_HEADERS as error:
                self._set_aside_without_headers(message, error, counts)
                refused += 1
                continue
            origin = (HEADER_ORIGIN, f"{origins[message.partition()]}{message.offset()}")
            if headers is None:
                sent = [*added, origin]
            elif len(headers) == 1 and headers[0][0] == HEADER_ID:  # what most records carry
                sent = [*headers, *added, origin]
            else:
                sent = [header for header in headers if header[0] in _KEPT_HEADERS]
                sent += added
                sent.append(origin)
            try:
                produce(target, values[index], key, partitions[key], None, None, 0, sent)
            except (BufferError, KafkaException) as error:
                refused += not self._send_again(message, values[index], sent, error, counts)
        counts.forwarded += len(accepted) - refused

    def _send_projected(
        self, messages: Sequence[Record], accepted: Sequence[int], counts: RecordCounts
    ) -> None:
        for index in accepted:
            message = messages[index]
            key = message.key()
            try:
                headers = self._headers(message)
            except UNREADABLE_HEADERS as error:
                self._set_aside_without_headers(message, error, counts)
                continue
            try:
                value = self._statement.project(key, message.value())
            except RecordFormatError as error:
                self._set_aside(message, error.code, error.detail, counts)
                continue
            except Exception as error:  # noqa: BLE001 - the dead-letter decision of one record
                self._set_aside(message, CODE_PROCESSING_FAILED, repr(error), counts)
                continue
            try:
                self._producer.produce(self._target, value, key, self._partitions[key], headers=headers)
            except (BufferError, KafkaException) as error:
                if not self._send_again(message, value, headers, error, counts):
                    continue
            counts.forwarded += 1

    def _send_again(
        self,
        message: Record,
        value: bytes | None,
        headers: Headers,
        error: BufferError | KafkaException,
        counts: RecordCounts,
    ) -> bool:
        """Wait for room in a full queue, or set aside what is too large; say whether the record was sent."""
        if isinstance(error, KafkaException):
            self._set_aside_if_too_large(message, error, counts)
            return False
        key = message.key()
        self._when_there_is_room(
            lambda: self._producer.produce(self._target, value, key, self._partitions[key], headers=headers)
        )
        return True

    def _set_aside_if_too_large(self, message: Record, error: KafkaException, counts: RecordCounts) -> None:
        if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
            raise error
        detail = f"the record does not fit into topic {self._target}: raise max.message.bytes there"
        self._set_aside(message, CODE_TOO_LARGE, detail, counts)

    def _set_aside(self, message: Record, code: str, detail: str, counts: RecordCounts) -> None:
        """Write a record that cannot be used to the dead-letter topic, in the same transaction."""
        try:
            headers = self._headers(message)
        except UNREADABLE_HEADERS:
            headers = self._own_headers(message)
        self._send_dead_letter(message, headers, (code, detail), counts)

    def _set_aside_without_headers(self, message: Record, error: Exception, counts: RecordCounts) -> None:
        detail = f"the name of a header is not UTF-8: {error.__cause__ or error}"
        self._send_dead_letter(message, self._own_headers(message), (CODE_HEADERS_NOT_TEXT, detail), counts)

    def _send_dead_letter(
        self, message: Record, headers: Headers, reason: tuple[str, str], counts: RecordCounts
    ) -> None:
        code, detail = reason
        headers = [
            *headers,
            (HEADER_ERROR, code),
            (HEADER_ERROR_DETAIL, detail[:_LONGEST_DETAIL].encode(errors="backslashreplace")),
        ]
        counts.dead_letters[code] += 1
        key, value = message.key(), message.value()
        if _size(key, value, headers) <= self._largest_letter:
            try:
                self._when_there_is_room(
                    lambda: self._producer.produce(self._dead_letters, value, key, headers=headers)
                )
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
            else:
                return
        # dt-origin still says where the whole record is.
        own = [header for header in headers if header[0] not in _KEPT_HEADERS]
        self._when_there_is_room(lambda: self._producer.produce(self._dead_letters, headers=own))

    def _when_there_is_room(self, send: Callable[[], None]) -> None:
        while True:
            try:
                send()
            except BufferError:
                self._producer.poll(_FULL_QUEUE_WAIT_S)
            else:
                return

    def _headers(self, message: Record) -> Headers:
        kept = [header for header in read_headers(message) or () if header[0] in _KEPT_HEADERS]
        return [*kept, *self._own_headers(message)]

    def _own_headers(self, message: Record) -> Headers:
        origin = f"{self._origins[message.partition()]}{message.offset()}"
        return [*self._added, (HEADER_ORIGIN, origin)]


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes of a record, with room for the lengths that Kafka writes before each header."""
    return (
        len(key or b"") + len(value or b"") + sum(len(name) + len(text or "") + 10 for name, text in headers)
    )


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
