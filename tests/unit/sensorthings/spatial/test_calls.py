"""Spatial calls are found wherever they stand, and checked against the entity description."""

import pytest

from sensorthings.errors import QueryTypeError
from sensorthings.model.entities import LOCATION, OBSERVATION, THING, EntityType
from sensorthings.odata.nodes import Call
from sensorthings.odata.options import parse_options
from sensorthings.odata.parser import parse_filter
from sensorthings.spatial.calls import Place, Result, check_call, find_calls, find_in
from sensorthings.spatial.engine import may_be_spatial

HERE = "geography'POINT(1 2)'"


def _call(text: str) -> Call:
    node = parse_filter(text)
    assert isinstance(node, Call)
    return node


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        (f"st_within(location,{HERE})", [True]),
        (f"name eq 'x' and (st_within(location,{HERE}) or id eq 1)", [True]),
        (f"not st_within(location,{HERE})", [False]),
        (f"not (id eq 1 or st_within(location,{HERE}))", [False]),
        (f"st_within(location,{HERE}) eq true", [False]),
        (f"geo.distance(location,{HERE}) add 1 lt 2", [False]),
        (f"round(geo.distance(location,{HERE})) in (1,2)", [False]),
        ("name eq 'st_within'", []),
    ],
)
def test_call_is_found_and_known_as_a_claim_of_its_own_or_not(text: str, claims: list[bool]) -> None:
    assert [one.is_claim for one in find_in(parse_filter(text), LOCATION)] == claims


def test_calls_of_expands_and_orders_are_found_with_the_type_they_are_about() -> None:
    inner = f"Locations($filter=st_within(location,{HERE});$orderby=geo.distance(location,{HERE}))"
    options = parse_options(f"$orderby=geo.length(Locations/location)&$expand={inner},Nowhere")
    found = [(one.root.name, one.option, one.call.name) for one in find_calls(options, THING)]
    assert found == [
        ("Thing", "$orderby", "geo.length"),
        ("Location", "$filter", "st_within"),
        ("Location", "$orderby", "geo.distance"),
    ]


def test_path_is_taken_apart_into_relations_property_and_keys() -> None:
    checked = check_call(_call(f"st_within(FeatureOfInterest/feature/geometry,{HERE})"), OBSERVATION)
    assert checked.places == (Place(("FeatureOfInterest",), "FeatureOfInterest", "feature", ("geometry",)),)
    assert (checked.operation, checked.result) == ("within", Result.BOOLEAN)


@pytest.mark.parametrize(
    ("text", "operation", "result"),
    [
        (f"geo.distance(location,{HERE})", "distance", Result.NUMBER),
        ("geo.length(location)", "length", Result.NUMBER),
        (f"geo.intersects({HERE},location)", "intersects", Result.BOOLEAN),
        (f"st_relate(location,{HERE})", "relate", Result.TEXT),
        (f"st_relate(location,{HERE},'t********')", "relate_pattern", Result.BOOLEAN),
    ],
)
def test_function_is_known_by_what_it_computes_and_gives(text: str, operation: str, result: Result) -> None:
    checked = check_call(_call(text), LOCATION)
    assert (checked.operation, checked.result) == (operation, result)


@pytest.mark.parametrize(
    ("text", "root"),
    [
        (f"st_within({HERE})", LOCATION),
        (f"geo.length({HERE},{HERE})", LOCATION),
        (f"st_relate(location,{HERE},1)", LOCATION),
        (f"st_relate(location,{HERE},'TTTTTTTT')", LOCATION),
        (f"st_within(location,tolower({HERE}))", LOCATION),
        (f"st_within(encodingType,{HERE})", LOCATION),
        (f"st_within(id,{HERE})", LOCATION),
        (f"st_within(Datastream/observedArea/type,{HERE})", OBSERVATION),
        (f"st_within(FeatureOfInterest,{HERE})", OBSERVATION),
        ("st_within(FeatureOfInterest/feature,Datastream/observedArea)", OBSERVATION),
    ],
)
def test_call_that_cannot_be_computed_is_refused(text: str, root: EntityType) -> None:
    with pytest.raises(QueryTypeError):
        check_call(_call(text), root)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$filter=st_within(location,x)", True),
        ("$filter=geo.distance(location,x)", True),
        ("$filter=geo%2Elength(location)", True),
        ("$filter=name%20eq%20'x'", False),
        ("", False),
    ],
)
def test_query_without_a_mark_is_not_looked_into(query: str, *, expected: bool) -> None:
    assert may_be_spatial(query) is expected
