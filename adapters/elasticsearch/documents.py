"""A record as a document of Elasticsearch: its fields, its id, and the index that it belongs to; pure.

What lives here: the words and the bytes of a document. What does not: types of the fields in the index
(`schema`), reading a record (`streamhub.engine.sinks.reading`), looking metadata up (`metadata`).

A document has two parts. The head differs from record to record. The tail is the same for all records of a
Datastream, so it is made once and appended as bytes.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast

import orjson

from client.errors import RecordFormatError
from client.messaging.topics import SYSTEM_LEVELS
from client.metadata.times import format_time
from streamhub.engine.sinks.reading import Reading

CODE_TOO_DEEP: Final = "record.nested_too_deeply"
PREFIX: Final = "dtwin-"
_DATE_MARK: Final = "_"
"""Between the system and the date: no system name has it, so `dtwin-a.b.c.d_*` means one system only."""
_WHOLE: Final = range(-(2**63), 2**64)
_COMPANY_LEVELS: Final = 2
_OPTIONS: Final = orjson.OPT_UTC_Z
_REMEMBERED_DATES: Final = 4096
_REMEMBERED_STREAMS: Final = 4096
# So many that nobody finds two Datastreams with one mark. An id may have 512 bytes, and a name has more.
_MARK_BYTES: Final = 16
_EAST_WEST: Final = 180
_NORTH_SOUTH: Final = 90
_OWN_POSITION: Final = (("longitude", "latitude"), ("lon", "lat"))


class Period(StrEnum):
    """How much time one dated index holds, by the phenomenonTime in UTC."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"


class StreamMetadata(NamedTuple):
    """What SensorThings knows of a Datastream, as far as documents carry it.

    Attributes:
        unit: Symbol of the unit, or its name where it has none; None for none.
        observed_property: Name of the ObservedProperty.
        place: Name of the Location of its Thing.
        location: Longitude and latitude [degrees]; None where the Location is no point.
    """

    unit: str | None = None
    observed_property: str | None = None
    place: str | None = None
    location: tuple[float, float] | None = None


def index_alias(system: str) -> str:
    """Name what is searched for a system: an alias, or a data stream.

    >>> index_alias("cz.icecars.CarFleet.Car1")
    'dtwin-cz.icecars.carfleet.car1'
    """
    return f"{PREFIX}{system.lower()}"


def dated_pattern(system: str) -> str:
    """Match all dated indices of a system, and no other system's."""
    return f"{index_alias(system)}{_DATE_MARK}*"


@lru_cache(maxsize=_REMEMBERED_DATES)
def dated_index(system: str, period: Period, year: int, month: int, day: int) -> str:
    """Name the index of a record by its own time: read again, it comes to the same one.

    Args:
        system: Name of the system.
        period: How much time an index holds.
        year: Of the start of the phenomenonTime, in UTC.
        month: Of it; ignored for years.
        day: Of it; ignored for years and months.

    >>> dated_index("cz.icecars.CarFleet.Car1", Period.MONTH, 2026, 1, 31)
    'dtwin-cz.icecars.carfleet.car1_2026.01'
    """
    date = f"{year:04}"
    if period is not Period.YEAR:
        date += f".{month:02}"
    if period is Period.DAY:
        date += f".{day:02}"
    return f"{index_alias(system)}{_DATE_MARK}{date}"


def document_tail(name: str, owner: str, topic: str, metadata: StreamMetadata | None) -> bytes:
    """Write what all documents of one Datastream share, up to the closing brace.

    Args:
        name: Full name of the Datastream; empty where a record has no key.
        owner: System that the Datastream belongs to; for received records it is the providing one.
        topic: Where the record was read.
        metadata: What SensorThings knows of it; None when it is unknown.
    """
    levels = name.split(".", SYSTEM_LEVELS + 1)
    fields: dict[str, object] = {
        "system": owner,
        "company": ".".join(owner.split(".")[:_COMPANY_LEVELS]),
        "topic": topic,
    }
    if name:
        fields["name"] = name
    if len(levels) == SYSTEM_LEVELS + 2:
        fields["thing"], fields["datastream"] = levels[SYSTEM_LEVELS:]
    if metadata is not None:
        known = {
            "unit": metadata.unit,
            "observed_property": metadata.observed_property,
            "place": metadata.place,
            "location": metadata.location,
        }
        fields |= {field: value for field, value in known.items() if value is not None}
    return b"," + orjson.dumps(fields)[1:]


