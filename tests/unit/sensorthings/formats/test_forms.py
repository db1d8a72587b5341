"""Forms are written from the JSON of an answer, value by value as it came."""

import json
from typing import Any

import pytest

from sensorthings.http.formats.choice import ResultFormat
from sensorthings.http.formats.data_arrays import components_of
from sensorthings.http.formats.features import write_features
from sensorthings.http.formats.pages import read_page
from sensorthings.http.formats.tables import columns_of
from sensorthings.http.formats.writer import make_wish, write_answer
from sensorthings.http.messages import Answer
from sensorthings.http.paths import parse_path
from sensorthings.model.entities import DATASTREAM, LOCATION
from sensorthings.odata.options import parse_options

ROOT = "http://x/v1.1"


def _written(path: str, query: str, body: str) -> Answer:
    form = next(one for one in ResultFormat if query.endswith(one.value))
    return write_answer(body.encode(), make_wish(form, parse_path(path), query))


def _observation(number: int, stream: str, result: str) -> str:
    kind, _, at = stream.partition(" ")
    return (
        f'{{"@iot.id":{number},"phenomenonTime":"2020-01-01T00:00:00Z","result":{result},'
        f'"{kind}":{{"@iot.selfLink":"{ROOT}/{kind}s({at})"}}}}'
    )


def test_data_array_keeps_order_in_groups_numbers_as_texts_and_count_and_link() -> None:
    rows = [
        _observation(1, "Datastream 7", "20.0"),
        _observation(2, "MultiDatastream 8", "[1, 1e400]"),
        _observation(3, "Datastream 7", "123456789012345678901234567890"),
    ]
    link = f"{ROOT}/Observations?$select=id&$expand=Datastream&$skiptoken=abc"
    body = f'{{"@iot.count":9,"@iot.nextLink":"{link}","value":[{",".join(rows)}]}}'
    answer = _written("Observations", "$skip=2&$select=id,result&$resultFormat=dataArray", body)
    expected = (
        f'{{"@iot.count":9,"@iot.nextLink":"{ROOT}/Observations?$select=id,result&$resultFormat=dataArray'
        '&$skiptoken=abc","value":['
        f'{{"Datastream@iot.navigationLink":"{ROOT}/Datastreams(7)","components":["id","result"],'
        '"dataArray":[[1,20.0],[3,123456789012345678901234567890]]},'
        f'{{"MultiDatastream@iot.navigationLink":"{ROOT}/MultiDatastreams(8)","components":["id","result"],'
        '"dataArray":[[2,[1, 1e400]]]}]}'
    )
    assert answer.body.decode() == expected
    assert (answer.media_type, answer.headers) == ("application/json", {})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$select=result,id,@iot.id,Datastream", ("result", "id")),
        ("$select=Datastream,FeatureOfInterest", ("FeatureOfInterest/id",)),
    ],
)
def test_components_are_those_of_select_once_each(query: str, expected: tuple[str, ...]) -> None:
    assert components_of(parse_options(query)) == expected


def test_value_that_is_not_there_is_null_in_a_data_array() -> None:
    body = f'{{"value":[{_observation(1, "Datastream 7", "null")}]}}'
    answer = _written("Observations", "$select=validTime,result&$resultFormat=dataArray", body)
    assert json.loads(answer.body)["value"][0]["dataArray"] == [[None, None]]


def test_csv_quotes_what_has_to_be_and_writes_nested_values_as_json() -> None:
    body = (
        '{"@iot.id":1,"name":"=1+1, \\"x\\"","description":"","properties":{"a": [1, 2.50]},'
        '"@iot.selfLink":"y"}'
    )
    answer = _written("Things(1)", "$resultFormat=CSV", body)
    assert answer.body.decode() == (
        'id,name,description,properties\r\n1,"=1+1, ""x""",,"{""a"": [1, 2.50]}"\r\n'
    )
    assert (answer.media_type, answer.headers) == ("text/csv", {})


def test_csv_has_the_same_columns_whatever_the_page_holds() -> None:
    options = parse_options(
        "$select=name,unitOfMeasurement&$expand=Thing($expand=Locations($top=1;$select=id))"
    )
    assert [column.name for column in columns_of(DATASTREAM, options)] == [
        "name",
        "unitOfMeasurement/name",
        "unitOfMeasurement/symbol",
        "unitOfMeasurement/definition",
        "Thing/id",
        "Thing/name",
        "Thing/description",
        "Thing/properties",
        "Thing/Locations/id",
    ]


