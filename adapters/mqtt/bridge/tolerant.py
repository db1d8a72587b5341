"""The client of the library, made to read every message that a broker passes on.

What lives here: what the library refuses. What does not: the connection (`session`).

A broker passes properties on that the library calls malformed, such as a text with U+FEFF, which the standard
allows (MQTT 5.0, clause 1.5.4), or whatever a broker lets through. The library ends the connection then; as
the message was not acknowledged, it would come again and end the next one: one device could keep the bridge
from everything. So such a message is read with the user properties that can be read, and without the others.
"""

import logging
from collections.abc import Iterator
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MalformedPacket

from adapters.mqtt.integers import variable_byte_integer

_log = logging.getLogger(__name__)

_QOS_BITS: Final = 0x06
_USER_PROPERTY: Final = 0x26
_TEXT: Final = frozenset({0x03, 0x08})
_BINARY: Final = 0x09
_SIZES: Final = {0x01: 1, 0x02: 4, 0x23: 2}
_SUBSCRIPTION: Final = 0x0B
_REFUSED: Final = frozenset("\0\ufeff")


class TolerantClient(Client):
    """A client that reads messages with properties that the library refuses."""

    def _handle_publish(self) -> MQTTErrorCode:
        try:
            return super()._handle_publish()
        except MalformedPacket as error:
            read = readable_message(self._in_packet["command"], bytes(self._in_packet["packet"]))
            if read is None:
                raise
            _log.warning("properties of a message are left out: %s", error)
            self._in_packet["packet"] = bytearray(read)
            return super()._handle_publish()


def readable_message(head: int, body: bytes) -> bytes | None:
    """Give a message of MQTT 5 with those of its user properties that can be read, and no other properties.

    Args:
        head: First byte of the packet.
        body: What follows its length.

    Returns:
        The new body; None when also the rest cannot be read.

    Source: MQTT 5.0, clause 3.3.
    """
    try:
        start = 2 + int.from_bytes(body[:2]) + (2 if head & _QOS_BITS else 0)
        length, begin = _number(body, start)
    except IndexError:
        return None
    end = begin + length
    if end > len(body):
        return None
    kept = b"".join(_user_properties(body[begin:end]))
    return body[:start] + variable_byte_integer(len(kept)) + kept + body[end:]


def _user_properties(data: bytes) -> Iterator[bytes]:
    """Give those that can be read, up to the first property that is none."""
    at = 0
    try:
        while at < len(data):
            name, after = _number(data, at)
            end = _end(data, name, after)
            if end is None or end > len(data):
                return
            if name == _USER_PROPERTY and _is_readable(data[after:end]):
                yield data[at:end]
            at = end
    except IndexError:
        return


def _end(data: bytes, name: int, at: int) -> int | None:
    if name in _SIZES:
        return at + _SIZES[name]
    if name == _SUBSCRIPTION:
        return _number(data, at)[1]
    if name in _TEXT or name == _BINARY:
        return _after_text(data, at)
    return _after_text(data, _after_text(data, at)) if name == _USER_PROPERTY else None


def _after_text(data: bytes, at: int) -> int:
    return at + 2 + (data[at] << 8 | data[at + 1])


def _is_readable(pair: bytes) -> bool:
    middle = _after_text(pair, 0)
    try:
        texts = pair[2:middle].decode() + pair[middle + 2 :].decode()
    except UnicodeDecodeError:
        return False
    return _REFUSED.isdisjoint(texts)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable byte integer and where it ends; source: MQTT 5.0, clause 1.5.5."""
    value = 0
    for place in range(4):
        one = data[at + place]
        value |= (one & 0x7F) << 7 * place
        if not one & 0x80:
            return value, at + place + 1
    raise IndexError("a length has more than four bytes")
