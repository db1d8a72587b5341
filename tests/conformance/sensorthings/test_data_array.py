"""Requirements class "data-array": many Observations in and out as rows.

Source: OGC 18-088, clause 11.3.
"""

import pytest

from tests.conformance.sensorthings.requirements import OM, count_of, feature, observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, datastream, thing

GONE = 2**40


@pytest.fixture
def stream(api: Api) -> str:
    """An empty Datastream."""
    return stream_of(api)


def link(path: str) -> Json:
    """The reference to an entity by its path."""
    return {"@iot.id": int(path.partition("(")[2].rstrip(")"))}


def rows_of(stream: str, *rows: Json, components: Json = ("phenomenonTime", "result")) -> Json:
    return {"Datastream": link(stream), "components": list(components), "dataArray": list(rows)}


def moment(second: int) -> str:
    return f"2020-01-01T00:00:{second:02}Z"


def results(api: Api, stream: str) -> list[Json]:
    return [
        one["result"] for one in api.read(f"{stream}/Observations?$orderby=phenomenonTime&$top=1000")["value"]
    ]


def test_data_array_creates_and_answers_with_links_in_order(api: Api, stream: str) -> None:
    """req/data-array/data-array: POST CreateObservations; 201 and a list of selfLinks."""
    answer = api.send(
        "POST", "CreateObservations", [rows_of(stream, [moment(2), 2], [moment(1), 1], [moment(3), 3])]
    )

    assert answer.status_code == 201, answer.text
    assert [api.read(one)["result"] for one in answer.json()] == [2, 1, 3]
    assert results(api, stream) == [1, 2, 3]
    assert len({api.read(f"{one}/FeatureOfInterest")["@iot.id"] for one in answer.json()}) == 1


def test_data_array_takes_every_component(api: Api, stream: str) -> None:
    """req/data-array/data-array: components in any order."""
    subject = api.create("FeaturesOfInterest", feature("given"))
    components = (
        "resultQuality",
        "result",
        "parameters",
        "FeatureOfInterest/id",
        "resultTime",
        "validTime",
        "phenomenonTime",
    )
    row = [
        {"q": 1},
        {"any": [None]},
        {"p": 1},
        subject["@iot.id"],
        moment(5),
        f"{moment(1)}/{moment(2)}",
        f"{moment(3)}/{moment(4)}",
    ]

    answer = api.send("POST", "CreateObservations", [rows_of(stream, row, components=components)])

    made = api.read(f"{answer.json()[0]}?$expand=FeatureOfInterest")
    assert made["FeatureOfInterest"]["name"] == "given"
    assert (made["result"], made["resultQuality"], made["parameters"]) == (
        {"any": [None]},
        {"q": 1},
        {"p": 1},
    )
    assert made["resultTime"].startswith("2020-01-01T00:00:05")
    assert made["validTime"].count("/") == made["phenomenonTime"].count("/") == 1


def test_data_array_serves_several_streams_at_once(api: Api) -> None:
    """req/data-array/data-array: one group for each Datastream, answers in their order."""
    one, two = stream_of(api), stream_of(api)
    body = [
        rows_of(one, [moment(0), "a"]),
        rows_of(two, [moment(0), "b"], [moment(1), "c"]),
        rows_of(one, [moment(1), "d"]),
    ]

    answer = api.send("POST", "CreateObservations", body)

    assert [api.read(link_)["result"] for link_ in answer.json()] == ["a", "b", "c", "d"]
    assert (results(api, one), results(api, two)) == (["a", "d"], ["b", "c"])


def test_data_array_keeps_the_good_rows_and_says_which_failed(api: Api, stream: str) -> None:
    """req/data-array/data-array: "error" in the place of a row that failed; the others stay."""
    body = [
        rows_of(
            stream,
            [moment(0), 0],
            ["never", 1],
            [moment(2), 2],
            [moment(3)],
            [moment(4), 4, 5],
            "no row",
            None,
        ),
        {"Datastream": {"@iot.id": GONE}, "components": ["result"], "dataArray": [[1], [2]]},
        rows_of(stream, [moment(9), 9]),
    ]

    answer = api.send("POST", "CreateObservations", body)

    assert answer.status_code == 201, answer.text
    assert [str(one)[:5] == "error" for one in answer.json()] == [
        False,
        True,
        False,
        *[True] * 4,
        True,
        True,
        False,
    ]
    assert results(api, stream) == [0, 2, 9]


