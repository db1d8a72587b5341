"""Sending entries about a system to its log topic, beside what its clients say there.

What lives here: which entry goes where, its record, and how far the log was sent. What does not: when
(``keeper``).

How it works: the table keeps the position of the last entry that was sent. A batch is read behind it, sent in
order, and acknowledged by Kafka before the position moves, in one transaction that holds the row; so another
process leaves it alone, and after a crash in between the batch is sent again. A record's `dt-id` is made of
the entry's hash, so that whoever deduplicates by it, as all our sinks do, has every entry once.
"""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.cimpl import Message
from sqlalchemy import select

from client.errors import InvalidNameError
from client.messaging.records import HEADER_ID, encode_json
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.metadata.times import format_time
from platform_ui.audit.models import AuditEntry, AuditReader
from platform_ui.audit.service import SIDES, UNSHARED
from platform_ui.db import Sessions, now
from platform_ui.errors import BrokerError

_log = logging.getLogger(__name__)

KEY: Final = b"platform"
READER: Final = "log"
BATCH: Final = 200
TIMEOUT_S: Final = 10.0
GRACE: Final = timedelta(seconds=5)
"""How long a topic may be missing that belongs to a system which was just made."""
_LEVELS: Final = 4


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record for a log topic.

    Attributes:
        topic: Where it goes.
        value: JSON in the form of the clients' log records.
        record_id: The `dt-id`: the same each time that it is sent.
        at: When the entry was made.
    """

    topic: str
    value: bytes
    record_id: str
    at: datetime


class TopicAwaitedError(BrokerError):
    """The topic of a record is not there, and may only be new; nothing was sent.

    Attributes:
        record: The first such record.
    """

    def __init__(self, record: LogRecord) -> None:
        super().__init__(f"The topic {record.topic} is not there (yet).")
        self.record = record


class LogSink(Protocol):
    """Takes records; blocks until they are safe."""

    def send(self, records: Sequence[LogRecord]) -> None:
        """Send records in their order; all are acknowledged when this returns.

        Raises:
            TopicAwaitedError: nothing was sent, because a topic may have to be waited for.
            BrokerError: at least one is not.
        """

    def close(self) -> None:
        """End the connection."""


def records_of(entry: AuditEntry) -> list[LogRecord]:
    """Return the records of an entry: one for each system that it is about."""
    return [_record(entry, SystemName.parse(name).topics.log) for name in systems_of(entry)]


def systems_of(entry: AuditEntry) -> list[str]:
    """Return the systems that an entry is about: that of its object, or both sides of a contract."""
    names = [".".join(entry.object_name.split(".")[:_LEVELS])]
    if entry.action.startswith("contract.") and entry.action not in UNSHARED:
        names += [str(entry.detail.get(side, "")) for side in SIDES]
    return [name for name in dict.fromkeys(names) if _is_system(name)]


def _is_system(name: str) -> bool:
    try:
        SystemName.parse(name)
    except InvalidNameError:
        return False
    return True


def _record(entry: AuditEntry, topic: str) -> LogRecord:
    what = entry.action.replace(".", " ").replace("_", " ")
    facts = {
        "action": entry.action,
        "object": entry.object_name,
        "actor": entry.user_email,
        "actor_kind": entry.actor_kind,
        "detail": entry.detail,
        "before": entry.before,
        "after": entry.after,
        "position": entry.position,
        "hash": entry.hash,
    }
    value = {
        "time": format_time(entry.at),
        "client": KEY.decode(),
        "type": "log",
        "level": "INFO",
        "logger": "audit",
        "message": f"{what}: {entry.object_name} (by {entry.user_email})",
        "audit": {name: fact for name, fact in facts.items() if fact not in (None, {})},
    }
    return LogRecord(topic, encode_json(value), _record_id(entry, topic), entry.at)


def _record_id(entry: AuditEntry, topic: str) -> str:
    """Make a UUIDv7 (RFC 9562, clause 5.7) of the entry's time, and of its hash and the topic."""
    milliseconds = int(entry.at.timestamp() * 1000)
    rest = hashlib.sha256(f"{entry.hash} {topic}".encode()).digest()[:10]
    number = bytearray(milliseconds.to_bytes(6, "big") + rest)
    number[6] = 0x70 | (number[6] & 0x0F)
    number[8] = 0x80 | (number[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(number)))


