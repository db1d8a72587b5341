"""Result formats over real data: data arrays, CSV and GeoJSON, page by page."""

import csv
import io
from urllib.parse import quote

import pytest

from tests.integration.sensorthings.samples import POINT, Api, Json, area_around, datastream, thing


@pytest.fixture(scope="module")
def station(api: Api) -> Json:
    """A Thing with two Datastreams, three Observations each."""
    streams = [
        datastream(
            f'Stream "{name}"',
            Observations=[
                {"phenomenonTime": f"2021-01-01T00:00:{10 * place + second:02}Z", "result": result}
                for second, result in enumerate([20.0, 'a, "b"\nc', None])
            ],
        )
        for place, name in enumerate("AB")
    ]
    return api.create("Things", thing("Formats", Datastreams=streams))


def _streams(api: Api, station: Json) -> list[int]:
    path = f"Things({station['@iot.id']})/Datastreams?$orderby=id&$select=id"
    return [one["@iot.id"] for one in api.read(path)["value"]]


def test_data_array_groups_by_stream_and_keeps_the_options_on_the_next_page(api: Api, station: Json) -> None:
    first, second = _streams(api, station)
    where = quote(f"Datastream/Thing/id eq {station['@iot.id']}")
    path = (
        f"Observations?$filter={where}&$orderby=phenomenonTime&$top=4&$count=true"
        "&$select=result,phenomenonTime,id&$resultFormat=dataArray"
    )
    page = api.read(path)
    assert page["@iot.count"] == 6
    assert [group["Datastream@iot.navigationLink"] for group in page["value"]] == [
        f"{api.root}/Datastreams({first})",
        f"{api.root}/Datastreams({second})",
    ]
    assert [group["components"] for group in page["value"]] == [["result", "phenomenonTime", "id"]] * 2
    assert [row[:2] for group in page["value"] for row in group["dataArray"]] == [
        [20.0, "2021-01-01T00:00:00Z"],
        ['a, "b"\nc', "2021-01-01T00:00:01Z"],
        [None, "2021-01-01T00:00:02Z"],
        [20.0, "2021-01-01T00:00:10Z"],
    ]
    rest = api.read(page["@iot.nextLink"])
    assert [len(group["dataArray"]) for group in rest["value"]] == [2]
    assert rest["value"][0]["components"] == ["result", "phenomenonTime", "id"]
    assert "@iot.nextLink" not in rest


def test_data_array_of_a_stream_has_all_components_and_the_numbers_as_they_were_sent(
    api: Api, station: Json
) -> None:
    stream = _streams(api, station)[0]
    answer = api.send("GET", f"Datastreams({stream})/Observations?$resultFormat=DATAARRAY&$top=1&$orderby=id")
    assert answer.status_code == 200
    assert b"20.0" in answer.content
    group = answer.json()["value"][0]
    assert group["components"] == [
        "id",
        "phenomenonTime",
        "result",
        "resultTime",
        "resultQuality",
        "validTime",
        "parameters",
    ]
    assert len(group["dataArray"][0]) == len(group["components"])


def test_data_array_shows_the_feature_when_it_is_selected(api: Api, station: Json) -> None:
    stream = _streams(api, station)[0]
    path = f"Datastreams({stream})/Observations?$resultFormat=dataArray&$select=result,FeatureOfInterest"
    group = api.read(path)["value"][0]
    assert group["components"] == ["result", "FeatureOfInterest/id"]
    feature = api.read(f"Datastreams({stream})/Observations?$expand=FeatureOfInterest&$top=1")["value"][0]
    assert group["dataArray"][0][1] == feature["FeatureOfInterest"]["@iot.id"]


def test_data_array_of_an_empty_set_is_empty(api: Api, station: Json) -> None:
    stream = _streams(api, station)[0]
    path = f"Datastreams({stream})/Observations?$resultFormat=dataArray&$filter=id eq 0"
    assert api.read(path) == {"value": []}