def test_data_array_without_time_is_now_and_count_is_ignored(api: Api, stream: str) -> None:
    """req/data-array/data-array: defaults as for POST; dataArray@iot.count was dropped in 1.1."""
    body = rows_of(stream, [1], [None], components=["result"]) | {"dataArray@iot.count": 77}

    answer = api.send("POST", "CreateObservations", [body])

    made = [api.read(one) for one in answer.json()]
    assert [one["result"] for one in made] == [1, None]
    assert all(one["phenomenonTime"] > "2024" and one["resultTime"] is None for one in made)


@pytest.mark.parametrize(
    "result",
    [0, -1.5, 2**60, 1e300, "", "it's", True, None, [], [1, {"a": None}], {}, {"x": "é🙂"}],
    ids=repr,
)
def test_data_array_result_is_any_json(api: Api, stream: str, result: Json) -> None:
    """req/data-array/data-array: results of every type, numbers as they were."""
    answer = api.send("POST", "CreateObservations", [rows_of(stream, [moment(0), result])])

    assert answer.status_code == 201, answer.text
    (read,) = results(api, stream)
    assert (float(read) if isinstance(result, float) else read) == result


def test_data_array_updates_the_datastream(api: Api, stream: str) -> None:
    """req/datamodel/datastream/properties: times and area follow data arrays too."""
    api.send("POST", "CreateObservations", [rows_of(stream, [moment(5), 1], [moment(1), 1], [moment(9), 1])])

    begin, end = api.read(stream)["phenomenonTime"].split("/")
    assert (begin[:19], end[:19]) == ("2020-01-01T00:00:01", "2020-01-01T00:00:09")
    assert api.read(stream)["observedArea"]


def test_data_array_of_a_multi_datastream(api: Api) -> None:
    """req/data-array/data-array and req/multi-datastream/constraints: a result is an array itself."""
    parts = ["a", "b"]
    body = {
        "name": "wind",
        "description": "w",
        "observationType": f"{OM}OM_ComplexObservation",
        "multiObservationDataTypes": [f"{OM}OM_Measurement"] * 2,
        "unitOfMeasurements": [{"name": part, "symbol": part, "definition": None} for part in parts],
        "ObservedProperties": [
            {"name": part, "definition": "http://x.org", "description": "p"} for part in parts
        ],
        "Sensor": {"name": "s", "description": "s", "encodingType": "text/html", "metadata": "m"},
    }
    owner = path_of(api.create("Things", thing(Datastreams=[])), "Things")
    made = api.create(f"{owner}/MultiDatastreams", body)
    group = {
        "MultiDatastream": {"@iot.id": made["@iot.id"]},
        "components": ["phenomenonTime", "result"],
        "dataArray": [[moment(0), [1, 2]], [moment(1), [1]], [moment(2), 5], [moment(3), [3, 4]]],
    }

    answer = api.send("POST", "CreateObservations", [group])

    assert answer.status_code == 201, answer.text
    assert [str(one)[:5] == "error" for one in answer.json()] == [False, True, True, False]
    assert results(api, path_of(made, "MultiDatastreams")) == [[1, 2], [3, 4]]
    page = api.read(f"{path_of(made, 'MultiDatastreams')}/Observations?$resultFormat=dataArray")
    assert page["value"][0]["MultiDatastream@iot.navigationLink"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        5,
        "text",
        None,
        [5],
        [{}],
        [[]],
        [{"Datastream": {"@iot.id": 1}}],
        [{"components": ["result"], "dataArray": []}],
        [{"Datastream": {"@iot.id": 1}, "components": "result", "dataArray": []}],
        [{"Datastream": {"@iot.id": 1}, "components": ["nothing"], "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": 1}, "components": ["result", "result"], "dataArray": [[1, 2]]}],
        [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime"], "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": {}}],
        [{"Datastream": 5, "components": ["result"], "dataArray": [[1]]}],
        [{"Datastream": {"@iot.id": "x"}, "components": ["result"], "dataArray": [[1]]}],
    ],
    ids=lambda body: str(body)[-70:],
)
def test_data_array_that_is_none_is_refused_or_told_row_by_row(api: Api, body: Json) -> None:
    """req/data-array/data-array: the form is the client's to keep."""
    import json

    before = count_of(api, "Observations")

    answer = api.send(
        "POST", "CreateObservations", content=json.dumps(body), headers={"content-type": "application/json"}
    )

    assert answer.status_code in {400, 404, 409} or all(str(one)[:5] == "error" for one in answer.json()), (
        answer.text
    )
    assert answer.status_code < 500
    assert count_of(api, "Observations") == before


def test_data_array_of_nothing_creates_nothing(api: Api, stream: str) -> None:
    """req/data-array/data-array."""
    answer = api.send("POST", "CreateObservations", [rows_of(stream)])

    assert (answer.status_code, answer.json()) == (201, [])


