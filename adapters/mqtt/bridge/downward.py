"""From Kafka to the MQTT broker: what other systems share, as retained last values.

What lives here: reading `<system>.ext`, publishing, committing when the broker has it. What does not: who may
subscribe (`rules`), what goes along with a value (`headers`), the metadata of what is shared
(`configuration`), which values have to go (`withdrawal`).

The payload is the value of the record, byte for byte; `dt-id`, `dt-contract` and `dt-origin` are user
properties. Offsets are committed when the broker has acknowledged: a crash repeats some values, whose dt-id
tells that. So does a reader that Kafka has cut off, and that comes back as a new one.

A last value that nobody shares or brings any more is taken back: an empty retained message makes the broker
forget it (MQTT 5.0, clause 3.3.1.3), and tells those who listen.
"""

import logging
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.mqtt.bridge.headers import bringing_app, headers_of, shown_headers
from adapters.mqtt.bridge.pipeline import BridgeCounts
from adapters.mqtt.bridge.session import MqttSession, SessionListener, SessionOptions
from adapters.mqtt.bridge.withdrawal import Withdrawal
from adapters.mqtt.settings import BridgeSettings
from adapters.mqtt.storage.retained import RetainedValues
from adapters.mqtt.topics import external_topic
from client.errors import ConfigurationError, MessagingError
from client.messaging.failures import to_configuration_error, to_messaging_error
from client.messaging.fencing import Fences, is_fatal, is_fence
from client.messaging.topics import DatastreamName, SystemName

_kafka_log = logging.getLogger("adapters.kafka")
_log = logging.getLogger(__name__)

_ALL_EXTERNAL: Final = r"^[^.]+\.[^.]+\.[^.]+\.[^.]+\.ext$"
_EXTERNAL: Final = re.compile(r"(?P<system>.+)\.ext")
_IN_FLIGHT: Final = 500
_IDLE_S: Final = 0.1
_COMMIT_PAUSE_S: Final = 1.0
_HARMLESS: Final = frozenset({KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART})  # noqa: SLF001


@dataclass(slots=True, eq=False)
class _Value:
    """A record on its way to the MQTT broker."""

    topic: str
    payload: bytes
    properties: Properties
    place: tuple[str, int, int]
    app: str = ""
    is_done: bool = False


