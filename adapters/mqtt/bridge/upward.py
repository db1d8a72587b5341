"""From the MQTT broker to Kafka: what comes, in which order it is acknowledged, and what a crash leaves.

What lives here: taking messages, giving them ids, acknowledging them. What does not: what becomes of a
message (`pipeline`), the connection (`session`).

Without a buffer, a message is acknowledged to the broker when Kafka has its record; until then the broker
keeps it, however long Kafka is away. With a buffer (at a site), it is acknowledged when it is on disk, and
what is on disk goes to Kafka in its order. Either way a crash repeats some messages, with the ids they had.
One system whose messages Kafka does not take holds nobody else's up: they wait on disk meanwhile (`aside`).
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.mqtt.bridge.aside import Aside
from adapters.mqtt.bridge.incoming import Incoming, microseconds, problem
from adapters.mqtt.bridge.pipeline import BridgeCounts, Pipeline, Slot
from adapters.mqtt.bridge.session import (
    RETAIN_NEVER,
    RETAIN_ON_FIRST,
    MqttSession,
    SessionListener,
    SessionOptions,
)
from adapters.mqtt.identifiers import derived_id, given_id, time_of
from adapters.mqtt.payloads import read_payload
from adapters.mqtt.settings import BridgeSettings
from adapters.mqtt.storage.buffer import DiskBuffer, Position
from adapters.mqtt.storage.packets import PacketJournal
from adapters.mqtt.topics import incoming_filters, refusal_topic
from client.errors import RecordFormatError
from client.messaging.records import HEADER_ID, HEADER_TRACEPARENT

_log = logging.getLogger(__name__)

_IDLE_S: Final = 0.2
_BUSY_S: Final = 0.005
# How much of the buffer is on its way to Kafka at a time [messages].
_WINDOW: Final = 20_000
_WINDOW_BYTES: Final = 64 * 1024 * 1024
# Payloads that are held in memory at a time [bytes]: as many messages as the broker may send can be large.
_MOST_BYTES: Final = 256 * 1024 * 1024
_KEPT_PROPERTIES: Final = frozenset({HEADER_ID, HEADER_TRACEPARENT})


@dataclass(slots=True, eq=False)
class _Delivery:
    """A message of the present connection that is not acknowledged yet."""

    packet_id: int
    dt_id: str
    slot: Slot | None = None
    is_stored: bool = False

    @property
    def is_done(self) -> bool:
        return self.is_stored or (self.slot is not None and self.slot.is_done)


class Upward:
    """Brings messages to Kafka; used by one thread.

    Args:
        settings: How the bridge runs.
        pipeline: Where messages go.
        packets: The journal of ids.
        buffer: The buffer on disk; None for none.
        counts: What is counted.
        aside: Where messages wait that would hold up others; None where all are of one system.
        more_filters: What else to subscribe to, and which retained messages are wanted.
        now: The clock, aware.

    Attributes:
        fresh_sessions: How often the broker has begun a session without knowing an earlier one [1].
    """

    def __init__(
        self,
        settings: BridgeSettings,
        pipeline: Pipeline,
        packets: PacketJournal,
        buffer: DiskBuffer | None,
        counts: BridgeCounts,
        *,
        aside: Aside | None = None,
        more_filters: Sequence[tuple[str, int]] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._packets = packets
        self._buffer = buffer
        self._aside = aside
        self._counts = counts
        self._now = now
        self.fresh_sessions = 0
        self._arrived: list[tuple[_Delivery, Incoming]] = []
        self._arrived_bytes = 0
        self._open: deque[_Delivery] = deque()
        self._orphans: dict[tuple[int, str], _Delivery] = {}
        self._replayed: deque[tuple[Position, Slot | None]] = deque()
        data, states = incoming_filters(settings.system)
        self.session = MqttSession(
            settings.mqtt,
            SessionOptions(
                client_id=settings.client_id,
                expiry_s=settings.session_expiry_s,
                receive_maximum=settings.receive_maximum,
                keep_alive_s=settings.keep_alive_s,
                # An old value without a time of its own would be taken for a new one.
                filters=((data, RETAIN_NEVER), (states, RETAIN_ON_FIRST), *more_filters),
            ),
            SessionListener(
                has_room=self._has_room,
                on_message=self._on_message,
                on_begin=self._on_begin,
                on_end=self._on_end,
            ),
        )

    @property
    def buffer_bytes(self) -> int:
        """Bytes that wait on disk."""
        return sum(one.size_bytes for one in (self._buffer, self._aside) if one is not None)

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker has sent and that are not acknowledged."""
        return len(self._open)

    @property
    def trouble(self) -> str | None:
        """What is wrong here, besides the connection."""
        if self._buffer is not None and not self._buffer.has_room:
            return (
                f"the buffer holds {self._buffer.size_bytes} bytes and is full; the MQTT broker keeps what "
                "comes until there is room"
            )
        return None if self._aside is None else self._aside.trouble

    def turn(self) -> None:
        """Do what there is to do, and wait a moment when that is nothing.

        Raises:
            MessagingError: Kafka's client library cannot go on.
            OSError: The disk does not take what has to be remembered.
        """
        self.session.turn(_BUSY_S if self._pipeline.is_busy or self._arrived else _IDLE_S)
        self._take()
        self._replay()
        self._pipeline.work()
        self._confirm()
        if self._aside is not None:
            self._aside.turn()
        self._tell()
        self._acknowledge()

    @property
    def _waiting(self) -> int:
        """Messages that are not done, without those that others do not wait for."""
        return self._pipeline.waiting - (0 if self._aside is None else self._aside.on_way)

    def _has_room(self) -> bool:
        """Tell whether one more message has room in memory."""
        return self._arrived_bytes + self._pipeline.waiting_bytes < _MOST_BYTES

    def _on_begin(self, is_kept: bool) -> None:  # noqa: FBT001 - what the session tells
        if not is_kept:
            self.fresh_sessions += 1
            self._packets.forget()
            self._orphans.clear()

    def _on_end(self) -> None:
        """Nothing of the old connection can be acknowledged; it comes again, and is recognised then."""
        for delivery in self._open:
            if delivery.is_stored or delivery.slot is not None:
                self._orphans[delivery.packet_id, delivery.dt_id] = delivery
        self._open.clear()
        self._arrived = [pair for pair in self._arrived if pair[0].packet_id == 0]
        self._arrived_bytes = sum(len(incoming.payload) for _, incoming in self._arrived)

    def _on_message(self, message: MQTTMessage) -> None:
        self._counts.received += 1
        self._counts.repeated += message.dup
        packet_id = message.mid if message.qos else 0
        if packet_id == 0 and self._waiting + len(self._arrived) > 2 * self._settings.receive_maximum:
            self._counts.dropped += 1
            return
        incoming = self._identified(message, packet_id)
        delivery = _Delivery(packet_id, incoming.dt_id)
        if packet_id:
            known = self._orphans.pop((packet_id, incoming.dt_id), None) if message.dup else None
            if known is not None:
                self._open.append(known)
                return
            self._open.append(delivery)
        self._arrived.append((delivery, incoming))
        self._arrived_bytes += len(incoming.payload)

    def _identified(self, message: MQTTMessage, packet_id: int) -> Incoming:
        topic, payload = message.topic, bytes(message.payload)
        given = getattr(message.properties, "UserProperty", ()) or ()
        properties = tuple((name, text) for name, text in given if name in _KEPT_PROPERTIES)
        dt_id, received = None, self._now()
        try:
            begins = read_payload(payload).begins
            dt_id = given_id(properties) or (None if begins is None else derived_id(topic, payload, begins))
        except RecordFormatError:
            pass  # the pipeline refuses it; its dead letter gets an id as well
        if dt_id is None:
            dt_id = self._packets.id_for(packet_id, topic, payload, is_repeated=message.dup)
            received = time_of(dt_id)
        else:
            self._packets.saw(packet_id, is_repeated=message.dup)
        return Incoming(topic, payload, dt_id, microseconds(received), properties)

    def _take(self) -> None:
        """Remember the ids of what came, then take it."""
        self._packets.sync()
        is_full = self._is_stuck if self._buffer is None else not self._buffer.has_room
        if not self._arrived or is_full:
            return
        arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
        if self._buffer is not None:
            self._buffer.append([_ENCODER.encode(incoming) for _, incoming in arrived])
            for delivery, _ in arrived:
                delivery.is_stored = True
            return
        for (delivery, _), slot in zip(
            arrived, self._forward([incoming for _, incoming in arrived]), strict=True
        ):
            delivery.slot, delivery.is_stored = slot, slot is None

    @property
    def _is_stuck(self) -> bool:
        return self._aside is not None and self._aside.is_stuck

    def _forward(self, messages: Sequence[Incoming]) -> Sequence[Slot | None]:
        """Let messages go on to Kafka; None stands for one that waits on disk."""
        if self._aside is None:
            return [self._pipeline.add(one) for one in messages]
        return self._aside.add(messages)

    def _replay(self) -> None:
        """Take from the buffer what the pipeline has room for."""
        pipeline, buffer = self._pipeline, self._buffer
        if buffer is None or pipeline.waiting >= _WINDOW or pipeline.waiting_bytes >= _WINDOW_BYTES:
            return
        if self._is_stuck:
            return
        entries = buffer.read(min(_WINDOW - pipeline.waiting, 2_000))
        slots = self._forward([_DECODER.decode(content) for content, _ in entries])
        self._replayed.extend((end, slot) for (_, end), slot in zip(entries, slots, strict=True))

    def _confirm(self) -> None:
        last: Position | None = None
        while self._replayed and ((slot := self._replayed[0][1]) is None or slot.is_done):
            last = self._replayed.popleft()[0]
        if last is not None and self._buffer is not None:
            self._buffer.confirm(last)

    def _tell(self) -> None:
        """Tell devices why their messages were refused."""
        while self._pipeline.refusals:
            slot = self._pipeline.refusals.popleft()
            topic = None if slot.reason is None else refusal_topic(slot.incoming.topic)
            if topic is not None and slot.reason is not None:
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
                properties.ContentType = "application/problem+json"
                said = problem(slot.incoming, slot.reason)
                if self.session.takes(topic, said, properties):
                    self.session.publish(topic, said, retained=False, properties=properties)

    def _acknowledge(self) -> None:
        """Acknowledge what is done, in the order in which it came (MQTT 5.0, clause 4.6)."""
        while self._open and self._open[0].is_done:
            self.session.acknowledge(self._open.popleft().packet_id)
            self._counts.acknowledged += 1

    def finish(self, timeout_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Bring to an end what is on its way, at most `timeout_s` [s], and close the connection."""
        deadline = monotonic() + timeout_s
        while self._is_unfinished() and monotonic() < deadline:
            self._pipeline.work()
            self._confirm()
            self._tell()
            self._acknowledge()
            time.sleep(_BUSY_S)
        self.session.close()
        if self._buffer is not None:
            self._buffer.close()
        if self._aside is not None:
            self._aside.close()
        self._packets.close()

    def _is_unfinished(self) -> bool:
        return any(not slot.is_done for slot in self._slots())

    def _slots(self) -> Iterable[Slot]:
        yield from (slot for _, slot in self._replayed if slot is not None)
        yield from (delivery.slot for delivery in self._open if delivery.slot is not None)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Incoming)
