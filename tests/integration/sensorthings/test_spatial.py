"""Spatial functions over real data: every function and kind of place; every mistake a problem document."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}
PLACES: dict[str, Json] = {
    "inside": {"type": "Point", "coordinates": [1, 1]},
    "corner": {"type": "Point", "coordinates": [0, 0]},
    "outside": {"type": "Point", "coordinates": [4, 1]},
    "line": {"type": "LineString", "coordinates": [[-1, 1], [3, 1]]},
    "square": SQUARE,
    "neighbour": {"type": "Polygon", "coordinates": [[[2, 0], [4, 0], [4, 2], [2, 2], [2, 0]]]},
    "shifted": {"type": "Polygon", "coordinates": [[[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]]},
    "feature": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}, "properties": {}},
    "collection": {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [9, 9]}, "properties": {}},
            {"type": "Feature", "geometry": None, "properties": {}},
        ],
    },
    "text": "by the lake",
    "open": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]},
}
BOX = "geography'POLYGON((0 0,2 0,2 2,0 2,0 0))'"


@pytest.fixture(scope="module")
def tag(api: Api) -> str:
    """The description that the Locations of this module have and no others."""
    for name, place in PLACES.items():
        api.create("Locations", location(name) | {"description": "spatial", "location": place})
    return "spatial"


def _names(api: Api, tag: str, expression: str) -> list[str]:
    return api.found("Locations", f"description eq '{tag}' and ({expression})", "name")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"st_within(location,{BOX})", ["inside", "square", "feature"]),
        (f"st_contains({BOX},location)", ["inside", "square", "feature"]),
        ("st_contains(location,geography'POINT(1.5 1.5)')", ["square", "shifted"]),
        (f"st_equals(location,{BOX})", ["square"]),
        (f"st_touches(location,{BOX})", ["corner", "neighbour"]),
        (f"st_overlaps(location,{BOX})", ["shifted"]),
        (f"st_crosses(location,{BOX})", ["line"]),
        (f"st_disjoint(location,{BOX})", ["outside", "collection"]),
        (
            f"st_intersects(location,{BOX})",
            ["inside", "corner", "line", "square", "neighbour", "shifted", "feature"],
        ),
        (f"not geo.intersects(location,{BOX})", ["outside", "collection"]),
        (f"geo.intersects(location,{BOX}) eq false", ["outside", "collection"]),
        (f"st_within(location,{BOX}) or name eq 'text'", ["inside", "square", "feature", "text"]),
        (f"st_relate(location,{BOX},'T*F**F***')", ["inside", "square", "feature"]),
        (f"st_relate(location,{BOX}) eq '0FFFFF212'", ["inside", "feature"]),
        (f"substring(st_relate(location,{BOX}),0,2) eq '10'", ["line"]),
        ("geo.distance(location,geography'POINT(4 1)') eq 0", ["outside", "neighbour"]),
        (
            "geo.distance(location,geography'POINT(4 1)') add 1 lt 2.5",
            ["outside", "line", "neighbour", "shifted"],
        ),
        ("geo.distance(location,geography'srid=4326;point(1 1)') lt 0.5", None),
        ("geo.length(location) gt 0", ["line"]),
        ("geo.length(location) eq 4", ["line"]),
        ("geo.length(geography'LINESTRING(0 0,3 4)') eq 5 and name eq 'text'", ["text"]),
        ("st_within(location/geometry,geography'POLYGON((0 0,2 0,2 2,0 2,0 0))')", ["feature"]),
        ("geo.distance(location,geography'POINT(0 0)') eq null", ["text", "open"]),
        (f"st_within(location,{BOX}) and not st_equals(location,{BOX})", ["inside", "feature"]),
        (
            "st_intersects(location,geography'GEOMETRYCOLLECTION(POINT(4 1),POINT(9 9))')",
            ["outside", "neighbour", "collection"],
        ),
        ("st_intersects(location,geography'POINT EMPTY')", []),
    ],
)
def test_function_finds_the_locations_for_which_it_is_true(
    api: Api, tag: str, expression: str, expected: list[str] | None
) -> None:
    near = ["inside", "line", "square", "feature", "shifted"]
    found = _names(api, tag, expression)
    assert sorted(found) == sorted(near if expected is None else expected)


def test_order_by_distance_puts_what_has_none_first_and_pages_without_losing_any(api: Api, tag: str) -> None:
    order = quote("geo.distance(location,geography'POINT(0 0)')")
    path = f"Locations?$filter=description eq '{tag}'&$orderby={order}&$top=2&$select=name"
    found: list[str] = []
    while path:
        page = api.read(path)
        found += [one["name"] for one in page["value"]]
        path = page.get("@iot.nextLink", "")
    assert sorted(found) == sorted(PLACES)
    assert set(found[:2]) == {"text", "open"}
    assert set(found[2:4]) == {"corner", "square"}
    assert found[-1] == "collection"


@pytest.fixture(scope="module")
def station(api: Api) -> Json:
    """A Thing far from everything else, with an Observation."""
    place = location("Far", [100.5, -20.25])
    stream = datastream("Far stream", Observations=[{"result": 1, "phenomenonTime": "2020-01-01T00:00:00Z"}])
    return api.create("Things", thing("Far station", Locations=[place], Datastreams=[stream]))


FAR = "geography'POLYGON((100 -21,101 -21,101 -20,100 -20,100 -21))'"


@pytest.mark.parametrize(
    ("path", "expression", "expected"),
    [
        ("Things", f"st_within(Locations/location,{FAR})", ["Far station"]),
        ("Things", f"geo.distance(Locations/location,{FAR}) lt 0.1", ["Far station"]),
        ("Things", f"Locations/any(x: st_within(x/location,{FAR}))", ["Far station"]),
        ("Things", f"Locations/all(x: st_within(x/location,{FAR})) and Locations/any()", ["Far station"]),
        ("Datastreams", f"Thing/Locations/any(x: geo.distance(x/location,{FAR}) eq 0)", ["Far stream"]),
        ("Datastreams", f"st_within(Thing/Locations/location,{FAR})", ["Far stream"]),
        ("Datastreams", f"st_within(observedArea,{FAR})", ["Far stream"]),
        ("FeaturesOfInterest", f"st_within(feature,{FAR})", ["Far"]),
        ("Observations", f"st_within(FeatureOfInterest/feature,{FAR})", [1]),
        ("Observations", f"st_within(Datastream/observedArea,{FAR}) and result eq 1", [1]),
        ("Observations", f"geo.distance(FeatureOfInterest/feature,{FAR}) eq 0", [1]),
    ],
)
def test_place_is_reached_over_relations(
    api: Api, station: Json, path: str, expression: str, expected: list[Json]
) -> None:
    assert station["name"] == "Far station"
    assert api.found(path, expression, "result" if path == "Observations" else "name") == expected


def test_expand_and_count_filter_by_place(api: Api, station: Json) -> None:
    inner = quote(f"st_within(location,{FAR})")
    path = f"Things({station['@iot.id']})?$expand=Locations($filter={inner};$count=true)"
    assert [one["name"] for one in api.read(path)["Locations"]] == ["Far"]
    counted = api.read(f"Locations?$count=true&$top=0&$filter={inner}")
    assert counted["@iot.count"] == 1


def test_place_that_changes_is_found_where_it_is_now(
    api: Api, new_thing: Callable[..., tuple[str, str]]
) -> None:
    api.create("Locations", location("Mover", [-150.0, 50.0]))
    expression = "st_intersects(location,geography'POINT(-151 51)')"
    assert api.found("Locations", expression, "name") == []
    moved = api.found("Locations", "name eq 'Mover'", "@iot.id")[0]
    api.change(f"Locations({moved})", {"location": {"type": "Point", "coordinates": [-151.0, 51.0]}})
    assert api.found("Locations", expression, "name") == ["Mover"]


@pytest.mark.parametrize(
    ("path", "expression", "words"),
    [
        ("Locations", "st_within(location,geography'POINT(1)')", "$filter, column 20"),
        ("Locations", "st_within(location,geography'SRID=3857;POINT(1 2)')", "SRID 3857"),
        ("Locations", "st_within(location,geography'CIRCULARSTRING(0 0,1 1,2 0)')", "geography'CIRC"),
        ("Locations", "st_within(location,geography'POINT(inf 1)')", "no number"),
        ("Locations", "st_within(location)", "takes 2 arguments, not 1"),
        ("Locations", "geo.length(location,location) gt 1", "takes 1 argument, not 2"),
        ("Locations", "st_within(location,'POINT(1 2)')", "takes geometries"),
        ("Locations", "st_within(name,geography'POINT(1 2)')", "name is no geometry"),
        ("Locations", "st_within(place,geography'POINT(1 2)')", "no property place"),
        ("Locations", "st_within(Things,geography'POINT(1 2)')", "is a relation"),
        ("Locations", "st_relate(location,geography'POINT(1 2)','XX')", "DE-9IM"),
        ("Locations", "geo.distance(location,geography'POINT(1 2)')", "a number where a condition"),
        (
            "Observations",
            "st_within(FeatureOfInterest/feature,Datastream/observedArea)",
            "different entities",
        ),
        ("Locations", "year(geo.distance(location,geography'POINT(1 2)')) eq 1", "a number where a time"),
    ],
)
def test_mistake_is_told_by_name(api: Api, path: str, expression: str, words: str) -> None:
    problem = api.refuse("GET", f"{path}?$filter={quote(expression)}")
    assert problem["status"] == 400
    assert words in problem["detail"]


@pytest.mark.parametrize(
    "order",
    [
        f"st_within(location,{BOX}) desc",
        f"st_relate(location,{BOX})",
        f"geo.distance(location,{BOX}) mul 2 mod 3,name desc",
        "geo.length(geography'LINESTRING(0 0,1 1)')",
    ],
)
def test_order_by_any_spatial_value_pages_without_losing_any(api: Api, tag: str, order: str) -> None:
    where = quote(f"description eq '{tag}'")
    page = api.read(f"Locations?$filter={where}&$orderby={quote(order)}&$top=3")
    found = [one["name"] for one in page["value"]]
    while "@iot.nextLink" in page:
        page = api.read(page["@iot.nextLink"])
        found += [one["name"] for one in page["value"]]
    assert sorted(found) == sorted(PLACES)


@pytest.mark.parametrize(
    "query",
    [
        f"Things?$orderby=geo.distance(Locations/location,{BOX})",
        f"Locations?$filter=st_within(location,{BOX}) add 1 eq 2",
        f"Locations?$filter=location eq {BOX}",
        f"Locations?$filter=st_nothing(location,{BOX})",
        f"Locations?$filter=st_within(nothing,{BOX}) eq null",
        f"Locations?$filter=Things/any(x: st_within(y/location,{BOX}))",
        "Datastreams?$filter=observedArea eq 1",
        f"Locations(1)?$filter=st_within(location,{BOX})",
        f"Locations?$select=name&$expand=Nothing($filter=st_within(location,{BOX}))",
    ],
)
def test_what_cannot_be_computed_is_refused_and_no_error_of_the_service(api: Api, query: str) -> None:
    api.refuse("GET", quote(query, safe="?$=&/"))
