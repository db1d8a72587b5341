"""Geometries are read strictly, taken as sets of points, and computed with for whole arrays."""

import json
from typing import Any

import pytest

from sensorthings.errors import QuerySyntaxError
from sensorthings.model.entities import LOCATION
from sensorthings.odata.nodes import Call, GeographyLiteral, Literal, Path
from sensorthings.spatial.calls import check_call
from sensorthings.spatial.geometries import (
    bounds_of,
    compute,
    make_boxes,
    read_geojson,
    read_literal,
    write_wkb,
)

SQUARE = "POLYGON((0 0,2 0,2 2,0 2,0 0))"


def _texts(*values: Any) -> list[str | None]:  # noqa: ANN401
    return [None if value is None else json.dumps(value) for value in values]


def _shown(*values: Any) -> list[str | None]:  # noqa: ANN401
    return [None if one is None else one.wkt for one in read_geojson(_texts(*values))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POINT(1 2)", "POINT (1 2)"),
        ("srid = 4326 ; point z (1 2 3)", "POINT (1 2)"),
        ("POLYGON((0 0,2 2,2 0,0 2,0 0))", "MULTIPOLYGON (((1 1, 2 2, 2 0, 1 1)), ((0 0, 0 2, 1 1, 0 0)))"),
        ("GEOMETRYCOLLECTION(POINT(1 2),POINT(1 2))", "POINT (1 2)"),
        ("POINT EMPTY", "POINT EMPTY"),
    ],
)
def test_literal_is_read(text: str, expected: str) -> None:
    assert read_literal(GeographyLiteral(text), "$filter").normalize().wkt == expected


@pytest.mark.parametrize(
    "text",
    ["", "POINT(1)", "POINT(1 2) x", "POINT(nan 1)", "POINT(1 1e19)", "SRID=3857;POINT(1 2)", "x" * 99],
)
def test_literal_that_is_no_geometry_is_told_with_its_place(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match=r"\$orderby, column 7") as caught:
        read_literal(GeographyLiteral(text, 7), "$orderby")
    assert len(caught.value.detail) < 200


def test_geojson_of_every_kind_is_taken_and_what_is_none_is_nothing() -> None:
    point = {"type": "Point", "coordinates": [1, 2, 3]}
    feature = {"type": "Feature", "geometry": point, "properties": {}}
    nowhere: dict[str, Any] = {"type": "Feature", "geometry": None, "properties": {}}
    features = {"type": "FeatureCollection", "features": [feature, nowhere]}
    mixed = {
        "type": "GeometryCollection",
        "geometries": [point, {"type": "LineString", "coordinates": [[0, 0], [1, 0]]}],
    }
    expected = ["POINT (1 2)"] * 3 + ["GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 0))"]
    assert _shown(point, feature, features, mixed) == expected
    open_ring = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}
    far = {"type": "Point", "coordinates": [1e300, 0]}
    assert _shown(None, nowhere, open_ring, far, "text", 5, [], {"type": "FeatureCollection"}) == [None] * 8


def test_number_beyond_a_double_is_no_geometry_and_no_warning() -> None:
    assert list(read_geojson(['{"type": "Point", "coordinates": [1e999, 0]}'])) == [None]


def test_boxes_are_polygons_points_and_lines_as_far_as_they_extend() -> None:
    boxes = make_boxes([(0, 0, 2, 1), (1, 2, 1, 2), (0, 0, 0, 2), (None, None, None, None)])
    assert [None if one is None else one.geom_type for one in boxes] == [
        "Polygon",
        "Point",
        "LineString",
        None,
    ]


def _values(name: str, *arguments: Any) -> list[Any]:  # noqa: ANN401
    nodes = [Path(("location",)) if one == "here" else GeographyLiteral(one) for one in arguments[:2]]
    more = [Literal(one) for one in arguments[2:]]
    call = check_call(Call(name, (*nodes, *more)), LOCATION)
    line = {"type": "LineString", "coordinates": [[0, 0], [3, 4]]}
    rows = read_geojson(_texts({"type": "Point", "coordinates": [1, 1]}, line, None))
    geometries = [rows if one == "here" else read_literal(GeographyLiteral(one), "") for one in arguments[:2]]
    return compute(call, geometries)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("st_within", ("here", SQUARE), [True, False, None]),
        ("st_contains", (SQUARE, "here"), [True, False, None]),
        ("st_contains", ("here", "POINT(1 1)"), [True, False, None]),
        ("st_crosses", (SQUARE, "here"), [False, True, None]),
        ("st_disjoint", ("here", SQUARE), [False, False, None]),
        ("st_relate", ("here", SQUARE), ["0FFFFF212", "101F00212", None]),
        ("st_relate", ("here", SQUARE, "T*F**F***"), [True, False, None]),
        ("geo.distance", ("here", "POINT(1 3)"), [2.0, pytest.approx(1.0), None]),
        ("geo.distance", ("here", "POINT EMPTY"), [None, None, None]),
        ("geo.length", ("here",), [0.0, 5.0, None]),
        ("geo.length", (SQUARE,), [0.0]),
        ("geo.length", ("GEOMETRYCOLLECTION(LINESTRING(5 5,5 8),POINT(1 1))",), [3.0]),
        ("st_equals", (SQUARE, "POLYGON((0 0,0 2,2 2,2 0,0 0))"), [True]),
    ],
)
def test_call_is_computed_for_each_row(name: str, arguments: tuple[str, ...], expected: list[Any]) -> None:
    assert _values(name, *arguments) == expected


def test_box_and_binary_of_a_geometry() -> None:
    line = read_literal(GeographyLiteral("LINESTRING(1 2,3 -4)"), "$filter")
    assert bounds_of(line) == (1, -4, 3, 2)
    assert write_wkb(line)[:5] == bytes([1, 2, 0, 0, 0])
    assert bounds_of(read_literal(GeographyLiteral("POINT EMPTY"), "$filter")) is None