async def publish(sessions: Sessions, sink: LogSink, *, batch: int = BATCH) -> int:
    """Send the next entries.

    Args:
        sessions: the platform's database.
        sink: where records go.
        batch: how many entries at most.

    Returns:
        How many entries were read; fewer than the batch when there are no more for now.

    Raises:
        BrokerError: they could not be sent, and will be sent again.
    """
    async with sessions() as session, session.begin():
        reader = await session.scalar(
            select(AuditReader).where(AuditReader.name == READER).with_for_update(skip_locked=True)
        )
        if reader is None:
            return 0  # another process is at it
        entries = (
            await session.scalars(
                select(AuditEntry)
                .where(AuditEntry.position > reader.position)
                .order_by(AuditEntry.position)
                .limit(batch)
            )
        ).all()
        sent = await _send(entries, sink)
        if sent:
            reader.position = entries[sent - 1].position or reader.position
        return sent


async def _send(entries: Sequence[AuditEntry], sink: LogSink) -> int:
    """Send entries, those before one whose topic is waited for if there is one; return how many.

    So who makes and removes systems all the time holds up nobody for longer than `GRACE`.
    """
    records = [one for entry in entries for one in records_of(entry)]
    try:
        if records:
            await asyncio.to_thread(sink.send, records)
    except TopicAwaitedError as error:
        awaited = error.record
        before = list(takewhile(lambda entry: awaited not in records_of(entry), entries))
        if not before:
            raise
        return await _send(before, sink)
    return len(entries)


class KafkaLogSink:
    """Sends to a real broker, in order and without doubles within one connection.

    Args:
        bootstrap_servers: ``host:port,...``.
        security: How the platform shows who it is.
        clock: The present time.
    """

    def __init__(
        self, bootstrap_servers: str, security: KafkaSecurity, *, clock: Callable[[], datetime] = now
    ) -> None:
        self._configuration = {
            **security.to_librdkafka(),
            "bootstrap.servers": bootstrap_servers,
            "client.id": "platform-audit",
            "enable.idempotence": True,
            "message.timeout.ms": round(TIMEOUT_S * 1000),
            "log_level": 2,
        }
        self._clock = clock
        self._producer: Producer | None = None

    def send(self, records: Sequence[LogRecord]) -> None:
        """Send records; see the port."""
        producer = self._producer = self._producer or Producer(self._configuration)
        failures: list[str] = []

        def settle(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error.str())

        try:
            for record in self._with_topic(producer, records):
                producer.produce(
                    record.topic,
                    key=KEY,
                    value=record.value,
                    headers=[(HEADER_ID, record.record_id.encode())],
                    on_delivery=settle,
                )
            waiting = producer.flush(TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            raise BrokerError(f"Audit entries cannot be sent: {error}") from error
        if waiting or failures:
            self._give_up(producer)
            reason = failures[0] if failures else "Kafka does not answer"
            raise BrokerError(f"Audit entries were not acknowledged: {reason}.")

    def _with_topic(self, producer: Producer, records: Sequence[LogRecord]) -> list[LogRecord]:
        """Leave out what is for systems that are gone.

        Raises:
            TopicAwaitedError: a topic is missing that may just not be known to every broker yet.
        """
        known = producer.list_topics(timeout=TIMEOUT_S).topics
        missing = [record for record in records if record.topic not in known]
        awaited = next((record for record in missing if self._clock() - record.at < GRACE), None)
        if awaited is not None:
            raise TopicAwaitedError(awaited)
        for topic in {record.topic for record in missing}:
            _log.info("audit entries for %s are not sent: there is no such topic", topic)
        return [record for record in records if record.topic in known]

    def _give_up(self, producer: Producer) -> None:
        """Drop what waits: it is sent again from the table, in order."""
        producer.purge()
        producer.flush(0)
        self._producer = None

    def close(self) -> None:
        """End the connection; see the port."""
        self._producer = None
