"""Reading packets of MQTT: the bytes that paho writes, and any others."""

import random
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.mqtt.local_broker import reading, writing
from adapters.mqtt.local_broker.packets import V5, V311, Kind, Packet, PacketError, Publish, Will

PROTOCOLS = {V311: MQTTProtocolVersion.MQTTv311, V5: MQTTProtocolVersion.MQTTv5}


class Written:
    """What a paho client writes, without a network."""

    def __init__(self, level: int) -> None:
        is_clean = False if level == V311 else None
        client: Any = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="car", protocol=PROTOCOLS[level], clean_session=is_clean
        )
        self.client = client
        self.bytes = bytearray()
        client._packet_queue, client._sock = self._queue, self

    def _queue(self, _command: int, packet: bytes, *_: object) -> int:
        self.bytes += packet
        return 0

    def close(self) -> None:
        """Do nothing, as the socket that the client thinks it has."""

    def packet(self) -> Packet:
        (found,) = reading.split(self.bytes)
        assert not self.bytes
        return found


@pytest.mark.parametrize("level", [V311, V5])
def test_a_request_to_connect_is_read_with_its_will(level: int) -> None:
    written = Written(level)
    written.client.will_set("dt-state/a/b", "gone", qos=1, retain=True)
    written.client.username_pw_set("somebody", "secret")
    if level == V5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        properties.ReceiveMaximum = 17
        written.client._connect_properties = properties
        written.client._clean_start = False
    written.client._send_connect(30)
    found = reading.read_connect(written.packet().body)
    assert (found.level, found.client, found.is_clean, found.keep_alive_s) == (level, "car", False, 30)
    assert found.will == Will("dt-state/a/b", b"gone", 1, is_retained=True)
    assert (found.expiry_s, found.receive_maximum) == ((3600, 17) if level == V5 else (None, 65_535))


@pytest.mark.parametrize("level", [V311, V5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_is_read_as_it_was_published(level: int, qos: int) -> None:
    written = Written(level)
    properties = None
    if level == V5:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = ("dt-id", "0190")
        properties.MessageExpiryInterval = 5
    written.client._send_publish(
        9, b"dt/a/b", b"21.5", qos, retain=True, dup=False, info=None, properties=properties
    )
    found = reading.read_publish(written.packet(), level)
    assert (found.topic, found.payload, found.qos, found.is_retained) == ("dt/a/b", b"21.5", qos, True)
    assert found.identifier == (9 if qos else None)
    assert (b"dt-id" in found.properties) is (level == V5)


def test_packets_are_taken_only_when_they_are_whole() -> None:
    whole = writing.publish(Publish("t", b"x" * 200), V5) + writing.pingresp()
    buffer = bytearray()
    found = []
    for byte in whole:
        buffer.append(byte)
        found += list(reading.split(buffer))
    assert [one.kind for one in found] == [Kind.PUBLISH, Kind.PINGRESP]
    assert not buffer


@pytest.mark.parametrize(
    "data",
    [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f", b"\x00\x00"],
    ids=["five", "huge", "kind 0"],
)
def test_what_cannot_be_a_packet_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(PacketError):
        list(reading.split(bytearray(data)))


def test_nothing_that_comes_makes_the_readers_fail_otherwise() -> None:
    chance = random.Random(8)
    readers = (
        reading.read_connect,
        reading.read_identifier,
        lambda body: reading.read_publish(Packet(Kind.PUBLISH, chance.randrange(16), body), V5),
        lambda body: reading.read_subscribe(body, V5),
        lambda body: reading.read_unsubscribe(body, V311),
        lambda body: reading.read_disconnect(body, V5),
    )
    start = b"\x00\x04MQTT\x05"
    for _ in range(3000):
        body = chance.choice((b"", start)) + chance.randbytes(chance.randrange(40))
        for read in readers:
            try:
                read(body)
            except PacketError:
                continue


@pytest.mark.parametrize(
    "properties",
    [
        b"\x26\x00\x01\xff\x00\x01b",
        b"\x26\x00\x01a\x00\x01\x00",
        b"\x03\x00\x01\xff",
        b"\x03\x00\x01a\x03\x00\x01b",
        b"\x01\x02",
    ],
    ids=["no UTF-8", "NUL", "no UTF-8 either", "twice", "form 2"],
)
def test_what_a_receiver_would_call_malformed_does_not_get_to_it(properties: bytes) -> None:
    body = b"\x00\x01t" + bytes((len(properties),)) + properties + b"1"
    with pytest.raises(PacketError):
        reading.read_publish(Packet(Kind.PUBLISH, 0, body), V5)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_of_packets_fail_otherwise(data: bytes) -> None:
    buffer = bytearray(data)
    try:
        for packet in reading.split(buffer):
            for level in (V311, V5):
                read_all(packet, level)
    except PacketError:
        return
    assert len(buffer) <= len(data)


@given(
    st.sampled_from(sorted(Kind)),
    st.integers(0, 15),
    st.sampled_from([b"", b"\x00\x04MQTT\x05\xce\x00\x05", b"\x00\x01t\x00\x01"]),
    st.binary(max_size=80),
)
def test_no_packet_of_a_client_makes_its_reader_fail_otherwise(
    kind: Kind, flags: int, start: bytes, rest: bytes
) -> None:
    for level in (V311, V5):
        try:
            read_all(Packet(kind, flags, start + rest), level)
        except PacketError:
            continue


def read_all(packet: Packet, level: int) -> None:
    """Read a packet as a connection does."""
    body = packet.body
    match packet.kind:
        case Kind.CONNECT:
            reading.read_connect(body)
        case Kind.PUBLISH:
            reading.read_publish(packet, level)
        case Kind.SUBSCRIBE:
            reading.read_subscribe(body, level)
        case Kind.UNSUBSCRIBE:
            reading.read_unsubscribe(body, level)
        case Kind.DISCONNECT:
            reading.read_disconnect(body, level)
        case _:
            reading.read_identifier(body)
