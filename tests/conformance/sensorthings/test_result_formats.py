"""What FROST calls result formats: tables as CSV, places as GeoJSON; and options beyond the standard.

Source: FROST-Server's documentation of `$resultFormat`; RFC 4180; RFC 7946.
"""

import csv
import io

import pytest

from tests.conformance.sensorthings.requirements import all_rows, feature, observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

AWKWARD = ['a,b"c', "new\nline", "é🙂", None, 2.5, True, {"x": [1]}, ""]


@pytest.fixture(scope="module")
def stream(api: Api) -> str:
    """Observations with results that a table has to quote."""
    return stream_of(
        api, *(observation(result, place) for place, result in enumerate(AWKWARD)), thing_name="formats"
    )


def table(api: Api, path: str) -> list[dict[str, str]]:
    answer = api.send("GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_csv_has_a_column_for_each_selected_property(api: Api, stream: str) -> None:
    """RFC 4180: quotes, line breaks and commas inside a field."""
    found = table(
        api,
        f"{stream}/Observations?$resultFormat=CSV&$select=id,result,phenomenonTime&$orderby=phenomenonTime",
    )

    assert list(found[0]) == ["id", "result", "phenomenonTime"]
    assert [row["result"] for row in found][:3] == AWKWARD[:3]
    assert (found[3]["result"], float(found[4]["result"]), found[7]["result"]) == ("", 2.5, "")
    assert found[0]["phenomenonTime"].startswith("2020-01-01T00:00:00")


def test_csv_of_other_sets(api: Api, stream: str) -> None:
    """A table of any set, with objects flattened or as JSON."""
    identifier = api.read(f"{stream}/Thing")["@iot.id"]

    (row,) = table(api, f"Things?$resultFormat=CSV&$filter=id eq {identifier}")

    assert (row["name"], row["description"]) == ("formats", "a thing")
    assert table(api, "Things?$resultFormat=CSV&$filter=name eq 'none such'") == []


def test_csv_with_an_expanded_entity(api: Api, stream: str) -> None:
    """Columns of a to-one relation carry its path."""
    (row, *_) = table(
        api,
        f"{stream}/Observations?$resultFormat=CSV&$select=result&$top=1&$expand=Datastream($select=name)&$orderby=id",
    )

    assert (row["result"], row["Datastream/name"]) == (AWKWARD[0], "Air Temperature")


def test_geojson_of_locations(api: Api) -> None:
    """RFC 7946: a FeatureCollection with the Location's shape as geometry."""
    made = api.create("Locations", location("as feature") | {"properties": {"floor": 2}})

    answer = api.send("GET", f"Locations?$resultFormat=GeoJSON&$filter=id eq {made['@iot.id']}")

    collection = answer.json()
    assert answer.headers["content-type"].startswith("application/geo+json")
    assert collection["type"] == "FeatureCollection"
    (one,) = collection["features"]
    assert (one["type"], one["geometry"]) == ("Feature", made["location"])
    assert one["properties"]["name"] == "as feature"


def test_geojson_of_observations_and_things(api: Api) -> None:
    """RFC 7946: the shape is that of the FeatureOfInterest, or of the Thing's Location."""
    stream = stream_of(api, observation(5, FeatureOfInterest=feature("somewhere")))

    rows = api.read(f"{stream}/Observations?$resultFormat=GeoJSON&$expand=FeatureOfInterest")
    things = api.read("Things?$top=2&$resultFormat=GeoJSON&$expand=Locations")

    assert rows["features"][0]["geometry"] == {"type": "Point", "coordinates": [1.0, 2.0]}
    assert rows["features"][0]["properties"]["result"] == 5
    assert all(one["type"] == "Feature" for one in things["features"])


@pytest.mark.parametrize("value", ["XML", "csv2", "", "dataarray!"])
def test_result_format_that_is_unknown_is_refused(api: Api, value: str) -> None:
    """req/request-data/query-status-code."""
    assert api.refuse("GET", f"Observations?$resultFormat={value}")["status"] in {400, 501}


def test_upsert_finds_what_is_there_by_its_name(api: Api) -> None:
    """Beyond the standard: `?upsert=true` creates once, by natural key."""
    name = "upserted once"
    first = api.send("POST", "Things?upsert=true", thing(name))
    second = api.send("POST", "Things?upsert=true", {"name": name, "description": "changed"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["@iot.id"] == second.json()["@iot.id"]
    assert len(all_rows(api, f"Things?$filter=name eq '{name}'")) == 1


def test_upsert_of_an_observation_is_by_datastream_and_time(api: Api) -> None:
    """Beyond the standard: a repeated Observation is found, not doubled."""
    stream = stream_of(api)
    first = api.send("POST", f"{stream}/Observations?upsert=true", observation(1, 5))
    second = api.send("POST", f"{stream}/Observations?upsert=true", observation(2, 5))

    assert (first.status_code, second.status_code) == (201, 200)
    assert len(all_rows(api, f"{stream}/Observations")) == 1


def test_aggregates_by_time_bucket(api: Api) -> None:
    """Beyond the standard: `?bucket=` and `?aggregate=` on a set of Observations."""
    stream = stream_of(
        api, *(observation(number, 20 * number) for number in range(1, 10)), observation("text", 30)
    )

    page = api.read(f"{stream}/Observations?bucket=PT1M&aggregate=count,min,max,avg,sum,first,last")

    by_minute: dict[int, list[int]] = {}
    for number in range(1, 10):
        by_minute.setdefault(20 * number // 60, []).append(number)
    numbers = [
        {"min": min(group), "max": max(group), "avg": sum(group) / len(group), "sum": sum(group)}
        for _, group in sorted(by_minute.items())
    ]
    assert [{name: row[name] for name in numbers[0]} for row in page["value"]] == numbers
    assert [(row["first"], row["last"]) for row in page["value"]] == [
        (g[0], g[-1]) for _, g in sorted(by_minute.items())
    ]


@pytest.mark.parametrize(
    "query",
    [
        "bucket=x&aggregate=avg",
        "bucket=PT1H&aggregate=nothing",
        "bucket=-PT1H&aggregate=avg",
        "bucket=PT0S&aggregate=avg",
    ],
)
def test_aggregates_that_cannot_be_are_refused(api: Api, stream: str, query: str) -> None:
    """Beyond the standard: a wrong bucket is the client's mistake."""
    assert api.refuse("GET", f"{stream}/Observations?{query}")["status"] in {400, 501}


def test_delete_by_filter_is_off_by_default(api: Api) -> None:
    """Beyond the standard: `DELETE set?$filter=` needs a setting."""
    made: Json = api.create("Things", thing("keep me", Datastreams=[datastream()]))

    assert api.refuse("DELETE", "Things?$filter=name eq 'keep me'")["status"] in {403, 405, 501}
    assert api.read(path_of(made, "Things"))["name"] == "keep me"
