"""What a session knows of its broker before it publishes."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt.bridge.session import MqttSession, SessionListener, SessionOptions
from adapters.mqtt.settings import MqttConnection

CONNECTION = MqttConnection(host="mqtt.example.org", port=1883, uses_tls=False)


def connected(
    largest: int | None, on_message: Callable[[MQTTMessage], None] = lambda _: None
) -> tuple[MqttSession, Client]:
    """A session whose broker has just accepted it, without a network."""
    session = MqttSession(
        CONNECTION, SessionOptions(client_id="bridge"), SessionListener(on_message=on_message)
    )
    client = Client(CallbackAPIVersion.VERSION2)
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    if largest is not None:
        properties.MaximumPacketSize = largest
    flags = ConnectFlags(session_present=False)
    session._on_connect(client, None, flags, ReasonCode(PacketTypes.CONNACK, "Success"), properties)
    return session, client


@pytest.mark.parametrize(
    ("largest", "size", "is_taken"), [(None, 5_000_000, True), (1000, 900, True), (1000, 990, False)]
)
def test_what_is_larger_than_the_broker_takes_is_known_before(
    largest: int | None, size: int, *, is_taken: bool
) -> None:
    session, _ = connected(largest)
    assert session.takes("t", b"x" * size) is is_taken


def test_properties_count_and_no_topic_is_longer_than_the_standard_lets_it_be() -> None:
    session, _ = connected(1000)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = ("dt-id", "x" * 200)
    assert session.takes("t", b"x" * 900)
    assert not session.takes("t", b"x" * 900, properties)
    assert not connected(None)[0].takes("t" * 65_536, b"")


def test_a_topic_that_is_no_text_is_left_out_and_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[MQTTMessage] = []
    session, client = connected(None, seen.append)
    acknowledged: list[int] = []
    monkeypatch.setattr(client, "ack", lambda mid, _qos: acknowledged.append(mid))
    message = MQTTMessage(7, b"dt/\xff")
    message.qos = 1
    session._on_message(client, None, message)
    assert (seen, acknowledged) == ([], [7])


class FakeClient:
    """A connection on which one message after the other has come."""

    def __init__(self, end: socket.socket, on_packet: Callable[[], None]) -> None:
        self._end, self._on_packet = end, on_packet

    def socket(self) -> socket.socket:
        return self._end

    def want_write(self) -> bool:
        return False

    def loop_read(self) -> MQTTErrorCode:
        self._on_packet()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def loop_misc(self) -> MQTTErrorCode:
        return MQTTErrorCode.MQTT_ERR_SUCCESS


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair()
    yield pair
    for one in pair:
        one.close()


def test_messages_wait_in_the_connection_while_there_is_no_room(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    seen: list[int] = []
    most = 3
    session: Any = MqttSession(
        CONNECTION,
        SessionOptions(client_id="bridge"),
        SessionListener(has_room=lambda: len(seen) < most),
    )

    def come() -> None:
        seen.append(len(seen))
        session._packets += 1

    session._client = FakeClient(ends[0], come)
    ends[1].sendall(b"more than one message")
    session.turn(0.0)
    assert len(seen) == 3
    session.turn(0.0)
    assert len(seen) == 3
    seen.clear()
    session.turn(0.0)
    assert len(seen) == 3
