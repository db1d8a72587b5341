"""Receiving records from Kafka in a consumer group.

What lives here: the Kafka implementation of the port `Consumer`. What does not: which records matter to a
client (`client.digital_twin_client`).

Offsets are committed only when the owner says so, for everything received so far: at least once. Records of
aborted transactions are never seen. A member that Kafka has cut off comes back as a new one, which gets what
was not committed again; it gives way only when another process takes its place again and again (`fencing`).
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer as LibraryConsumer
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from client.errors import MessagingError
from client.messaging.failures import (
    NOT_ALLOWED,
    TOPIC_MISSING,
    to_configuration_error,
    to_messaging_error,
)
from client.messaging.fencing import Fences, is_fatal, is_fence
from client.messaging.records import UNREADABLE_HEADERS, ReceivedRecord, read_headers

_log = logging.getLogger(__name__)

_SETTINGS: Final[dict[str, str | int]] = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "isolation.level": "read_committed",
    # An outage shorter than this needs no new start of the group, so nothing is read twice [ms]. It may be
    # long because a restarted client does not wait for it: see group.instance.id.
    "session.timeout.ms": 60_000,
    # A client may do something else between two calls of consume() for up to a quarter of an hour [ms].
    "max.poll.interval.ms": 900_000,
    "fetch.queue.backoff.ms": 5,
    "queued.max.messages.kbytes": 65_536,
    "allow.auto.create.topics": "false",
}


class KafkaConsumer:
    """Reads topics as a member of a consumer group; see `client.messaging.ports.Consumer`."""

    def __init__(
        self,
        connection: Mapping[str, str | int],
        group_id: str,
        topics: Sequence[str],
        start: str,
        library_logger: logging.Logger,
    ) -> None:
        self._positions: dict[tuple[str, int], int] = {}
        self._pending_error: MessagingError | None = None
        self._fatal_error: MessagingError | None = None
        settings: dict[str, Any] = {
            **connection,
            **_SETTINGS,
            "group.id": group_id,
            # One member per client name: after a crash or an outage it has its partitions back at once, and a
            # second program under the same name is told so instead of silently taking half of the records.
            "group.instance.id": group_id,
            "auto.offset.reset": start,
        }
        self._settings, self._topics, self._library_logger = settings, list(topics), library_logger
        self._is_to_reopen = self._is_fenced = False
        self._fences = Fences()
        self._committing: list[TopicPartition] = []
        self._consumer = LibraryConsumer(settings, logger=library_logger)
        self._subscribe()

    def _subscribe(self) -> None:
        self._consumer.subscribe(self._topics, on_revoke=self._forget, on_lost=self._forget)

    def receive(self, max_records: int, timeout_s: float) -> list[ReceivedRecord]:
        """Return what is there; see the port."""
        self._raise_pending()
        if self._is_to_reopen:
            self._reopen()
        try:
            first = self._consumer.poll(timeout_s)
            rest = self._consumer.consume(max_records - 1, 0) if first is not None and max_records > 1 else []
        except KafkaException as error:
            raise to_messaging_error(error.args[0], topic=None, operation="Read") from error
        messages = [] if first is None else [first, *rest]
        records = [record for record in map(self._accept, messages) if record is not None]
        if self._is_fenced:
            self._come_back()
        if not records:
            self._raise_pending()
        return records

    def _raise_pending(self) -> None:
        if self._fatal_error is not None:
            raise self._fatal_error
        if self._pending_error is not None:
            error, self._pending_error = self._pending_error, None
            raise error

    def _accept(self, message: Message) -> ReceivedRecord | None:
        error = message.error()
        if error is not None:
            self._note(error, message.topic())
            return None
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is None or partition is None or offset is None:
            return None
        self._positions[topic, partition] = offset + 1
        return ReceivedRecord(
            topic, partition, offset, message.key(), message.value(), _headers_of(message, topic, offset)
        )

    def _note(self, error: KafkaError, topic: str | None) -> None:
        # Records of the same batch are handed out first; the error is raised by the next call, and by every
        # call when it is for good: librdkafka itself tells it only once.
        if is_fence(error) and not self._fences.note():
            _log.warning("%s; reading goes on as a new member, records may come again", error.str())
            self._is_fenced = True
        elif is_fatal(error):
            self._fatal_error = to_messaging_error(error, topic=None, operation="Read")
        elif error.code() in TOPIC_MISSING or error.code() in NOT_ALLOWED:
            self._pending_error = to_messaging_error(error, topic=topic, operation="Read")
        else:
            _log.info("reading goes on after: %s", error.str())

    def commit(self, *, wait: bool) -> None:
        """Commit everything received so far; see the port."""
        if not self._positions:
            return
        offsets = [TopicPartition(topic, partition, at) for (topic, partition), at in self._positions.items()]
        self._positions.clear()
        self._committing = offsets
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            # What is not committed is read again, so nothing is lost.
            _log.warning("offsets were not committed, records may come again: %s", error.args[0].str())

    def _forget(self, _consumer: LibraryConsumer, partitions: list[TopicPartition]) -> None:
        # Partitions go away inside receive(), before which the owner committed, or inside close(), before
        # which the owner decides: committing here would declare done what nobody has worked on.
        for lost in partitions:
            self._positions.pop((lost.topic, lost.partition), None)

    def reopen(self) -> None:
        """Connect anew before the next `receive`; see the port."""
        self._is_to_reopen = True

    def _reopen(self) -> None:
        """Let another library consumer take over; as the same static member it has the partitions at once."""
        if self._positions:
            return  # what was received is not done yet: the owner commits before it asks again
        fresh = self._fresh()
        offsets, self._committing = self._committing, []
        if offsets:
            try:
                # Committed without waiting before, and perhaps still on its way.
                self._consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                _log.warning("offsets were not committed, records may come again: %s", error.args[0].str())
        self._replace(fresh)

    def _come_back(self) -> None:
        """Let another library consumer take the place of one that was cut off, and commit nothing for it."""
        # What it has read cannot be committed any more, and comes again.
        self._positions.clear()
        self._committing = []
        self._replace(self._fresh())
        self._is_fenced = False

    def _fresh(self) -> LibraryConsumer:
        # Before the old one is closed: where the files are refused, that one stays.
        self._is_to_reopen = False
        try:
            return LibraryConsumer(self._settings, logger=self._library_logger)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def _replace(self, fresh: LibraryConsumer) -> None:
        self._consumer.close()
        self._consumer = fresh
        self._subscribe()

    def close(self) -> None:
        """Leave the group; see the port."""
        self._consumer.close()


def _headers_of(message: Message, topic: str, offset: int) -> tuple[tuple[str, bytes | None], ...]:
    try:
        headers = read_headers(message)
    except UNREADABLE_HEADERS as error:
        # The record itself is whole, and the others of its batch must not be lost for it.
        _log.warning("headers of %s offset %d are left out: %s", topic, offset, error.__cause__ or error)
        return ()
    return tuple(headers or ())