class Downward:
    """Publishes what is shared with the systems that the bridge serves; used by one thread.

    Args:
        settings: How the bridge runs.
        counts: What is counted.
        values: Where it is remembered which values the broker retains.
        withdrawal: Which of them have to go.
        monotonic: A clock [s].

    Attributes:
        trouble: What is wrong with Kafka here; None when all is well.

    Raises:
        ConfigurationError: The client library refuses the settings.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        counts: BridgeCounts,
        values: RetainedValues,
        withdrawal: Withdrawal,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._counts = counts
        self._values = values
        self._withdrawal = withdrawal
        self._monotonic = monotonic
        self._on_way: deque[_Value] = deque()
        self._sent: dict[int, _Value] = {}
        self._taken_back: dict[int, tuple[str, float]] = {}
        self._done: dict[tuple[str, int], int] = {}
        self._is_paused: bool | None = False
        self._fatal: KafkaError | None = None
        self._fences = Fences(monotonic)
        self._commit_at = monotonic() + _COMMIT_PAUSE_S
        self.trouble: str | None = None
        self.session = MqttSession(
            settings.mqtt,
            SessionOptions(
                client_id=f"{settings.client_id}-down", is_clean=True, keep_alive_s=settings.keep_alive_s
            ),
            SessionListener(
                on_begin=self._on_begin, on_end=self._forget_sent, on_published=self._on_published
            ),
        )
        self._topic = _ALL_EXTERNAL if settings.system is None else settings.system.topics.external
        self._is_looking = self._is_assigned = False
        self._consumer = self._connect()
        self._join()

    def _connect(self) -> Consumer:
        try:
            return Consumer(_consumer_settings(self._settings, self._on_error), logger=_kafka_log)
        except KafkaException as refusal:
            raise to_configuration_error(refusal) from refusal

    def _join(self) -> None:
        # One topic is all of its assignment; of many, some may be new.
        self._is_looking = self._settings.system is None
        self._is_assigned = False
        self._subscribe()

    def _come_back(self, fence: KafkaError) -> None:
        """Go on with a new consumer; what was not committed is read and published again.

        Raises:
            MessagingError: Another process takes the place of this one again and again.
        """
        if self._fences.note():
            raise MessagingError(
                f"another bridge reads as {self._settings.group} ({fence.str()}). Stop one of them, or give "
                "each its own client name"
            )
        _log.warning("%s; coming back with a new consumer", fence.str())
        # First, for closing it may ask for a commit, of what is not its own any more.
        self._done.clear()
        self._on_way.clear()
        fresh = self._connect()
        self._consumer.close()
        self._consumer = fresh
        self._fatal = self._is_paused = None
        self._join()

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def turn(self) -> None:
        """Do what there is to do, and wait a moment when that is nothing.

        Raises:
            MessagingError: Kafka's client library cannot go on, a new process can; or another bridge runs
                under the same name.
            OSError: The disk does not take what has to be remembered.
        """
        can_take = self.session.is_connected and len(self._on_way) < _IN_FLIGHT
        self.session.turn(0.0 if can_take else _IDLE_S)
        self._pause(is_wanted=not can_take)
        # Also a member that takes nothing has to ask, or Kafka counts it as gone.
        messages = self._read(_IN_FLIGHT - len(self._on_way) if can_take else 1, can_wait=can_take)
        for message in messages:
            value = self._value(message)
            self._on_way.append(value)
            if not value.is_done:
                self._publish(value)
        if can_take:
            self._take_back()
        self._settle()
        if self._is_looking and self._is_assigned:
            self._join_again_if_something_is_missing()

    def _join_again_if_something_is_missing(self) -> None:
        """Look once whether all topics were dealt out.

        A static member that comes back before its session has ended gets what it had, without a new deal:
        topics of systems that were made meanwhile would be read by nobody. When it joins again, as a member
        that Kafka knows, there is one.
        """
        try:
            topics = self._consumer.list_topics(timeout=_IDLE_S).topics
        except KafkaException as error:
            _log.debug("whether all topics are read is looked at again: %s", error)
            return
        self._is_looking = False
        dealt = {partition.topic for partition in self._consumer.assignment()}
        if any(re.match(self._topic, topic) and topic not in dealt for topic in topics):
            self._consumer.unsubscribe()
            self._subscribe()

    def _take_back(self) -> None:
        """Take back what is shared no more; what the broker does not acknowledge is found again later."""
        for topic, noted in self._withdrawal.due(_IN_FLIGHT - len(self._taken_back)):
            packet_id = self.session.publish(topic, b"", retained=True)
            if packet_id is not None:
                self._taken_back[packet_id] = topic, noted

    def _pause(self, *, is_wanted: bool) -> None:
        if self._is_paused == is_wanted:
            return
        assigned = self._consumer.assignment()
        if is_wanted:
            self._consumer.pause(assigned)
        else:
            self._consumer.resume(assigned)
        self._is_paused = is_wanted

    def _on_assign(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        # What was dealt out anew is not paused.
        self._is_paused = None
        self._is_assigned = True
        self.trouble = None

    def _read(self, most: int, *, can_wait: bool) -> list[Message]:
        wait_s = (0.01 if self._on_way else _IDLE_S) if can_wait else 0.0
        try:
            found = self._consumer.consume(most, wait_s)
        except KafkaException as error:
            self._on_error(error.args[0])
            found = []
        good = []
        for message in found:
            fault = message.error()
            if fault is None:
                good.append(message)
                self.trouble = None
            elif is_fatal(fault):
                self._on_error(fault)
            elif fault.code() not in _HARMLESS:
                self.trouble = str(to_messaging_error(fault, topic=message.topic(), operation="Read"))
        if self._fatal is None:
            return good
        if is_fence(self._fatal):
            self._come_back(self._fatal)
            return []
        raise MessagingError(f"Kafka's client library cannot go on reading: {self._fatal.str()}")

    def _value(self, message: Message) -> _Value:
        topic = message.topic() or ""
        place = topic, message.partition() or 0, message.offset() or 0
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        try:
            receiver = _EXTERNAL.fullmatch(topic)
            name = DatastreamName.parse((message.key() or b"").decode())
            target = external_topic(SystemName.parse(receiver["system"] if receiver else topic), name)
        except (ConfigurationError, UnicodeDecodeError) as error:
            _log.warning("a record of %s is not published: %s", topic, error)
            self._counts.unpublished += 1
            return _Value("", b"", properties, place, is_done=True)
        headers = headers_of(message)
        shown = shown_headers(headers)
        if shown:
            properties.UserProperty = shown
        return _Value(target, message.value() or b"", properties, place, bringing_app(headers))

    def _publish(self, value: _Value) -> None:
        if not self.session.takes(value.topic, value.payload, value.properties):
            _log.warning(
                "%s: %d bytes are more than the MQTT broker takes; it keeps the value before",
                value.topic,
                len(value.payload),
            )
            self._counts.unpublished += 1
            value.is_done = True
            return
        packet_id = self.session.publish(
            value.topic, value.payload, retained=True, properties=value.properties
        )
        if packet_id is not None:
            self._sent[packet_id] = value
            self._values.note(value.topic, value.app)

    def _forget_sent(self) -> None:
        self._sent.clear()
        self._taken_back.clear()

    def _on_begin(self, _is_kept: bool) -> None:  # noqa: FBT001 - what the session tells
        self._forget_sent()
        for value in self._on_way:
            if not value.is_done:
                self._publish(value)

    def _on_published(self, packet_id: int, reason: str | None) -> None:
        if packet_id in self._taken_back:
            self._on_taken_back(*self._taken_back.pop(packet_id), reason)
            return
        value = self._sent.pop(packet_id, None)
        if value is None:
            return
        value.is_done = True
        if reason is None:
            self._counts.published += 1
        else:
            self._counts.unpublished += 1
            _log.warning("the MQTT broker refuses %s: %s", value.topic, reason)

    def _on_taken_back(self, topic: str, noted: float, reason: str | None) -> None:
        if reason is None:
            self._values.forget(topic, noted)
            self._counts.withdrawn += 1
        else:
            _log.warning("the MQTT broker keeps the value of %s, which is shared no more: %s", topic, reason)

    def _settle(self) -> None:
        while self._on_way and self._on_way[0].is_done:
            topic, partition, offset = self._on_way.popleft().place
            self._done[topic, partition] = offset + 1
        if self._monotonic() >= self._commit_at:
            self._commit()

    def _commit(self, *, wait: bool = False) -> None:
        self._commit_at = self._monotonic() + _COMMIT_PAUSE_S
        self._values.save()
        if not self._done:
            return
        offsets = [TopicPartition(topic, number, at) for (topic, number), at in self._done.items()]
        self._done.clear()
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            _log.warning("offsets were not committed, values may be published again: %s", error.args[0].str())

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._commit(wait=True)
        self._drop(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._drop(partitions)

    def _drop(self, partitions: list[TopicPartition]) -> None:
        gone = {(partition.topic, partition.partition) for partition in partitions}
        self._on_way = deque(value for value in self._on_way if value.place[:2] not in gone)
        for place in gone:
            self._done.pop(place, None)

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._fatal = error
        if error.code() not in _HARMLESS:
            self.trouble = f"Kafka: {error.str()}"

    def finish(self) -> None:
        """Commit what is done and close both connections."""
        self._settle()
        self._commit(wait=True)
        self._consumer.close()
        self.session.close()
        self._withdrawal.close()


def _consumer_settings(settings: BridgeSettings, on_error: Callable[[KafkaError], None]) -> dict[str, Any]:
    return {
        **settings.security.to_librdkafka(),
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.name,
        "group.id": settings.group,
        # After a crash it has its partitions back at once.
        "group.instance.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 30_000,
        "topic.metadata.refresh.interval.ms": 5_000,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
        "queued.max.messages.kbytes": 16_384,
        "fetch.queue.backoff.ms": 5,
        "allow.auto.create.topics": False,
        "error_cb": on_error,
    }
