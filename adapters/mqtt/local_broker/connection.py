"""One connection of the local broker: packets of a client in, messages for it out.

What lives here: what a packet does, and the order of acknowledgements. What does not: bytes of packets
(`reading`, `writing`), who may do what (`sessions`), who may connect (`broker`).

Packets are worked off one by one, in order; while a message waits for room in somebody's queue, its sender is
not read, so that TCP holds it back.
"""

import asyncio
import logging
import time
from typing import Final, Protocol

from adapters.mqtt.filters import is_filter, is_topic
from adapters.mqtt.local_broker import reading, writing
from adapters.mqtt.local_broker.packets import V5, Connect, Kind, Packet, PacketError, Publish, Reason, Wanted
from adapters.mqtt.local_broker.queues import Message
from adapters.mqtt.local_broker.sessions import Session

_log = logging.getLogger(__name__)

_HIGHEST_QOS: Final = 1
_EXACTLY_ONCE: Final = 2
_CHUNK_BYTES: Final = 65_536
_KEEP_ALIVE_FACTOR: Final = 1.5  # MQTT 5.0, clause 3.1.2.10
_LAST_WORDS_S: Final = 1.0


class Exchange(Protocol):
    """Where messages of a client go."""

    async def accept(self, session: Session, message: Publish) -> Reason:
        """Take a message that a client has published; return when it may be acknowledged, and how.

        It is not acknowledged when the answer is `SERVER_BUSY`.
        """

    def subscribe(self, session: Session, wanted: Wanted) -> bool:
        """Note a subscription; False when it is refused."""

    def send_last_values(self, session: Session, wanted: Wanted) -> None:
        """Send retained values for a new subscription."""

    def unsubscribe(self, session: Session, text: str) -> None:
        """Forget a subscription."""


