"""Packets that a broker sends: from values to bytes; pure.

What lives here: answers, acknowledgements and messages of both versions. What does not: what packets hold
(`packets`), reading (`reading`), and when something is sent (`connection`, `broker`).

Source: MQTT 5.0, clauses 1.5, 2 and 3; MQTT 3.1.1, clauses 2 and 3.
"""

import struct

from adapters.mqtt.integers import variable_byte_integer
from adapters.mqtt.local_broker.packets import LARGEST, V5, Kind, Property, Publish, Reason


def connack(
    level: int, reason: int, *, is_resumed: bool = False, client: str = "", expiry_s: int | None = None
) -> bytes:
    """Write the answer to a request to connect.

    Args:
        level: Version of the client.
        reason: 0, or why not: a reason code, which 3.1.1 gets as its own nearest one.
        is_resumed: Whether its session from before goes on.
        client: Client identifier that the broker has made; empty for none.
        expiry_s: How long its session is kept, where that is less than it has asked for [s].
    """
    if level != V5:
        return _packet(Kind.CONNACK, 0, bytes((int(is_resumed), _old_connack(reason))))
    properties = bytes(
        (Property.SUBSCRIPTION_IDENTIFIERS, 0, Property.SHARED_SUBSCRIPTIONS, 0, Property.LARGEST_PACKET)
    ) + LARGEST.to_bytes(4, "big")
    if client:
        properties += bytes((Property.ASSIGNED_CLIENT,)) + _text(client)
    if expiry_s is not None:
        properties += bytes((Property.SESSION_EXPIRY,)) + expiry_s.to_bytes(4, "big")
    return _packet(Kind.CONNACK, 0, bytes((int(is_resumed), reason)) + _with_length(properties))


def _old_connack(reason: int) -> int:
    """Give the return code of version 3.1.1; source: MQTT 3.1.1, clause 3.2.2.3."""
    return {Reason.SUCCESS: 0, Reason.NOT_AUTHORIZED: 5, Reason.QUOTA_EXCEEDED: 3}.get(Reason(reason), 2)


def unsupported_version() -> bytes:
    """Write the answer to a client of another version; source: MQTT 3.1.1, clause 3.1.2.2."""
    return _packet(Kind.CONNACK, 0, b"\x00\x01")


def publish(message: Publish, level: int) -> bytes:
    """Write a message."""
    flags = message.qos << 1 | int(message.is_retained) | int(message.is_again) << 3
    head = _text(message.topic)
    if message.identifier is not None:
        head += message.identifier.to_bytes(2, "big")
    if level == V5:
        head += _with_length(message.properties)
    return _packet(Kind.PUBLISH, flags, head + message.payload)


def acknowledgement(kind: Kind, identifier: int, level: int, reason: int = Reason.SUCCESS) -> bytes:
    """Write an answer to a message of QoS 1 or 2."""
    body = struct.pack("!H", identifier)
    if level == V5 and reason:
        body += bytes((reason,))
    return _packet(kind, 0, body)


def answers(kind: Kind, identifier: int, level: int, reasons: list[int]) -> bytes:
    """Write an answer to a request to subscribe or unsubscribe: one reason per filter."""
    if level == V5:
        return _packet(kind, 0, struct.pack("!H", identifier) + b"\x00" + bytes(reasons))
    # Version 3.1.1 knows one refusal, and no answers to single filters of a request to unsubscribe.
    old = bytes(min(reason, 0x80) for reason in reasons) if kind is Kind.SUBACK else b""
    return _packet(kind, 0, struct.pack("!H", identifier) + old)


def pingresp() -> bytes:
    """Write the answer to a sign of life."""
    return _packet(Kind.PINGRESP, 0, b"")


def disconnect(reason: int) -> bytes:
    """Write why a client of version 5 is sent away."""
    return _packet(Kind.DISCONNECT, 0, bytes((reason,)))


def _packet(kind: Kind, flags: int, body: bytes) -> bytes:
    return bytes((kind << 4 | flags,)) + variable_byte_integer(len(body)) + body


def _with_length(data: bytes) -> bytes:
    return variable_byte_integer(len(data)) + data


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data
