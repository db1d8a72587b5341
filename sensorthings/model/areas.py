"""Bounding areas of GeoJSON values.

What lives here: the smallest box (degrees) around any GeoJSON geometry, Feature or collection. What does not:
geometry of any other kind; values that are not GeoJSON simply have no area.

Source: RFC 7946, clause 3.1 (positions are longitude, latitude, optional altitude).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple


class Area(NamedTuple):
    """A box in degrees; west <= east and south <= north."""

    west: float
    south: float
    east: float
    north: float


def area_of(value: object) -> Area | None:
    """Give the smallest box around all positions of a GeoJSON value.

    Returns:
        The box; None when the value has no positions.

    >>> area_of({"type": "LineString", "coordinates": [[13.0, 47.8], [14.5, 47.0]]})
    Area(west=13.0, south=47.0, east=14.5, north=47.8)
    """
    positions = list(_positions(value))
    if not positions:
        return None
    longitudes, latitudes = zip(*positions, strict=True)
    return Area(min(longitudes), min(latitudes), max(longitudes), max(latitudes))


def _positions(value: object) -> Iterator[tuple[float, float]]:
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending.extend(part.get(key) for key in ("coordinates", "geometry", "geometries", "features"))
        elif isinstance(part, list):
            position = _position(part)
            if position is None:
                pending.extend(part)
            else:
                yield position


def _position(part: list[object]) -> tuple[float, float] | None:
    if len(part) < 2:  # noqa: PLR2004 - a position has at least longitude and latitude
        return None
    longitude, latitude = part[0], part[1]
    if isinstance(longitude, bool) or isinstance(latitude, bool):
        return None
    if not isinstance(longitude, int | float) or not isinstance(latitude, int | float):
        return None
    if not math.isfinite(longitude) or not math.isfinite(latitude):
        return None
    return float(longitude), float(latitude)
