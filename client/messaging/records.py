"""The record format: header names, record ids, partition by Thing, compact JSON.

What lives here: pure functions around the bytes of a Kafka record. What does not: sending and receiving
(`producer`, `consumer`), names (`topics`), what a value means (`client.metadata.observations`).
"""

import json
import math
import os
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from operator import methodcaller
from struct import Struct
from typing import Final, NoReturn

from client.errors import InvalidResultError, RecordFormatError
from client.messaging.topics import SYSTEM_LEVELS

HEADER_ID: Final = "dt-id"
HEADER_TRACEPARENT: Final = "traceparent"
HEADER_APP: Final = "dt-app"
HEADER_CONTRACT: Final = "dt-contract"
HEADER_ORIGIN: Final = "dt-origin"
HEADER_ERROR: Final = "dt-error"
HEADER_ERROR_DETAIL: Final = "dt-error-detail"

# confluent-kafka returns headers, and leaves an exception set when the name of one of them is not UTF-8.
# Python's specialised method call does not look for it, so it would rise anywhere later; this call looks. Ask
# once only: the second answer holds null pointers.
read_headers: Final[Callable[[object], "list[tuple[str, bytes | None]] | None"]] = methodcaller("headers")
UNREADABLE_HEADERS: Final = (UnicodeDecodeError, SystemError)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_THING_LEVELS: Final = SYSTEM_LEVELS + 1
_MASK_32: Final = 0xFFFFFFFF
# Partitions are asked for per record but differ per Thing only; more Things than this merely cost time.
_PARTITION_CACHE_ENTRIES: Final = 65536
_TWO_WORDS: Final = Struct(">QQ")
# How many ids one question to the operating system is good for.
_RANDOM_WORDS: Final = 512
_random_words: Final[list[int]] = []
if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    # A child must not make the ids that its parent makes.
    os.register_at_fork(after_in_child=_random_words.clear)


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """One record as Kafka carries it, with the position where it was found."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def new_record_id() -> str:
    """Make the text of a UUID version 7: ascending in time down to about 250 ns, unique by 62 random bits.

    Source: RFC 9562, section 5.7 and section 6.2, method 3.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    within_millisecond = (nanoseconds << 12) // 1_000_000
    first_word = milliseconds << 16 | 0x7 << 12 | within_millisecond
    text = _TWO_WORDS.pack(first_word, 0b10 << 62 | _random_word() >> 2).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _random_word() -> int:
    """Take 64 random bits of the operating system, which is asked for those of many ids at once."""
    try:
        return _random_words.pop()
    except IndexError:
        # Threads that come here together each fetch some: more than needed, and none is used twice.
        first, *others = array("Q", os.urandom(_RANDOM_WORDS * 8))
        _random_words.extend(others)
        return first


def murmur2(data: bytes) -> int:
    """Hash as Kafka's Java client does, as a signed 32-bit number.

    Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2`.
    """
    multiplier = 0x5BD1E995
    length = len(data)
    digest = 0x9747B28C ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * multiplier & _MASK_32
        word = (word ^ word >> 24) * multiplier & _MASK_32
        digest = digest * multiplier & _MASK_32 ^ word
    if length != whole:
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * multiplier & _MASK_32
    digest = (digest ^ digest >> 13) * multiplier & _MASK_32
    digest ^= digest >> 15
    return digest - (1 << 32) if digest >> 31 else digest


@lru_cache(maxsize=_PARTITION_CACHE_ENTRIES)
def _partition(key: bytes, partition_count: int) -> int:
    levels = key.split(b".", _THING_LEVELS)
    hashed = b".".join(levels[:_THING_LEVELS]) if len(levels) > _THING_LEVELS else key
    return (murmur2(hashed) & 0x7FFFFFFF) % partition_count


def partition_for(key: str | bytes, partition_count: int) -> int:
    """Choose the partition of a record so that all Datastreams of one Thing keep one order.

    Hashed are the first five dotted levels, `<system>.<Thing>`, of a Datastream name; of any other key the
    whole.

    Args:
        key: The record key.
        partition_count: Number of partitions of the topic, at least 1.
    """
    return _partition(key.encode() if isinstance(key, str) else key, partition_count)


def encode_json(document: Mapping[str, object]) -> bytes:
    """Write compact UTF-8 JSON.

    Raises:
        InvalidResultError: when something in it cannot be JSON.
    """
    return encode_text(json_text(document))


def json_text(value: object) -> str:
    """Write a value as compact JSON; numbers, text and booleans without the cost of the general way.

    Raises:
        InvalidResultError: when something in it cannot be JSON.
    """
    write: Callable[..., str] = _WRITERS.get(type(value), _ENCODER.encode)
    try:
        return write(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _no_json(error) from error


def encode_text(text: str) -> bytes:
    """Write JSON as UTF-8.

    Raises:
        InvalidResultError: when there is half a surrogate pair in it.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _no_json(error) from error


def _no_json(error: Exception) -> InvalidResultError:
    return InvalidResultError(
        f"the record cannot be written as JSON: {error}. "
        "Use text, finite numbers, booleans, None, lists and dicts only"
    )


def _float_text(number: float) -> str:
    if not math.isfinite(number):
        raise ValueError(f"{number!r} is not JSON")
    return float.__repr__(number)


# As the encoder writes them, without the machinery that `JSONEncoder.encode` sets up in every call.
_WRITERS: Final[Mapping[type, Callable[..., str]]] = {
    float: _float_text,
    int: int.__repr__,
    str: encode_basestring,
    bool: {False: "false", True: "true"}.__getitem__,
}


def decode_object(record: ReceivedRecord) -> dict[str, object]:
    """Read the value of a record, which must be a JSON object.

    Raises:
        RecordFormatError: with the code record.empty_value, record.not_json or record.not_object.
    """
    where = (record.topic, record.partition, record.offset)
    if not record.value:
        raise RecordFormatError("record.empty_value", "the record has no value", *where)
    try:
        document = json.loads(record.value.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RecordFormatError("record.not_json", str(error), *where) from error
    if not isinstance(document, dict):
        kind = type(document).__name__
        raise RecordFormatError("record.not_object", f"the value is a JSON {kind}, not an object", *where)
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259, section 6)")