def document(reading: Reading, dt_id: str, tail: bytes) -> bytes:
    """Write the document of a record.

    A number is its `result`, a text its `result_text`. Anything else is `result_json`, the JSON text of it;
    a boolean besides is the `result_text` "true" or "false". A record that says where it was made, in its
    attributes `longitude` and `latitude` or `lon` and `lat` [degrees], has that as its `location`, and the
    Location of its Thing where it does not.

    Args:
        reading: What the record says.
        dt_id: Text of its id.
        tail: What `document_tail` wrote for its Datastream.

    Raises:
        RecordFormatError: It is nested more deeply than can be written.
    """
    start, end = reading.start, reading.end
    # Times keep their microseconds in this text; a date of the index has milliseconds.
    phenomenon: object = start if end is start else f"{format_time(start)}/{format_time(end)}"
    fields: dict[str, Any] = {
        "@timestamp": start,
        "phenomenon_time": phenomenon,
        "hour": start.hour,
        "weekday": start.isoweekday(),
        "dt_id": dt_id,
    }
    if reading.result_time is not None:
        fields["result_time"] = reading.result_time
    result = reading.result
    kind = type(result)
    if kind is float or (kind is int and result in _WHOLE):
        fields["result"] = result
    elif kind is str:
        fields["result_text"] = result
    else:
        _put_other(fields, result)
    if reading.parameters or reading.valid or reading.quality is not None:
        fields["attributes"] = _attributes(reading)
        place = _own_position(reading.parameters) if reading.parameters else None
        if place is not None:
            fields["location"] = place
            tail = _without_location(tail)
    try:
        return orjson.dumps(fields, option=_OPTIONS)[:-1] + tail
    except TypeError:
        # Integers of more than 64 bits somewhere inside; numbers of JSON have no such bound.
        return _written(fields)[:-1] + tail


def position(longitude: object, latitude: object) -> tuple[float, float] | None:
    """Give longitude and latitude [degrees] if they are numbers that name a place on earth (WGS 84)."""
    axes = (longitude, latitude)
    if not all(type(axis) in {int, float} for axis in axes):
        return None
    east, north = cast("tuple[float, float]", axes)
    # So written, what is no number is nowhere either.
    if -_EAST_WEST <= east <= _EAST_WEST and -_NORTH_SOUTH <= north <= _NORTH_SOUTH:
        return float(east), float(north)
    return None


def _own_position(attributes: Mapping[str, object]) -> tuple[float, float] | None:
    for longitude, latitude in _OWN_POSITION:
        if longitude in attributes:
            place = position(attributes[longitude], attributes.get(latitude))
            if place is not None:
                return place
    return None


@lru_cache(maxsize=_REMEMBERED_DATES)
def _without_location(tail: bytes) -> bytes:
    """Leave the Location of the Thing out: a name twice in one document is refused."""
    fields = orjson.loads(b"{" + tail[1:])
    if fields.pop("location", None) is None:
        return tail
    return b"," + orjson.dumps(fields)[1:]


def _written(value: object) -> bytes:
    try:
        return orjson.dumps(_writable(value), option=_OPTIONS)
    except (TypeError, RecursionError) as error:
        raise RecordFormatError(CODE_TOO_DEEP, f"it cannot be written as a document: {error}") from error


def _put_other(fields: dict[str, Any], result: object) -> None:
    if isinstance(result, int) and not isinstance(result, bool):
        try:
            fields["result"] = float(result)
        except OverflowError:
            fields["result_text"] = hex(result)
        return
    if isinstance(result, bool):
        fields["result_text"] = "true" if result else "false"
    fields["result_json"] = _written(result).decode()


def _attributes(reading: Reading) -> Mapping[str, object]:
    """Give what few records have: further attributes, validTime and resultQuality."""
    attributes: dict[str, object] = dict(reading.parameters or {})
    if reading.valid is not None:
        attributes["validTime"] = "/".join(format_time(moment) for moment in reading.valid)
    if reading.quality is not None:
        attributes["resultQuality"] = reading.quality
    return attributes


def _writable(value: object) -> object:
    """Replace integers of more than 64 bits by the nearest float, or by text beyond that."""
    if isinstance(value, dict):
        return {name: _writable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_writable(member) for member in value]
    if isinstance(value, int) and not isinstance(value, bool) and value not in _WHOLE:
        try:
            return float(value)
        except OverflowError:
            return hex(value)
    return value


def document_id(reading: Reading, dt_id: str) -> str:
    """Name the document of a record: by its `dt-id`, and by its Datastream.

    A device chooses the ids of its records, and could choose those of another Datastream's: each counts for
    its own Datastream only. The `dt-id` comes first: ids that grow with time are found sooner.

    Args:
        reading: What the record says.
        dt_id: Text of its id.
    """
    # Without a name, as the observation store has it, the Datastream is meant by its id.
    number = None if reading.name else reading.datastream_id
    return f"{dt_id}.{_stream_mark(reading.owner, reading.name, number)}"


@lru_cache(maxsize=_REMEMBERED_STREAMS)
def _stream_mark(owner: str, name: str, number: int | None) -> str:
    # Hexadecimal, since decimal digits are bounded. No name of a system has a line break.
    text = f"{owner}\n{name}\n{'' if number is None else format(number, 'x')}"
    digest = blake2b(text.encode(), digest_size=_MARK_BYTES).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def action(identifier: str, index: str | None) -> bytes:
    """Write the line before a document in a bulk: make it, unless it is there.

    Args:
        identifier: Its id.
        index: Where it belongs; None for the target of the bulk.

    Source: Elasticsearch, "Bulk API".
    """
    # Neither an id nor the name of an index holds anything that JSON escapes.
    if index is None:
        return b'{"create":{"_id":"%b"}}\n' % identifier.encode()
    return b'{"create":{"_index":"%b","_id":"%b"}}\n' % (index.encode(), identifier.encode())
