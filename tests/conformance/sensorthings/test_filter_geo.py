"""Requirement "built-in-query-functions": geospatial functions, against what shapely computes.

Source: OGC 18-088, clause 9.3.3.5.2, table 22; OGC 06-103r4 for the relations.
"""

from collections.abc import Callable

import pytest
from shapely import wkt
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from tests.conformance.sensorthings.requirements import feature, observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, location, thing

SHAPES = {
    "inside": "POINT (5 5)",
    "on the border": "POINT (0 5)",
    "corner": "POINT (10 10)",
    "far": "POINT (30 40)",
    "crossing": "LINESTRING (-5 5, 15 5)",
    "along the border": "LINESTRING (0 0, 0 10)",
    "inner line": "LINESTRING (1 1, 2 2, 3 1)",
    "same": "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0))",
    "smaller": "POLYGON ((2 2, 4 2, 4 4, 2 4, 2 2))",
    "larger": "POLYGON ((-5 -5, 20 -5, 20 20, -5 20, -5 -5))",
    "shifted": "POLYGON ((5 5, 15 5, 15 15, 5 15, 5 5))",
    "neighbour": "POLYGON ((10 0, 20 0, 20 10, 10 10, 10 0))",
    "points": "MULTIPOINT ((5 5), (30 40))",
}
SQUARE = "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0))"
LINE = "LINESTRING (-5 5, 15 5)"
PREFIX = "geo-conformance "
RELATIONS: dict[str, Callable[[BaseGeometry, BaseGeometry], bool]] = {
    "st_equals": lambda one, other: bool(one.equals(other)),
    "st_disjoint": lambda one, other: bool(one.disjoint(other)),
    "st_touches": lambda one, other: bool(one.touches(other)),
    "st_within": lambda one, other: bool(one.within(other)),
    "st_overlaps": lambda one, other: bool(one.overlaps(other)),
    "st_crosses": lambda one, other: bool(one.crosses(other)),
    "st_intersects": lambda one, other: bool(one.intersects(other)),
    "st_contains": lambda one, other: bool(one.contains(other)),
    "geo.intersects": lambda one, other: bool(one.intersects(other)),
}


@pytest.fixture(scope="module", autouse=True)
def _shapes(api: Api) -> None:
    """A Location and a FeatureOfInterest of each shape, and one that has none."""
    for name, text in SHAPES.items():
        geometry = mapping(wkt.loads(text))
        api.create("Locations", location(PREFIX + name) | {"location": geometry})
        api.create("FeaturesOfInterest", feature(PREFIX + name, geometry))
    nowhere = {"encodingType": "text/plain", "location": "behind the mill"}
    api.create("Locations", location(f"{PREFIX}nowhere") | nowhere)


def found(api: Api, set_name: str, expression: str) -> set[str]:
    names = api.found(set_name, f"startswith(name,'{PREFIX}') and {expression}", "name")
    return {name.removeprefix(PREFIX) for name in names}


def expected(is_true: Callable[[BaseGeometry], bool]) -> set[str]:
    return {name for name, text in SHAPES.items() if is_true(wkt.loads(text))}


@pytest.mark.parametrize("other", [SQUARE, LINE, "POINT (5 5)"], ids=["polygon", "line", "point"])
@pytest.mark.parametrize("function", RELATIONS)
def test_filter_spatial_relation(api: Api, function: str, other: str) -> None:
    """req/request-data/built-in-query-functions: spatial relationship functions."""
    shape, relation = wkt.loads(other), RELATIONS[function]

    assert found(api, "Locations", f"{function}(location,geography'{other}')") == expected(
        lambda one: relation(one, shape)
    )
    assert found(api, "FeaturesOfInterest", f"{function}(geography'{other}',feature)") == expected(
        lambda one: relation(shape, one)
    )


@pytest.mark.parametrize("pattern", ["T********", "T*F**F***", "FF*FF****", "T*T***T**", "0********"])
def test_filter_spatial_relation_by_pattern(api: Api, pattern: str) -> None:
    """req/request-data/built-in-query-functions: st_relate, the DE-9IM pattern."""
    square = wkt.loads(SQUARE)

    assert found(api, "Locations", f"st_relate(location,geography'{SQUARE}','{pattern}')") == expected(
        lambda one: bool(one.relate_pattern(square, pattern))
    )