def test_data_array_of_thousands_of_rows(api: Api, stream: str) -> None:
    """req/data-array/data-array: what it is for."""
    rows = [
        [f"2020-01-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00Z", number]
        for number in range(5000)
    ]

    answer = api.send("POST", "CreateObservations", [rows_of(stream, *rows)])

    assert answer.status_code == 201, answer.text
    assert len(set(answer.json())) == count_of(api, f"{stream}/Observations") == 5000
    assert api.read(answer.json()[4321])["result"] == 4321


@pytest.fixture(scope="module")
def filled(api: Api) -> str:
    """A Thing with two Datastreams of three and two Observations."""
    body = thing(
        Datastreams=[
            datastream(
                "A",
                Observations=[observation(number, number, resultTime=moment(number)) for number in range(3)],
            ),
            datastream("B", Observations=[observation("x", 0), observation(None, 1)]),
        ]
    )
    return path_of(api.create("Things", body), "Things")


def test_data_array_format_of_one_datastream(api: Api, filled: str) -> None:
    """req/data-array/data-array: $resultFormat=dataArray; $select names the components."""
    (stream,) = api.read(f"{filled}/Datastreams?$filter=name eq 'A'")["value"]

    page = api.read(
        f"{path_of(stream, 'Datastreams')}/Observations?$resultFormat=dataArray&$select=result,phenomenonTime"
        "&$orderby=result desc&$count=true"
    )

    (group,) = page["value"]
    assert page["@iot.count"] == 3
    assert group["components"] == ["result", "phenomenonTime"]
    assert group["Datastream@iot.navigationLink"].endswith(path_of(stream, "Datastreams"))
    assert [(row[0], row[1][:19]) for row in group["dataArray"]] == [
        (n, f"2020-01-01T00:00:0{n}") for n in (2, 1, 0)
    ]


def test_data_array_format_groups_by_datastream(api: Api, filled: str) -> None:
    """req/data-array/data-array: a group for each Datastream."""
    identifier = api.read(filled)["@iot.id"]

    page = api.read(
        f"Observations?$filter=Datastream/Thing/id eq {identifier}&$resultFormat=dataArray"
        "&$select=id,result,resultTime"
    )

    by_link = {group["Datastream@iot.navigationLink"]: group for group in page["value"]}
    assert len(by_link) == 2
    found = sorted([len(group["dataArray"]) for group in by_link.values()])
    assert found == [2, 3]
    assert all(len(row) == 3 for group in by_link.values() for row in group["dataArray"])
    assert [
        row[2] for group in by_link.values() if len(group["dataArray"]) == 2 for row in group["dataArray"]
    ] == [None] * 2


def test_data_array_format_without_select_has_all_components(api: Api, filled: str) -> None:
    """req/data-array/data-array: every row has a value for every component."""
    (stream,) = api.read(f"{filled}/Datastreams?$filter=name eq 'A'")["value"]

    (group,) = api.read(f"{path_of(stream, 'Datastreams')}/Observations?$resultFormat=dataArray")["value"]

    assert {"phenomenonTime", "result", "resultTime"} <= set(group["components"])
    assert all(len(row) == len(group["components"]) for row in group["dataArray"])


def test_data_array_format_pages_to_the_end(api: Api, filled: str) -> None:
    """req/request-data/pagination: pages of rows, in the same format."""
    identifier = api.read(filled)["@iot.id"]
    url = (
        f"Observations?$filter=Datastream/Thing/id eq {identifier}&$resultFormat=dataArray&$select=id&$top=2"
    )
    found: list[int] = []
    while url:
        page = api.read(url)
        found += [row[0] for group in page["value"] for row in group["dataArray"]]
        url = page.get("@iot.nextLink")

    assert len(found) == len(set(found)) == 5


def test_data_array_format_is_for_observations_only(api: Api) -> None:
    """req/request-data/query-status-code."""
    assert api.refuse("GET", "Things?$resultFormat=dataArray")["status"] in {400, 501}
    assert api.refuse("GET", "Observations?$resultFormat=nothing")["status"] in {400, 501}


def test_data_array_goes_out_and_in_again(api: Api, filled: str) -> None:
    """req/data-array/data-array: the two forms are one."""
    (stream,) = api.read(f"{filled}/Datastreams?$filter=name eq 'B'")["value"]
    path = path_of(stream, "Datastreams")
    (group,) = api.read(
        f"{path}/Observations?$resultFormat=dataArray&$select=phenomenonTime,result&$orderby=id"
    )["value"]
    copy = stream_of(api)

    answer = api.send(
        "POST", "CreateObservations", [rows_of(copy, *group["dataArray"], components=group["components"])]
    )

    assert answer.status_code == 201, answer.text
    assert results(api, copy) == results(api, path) == ["x", None]
