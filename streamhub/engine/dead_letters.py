"""Dead letters: records that cannot be used, kept with the reason why, in the transaction of their source.

What lives here: writing one such record to the dead-letter topic of the topic that it came from. What does
not: finding out that a record cannot be used (`batch`, `streamhub.query`), creating the topic (`topics`).
"""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

from client.messaging.records import HEADER_ERROR, HEADER_ERROR_DETAIL, UNREADABLE_HEADERS, read_headers
from client.messaging.topics import dead_letter_topic
from streamhub.engine.counters import RecordCounts
from streamhub.engine.records import (
    KEPT_HEADERS,
    Headers,
    Record,
    Sender,
    added_headers,
    origin_header,
    when_there_is_room,
)
from streamhub.engine.settings import RECORD_OVERHEAD_BYTES

CODE_HEADERS_NOT_TEXT: Final = "record.headers_not_text"
_LONGEST_DETAIL: Final = 500
# The lengths that Kafka writes before the name and the text of a header.
_HEADER_OVERHEAD_BYTES: Final = 10
_NO_CONTRACTS: Final[Mapping[str, str | None]] = {}


class DeadLetters:
    """Writes records that cannot be used to the dead-letter topic of their source, and counts them.

    A dead letter never leaves the system that the record came from, whatever contract the app goes by. It is
    the record as it was, with `dt-error`, `dt-error-detail` and the headers of a forwarded record. One that
    is too large for its topic goes there without key and value: `dt-origin` says where the whole record is.
    """

    def __init__(
        self,
        producer: Producer,
        specification: Sender,
        max_dead_letter_bytes: int,
        contracts: Mapping[str, str | None] = _NO_CONTRACTS,
    ) -> None:
        """Prepare for one app.

        Args:
            producer: With an open transaction whenever a record is set aside.
            specification: Which app sets aside.
            max_dead_letter_bytes: Largest record that every dead-letter topic takes [bytes].
            contracts: The contract of each topic, where that is not the sender's.
        """
        self._producer = producer
        self._sender = specification
        self._contracts = contracts
        self._largest = max_dead_letter_bytes - RECORD_OVERHEAD_BYTES

    def set_aside(self, message: Record, code: str, detail: str, counts: RecordCounts) -> None:
        """Write a record to the dead-letter topic, in the same transaction.

        Args:
            message: What cannot be used.
            code: Stable reason, such as `record.not_json`.
            detail: The reason for people; only its beginning is kept.
            counts: Numbers of the open transaction.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        try:
            found = read_headers(message)
        except UNREADABLE_HEADERS:
            found = None
        kept = [header for header in found or () if header[0] in KEPT_HEADERS]
        self._send(message, [*kept, *self._own_headers(message)], (code, detail), counts)

    def set_aside_without_headers(self, message: Record, error: Exception, counts: RecordCounts) -> None:
        """Write a record whose headers cannot be read to the dead-letter topic.

        Args:
            message: What cannot be used; its headers are not asked for again.
            error: One of `UNREADABLE_HEADERS`, as it was raised.
            counts: Numbers of the open transaction.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        detail = f"the name of a header is not UTF-8: {error.__cause__ or error}"
        self._send(message, self._own_headers(message), (CODE_HEADERS_NOT_TEXT, detail), counts)

    def _send(self, message: Record, headers: Headers, reason: tuple[str, str], counts: RecordCounts) -> None:
        code, detail = reason
        headers = [
            *headers,
            (HEADER_ERROR, code),
            (HEADER_ERROR_DETAIL, detail[:_LONGEST_DETAIL].encode(errors="backslashreplace")),
        ]
        counts.dead_letters[code] += 1
        topic, key, value = dead_letter_topic(message.topic()), message.key(), message.value()
        produce = self._producer.produce
        if _size(key, value, headers) <= self._largest:
            try:
                when_there_is_room(self._producer, lambda: produce(topic, value, key, headers=headers))
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
            else:
                return
        own = [header for header in headers if header[0] not in KEPT_HEADERS]
        when_there_is_room(self._producer, lambda: produce(topic, headers=own))

    def _own_headers(self, message: Record) -> Headers:
        contract = self._contracts.get(message.topic(), self._sender.contract)
        return [*added_headers(self._sender.app_id, contract), origin_header(message)]


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes of a record, with room for the lengths that Kafka writes before each header."""
    texts = sum(len(name) + len(text or "") + _HEADER_OVERHEAD_BYTES for name, text in headers)
    return len(key or b"") + len(value or b"") + texts