@pytest.mark.parametrize("limit", [0, 1, 6, 40, 1000])
def test_filter_distance(api: Api, limit: float) -> None:
    """req/request-data/built-in-query-functions: geo.distance, in the coordinates' own unit."""
    point = wkt.loads("POINT (5 5)")

    assert found(api, "Locations", f"geo.distance(location,geography'POINT (5 5)') le {limit}") == expected(
        lambda one: bool(one.distance(point) <= limit)
    )


@pytest.mark.parametrize("limit", [2, 10, 20, 100])
def test_filter_length(api: Api, limit: float) -> None:
    """req/request-data/built-in-query-functions: geo.length of a line."""
    lines = {name for name, text in SHAPES.items() if text.startswith("LINE")}

    is_longer = expected(lambda one: bool(one.length > limit)) & lines
    assert found(api, "Locations", f"geo.length(location) gt {limit}") & lines == is_longer


def test_filter_distance_sorts(api: Api) -> None:
    """req/request-data/orderby: the nearest first."""
    page = api.read(
        f"Locations?$filter=startswith(name,'{PREFIX}')"
        " and geo.distance(location,geography'POINT (29 40)') lt 100"
        "&$orderby=geo.distance(location,geography'POINT (29 40)')&$top=2"
    )

    assert {one["name"] for one in page["value"]} == {f"{PREFIX}far", f"{PREFIX}points"}


def test_filter_spatial_functions_over_relations(api: Api) -> None:
    """req/request-data/filter: a geometry at the end of a path."""
    stream = stream_of(api, observation(1, FeatureOfInterest=feature("here")))
    identifier = api.read(f"{stream}/Thing?$select=id")["@iot.id"]
    near = "geography'POLYGON ((0 1, 2 1, 2 3, 0 3, 0 1))'"

    assert api.found(f"{stream}/Observations", f"st_within(FeatureOfInterest/feature,{near})") == [1]
    here = "geo.distance(Locations/location,geography'POINT (13.05 47.8)') lt 0.01"
    assert api.found("Things", f"id eq {identifier} and {here}", "@iot.id") == [identifier]


def test_filter_reads_a_feature_of_geojson_as_its_geometry(api: Api) -> None:
    """req/datamodel/location/properties: GeoJSON is more than geometries."""
    whole: Json = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Point", "coordinates": [70, 70]},
    }
    made = api.create("Locations", location("as a feature") | {"location": whole})

    inside = "st_within(location,geography'POLYGON ((69 69, 71 69, 71 71, 69 71, 69 69))')"
    assert made["@iot.id"] in api.found("Locations", inside, "@iot.id")


@pytest.mark.parametrize(
    "expression",
    [
        "geo.distance(location,geography'POINT (x y)') lt 1",
        "st_within(location,geography'')",
        "st_within(location)",
        "geo.length(location,location) gt 1",
        "st_relate(location,geography'POINT (1 1)','nonsense') ",
        "geo.nothing(location)",
        "st_within(location,geography'POLYGON ((0 0, 1 1))')",
        "st_within(location,'POINT (1 1)') eq 5",
    ],
)
def test_filter_with_a_shape_that_is_none_is_refused(api: Api, expression: str) -> None:
    """req/request-data/query-status-code."""
    assert api.refuse("GET", "Locations", params={"$filter": expression})["status"] in {400, 501}


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": []},
        {"type": "Point"},
        {"type": "Nothing", "coordinates": [1, 2]},
        {},
        [],
        "x",
        5,
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, 0], [0, 9], [0, 0]]]},
        {"type": "Point", "coordinates": [1, 2, 3]},
        {"type": "GeometryCollection", "geometries": []},
    ],
    ids=str,
)
def test_filter_over_odd_geometries_never_fails(api: Api, geometry: Json) -> None:
    """req/request-data/status-codes: what was taken once never breaks a query later."""
    answer = api.send("POST", "Things", thing("odd", Locations=[location("odd") | {"location": geometry}]))
    assert answer.status_code in {201, 400}

    for call in (
        "geo.distance(location,geography'POINT (1 1)') lt 1",
        "st_within(location,geography'POINT (1 1)')",
    ):
        assert api.send("GET", "Locations", params={"$filter": call}).status_code == 200
    assert api.send("GET", "Locations?$filter=geo.length(location) gt 0").status_code == 200
    if answer.status_code == 201:
        api.delete(path_of(answer.json(), "Things"))
