"""The dt-id of what comes in by MQTT: given, derived from the message, or new; pure but for the new one.

What lives here: which of the three it is, and how one is derived. What does not: remembering new ones over a
crash (`storage.packets`).

1. The message has an MQTT 5 user property `dt-id` with a UUID: that one.
2. Its payload tells its own time: derived from topic and payload. Whatever repeats the message, device or
   broker, repeats the record, and every sink sees that.
3. Otherwise a new one, whose time is the time of reception. Two equal values are two observations then.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

from client.errors import RecordFormatError
from client.messaging.records import HEADER_ID
from client.metadata.times import EPOCH

CODE_BAD_ID: Final = "mqtt.bad_id"
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_RANDOM_BITS: Final = (1 << 62) - 1
_TIME_SHIFT: Final = 80


def given_id(properties: Iterable[tuple[str, str]]) -> str | None:
    """Find the id that a message brings in its user properties; None when it brings none.

    Args:
        properties: Names and values of the user properties (MQTT 5.0, clause 3.3.2.3.7).

    Raises:
        RecordFormatError: It is no UUID.
    """
    text = next((value for name, value in properties if name == HEADER_ID), None)
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError as error:
        raise RecordFormatError(
            CODE_BAD_ID, f"the user property dt-id is {text[:80]!r}, not a UUID"
        ) from error


def derived_id(topic: str, payload: bytes, begins: datetime) -> str:
    """Derive the id of a message that tells its own time; the same message gives the same id.

    It has the layout of a UUID of version 7, so that ids sort by time wherever they come from; the bits that
    are random there are a hash. Times before 1970 count as 1970.

    Args:
        topic: The topic.
        payload: The payload, as it came.
        begins: Start of its phenomenon time, aware.

    Source: RFC 9562, section 5.7 (layout).
    """
    milliseconds, microseconds = divmod(max((begins - EPOCH) // _MICROSECOND, 0), 1000)
    hashed = blake2b(payload, digest_size=8, key=blake2b(topic.encode(), digest_size=32).digest())
    number = (
        milliseconds << _TIME_SHIFT
        | 0x7 << 76
        | (microseconds << 12) // 1000 << 64
        | 0b10 << 62
        | int.from_bytes(hashed.digest()) & _RANDOM_BITS
    )
    return str(UUID(int=number))


def time_of(dt_id: str) -> datetime:
    """Read the time of a UUID of version 7, to a microsecond; beyond the year 9999 it is the end of that.

    Somebody may give an id that no clock has made.

    Source: RFC 9562, section 5.7, and section 6.2, method 3.
    """
    number = UUID(dt_id).int
    microseconds = ((number >> 64 & 0xFFF) * 1000 + 0xFFF) >> 12
    told = timedelta(milliseconds=number >> _TIME_SHIFT, microseconds=microseconds)
    return EPOCH + min(told, _LATEST - EPOCH)
