"""Messages whose properties the library refuses are read nevertheless."""

from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket

from adapters.mqtt.bridge.tolerant import TolerantClient, readable_message

ID = b"\x26\x00\x05dt-id\x00\x010"
PUBLISH_1 = 0x32


def client_with(properties: bytes) -> tuple[Any, list[paho.MQTTMessage]]:
    """A client that has read a message with these properties, but has not looked at it."""
    client: Any = TolerantClient(
        CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
    )
    received: list[paho.MQTTMessage] = []
    client.on_message = lambda _client, _data, message: received.append(message)
    body = b"\x00\x04dt/a\x00\x07" + bytes((len(properties),)) + properties + b"21.5"
    client._in_packet = {"command": PUBLISH_1, "packet": bytearray(body)}
    return client, received


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        (ID + b"\x26\x00\x03\xef\xbb\xbf\x00\x01b", [("dt-id", "0")]),
        (b"\x26\x00\x01\xff\x00\x01b" + ID, [("dt-id", "0")]),
        (b"\x01\x07" + ID, [("dt-id", "0")]),
        (b"\x03\x00\x01a\x03\x00\x01b" + ID, [("dt-id", "0")]),
        (b"\x7e" + ID, None),
    ],
    ids=["U+FEFF", "no UTF-8", "form 7", "twice", "unknown"],
)
def test_a_message_with_properties_that_the_library_refuses_comes_without_them(
    properties: bytes, kept: list[tuple[str, str]] | None
) -> None:
    client, received = client_with(properties)
    assert client._handle_publish() is MQTTErrorCode.MQTT_ERR_SUCCESS
    (message,) = received
    assert (message.topic, message.payload, message.mid, message.qos) == ("dt/a", b"21.5", 7, 1)
    assert getattr(message.properties, "UserProperty", None) == kept


def test_good_properties_stay_as_they_are() -> None:
    client, received = client_with(ID + b"\x03\x00\x01a")
    client._handle_publish()
    properties: Any = received[0].properties
    assert (properties.UserProperty, properties.ContentType) == ([("dt-id", "0")], "a")


def test_what_is_no_message_at_all_ends_the_connection() -> None:
    client, received = client_with(b"")
    client._in_packet["packet"] = bytearray(b"\x00\x09dt")
    with pytest.raises(MalformedPacket):
        client._handle_publish()
    assert received == []


@given(st.binary(max_size=100), st.booleans())
def test_no_bytes_make_it_fail(body: bytes, has_identifier: bool) -> None:
    found = readable_message(PUBLISH_1 if has_identifier else 0x30, body)
    assert found is None or len(found) <= len(body)