def test_csv_has_a_row_for_each_entity_and_links_to_the_next_page(api: Api, station: Json) -> None:
    stream = _streams(api, station)[0]
    path = (
        f"Datastreams({stream})/Observations?$resultFormat=CSV&$orderby=phenomenonTime&$top=2"
        "&$select=id,result,phenomenonTime&$expand=Datastream($select=name,unitOfMeasurement)"
    )
    answer = api.send("GET", path)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows[0] == [
        "id",
        "result",
        "phenomenonTime",
        "Datastream/name",
        "Datastream/unitOfMeasurement/name",
        "Datastream/unitOfMeasurement/symbol",
        "Datastream/unitOfMeasurement/definition",
    ]
    assert [row[1:] for row in rows[1:]] == [
        ["20.0", "2021-01-01T00:00:00Z", 'Stream "A"', "degree Celsius", "°C", ""],
        ['a, "b"\nc', "2021-01-01T00:00:01Z", 'Stream "A"', "degree Celsius", "°C", ""],
    ]
    address = answer.headers["link"].removeprefix("<").partition(">")[0]
    rest = api.send("GET", address)
    assert [row[1] for row in csv.reader(io.StringIO(rest.text, newline=""))] == ["result", ""]
    assert "link" not in rest.headers


def test_csv_of_one_entity_is_one_row(api: Api, station: Json) -> None:
    answer = api.send("GET", f"Things({station['@iot.id']})?$resultFormat=csv&$select=name,properties")
    assert answer.text == "name,properties\r\nFormats,\r\n"


def test_geojson_takes_the_geometry_from_what_is_expanded(api: Api, station: Json) -> None:
    where = quote(f"id eq {station['@iot.id']}")
    answer = api.send("GET", f"Things?$filter={where}&$expand=Locations&$resultFormat=GeoJSON&$count=true")
    assert answer.headers["content-type"] == "application/geo+json"
    found = answer.json()
    assert (found["type"], found["@iot.count"]) == ("FeatureCollection", 1)
    feature = found["features"][0]
    assert (feature["type"], feature["id"], feature["geometry"]) == ("Feature", station["@iot.id"], POINT)
    assert feature["properties"]["name"] == "Formats"
    assert feature["properties"]["Locations/0/name"] == "Salzburg"


def test_geojson_of_areas_and_of_what_has_no_place(api: Api, station: Json) -> None:
    stream = _streams(api, station)[0]
    area = api.read(f"Datastreams({stream})?$resultFormat=GeoJSON")["features"][0]
    assert area["geometry"] == area_around(13.05, 47.8)
    assert area["properties"]["unitOfMeasurement/symbol"] == "°C"
    path = f"Datastreams({stream})/Observations?$resultFormat=GeoJSON&$top=1"
    answer = api.send("GET", path)
    assert answer.json()["features"][0]["geometry"] is None
    assert answer.headers["link"].endswith('; rel="next"')


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Things?$resultFormat=dataArray", "does not fit"),
        ("Observations(1)?$resultFormat=dataArray", "does not fit"),
        ("Things(1)/name?$resultFormat=CSV", "does not fit"),
        ("Things/$ref?$resultFormat=GeoJSON", "does not fit"),
        ("Things?$expand=Datastreams&$resultFormat=CSV", "does not fit"),
        ("Things?$resultFormat=XML", "'XML' is no form"),
        ("Things?$resultFormat=CSV&$resultFormat=CSV", "given twice"),
        ("Things?$resultFormat=CSV&$select=nothing", "no property or relation nothing"),
    ],
)
def test_form_that_does_not_fit_is_told(api: Api, path: str, words: str) -> None:
    problem = api.refuse("GET", path)
    assert problem["status"] == 400
    assert words in problem["detail"]


def test_form_json_is_the_plain_answer(api: Api, station: Json) -> None:
    path = f"Things({station['@iot.id']})"
    assert api.read(f"{path}?$resultFormat=json") == api.read(path)
