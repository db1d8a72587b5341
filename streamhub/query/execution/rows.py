"""From the bytes of a record to the few members that a statement looks at, or to the reason why not.

Lives here: typed rows, the parts of a key, and the codes under which a record is refused. Does not live
here: what happens to a refused record (the engine dead-letters it).

Codes: ``record.empty_value`` (a tombstone), ``record.not_json``, ``record.not_object``, ``record.not_utf8``,
``record.nested_too_deep``, ``record.number_out_of_range``, ``record.key_not_utf8``; where the event time
matters also ``record.no_time`` and ``record.time_invalid``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from client.errors import InvalidTimeError, RecordFormatError
from streamhub.query.values import MissingError

__all__ = ["DECODING_ERRORS", "READING_ERRORS", "Row", "fields_of", "key_parts", "reason_for", "row_type"]

DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError)
"""What decoding a value can raise; TypeError stands for an absent value."""

READING_ERRORS = (*DECODING_ERRORS, MissingError, InvalidTimeError, RecordFormatError)
"""What reading a record with its event time can raise."""

_SYSTEM_LEVELS = 4  # domain.enterprise.workcenter.station
_NUMBER_OUT_OF_RANGE = "out of range"  # in msgspec's message, for a number beyond doubles or 4,300 digits

Row = Any
"""A decoded record: an object with one field for each member that was asked for, None where it has none."""


def row_type(fields: Mapping[str, str]) -> tuple[type, Callable[[bytes], Row]]:
    """Make a row type and its decoder.

    Args:
        fields: Field name to the member of the record that fills it.

    Returns:
        The type, and a function from bytes to one of it that raises ``DECODING_ERRORS``.
    """
    row = msgspec.defstruct(
        "Row", [(field, Any, None) for field in fields], rename=dict(fields) or None, gc=False
    )
    return row, msgspec.json.Decoder(row).decode


def key_parts(key: bytes | None) -> tuple[str | None, str | None, str | None]:
    """Take a record's key apart into name, Thing and system.

    Args:
        key: The full Datastream name in UTF-8; None when the record has none.

    Returns:
        The name as it is, its fifth dotted level, its first four; None for what it does not have.

    Raises:
        UnicodeDecodeError: The key is not UTF-8.
    """
    if key is None:
        return None, None, None
    name = str(key, "utf-8")
    levels = name.split(".", _SYSTEM_LEVELS + 1)
    system = ".".join(levels[:_SYSTEM_LEVELS]) if len(levels) >= _SYSTEM_LEVELS else None
    return name, levels[_SYSTEM_LEVELS] if len(levels) > _SYSTEM_LEVELS else None, system


def reason_for(value: bytes | None, error: Exception) -> tuple[str, str]:
    """Say why a value cannot be used.

    Args:
        value: What could not be decoded.
        error: One of ``READING_ERRORS``.

    Returns:
        A stable code and a detail for people.
    """
    if isinstance(error, RecordFormatError):
        return error.code, error.detail
    if not value:
        return "record.empty_value", "the record has no value"
    if isinstance(error, MissingError):
        return "record.no_time", "the record has no phenomenonTime"
    if isinstance(error, InvalidTimeError):
        return "record.time_invalid", str(error)
    return _undecodable(error)


def _undecodable(error: Exception) -> tuple[str, str]:
    """Say why a value that is there could not be decoded."""
    if isinstance(error, RecursionError):
        return "record.nested_too_deep", "arrays or objects are nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "record.not_utf8", f"byte {error.start} of a text is not UTF-8"
    detail = str(error)
    if _NUMBER_OUT_OF_RANGE in detail:
        return "record.number_out_of_range", detail
    if isinstance(error, msgspec.ValidationError):
        return "record.not_object", detail
    return "record.not_json", detail


def fields_of(members: Iterable[str]) -> dict[str, str]:
    """Give each member a field name that is safe in Python source."""
    return {f"a{index}": member for index, member in enumerate(sorted(members))}
