"""Geometries and what is computed from them, with shapely.

What lives here: well-known text and GeoJSON as geometries, predicates and measures over whole arrays; planar,
in degrees. What does not: where the values come from (`spatial.resolution`). Shapely is imported by the first
spatial call, because most processes never see one.

A geometry is taken as the set of its points: areas that cross themselves are repaired, the members of a
collection are united. `spatial.postgis` does the same in the database.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

import orjson

from sensorthings.errors import QuerySyntaxError
from sensorthings.odata.nodes import GeographyLiteral
from sensorthings.spatial.calls import SpatialCall

Geometry = Any
"""A shapely geometry; shapely carries no types."""
Geometries = Any
"""A numpy array of shapely geometries, None where there is none."""

_SRID = re.compile(r"\s*SRID\s*=\s*(\d{1,9})\s*;", re.IGNORECASE)
_WGS84 = 4326
_COLLECTION = 7
"""Type of a geometry collection in shapely."""
_FARTHEST = 1e18
"""Largest coordinate that is taken [degrees]; PostGIS does not read larger ones from GeoJSON."""
_MIRRORED = {"within": "contains", "contains": "within"}
"""Predicates whose sides are not alike, and what they are from the other side."""


def read_literal(literal: GeographyLiteral, option: str) -> Geometry:
    """Read a constant: well-known text, with or without `SRID=4326;` before it.

    Raises:
        QuerySyntaxError: The text is no geometry, or of another reference system.
    """
    import shapely  # noqa: PLC0415 - see the module's docstring

    text, found = literal.text, _SRID.match(literal.text)
    if found is not None:
        if int(found.group(1)) != _WGS84:
            raise _literal_error(
                literal, option, f"SRID {found.group(1)} is not served; coordinates are WGS 84"
            )
        text = text[found.end() :]
    try:
        geometry = shapely.from_wkt(text)
    except (shapely.errors.GEOSException, NotImplementedError) as error:
        reason = str(error).removeprefix("ParseException: ").removeprefix("IllegalArgumentException: ")
        raise _literal_error(literal, option, reason.strip()[:80]) from None
    if not (geometry.is_empty or all(abs(edge) <= _FARTHEST for edge in geometry.bounds)):
        raise _literal_error(literal, option, "a coordinate is no number, or too large")
    return _tidied(_array([geometry]))[0]


def _literal_error(literal: GeographyLiteral, option: str, reason: str) -> QuerySyntaxError:
    shown = literal.text if len(literal.text) <= 60 else f"{literal.text[:60]}..."  # noqa: PLR2004 - enough to find it
    return QuerySyntaxError(
        option,
        f"geography'{shown}': {reason}",
        column=literal.column,
        hint="Write well-known text, longitude first, as geography'POINT(13.05 47.8)'.",
    )


def read_geojson(texts: Sequence[str | None]) -> Geometries:
    """Read GeoJSON geometries, Features (their geometry) and collections; None for what is no geometry."""
    import numpy as np  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    given = np.array(texts, dtype=object)
    with np.errstate(all="ignore"):  # numbers beyond a double make an invalid text, not a warning
        found = shapely.from_geojson(given, on_invalid="ignore")
    for place in np.flatnonzero(shapely.is_missing(found)):
        bare = _without_placeless(given[place])
        if bare is not None:
            found[place] = shapely.from_geojson(bare, on_invalid="ignore")
    return _tidied(found)


def _without_placeless(text: str | None) -> str | None:
    """Drop Features that have no geometry, which GeoJSON allows and GEOS does not."""
    if text is None or '"FeatureCollection"' not in text:
        return None
    value = orjson.loads(text)
    features = value.get("features") if isinstance(value, dict) else None
    if not isinstance(features, list):
        return None
    placed = [one for one in features if not (isinstance(one, dict) and one.get("geometry", 0) is None)]
    return orjson.dumps(value | {"features": placed}).decode() if len(placed) < len(features) else None


def make_boxes(edges: Sequence[tuple[float | None, ...]]) -> Geometries:
    """Make the areas that Datastreams show: polygons, points where there is no extent; None without edges."""
    import numpy as np  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    west, south, east, north = np.array(edges, dtype=float).reshape(-1, 4).T
    is_there = ~(np.isnan(west) | np.isnan(south) | np.isnan(east) | np.isnan(north))
    boxes = np.full(len(west), None, dtype=object)
    boxes[is_there] = shapely.box(*(side[is_there] for side in (west, south, east, north)))
    is_point = is_there & (west == east) & (south == north)
    boxes[is_point] = shapely.points(west[is_point], south[is_point])
    return _tidied(boxes)


def _array(geometries: Sequence[Geometry]) -> Geometries:
    import numpy as np  # noqa: PLC0415

    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


def _tidied(geometries: Geometries) -> Geometries:
    import numpy as np  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    edges = np.abs(np.nan_to_num(shapely.bounds(geometries)))
    geometries[(edges > _FARTHEST).any(axis=1)] = None
    geometries = shapely.force_2d(geometries)
    wrong = ~shapely.is_missing(geometries) & ~shapely.is_valid(geometries)
    geometries[wrong] = shapely.make_valid(geometries[wrong])
    for place in np.flatnonzero(shapely.get_type_id(geometries) == _COLLECTION):
        geometries[place] = shapely.union_all(shapely.get_parts(geometries[place]))
    return geometries


def bounds_of(geometry: Geometry) -> tuple[float, float, float, float] | None:
    """Give the box around a geometry (west, south, east, north) [degrees]; None when it is empty."""
    if geometry.is_empty:
        return None
    west, south, east, north = geometry.bounds
    return west, south, east, north


def write_wkb(geometry: Geometry) -> bytes:
    """Write a geometry as well-known binary."""
    import shapely  # noqa: PLC0415

    return cast("bytes", shapely.to_wkb(geometry))


def compute(call: SpatialCall, arguments: Sequence[Geometry | Geometries]) -> list[Any]:
    """Compute a call for each row.

    Args:
        call: What to compute.
        arguments: For each geometry a constant, or an array with one geometry for each row.

    Returns:
        For each row a bool, a float or a text; None where an argument is None, and for the distance to an
        empty geometry.
    """
    import numpy as np  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    taken = np.broadcast_arrays(*(np.atleast_1d(np.asarray(one, dtype=object)) for one in arguments))
    is_known = ~np.logical_or.reduce([shapely.is_missing(one) for one in taken])
    values = np.full(taken[0].shape, None, dtype=object)
    values[is_known] = _operation(call, arguments)(*(one[is_known] for one in taken))
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - not a number


def _operation(call: SpatialCall, arguments: Sequence[Geometry | Geometries]) -> Callable[..., Any]:
    import shapely  # noqa: PLC0415

    if call.operation == "length":
        return _lengths
    if call.pattern is not None:
        pattern = call.pattern
        return lambda first, second: shapely.relate_pattern(first, second, pattern)
    predicate: Callable[..., Any] = getattr(shapely, call.operation)
    constants = [isinstance(one, shapely.Geometry) for one in arguments]
    if constants == [True, False]:
        shapely.prepare(arguments[0])
    if constants == [False, True] and call.operation not in ("relate", "distance"):
        # Only the first side can be prepared.
        shapely.prepare(arguments[1])
        mirrored: Callable[..., Any] = getattr(shapely, _MIRRORED.get(call.operation, call.operation))
        return lambda first, second: mirrored(second, first)
    return predicate


@cache
def _line_types() -> Any:  # noqa: ANN401 - numpy array
    import numpy as np  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    kinds = shapely.GeometryType
    return np.array([kinds.LINESTRING, kinds.LINEARRING, kinds.MULTILINESTRING])


def _lengths(geometries: Geometries) -> Any:  # noqa: ANN401 - numpy array
    """Give the length of the lines [degrees]; areas have none, as in PostGIS."""
    import numpy as np  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    kinds = shapely.get_type_id(geometries)
    lengths = np.where(np.isin(kinds, _line_types()), shapely.length(geometries), 0.0)
    for place in np.flatnonzero(kinds == _COLLECTION):
        lengths[place] = _lengths(shapely.get_parts(geometries[place])).sum()
    return lengths