def test_csv_takes_the_first_of_many_and_leaves_empty_what_is_missing() -> None:
    body = (
        '{"value":[{"name":"a","Datastreams":[{"name":"first"}]},{"name":"b","Datastreams":[]},{"name":null}],'
        f'"@iot.nextLink":"{ROOT}/Things?$skiptoken=t"}}'
    )
    query = "$select=name&$expand=Datastreams($top=1;$select=name)&$top=3&$resultFormat=CSV"
    answer = _written("Things", query, body)
    assert answer.body.decode() == "name,Datastreams/name\r\na,first\r\nb,\r\n,\r\n"
    assert answer.headers == {"Link": f'<{ROOT}/Things?{query}&$skiptoken=t>; rel="next"'}


def test_csv_of_a_unit_that_is_null_is_empty() -> None:
    options = parse_options("$select=unitOfMeasurement")
    page = read_page(b'{"unitOfMeasurement":null}', is_set=False)
    assert [column.cell(page.entities[0]) for column in columns_of(DATASTREAM, options)] == ["", "", ""]


def _features(*entities: Any) -> list[Any]:  # noqa: ANN401
    page = read_page(json.dumps({"value": entities}).encode(), is_set=True)
    features: list[Any] = json.loads(write_features(page))["features"]
    return features


POINT = {"type": "Point", "coordinates": [1, 2.5]}


def test_feature_has_the_geometry_of_the_entity_before_that_of_what_is_expanded() -> None:
    own = {"@iot.id": 3, "Thing": {"Locations": [{"location": {**POINT, "coordinates": [9, 9]}}]}}
    feature = _features({**own, "observedArea": POINT, "@iot.selfLink": "x", "Thing@iot.navigationLink": "y"})
    assert feature == [{"type": "Feature", "id": 3, "geometry": POINT, "properties": {"id": 3}}]
    assert _features(own)[0]["geometry"]["coordinates"] == [9, 9]


def test_feature_takes_geojson_of_every_kind_and_keeps_what_is_none_as_a_property() -> None:
    feature = {"type": "Feature", "geometry": POINT, "properties": {"zone": "A"}}
    whole = {"type": "FeatureCollection", "features": [feature, {"type": "Feature", "geometry": None}]}
    found = _features({"location": feature}, {"feature": whole}, {"location": "by the lake"}, {"location": 5})
    assert [one["geometry"] for one in found] == [
        POINT,
        {"type": "GeometryCollection", "geometries": [POINT]},
        None,
        None,
    ]
    assert [one["properties"] for one in found] == [
        {"zone": "A"},
        {},
        {"location": "by the lake"},
        {"location": 5},
    ]


def test_nested_values_are_flat_properties_of_a_feature() -> None:
    entity = {
        "properties": {"a": {"b": [1, {"c": None}]}, "empty": {}},
        "FeatureOfInterest": {"@iot.id": 4, "name": "F"},
        "Datastreams": [{"name": "D0"}, {"name": "D1"}],
        "Datastreams@iot.count": 2,
    }
    assert _features(entity)[0]["properties"] == {
        "properties/a/b/0": 1,
        "properties/a/b/1/c": None,
        "properties/empty": {},
        "FeatureOfInterest/id": 4,
        "FeatureOfInterest/name": "F",
        "Datastreams/0/name": "D0",
        "Datastreams/1/name": "D1",
        "Datastreams@iot.count": 2,
    }


def test_geojson_carries_link_and_count_inside_and_the_link_as_a_header() -> None:
    body = f'{{"@iot.count":1,"@iot.nextLink":"{ROOT}/Locations?$top=1&$skiptoken=t","value":[]}}'
    answer = _written("Locations", "$top=1&$count=true&$resultFormat=GeoJSON", body)
    link = f"{ROOT}/Locations?$top=1&$count=true&$resultFormat=GeoJSON&$skiptoken=t"
    assert json.loads(answer.body) == {
        "type": "FeatureCollection",
        "@iot.count": 1,
        "@iot.nextLink": link,
        "features": [],
    }
    assert answer.headers == {"Link": f'<{link}>; rel="next"'}
    assert answer.media_type == "application/geo+json"


def test_columns_of_a_location_are_its_properties() -> None:
    assert [column.name for column in columns_of(LOCATION, parse_options(""))] == [
        "id",
        "name",
        "description",
        "encodingType",
        "location",
        "properties",
    ]