class Connection:
    """The connection of one client; `run` it once.

    Args:
        exchange: Where messages go.
        session: What the broker keeps for the client.
        request: What the client has asked for.
        reader: What it sends.
        writer: What it gets.

    Attributes:
        has_left: Whether it has left in order, so that its last will is not published.
    """

    def __init__(
        self,
        exchange: Exchange,
        session: Session,
        request: Connect,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._exchange, self._session, self._level = exchange, session, request.level
        self._reader, self._writer = streams
        self._silence_s = request.keep_alive_s * _KEEP_ALIVE_FACTOR or None
        self._ended = asyncio.Event()
        self._reason = Reason.SUCCESS
        self.has_left = False

    def end(self, reason: Reason, why: str) -> None:
        """End it soon; `why` goes to the log."""
        if not self._ended.is_set():
            _log.info("connection of %s ended: %s", self._session.client, why)
            self._reason = reason
            self._ended.set()

    async def run(self, buffer: bytearray) -> None:
        """Serve the client until the connection ends.

        Args:
            buffer: What was read after the request to connect.
        """
        tasks = [
            asyncio.create_task(self._read(buffer)),
            asyncio.create_task(self._send_messages()),
            asyncio.create_task(self._ended.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await self._say_goodbye()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result

    async def _say_goodbye(self) -> None:
        if self._level != V5 or not self._reason:
            return
        try:
            self._writer.write(writing.disconnect(self._reason))
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            _log.debug("%s was gone already: %s", self._session.client, error)

    async def _read(self, buffer: bytearray) -> None:
        try:
            while not self._ended.is_set():
                for packet in reading.split(buffer):
                    await self._handle(packet)
                    if self._ended.is_set():
                        return
                await self._writer.drain()
                async with asyncio.timeout(self._silence_s):
                    chunk = await self._reader.read(_CHUNK_BYTES)
                if not chunk:
                    return
                buffer += chunk
        except TimeoutError:
            self.end(Reason.KEEP_ALIVE_TIMEOUT, "nothing came for longer than its keep alive")
        except PacketError as error:
            self.end(Reason.MALFORMED, str(error))

    async def _handle(self, packet: Packet) -> None:
        match packet.kind:
            case Kind.PUBLISH:
                await self._take(reading.read_publish(packet, self._level))
            case Kind.PUBACK:
                self._session.outbox.acknowledge(reading.read_identifier(packet.body))
            case Kind.PUBREL:
                # Method B of MQTT 5.0, clause 4.3.3: it was passed on when it came.
                identifier = reading.read_identifier(packet.body)
                is_known = identifier in self._session.unreleased
                self._session.unreleased.discard(identifier)
                reason = Reason.SUCCESS if is_known else Reason.IDENTIFIER_UNKNOWN
                self._writer.write(writing.acknowledgement(Kind.PUBCOMP, identifier, self._level, reason))
            case Kind.SUBSCRIBE:
                self._subscribe(*reading.read_subscribe(packet.body, self._level))
            case Kind.UNSUBSCRIBE:
                self._unsubscribe(*reading.read_unsubscribe(packet.body, self._level))
            case Kind.PINGREQ:
                self._writer.write(writing.pingresp())
            case Kind.DISCONNECT:
                self._leave(*reading.read_disconnect(packet.body, self._level))
            case _:
                raise PacketError(f"a client cannot send {packet.kind.name}")

    async def _take(self, message: Publish) -> None:
        if not is_topic(message.topic) or message.topic.startswith("$"):
            self.end(Reason.TOPIC_INVALID, f"nobody can publish to {message.topic!r}")
            return
        identifier = message.identifier
        if message.qos != _EXACTLY_ONCE or identifier is None:
            reason = await self._exchange.accept(self._session, message)
            if identifier is not None and not self._must_repeat(reason):
                self._writer.write(writing.acknowledgement(Kind.PUBACK, identifier, self._level, reason))
            return
        reason = Reason.SUCCESS
        if identifier not in self._session.unreleased:
            reason = await self._exchange.accept(self._session, message)
            if self._must_repeat(reason):
                return
            if reason is Reason.SUCCESS or self._level != V5:
                self._session.unreleased.add(identifier)
        self._writer.write(writing.acknowledgement(Kind.PUBREC, identifier, self._level, reason))

    def _must_repeat(self, reason: Reason) -> bool:
        """End the connection where a message found no room: it is not acknowledged, and comes again."""
        if reason is Reason.SERVER_BUSY:
            self.end(reason, "the bridge takes nothing at the moment")
        return reason is Reason.SERVER_BUSY

    def _subscribe(self, identifier: int, wanted: list[Wanted]) -> None:
        reasons: list[int] = []
        granted: list[Wanted] = []
        for one in wanted:
            level = min(one.qos, _HIGHEST_QOS)
            is_new = one.text not in self._session.subscriptions
            found = Wanted(one.text, level, one.is_local_left_out, one.keeps_flag, one.retained)
            if not is_filter(one.text):
                reasons.append(Reason.FILTER_INVALID)
            elif not self._exchange.subscribe(self._session, found):
                reasons.append(Reason.NOT_AUTHORIZED)
            else:
                reasons.append(level)
                if one.retained == 0 or (one.retained == 1 and is_new):
                    granted.append(found)
        self._writer.write(writing.answers(Kind.SUBACK, identifier, self._level, reasons))
        for found in granted:
            self._exchange.send_last_values(self._session, found)

    def _unsubscribe(self, identifier: int, texts: list[str]) -> None:
        for text in texts:
            self._exchange.unsubscribe(self._session, text)
        reasons: list[int] = [Reason.SUCCESS] * len(texts)
        self._writer.write(writing.answers(Kind.UNSUBACK, identifier, self._level, reasons))

    def _leave(self, reason: int, expiry_s: int | None) -> None:
        self.has_left = reason != Reason.DISCONNECT_WITH_WILL
        if expiry_s is not None:
            self._session.expiry_s = expiry_s
        self._ended.set()

    async def _send_messages(self) -> None:
        outbox = self._session.outbox
        for sent, message in tuple(outbox.inflight.items()):
            await self._send(sent, message, is_again=True)
        outbox.work.set()
        while True:
            await outbox.work.wait()
            while (taken := outbox.take()) is not None:
                await self._send(*taken)

    async def _send(self, identifier: int | None, message: Message, *, is_again: bool = False) -> None:
        found = Publish(
            message.topic,
            message.payload,
            message.qos,
            message.is_retained,
            is_again,
            identifier,
            message.properties,
        )
        self._writer.write(writing.publish(found, self._level))
        await self._writer.drain()


def now() -> float:
    """Return the time [s since 1970]."""
    return time.time()
