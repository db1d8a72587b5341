"""Packets that a client sends: from bytes to values; pure.

What lives here: taking packets off a buffer, and reading each kind with its properties. What does not: what
they hold (`packets`), writing (`writing`), and what they do (`connection`).

Source: MQTT 5.0, clauses 1.5, 2 and 3; MQTT 3.1.1, clauses 2 and 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from adapters.mqtt.local_broker.packets import (
    LARGEST,
    V5,
    V311,
    Connect,
    Kind,
    Packet,
    PacketError,
    Property,
    Publish,
    Reason,
    Wanted,
    Will,
)

_BYTE: Final = frozenset({0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A})
_TWO: Final = frozenset({0x13, 0x21, 0x22, 0x23})
_FOUR: Final = frozenset({0x02, 0x11, 0x18, 0x27})
_TEXT: Final = frozenset({0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
_UTF_8: Final = _TEXT - {0x09, 0x16}
_PAIR: Final = 0x26
_PAYLOAD_FORM: Final = 0x01
_VARIABLE: Final = 0x0B
_PASSED_ON: Final = frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x26})
"""Properties of a message that its receivers get unchanged; source: MQTT 5.0, clause 3.3.2.3."""


@dataclass(slots=True)
class _Bytes:
    """Bytes and how far they are read."""

    data: bytes
    at: int = 0
    found: dict[int, int | bytes] = field(default_factory=dict)

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise PacketError("the packet ends too early")
        self.at += count
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        value, shift = 0, 0
        while shift <= 21:  # noqa: PLR2004 - four bytes of seven bits
            one = self.number(1)
            value |= (one & 0x7F) << shift
            if not one & 0x80:
                return value
            shift += 7
        raise PacketError("a length has more than four bytes")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        try:
            found = self.binary().decode()
        except UnicodeDecodeError as error:
            raise PacketError("a text is no UTF-8") from error
        if "\0" in found:
            raise PacketError("a text holds NUL")
        return found

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def properties(self) -> bytes:
        """Read properties into `found`; return those that are passed on, as bytes."""
        length = self.variable()
        end, passed = self.at + length, bytearray()
        if end > len(self.data):
            raise PacketError("the packet ends too early")
        while self.at < end:
            begin = self.at
            name = self.variable()
            if name in self.found and name != _PAIR:
                raise PacketError(f"property {name:#04x} is there twice")
            self.found[name] = self._value(name)
            if name in _PASSED_ON:
                passed += self.data[begin : self.at]
        if self.at != end:
            raise PacketError("properties have another length than they say")
        return bytes(passed)

    def _value(self, name: int) -> int | bytes:
        for sizes, size in ((_BYTE, 1), (_TWO, 2), (_FOUR, 4)):
            if name in sizes:
                return self._checked(name, self.number(size))
        # What a receiver would call malformed must not get to it: it would end its connection, for ever.
        if name in _TEXT:
            return self.text().encode() if name in _UTF_8 else self.binary()
        if name == _PAIR:
            return f"{self.text()}\0{self.text()}".encode()
        if name == _VARIABLE:
            return self.variable()
        raise PacketError(f"there is no property {name:#04x}")

    @staticmethod
    def _checked(name: int, value: int) -> int:
        if name == _PAYLOAD_FORM and value > 1:
            raise PacketError("a payload is of form 0 or 1")
        return value

    def whole(self, name: Property) -> int | None:
        """Return a property that is a number; None when it was not there."""
        value = self.found.get(name)
        return value if isinstance(value, int) else None


def split(buffer: bytearray) -> Iterator[Packet]:
    """Take all whole packets from the beginning of a buffer.

    Raises:
        PacketError: It begins with no packet, or with one that is too large.
    """
    while len(buffer) > 1:
        length, at = 0, 1
        while True:
            if at >= len(buffer):
                return
            one = buffer[at]
            length |= (one & 0x7F) << (7 * (at - 1))
            at += 1
            if not one & 0x80:
                break
            if at > 4:  # noqa: PLR2004 - a length has four bytes at most
                raise PacketError("a length has more than four bytes")
        if length > LARGEST:
            raise PacketError(f"a packet of {length} bytes is too large")
        if len(buffer) < at + length:
            return
        first = buffer[0]
        try:
            kind = Kind(first >> 4)
        except ValueError:
            raise PacketError("there is no packet of kind 0") from None
        packet = Packet(kind, first & 0x0F, bytes(buffer[at : at + length]))
        del buffer[: at + length]
        yield packet


def read_connect(body: bytes) -> Connect:
    """Read a request to connect.

    Raises:
        PacketError: It is none.
    """
    data = _Bytes(body)
    if data.text() != "MQTT":
        raise PacketError("the protocol is not MQTT")
    level = data.number(1)
    if level not in {V311, V5}:
        return Connect(level)
    flags, keep_alive_s = data.number(1), data.number(2)
    if flags & 1:
        raise PacketError("a reserved flag is set")
    expiry_s = None
    if level == V5:
        data.properties()
        expiry_s = data.whole(Property.SESSION_EXPIRY)
    receive_maximum = data.whole(Property.RECEIVE_MAXIMUM)
    client = data.text()
    will = _read_will(data, level, flags) if flags & 0x04 else None
    return Connect(
        level,
        client,
        is_clean=bool(flags & 0x02),
        keep_alive_s=keep_alive_s,
        expiry_s=expiry_s,
        receive_maximum=receive_maximum or 65_535,
        will=will,
    )


def _read_will(data: _Bytes, level: int, flags: int) -> Will:
    properties = data.properties() if level == V5 else b""
    qos = _checked_qos(flags >> 3 & 0x03)
    return Will(data.text(), data.binary(), qos, bool(flags & 0x20), properties)


def _checked_qos(qos: int) -> int:
    if qos > 2:  # noqa: PLR2004 - there are 0, 1 and 2
        raise PacketError("there is no QoS 3")
    return qos


def read_publish(packet: Packet, level: int) -> Publish:
    """Read a message.

    Raises:
        PacketError: It is none.
    """
    data, qos = _Bytes(packet.body), _checked_qos(packet.flags >> 1 & 0x03)
    topic = data.text()
    identifier = data.number(2) if qos else None
    properties = data.properties() if level == V5 else b""
    return Publish(
        topic,
        data.rest(),
        qos,
        is_retained=bool(packet.flags & 0x01),
        is_again=bool(packet.flags & 0x08),
        identifier=identifier,
        properties=properties,
    )


def read_identifier(body: bytes) -> int:
    """Read the packet identifier of an acknowledgement.

    Raises:
        PacketError: There is none.
    """
    return _Bytes(body).number(2)


def read_subscribe(body: bytes, level: int) -> tuple[int, list[Wanted]]:
    """Read a request to subscribe: packet identifier, and filters.

    Raises:
        PacketError: It is none.
    """
    data = _Bytes(body)
    identifier = data.number(2)
    if level == V5:
        data.properties()
    found = []
    while data.at < len(body):
        text, options = data.text(), data.number(1)
        found.append(
            Wanted(
                text,
                _checked_qos(options & 0x03),
                is_local_left_out=bool(options & 0x04),
                keeps_flag=bool(options & 0x08),
                retained=options >> 4 & 0x03,
            )
        )
    if not found:
        raise PacketError("a request to subscribe names no filter")
    return identifier, found


def read_unsubscribe(body: bytes, level: int) -> tuple[int, list[str]]:
    """Read a request to unsubscribe: packet identifier, and filters.

    Raises:
        PacketError: It is none.
    """
    data = _Bytes(body)
    identifier = data.number(2)
    if level == V5:
        data.properties()
    found = []
    while data.at < len(body):
        found.append(data.text())
    return identifier, found


def read_disconnect(body: bytes, level: int) -> tuple[int, int | None]:
    """Read why a client leaves, and how long its session shall be kept from now on [s]; None for as before.

    Raises:
        PacketError: It cannot be read.
    """
    data = _Bytes(body)
    reason = data.number(1) if level == V5 and body else Reason.SUCCESS
    if data.at < len(body) and level == V5:
        data.properties()
    return reason, data.whole(Property.SESSION_EXPIRY)
