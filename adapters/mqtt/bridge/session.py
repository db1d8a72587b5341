"""A connection to the MQTT broker that comes back for ever, driven by its owner's loop.

What lives here: connecting, reading, writing, why there is no connection. What does not: what messages mean.

How it works: one thread owns a session and calls `turn`; everything happens inside. Each connection is a new
client object of paho, with the certificate files as they are then: nothing of an old connection, such as an
acknowledgement that was not sent, can get into the next one, where its packet identifier may mean another
message. Acknowledgements are the owner's, in the order in which messages came.

Source: MQTT 5.0, clauses 3.1.2.4 (clean start), 3.1.2.11 (session expiry, receive maximum), 4.6 (ordering).
"""

import logging
import random
import select
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.mqtt.bridge.tolerant import TolerantClient
from adapters.mqtt.settings import MqttConnection
from adapters.mqtt.topics import MAX_TOPIC_BYTES
from client.errors import ConfigurationError

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_CONNECT_TIMEOUT_S: Final = 5.0
# A connection that stays this long counts as a good one: the next pause is the first again.
_STABLE_S: Final = 5.0
# One turn reads at most this many packets, then its owner does something with them.
_PACKETS: Final = 2_000
_NEVER: Final = float("-inf")
# Bytes of a message besides topic, properties and payload: type, length, packet identifier, lengths.
_LONGEST_HEAD: Final = 16
RETAIN_ON_FIRST: Final = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
RETAIN_ALWAYS: Final = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
RETAIN_NEVER: Final = SubscribeOptions.RETAIN_DO_NOT_SEND


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How a session is kept.

    Attributes:
        client_id: Name of the session.
        is_clean: Whether each connection begins without the messages of the last one.
        expiry_s: How long the broker keeps it while nobody is connected [s].
        receive_maximum: Messages that the broker sends before the first is acknowledged [1].
        keep_alive_s: Longest silence [s].
        filters: What to subscribe to with QoS 1, and whether retained messages are wanted.
    """

    client_id: str
    is_clean: bool = False
    expiry_s: int = 0
    receive_maximum: int = 65_535
    keep_alive_s: int = 30
    filters: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListener:
    """Whom to tell, and to ask; called inside `turn`.

    Attributes:
        has_room: Whether one more message may come; what may not come waits in the connection.
        on_message: A message came.
        on_begin: A connection begins; whether the broker has kept the session.
        on_end: The connection is lost; what was not acknowledged comes again.
        on_published: The broker has a message that was published with QoS 1, or refuses it: packet
            identifier, and the reason why not.
    """

    has_room: Callable[[], bool] = lambda: True
    on_message: Callable[[MQTTMessage], None] = lambda _: None
    on_begin: Callable[[bool], None] = lambda _: None
    on_end: Callable[[], None] = lambda: None
    on_published: Callable[[int, str | None], None] = lambda _mid, _reason: None


class MqttSession:
    """One session with the broker; used by one thread.

    Attributes:
        trouble: Why there is no connection, or no subscription; None when all is well.
    """

    def __init__(
        self,
        connection: MqttConnection,
        options: SessionOptions,
        listener: SessionListener,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._options = options
        self._listener = listener
        self._monotonic = monotonic
        self._client: Client | None = None
        self._is_open = False
        self._is_subscribed = False
        self._begun_at = _NEVER
        self._again_at = _NEVER
        self._pause_s = _FIRST_PAUSE_S
        self._packets = 0
        self._largest_packet: int | None = None
        self.trouble: str | None = f"not connected to {connection.url} yet"

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._is_open

    @property
    def is_ready(self) -> bool:
        """Whether it is connected and has all its subscriptions."""
        return self._is_open and self._is_subscribed

    def turn(self, timeout_s: float) -> None:
        """Wait for something to happen, at most `timeout_s` [s], and do what is to do."""
        client = self._client
        if client is None:
            if self._monotonic() < self._again_at:
                time.sleep(min(timeout_s, max(self._again_at - self._monotonic(), 0.0)))
                return
            client = self._connect()
            if client is None:
                return
        socket: Any = client.socket()
        if socket is None:
            self._lose("the connection was lost")
            return
        has_room = self._listener.has_room()
        # What TLS has decrypted already does not show in select.
        has_more = has_room and isinstance(socket, ssl.SSLSocket) and socket.pending() > 0
        wanted = [socket] if client.want_write() else []
        readable = [socket] if has_room else []
        is_readable, is_writable, _ = select.select(readable, wanted, [], 0.0 if has_more else timeout_s)
        if is_readable or has_more:
            self._read(client)
        if self._client is client and (is_writable or client.want_write()):
            self._write(client)
        if self._client is client and client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose("the broker was silent for too long")

    def _read(self, client: Client) -> None:
        for _ in range(_PACKETS):
            before = self._packets
            code = client.loop_read()
            if self._client is not client:
                return
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose(f"the connection was lost ({code.name.removeprefix('MQTT_ERR_').lower()})")
                return
            if self._packets == before or not self._listener.has_room():
                return

    def _write(self, client: Client) -> None:
        while client.want_write():
            before = len(client._out_packet)  # noqa: SLF001 - the library does not tell otherwise
            code = client.loop_write()
            if self._client is not client:
                return
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose(f"the connection was lost ({code.name.removeprefix('MQTT_ERR_').lower()})")
                return
            if len(client._out_packet) >= before:  # noqa: SLF001 - as above
                return

    def _connect(self) -> Client | None:
        options, connection = self._options, self._connection
        client = TolerantClient(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(_PACKETS)
        client.max_queued_messages_set(0)
        client.suppress_exceptions = False
        # Its presence makes the library leave writing to us: many acknowledgements at once.
        client.on_socket_register_write = _leave_writing
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = options.expiry_s
        properties.ReceiveMaximum = options.receive_maximum
        try:
            context = connection.tls_context()
            if context is not None:
                client.tls_set_context(context)
            if connection.username is not None:
                client.username_pw_set(connection.username, connection.password)
            client.connect(
                connection.host,
                connection.port,
                options.keep_alive_s,
                clean_start=options.is_clean,
                properties=properties,
            )
        except (OSError, ConfigurationError, ValueError) as error:
            self._wait(_said_of(error))
            return None
        self._client = client
        self._begun_at = self._monotonic()
        return client

    def _on_connect(
        self, client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, more: Properties | None
    ) -> None:
        self._packets += 1
        if reason.is_failure:
            self._lose(f"the broker refuses the connection: {str(reason).lower()}")
            return
        self._is_open = True
        self._begun_at = self._monotonic()
        self._largest_packet = getattr(more, "MaximumPacketSize", None)
        self.trouble = None
        _log.info("connected to %s as %s", self._connection.url, self._options.client_id)
        self._is_subscribed = not self._options.filters
        self._listener.on_begin(flags.session_present)
        if self._options.filters:
            wanted = [
                (name, SubscribeOptions(1, noLocal=True, retainAsPublished=True, retainHandling=retained))
                for name, retained in self._options.filters
            ]
            client.subscribe(wanted)

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: object
    ) -> None:
        self._packets += 1
        self._is_subscribed = not any(reason.is_failure for reason in reasons)
        for (name, _), reason in zip(self._options.filters, reasons, strict=False):
            if reason.is_failure:
                self.trouble = f"the broker refuses the subscription to {name}: {str(reason).lower()}"
                _log.warning("%s", self.trouble)

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        self._packets += 1
        try:
            message.topic.isascii()
        except UnicodeDecodeError as error:  # no broker may pass that on (MQTT 5.0, clause 1.5.4)
            _log.warning("a message is left out, its topic is no UTF-8: %s", error)
            if message.qos:
                client.ack(message.mid, 1)
            return
        self._listener.on_message(message)

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _more: object
    ) -> None:
        self._packets += 1
        self._listener.on_published(mid, str(reason).lower() if reason.is_failure else None)

    def _on_disconnect(
        self, client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if client is self._client:
            self._lose(f"the connection was lost: {str(reason).lower()}")

    def _lose(self, reason: str) -> None:
        client, self._client = self._client, None
        was_open, self._is_open = self._is_open, False
        if client is not None:
            socket: Any = client.socket()
            if socket is not None:
                socket.close()
        if was_open and self._monotonic() - self._begun_at >= _STABLE_S:
            self._pause_s = _FIRST_PAUSE_S
        self._wait(reason)
        if was_open:
            self._listener.on_end()

    def _wait(self, reason: str) -> None:
        text = f"{self._connection.url}: {reason}"
        if self.trouble != text:
            _log.warning("%s; trying again", text)
        self.trouble = text
        # Several bridges must not come back all at once to a broker that has just started.
        self._again_at = self._monotonic() + self._pause_s * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def acknowledge(self, packet_id: int) -> None:
        """Tell the broker that a message of this connection is done; written with the next turn."""
        if self._client is not None:
            self._client.ack(packet_id, 1)

    def takes(self, topic: str, payload: bytes, properties: Properties | None = None) -> bool:
        """Tell whether the broker takes a message of this size; one that is too large ends the connection.

        Source: MQTT 5.0, clause 3.2.2.3.6 (Maximum Packet Size).
        """
        length = len(topic.encode())
        if length > MAX_TOPIC_BYTES or self._largest_packet is None:
            return length <= MAX_TOPIC_BYTES
        more = 0 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
        return length + len(payload) + more + _LONGEST_HEAD <= self._largest_packet

    def publish(
        self, topic: str, payload: bytes, *, retained: bool, properties: Properties | None = None
    ) -> int | None:
        """Publish a message with QoS 1; give its packet identifier, or None when there is no connection."""
        if self._client is None or not self._is_open:
            return None
        info = self._client.publish(topic, payload, qos=1, retain=retained, properties=properties)
        return info.mid

    def close(self) -> None:
        """End the connection in order; the broker keeps the session as long as its expiry says."""
        client = self._client
        if client is None:
            return
        if self._is_open:
            self._write(client)
            client.on_disconnect = None
            client.disconnect()
            client.loop_write()
        self._client, self._is_open = None, False
        socket: Any = client.socket()
        if socket is not None:
            socket.close()


def _leave_writing(_client: Client, _data: object, _socket: object) -> None:
    """Writing is done by `turn`."""


def _said_of(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or error}; look at the broker's log for its side"
    return f"no connection: {error}"
