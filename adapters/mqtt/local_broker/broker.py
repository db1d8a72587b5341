"""The local broker: who may connect, where messages go, and what a change of the rules does.

What lives here: connections from their first packet to their end, and the ways of messages between sessions.
What does not: packets (`reading`, `writing`, `connection`), queues (`queues`), what must survive (`store`).

Everybody is who the certificate says; user names and passwords are not looked at.

A message is acknowledged to its sender when every receiver's queue has it. While the queue of a receiver that
is connected is full, senders wait; for one that is away, or that takes nothing for long, messages are
dropped, which is counted and logged. Not so for the platform's bridge: a message that finds no room there is
not acknowledged, its sender's connection ends, and it comes again. The bridge itself never waits for a
client: one that takes nothing would keep it from serving all others.
"""

import asyncio
import json
import logging
import secrets
import ssl
from typing import Final

from cryptography import x509

from adapters.mqtt.filters import is_topic
from adapters.mqtt.local_broker import reading, writing
from adapters.mqtt.local_broker.connection import Connection, now
from adapters.mqtt.local_broker.packets import V5, V311, Connect, Kind, PacketError, Publish, Reason, Wanted
from adapters.mqtt.local_broker.queues import Message, Outbox
from adapters.mqtt.local_broker.sessions import FOR_EVER, LONGEST_EXPIRY_S, Session, Sessions
from adapters.mqtt.local_broker.settings import BrokerSettings
from adapters.mqtt.rules.access import Rules
from adapters.mqtt.sensorthings.topics import ASKED, parse_update
from adapters.mqtt.topics import STATE

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
PATIENCE_S: Final = 10.0
"""Longest wait for a connected client whose queue is full [s]."""
_CHUNK_BYTES: Final = 65_536
_TAKE_OVER_PAUSE_S: Final = 0.01

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LocalBroker:
    """One broker with one TLS listener.

    Args:
        settings: Addresses, certificates and limits.
        sessions: What is kept from before.
        patience_s: Longest wait for a connected client whose queue is full [s].
    """

    def __init__(self, settings: BrokerSettings, sessions: Sessions, patience_s: float = PATIENCE_S) -> None:
        self.kept = sessions
        self._settings = settings
        self._patience_s = patience_s
        self._is_closing = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken, or certificates cannot be read.
        """
        self._server = await asyncio.start_server(
            self._connected,
            self._settings.host,
            self._settings.port,
            ssl=tls_context(self._settings),
            ssl_handshake_timeout=CONNECT_TIMEOUT_S,
        )

    async def close(self) -> None:
        """End all connections, without last wills: their clients are not to blame."""
        self._is_closing = True
        if self._server is None:
            return
        self._server.close()
        for session in self.kept:
            if session.line is not None:
                session.line.end(Reason.SHUTTING_DOWN, "the broker ends")
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=CONNECT_TIMEOUT_S)
            for task in late:
                task.cancel()
        await self._server.wait_closed()

    def apply(self, rules: Rules) -> None:
        """Let new rules count at once; connections of those who may nothing any more are ended."""
        for session in self.kept.apply(rules):
            if session.line is not None:
                session.line.end(Reason.NOT_AUTHORIZED, "the rules let it do nothing any more")
        self._tell_what_is_asked()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            await self._serve((reader, writer))
        except (PacketError, OSError, TimeoutError) as error:
            _log.info("a connection failed: %s", str(error) or type(error).__name__)
        finally:
            writer.close()
            try:
                async with asyncio.timeout(1):
                    await writer.wait_closed()
            except (OSError, TimeoutError) as error:
                _log.debug("a connection was gone before it was closed: %s", error)

    async def _serve(self, streams: Streams) -> None:
        reader, writer = streams
        buffer = bytearray()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            request = await _read_request(reader, buffer)
        if request.level not in {V311, V5}:
            writer.write(writing.unsupported_version())
            return
        subject, made = subject_of(writer), "" if request.client else secrets.token_hex(12)
        client = request.client or made
        if not self._may_connect(subject, request):
            _log.warning("%s was refused: no rules for it, or none for its last will", subject)
            writer.write(writing.connack(request.level, Reason.NOT_AUTHORIZED))
            return
        if not self.kept.has_room(subject, client):
            _log.warning("%s was refused: it has too many sessions", subject)
            writer.write(writing.connack(request.level, Reason.QUOTA_EXCEEDED))
            return
        await self._take_over(subject, client)
        # From here to the entry of the connection there is no pause: nobody else can come in between.
        session, is_resumed = self._session_for(request, subject, client)
        connection = Connection(self, session, request, streams)
        session.line, session.left_at = connection, 0.0
        try:
            shorter = session.expiry_s if session.expiry_s != (request.expiry_s or 0) else None
            writer.write(
                writing.connack(
                    request.level, Reason.SUCCESS, is_resumed=is_resumed, client=made, expiry_s=shorter
                )
            )
            await connection.run(buffer)
        finally:
            await self._leave(connection, request, session)

    def _may_connect(self, subject: str, request: Connect) -> bool:
        grant, will = self.kept.rules.of(subject), request.will
        if grant is None or self._is_closing:
            return False
        return will is None or (is_topic(will.topic) and grant.publish.hold(will.topic))

    async def _take_over(self, subject: str, client: str) -> None:
        """End an older connection of the same client; source: MQTT 5.0, clause 3.1.4."""
        while (present := self.kept.find(subject, client)) is not None and present.line is not None:
            present.line.end(Reason.TAKEN_OVER, "its client has connected again")
            await asyncio.sleep(_TAKE_OVER_PAUSE_S)

    def _session_for(self, request: Connect, subject: str, client: str) -> tuple[Session, bool]:
        expiry_s = request.expiry_s or 0
        if request.level == V311:
            expiry_s = 0 if request.is_clean else FOR_EVER
        expiry_s = min(expiry_s, LONGEST_EXPIRY_S)
        most = min(self._settings.inflight_messages, request.receive_maximum)
        present = None if request.is_clean else self.kept.find(subject, client)
        if present is not None:
            present.expiry_s, present.outbox.most_inflight = expiry_s, most
            return present, True
        session = Session(client, subject, expiry_s, Outbox(self._settings.queued_messages, most))
        self.kept.add(session)
        return session, False

    async def _leave(self, connection: Connection, request: Connect, session: Session) -> None:
        session.line, session.left_at = None, now()
        session.expiry_s = min(session.expiry_s, LONGEST_EXPIRY_S)
        if session.is_kept:
            session.outbox.forget_unsure()
        else:
            self.kept.remove(session)
            self._tell_what_is_asked()
        will = request.will
        if will is not None and not connection.has_left and not self._is_closing:
            message = Publish(
                will.topic, will.payload, will.qos, will.is_retained, properties=will.properties
            )
            # Whoever lost every right a moment ago cannot say otherwise that it has gone. It was its own
            # state when it connected, and it says no more than that.
            if will.topic.startswith(f"{STATE}/"):
                await self._pass_on(session, message)
            else:
                await self.accept(session, message)

    async def accept(self, session: Session, message: Publish) -> Reason:
        """Bring a message of a client to all who receive it; return when their queues have it."""
        if not self.kept.may_publish(session, message.topic):
            _log.warning("%s may not publish to %s", session.client, message.topic)
            return Reason.NOT_AUTHORIZED
        return await self._pass_on(session, message)

    async def _pass_on(self, session: Session, message: Publish) -> Reason:
        found = Message(message.topic, message.payload, message.qos, message.is_retained, message.properties)
        if message.is_retained:
            if not self.kept.may_retain(session, found):
                _log.warning("%s retains too much: %s is refused", session.client, message.topic)
                return Reason.QUOTA_EXCEEDED
            self.kept.retain(found._replace(qos=min(message.qos, 1)))
        can_wait, by_bridge = not self.kept.is_bridge(session), set[bool]()
        for receiver, qos, is_local_left_out, keeps_flag in self.kept.receivers(message.topic):
            if receiver is session and is_local_left_out:
                continue
            copy = found._replace(qos=min(qos, message.qos), is_retained=message.is_retained and keeps_flag)
            is_taken = await self._send(receiver, copy, can_wait=can_wait)
            if self.kept.is_bridge(receiver):
                by_bridge.add(is_taken)
        self.kept.changes += 1
        # A session that a bridge has left for good must not keep everybody from publishing.
        return Reason.SERVER_BUSY if by_bridge == {False} else Reason.SUCCESS

    def subscribe(self, session: Session, wanted: Wanted) -> bool:
        """Note a subscription; False when the rules do not let it."""
        is_granted = self.kept.subscribe(session, wanted)
        if is_granted:
            self._tell_what_is_asked()
        else:
            _log.warning("%s may not subscribe to %s", session.client, wanted.text)
        return is_granted

    def send_last_values(self, session: Session, wanted: Wanted) -> None:
        """Send the retained values that a new subscription receives."""
        for message in self.kept.last_values(session, wanted):
            self._put(session, message)

    def unsubscribe(self, session: Session, text: str) -> None:
        """Forget a subscription."""
        self.kept.unsubscribe(session, text)
        self._tell_what_is_asked()

    def _tell_what_is_asked(self) -> None:
        """Let the bridge know which SensorThings updates somebody has subscribed to."""
        asked = sorted(text for text in self.kept.subscribed() if parse_update(text) is not None)
        payload = json.dumps(asked).encode()
        before = self.kept.retained.get(ASKED)
        if (before.payload if before is not None else b"[]") == payload:
            return
        message = Message(ASKED, payload, 1, is_retained=True)
        self.kept.retain(message)
        for receiver in self.kept.receivers(ASKED):
            self._put(receiver.session, message._replace(is_retained=receiver.keeps_flag))

    async def _send(self, receiver: Session, message: Message, *, can_wait: bool) -> bool:
        """Bring a message into a queue; False when there is no room for one that must not be dropped."""
        outbox = receiver.outbox
        if receiver.line is None and not (message.qos and receiver.is_kept):
            return True
        is_waited_for = can_wait and receiver.line is not None and not outbox.is_stuck
        if outbox.is_full and message.qos and is_waited_for:
            try:
                async with asyncio.timeout(self._patience_s):
                    await outbox.room.wait()
            except TimeoutError:
                outbox.is_stuck = True
                _log.warning("%s takes nothing for %g s", receiver.client, self._patience_s)
        return self._put(receiver, message)

    def _put(self, receiver: Session, message: Message) -> bool:
        if receiver.outbox.put(message) or not message.qos:
            return True
        dropped = receiver.outbox.dropped
        if dropped & (dropped - 1) == 0:  # at 1, 2, 4, 8, ...: a full queue must not fill the log too
            _log.error("%d messages for %s dropped: its queue is full", dropped, receiver.client)
        return False


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Make the server's side of TLS: a certificate of our authority is demanded.

    Raises:
        OSError: A file cannot be read or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=settings.ca_file)
    context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


def subject_of(writer: asyncio.StreamWriter) -> str:
    """Give the subject of the certificate that a client shows (RFC 4514); empty for none."""
    shown: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    certificate = shown.getpeercert(binary_form=True) if shown is not None else None
    if not certificate:
        return ""
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


async def _read_request(reader: asyncio.StreamReader, buffer: bytearray) -> Connect:
    while True:
        packet = next(reading.split(buffer), None)
        if packet is not None:
            if packet.kind is not Kind.CONNECT:
                raise PacketError(f"a connection begins with {packet.kind.name}")
            return reading.read_connect(packet.body)
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            raise PacketError("a connection ended before it began")
        buffer += chunk
