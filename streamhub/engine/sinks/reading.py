"""What a record says: the observation in it, or why there is none; pure.

What lives here: value, headers and key of one record. What does not: which Datastream is meant, Kafka, and
what a database can keep (the sinks).

A record that names no id of its own gets one made of its position, so that reading it again gives the same. A
forwarded one gets that of the record it was forwarded from.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, NoReturn
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from client.errors import InvalidTimeError, RecordFormatError
from client.messaging.records import (
    HEADER_ID,
    HEADER_ORIGIN,
    read_headers,
)
from client.messaging.topics import SYSTEM_LEVELS
from client.metadata.times import parse_time
from streamhub.engine.records import Record

CODE_NO_TIME: Final = "record.no_time"
CODE_BAD_TIME: Final = "record.bad_time"
CODE_NO_RESULT: Final = "record.no_result"
CODE_FOREIGN: Final = "record.foreign_datastream"
_NAMESPACE: Final = uuid5(NAMESPACE_URL, "kafka-record")
_SHORTEST_FAST_TIME: Final = len("2026-01-02T03:04:05Z")
_LONGEST_FAST_TIME: Final = len("2026-01-02T03:04:05.000006Z")
_INTERNAL: Final = ".int"


class Reading(NamedTuple):
    """An observation as its record has it.

    Attributes:
        message: The record.
        name: Its key: full name of the Datastream; empty where there is none.
        datastream_id: Id of the Datastream, as the value has it; None where it has none.
        owner: Name of the system that the Datastream has to belong to.
        dt_id: Id of the record.
        start: Start of the phenomenonTime.
        end: End of it; the same object for an instant.
        result: Any JSON value.
        result_time: None when it is not told.
        valid: Start and end of the validTime.
        quality: The resultQuality.
        parameters: Further attributes.
        feature_id: Id of the feature, where the value has it.
    """

    message: Record
    name: str
    datastream_id: int | None
    owner: str
    dt_id: UUID
    start: datetime
    end: datetime
    result: object
    result_time: datetime | None
    valid: tuple[datetime, datetime] | None
    quality: object
    parameters: Mapping[str, object] | None
    feature_id: int | None


class Marks(NamedTuple):
    """What the headers of a record say.

    Attributes:
        dt_id: Text of its id; None where there is none.
        origin: `topic/partition/offset` that it was forwarded from; None for an original.
    """

    dt_id: bytes | None
    origin: str | None


def read_marks(message: Record) -> Marks:
    """Read the headers of a record.

    Raises:
        UnicodeDecodeError: The name of a header is not UTF-8; see `UNREADABLE_HEADERS`.
        SystemError: The same, as an older interpreter says it.
    """
    headers = read_headers(message)
    if headers is None:
        return _NO_MARKS
    if len(headers) == 1 and headers[0][0] == HEADER_ID:  # what most records carry
        return Marks(headers[0][1], None)
    found = dict(headers)
    origin = found.get(HEADER_ORIGIN)
    return Marks(found.get(HEADER_ID), None if origin is None else origin.decode(errors="replace"))


_NO_MARKS: Final = Marks(None, None)


def read_record(message: Record, marks: Marks) -> Reading:
    """Read the observation of a record.

    Raises:
        RecordFormatError: There is none in it; its code tells why.
    """
    document = _decode(message.value())
    topic, key = message.topic(), message.key()
    name, owner = _name(topic, key, marks.origin)
    take = document.pop
    if "result" not in document:
        _refuse(CODE_NO_RESULT, "the record has no result")
    result = take("result")
    phenomenon, told = take("phenomenonTime", None), take("resultTime", None)
    result_time = None if told is None else _instant(told, "resultTime")
    if phenomenon is None and result_time is None:
        _refuse(CODE_NO_TIME, "the record has neither a phenomenonTime nor a resultTime")
    if phenomenon is None or phenomenon == told:
        start = end = result_time or _instant(phenomenon, "phenomenonTime")
    else:
        start, end = _period(phenomenon, "phenomenonTime")
    datastream_id = _id_of(document, "Datastream")
    rest: _Rest = _read_rest(document) if document else _NO_REST
    return Reading(
        message,
        name,
        datastream_id,
        owner,
        _identify(message, marks, key),
        start,
        end,
        result,
        result_time,
        *rest,
    )


def _decode(value: bytes | None) -> dict[str, Any]:
    if not value:
        _refuse("record.empty_value", "the record has no value")
    try:
        document = msgspec.json.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordFormatError("record.not_json", str(error)) from error
    if not isinstance(document, dict):
        _refuse("record.not_object", f"the value is a JSON {type(document).__name__}, not an object")
    return document


def _name(topic: str, key: bytes | None, origin: str | None) -> tuple[str, str]:
    """Give the name of the Datastream and the system that it has to belong to.

    A record of another system's Datastream counts when it was forwarded from that one's own topic. The stream
    app says so; the key is what a device of whatever system has written.
    """
    system = topic.rpartition(".")[0]
    if not key:
        return "", system
    try:
        name = key.decode()
    except UnicodeDecodeError as error:
        raise RecordFormatError("record.key_not_text", str(error)) from error
    if name.startswith(system) and name[len(system) : len(system) + 1] == ".":
        return name, system
    levels = name.split(".", SYSTEM_LEVELS)
    if len(levels) <= SYSTEM_LEVELS:
        return name, system
    if topic.endswith(_INTERNAL):
        _refuse(CODE_FOREIGN, f"{name[:200]!r} is no Datastream of {system}, whose own topic this is")
    owner = ".".join(levels[:SYSTEM_LEVELS])
    if (origin or "").partition("/")[0] != f"{owner}{_INTERNAL}":
        _refuse(CODE_FOREIGN, f"{name[:200]!r} came from {(origin or 'nowhere')[:200]}, not from {owner}")
    return name, owner


_Rest = tuple[tuple[datetime, datetime] | None, object, Mapping[str, object] | None, int | None]
_NO_REST: Final[_Rest] = (None, None, None, None)


def _read_rest(document: dict[str, Any]) -> _Rest:
    """Read what few records have; what is no property of an Observation is one of its parameters."""
    valid = None
    if isinstance(document.get("validTime"), str):
        valid = _period(document.pop("validTime"), "validTime")
    quality = document.pop("resultQuality", None)
    feature_id = _id_of(document, "FeatureOfInterest")
    if isinstance(document.get("parameters"), dict):
        document.update(document.pop("parameters"))
    elif document.get("parameters", "") is None:
        del document["parameters"]
    return valid, quality, document or None, feature_id


def _id_of(document: dict[str, Any], name: str) -> int | None:
    link = document.pop(name, None)
    if link is None and name == "Datastream":
        link = document.pop("MultiDatastream", None)
    identifier = link.get("@iot.id") if isinstance(link, dict) else None
    return identifier if isinstance(identifier, int) and not isinstance(identifier, bool) else None


def _identify(message: Record, marks: Marks, key: bytes | None) -> UUID:
    if marks.dt_id is not None:
        text = marks.dt_id.decode(errors="backslashreplace")
        try:
            return UUID(text)
        except ValueError:
            return uuid5(_NAMESPACE, f"{key!r}/{text}")
    return uuid5(_NAMESPACE, marks.origin or f"{message.topic()}/{message.partition()}/{message.offset()}")


def _instant(value: object, name: str) -> datetime:
    if (
        isinstance(value, str)
        and _SHORTEST_FAST_TIME <= len(value) <= _LONGEST_FAST_TIME
        and value[-1] == "Z"
        and value[10] == "T"
    ):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass  # the slower way knows leap seconds, and says what is wrong
    if value is None or not isinstance(value, str | int | float):
        _refuse(CODE_BAD_TIME, f"{name} is a {type(value).__name__}, not a time")
    try:
        return parse_time(value, now=_no_clock)
    except InvalidTimeError as error:
        raise RecordFormatError(CODE_BAD_TIME, f"{name}: {error}") from error


def _period(value: object, name: str) -> tuple[datetime, datetime]:
    if not isinstance(value, str) or "/" not in value:
        instant = _instant(value, name)
        return instant, instant
    first, _, second = value.partition("/")
    start, end = _instant(first, name), _instant(second, name)
    if end < start:
        _refuse(CODE_BAD_TIME, f"{name} ends before it starts")
    return start, start if end == start else end


def _no_clock() -> datetime:
    return datetime.now(UTC)


def _refuse(code: str, detail: str) -> NoReturn:
    raise RecordFormatError(code, detail)
