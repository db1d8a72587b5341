"""The value of an observation's record, in the field names of SensorThings.

What lives here: the one function that writes it, and the field names that attributes may not take. What does
not: keys, headers and partitions (`client.messaging.records`), times (`times`).
Source: OGC 18-088, clause 8.2.7 "Observation" (field names).
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final

from client.errors import InvalidResultError
from client.messaging.records import encode_text, json_text
from client.metadata.times import format_time

# What a record always has, plus what consume() adds; additional attributes may not use these names.
RESERVED_FIELDS: Final = frozenset(
    {"phenomenonTime", "resultTime", "result", "Datastream", "topic", "partition", "offset", "key", "name"}
)
# Written once per Datastream, not per record; more Datastreams than this merely cost time.
_REFERENCE_CACHE_ENTRIES: Final = 4096


def observation_value(
    *,
    phenomenon_time: datetime | str,
    result_time: datetime | str,
    result: object,
    datastream_id: int | str,
    attributes: Mapping[str, object],
) -> bytes:
    """Write the value of an observation's record as compact UTF-8 JSON; falsy values are values and are kept.

    Args:
        phenomenon_time: When the phenomenon happened: aware, or text already in the form of `format_time`.
        result_time: When the result was made.
        result: Anything JSON can carry.
        datastream_id: `@iot.id` of the Datastream.
        attributes: Additional attributes by name.

    Raises:
        InvalidResultError: when the result or an attribute cannot be JSON (NaN and infinities cannot), or an
            attribute would replace a field of the record.
    """
    phenomenon = phenomenon_time if isinstance(phenomenon_time, str) else format_time(phenomenon_time)
    made = result_time if isinstance(result_time, str) else format_time(result_time)
    return encode_text(
        f'{{"phenomenonTime":{encode_basestring(phenomenon)},"resultTime":{encode_basestring(made)},'
        f'"Datastream":{_reference(datastream_id)},'
        f'{_members(attributes) if attributes else ""}"result":{json_text(result)}}}'
    )


@lru_cache(maxsize=_REFERENCE_CACHE_ENTRIES)
def _reference(datastream_id: int | str) -> str:
    return json_text({"@iot.id": datastream_id})


def _members(attributes: Mapping[str, object]) -> str:
    reserved = RESERVED_FIELDS.intersection(attributes)
    if reserved:
        raise InvalidResultError(
            f"attribute {min(reserved)!r} would replace a field of the record. Rename it"
        )
    return "".join([f"{json_text(name)}:{json_text(value)}," for name, value in attributes.items()])
