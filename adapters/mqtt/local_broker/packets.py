"""Packets of MQTT 3.1.1 and 5: what they are and what they hold.

What lives here: kinds, reason codes, properties, and the values that the packets of a client become. What
does not: bytes, which are read in `reading` and written in `writing`; what packets do (`connection`).

Source: MQTT 5.0, clauses 2 and 3; MQTT 3.1.1, clauses 2 and 3. The versions differ in the properties and
reason codes that version 5 adds.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

V311: Final = 4
V5: Final = 5
LARGEST: Final = 1_048_576
"""Largest packet that is taken [bytes]."""


class PacketError(ValueError):
    """Bytes are no packet of MQTT."""


class Kind(IntEnum):
    """What a packet is; source: MQTT 5.0, clause 2.1.2."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Reason(IntEnum):
    """Reason codes of version 5 that are used here; source: MQTT 5.0, clause 2.4."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    NOT_AUTHORIZED = 0x87
    SERVER_BUSY = 0x89
    SHUTTING_DOWN = 0x8B
    KEEP_ALIVE_TIMEOUT = 0x8D
    TAKEN_OVER = 0x8E
    FILTER_INVALID = 0x8F
    TOPIC_INVALID = 0x90
    IDENTIFIER_UNKNOWN = 0x92
    QUOTA_EXCEEDED = 0x97


class Property(IntEnum):
    """Properties that mean something here; source: MQTT 5.0, clause 2.2.2.2."""

    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT = 0x12
    RECEIVE_MAXIMUM = 0x21
    LARGEST_PACKET = 0x27
    SUBSCRIPTION_IDENTIFIERS = 0x29
    SHARED_SUBSCRIPTIONS = 0x2A


class Packet(NamedTuple):
    """One packet: its kind, the flags beside it, and the rest."""

    kind: Kind
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Will:
    """A message that is published when its client is lost; `properties` as they are passed on."""

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    properties: bytes = b""


@dataclass(frozen=True, slots=True)
class Connect:
    """A request to connect.

    Attributes:
        level: `V311` or `V5`, or another one that is not supported.
        client: Client identifier; empty for one that the broker makes.
        is_clean: Whether a session from before is forgotten.
        keep_alive_s: Longest silence of the client [s]; 0 for any.
        expiry_s: How long its session is kept after the connection [s]; None for not at all or, in 3.1.1,
            for ever (see `is_clean`).
        receive_maximum: Most messages that it takes before it acknowledges the first.
        will: Its last will.
    """

    level: int
    client: str = ""
    is_clean: bool = True
    keep_alive_s: int = 0
    expiry_s: int | None = None
    receive_maximum: int = 65_535
    will: Will | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """A message; `properties` as they are passed on."""

    topic: str
    payload: bytes
    qos: int = 0
    is_retained: bool = False
    is_again: bool = False
    identifier: int | None = None
    properties: bytes = b""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One filter of a request to subscribe.

    Attributes:
        text: The filter.
        qos: Highest QoS that is wanted.
        is_local_left_out: Whether its own messages are not wanted.
        keeps_flag: Whether messages come with the retain flag they were published with.
        retained: 0: retained values are wanted, 1: for a new subscription only, 2: never.
    """

    text: str
    qos: int
    is_local_left_out: bool = False
    keeps_flag: bool = False
    retained: int = 0
