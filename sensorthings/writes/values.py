"""Values of properties: from JSON to columns, each kind checked.

What lives here: one property at a time. What does not: which properties there are and must be
(`writes.bodies`).

Source: OGC 18-088, clause 8.2, tables 2 to 17.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from sensorthings.errors import BodyError
from sensorthings.model.entities import EntityType, Kind, Property
from sensorthings.model.tables import datastream
from sensorthings.model.times import parse_duration, parse_instant, parse_period

_TIMES: Final = (Kind.INSTANT, Kind.PERIOD, Kind.MOMENT)
RETENTION: Final = "retention"
"""Key in the properties of a Datastream: how long its Observations are kept, an ISO 8601 duration."""


def columns_of(entity: EntityType, described: Property, value: object, place: str) -> dict[str, Any]:
    """Check the value of a property.

    Returns:
        What its columns hold; of a result the first one holds all, as it came.

    Raises:
        BodyError: It is not what the property holds.
    """
    if value is None and described.kind is not Kind.RESULT:
        if described.is_mandatory and not described.has_default:
            raise BodyError("body.null", f"{described.name} cannot be null", place=place)
        return dict.fromkeys(described.columns)
    if described.kind in _TIMES:
        return dict(zip(described.columns, _times(described, value, place), strict=True))
    check = _CHECKS.get(described.kind)
    if check is not None:
        is_right, words = check
        if not is_right(value):
            raise BodyError("body.type", f"{described.name} is {words}", place=place)
    if described.columns == ("properties",) and entity.table is datastream:
        _check_retention(value, place)
    return {described.columns[0]: value}


def _times(described: Property, value: object, place: str) -> tuple[Any, ...]:
    if not isinstance(value, str):
        raise BodyError("body.time", f"{described.name} is an ISO 8601 time in a text", place=place)
    try:
        return (parse_instant(value),) if described.kind is Kind.INSTANT else parse_period(value)
    except ValueError as error:
        raise BodyError(
            "body.time",
            f"{value[:80]!r} is no ISO 8601 time: {error}",
            place=place,
            hint="As 2026-01-02T03:04:05Z, or an interval 2026-01-02T03:00:00Z/2026-01-02T04:00:00Z.",
        ) from None


def _check_retention(properties: object, place: str) -> None:
    if not isinstance(properties, dict) or properties.get(RETENTION) is None:
        return
    given = properties[RETENTION]
    try:
        is_right = isinstance(given, str) and parse_duration(given) > timedelta()
    except ValueError:
        is_right = False
    if not is_right:
        raise BodyError(
            "body.retention",
            "retention is an ISO 8601 duration above zero, in weeks, days, hours, minutes and seconds",
            place=f"{place}/{RETENTION}",
            hint="As P30D; leave it out to keep Observations for ever.",
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_units(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _is_types(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


_CHECKS: Final[dict[Kind, tuple[Callable[[object], bool], str]]] = {
    Kind.TEXT: (_is_text, "a text"),
    Kind.OBJECT: (_is_object, "a JSON object"),
    Kind.UNIT: (_is_object, "a JSON object"),
    Kind.UNITS: (_is_units, "a JSON array of units, each an object with name, symbol and definition"),
    Kind.TYPES: (_is_types, "a JSON array of observation types, each a text"),
}
