"""Requirement "pagination": every row once, in order, by whatever key, whatever is written meanwhile.

Source: OGC 18-088, clause 9.3.4.
"""

import pytest

from tests.conformance.sensorthings.requirements import (
    all_rows,
    feature,
    observation,
    pages,
    path_of,
    stream_of,
)
from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

RESULTS: list[Json] = [
    *(3, 1, 2, 2, 2, 10, -1, 0, 0.1, 0.30000000000000004, 1e-9, 2**53 + 1, 2**60, 1e300),
    *("b", "a", "B", "é", "", "it's", 'a"b', "10", "9", "a,b", "z" * 300),
    *(None, None, True, False, [1, 2], [1], {"a": 1}, {}),
]
KEYS = [
    *("id", "id desc", "result", "result desc", "phenomenonTime", "phenomenonTime desc", "resultTime"),
    *("resultTime desc", "validTime", "validTime desc", "resultQuality", "parameters/x", "parameters/x desc"),
    *("parameters/x desc,result", "parameters/t,parameters/x desc", "parameters", "parameters desc"),
    *(
        "FeatureOfInterest/name",
        "FeatureOfInterest/name desc,result desc",
        "FeatureOfInterest/properties/rank",
    ),
    *(
        "Datastream/name",
        "Datastream/Thing/name desc,resultTime",
        "Datastream/id",
        "FeatureOfInterest/id desc",
    ),
    *("Datastream/unitOfMeasurement/definition", "Datastream/phenomenonTime desc", "length(result)"),
    *(
        "tolower(parameters/t) desc",
        "second(phenomenonTime)",
        "result mod 2",
        "round(result),resultTime desc",
    ),
    *(
        "parameters/x add 1",
        "date(resultTime) desc",
        "phenomenonTime sub resultTime",
        "concat(parameters/t,'x')",
    ),
]


@pytest.fixture(scope="module")
def stream(api: Api) -> str:
    """Observations with results of all types, times in tens, and parameters that some lack."""
    features = [
        api.create("FeaturesOfInterest", feature(name, properties={"rank": rank})) for name, rank in FEATURES
    ]
    rows = []
    for place, result in enumerate(RESULTS):
        row = observation(result, place % 7, FeatureOfInterest={"@iot.id": features[place % 3]["@iot.id"]})
        if place % 3:
            row["resultTime"] = f"2020-03-0{place % 5 + 1}T00:00:00.{place % 2}Z"
            row["parameters"] = {"x": place % 4 if place % 2 else f"t{place % 4}", "t": "aBc'é"[place % 5]}
        if place % 4 == 0:
            row["validTime"] = f"2020-01-0{place % 3 + 1}T00:00:00Z/2020-02-01T00:00:00Z"
            row["resultQuality"] = {"q": place % 2}
        rows.append(row)
    return stream_of(api, *rows, thing_name="pagination")


FEATURES: list[tuple[str, Json]] = [("f,1", 1), ("f'2", "a"), ('f"3', None)]


@pytest.mark.parametrize("size", [1, 4, 7])
@pytest.mark.parametrize("key", KEYS)
def test_pagination_gives_every_row_once_in_order(api: Api, stream: str, key: str, size: int) -> None:
    """req/request-data/pagination: pages by any key are the whole answer, cut."""
    rows = f"{stream}/Observations?$orderby={key}&$select=id"
    whole = [one["@iot.id"] for one in api.read(f"{rows}&$top=1000")["value"]]
    assert len(set(whole)) == len(RESULTS)

    found = pages(api, f"{rows}&$top={size}")

    assert [one["@iot.id"] for page in found for one in page] == whole
    assert {len(page) for page in found[:-1]} == {size}


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_pagination_has_no_next_link_on_the_last_page(api: Api, count: int) -> None:
    """req/request-data/pagination: @iot.nextLink only when something is left."""
    stream = stream_of(api, *(observation(number, number) for number in range(count)))

    page = api.read(f"{stream}/Observations?$top=3")

    assert ("@iot.nextLink" in page) is (count > 3)
    assert "@iot.nextLink" not in api.read(f"{stream}/Observations")


def test_pagination_keeps_all_options(api: Api, stream: str) -> None:
    """req/request-data/pagination: the next link repeats the other options."""
    path = (
        f"{stream}/Observations?$filter=result lt 11 and not (result eq 1)&$select=result"
        "&$expand=Datastream($select=name)"
        "&$orderby=result desc&$top=2&$count=true"
    )

    first = api.read(path)
    second = api.read(first["@iot.nextLink"])

    assert first["@iot.count"] == second["@iot.count"]
    assert [row["result"] for row in first["value"] + second["value"]] == [10, 3, 2, 2]
    assert all(
        set(row) == {"result", "Datastream"} and set(row["Datastream"]) == {"name"} for row in second["value"]
    )


def test_pagination_after_skip_counts_on_from_there(api: Api, stream: str) -> None:
    """req/request-data/pagination: $skip holds for the first page only."""
    whole = [one["@iot.id"] for one in all_rows(api, f"{stream}/Observations?$orderby=result&$select=id")]

    found = all_rows(api, f"{stream}/Observations?$orderby=result&$select=id&$skip=5&$top=4")

    assert [one["@iot.id"] for one in found] == whole[5:]


@pytest.mark.parametrize(
    ("set_name", "key"),
    [
        ("Things", "name"),
        ("Things", "name desc"),
        ("Things", "properties/rank"),
        ("Things", "properties/rank desc,name"),
        ("Things", "properties desc"),
        ("Locations", "name desc"),
        ("HistoricalLocations", "time"),
        ("HistoricalLocations", "time desc"),
        ("HistoricalLocations", "Thing/name desc"),
        ("Datastreams", "name"),
        ("Datastreams", "phenomenonTime"),
        ("Datastreams", "resultTime desc"),
        ("Datastreams", "unitOfMeasurement/symbol desc"),
        ("Datastreams", "Thing/properties/rank,Sensor/name"),
        ("Sensors", "metadata"),
        ("ObservedProperties", "definition desc"),
        ("FeaturesOfInterest", "description,name desc"),
    ],
)
def test_pagination_of_every_set(api: Api, ranked: None, set_name: str, key: str) -> None:
    """req/request-data/pagination: every set pages by its own keys."""
    path = f"{set_name}?$orderby={key}&$select=id"
    whole = [one["@iot.id"] for one in all_rows(api, f"{path}&$top=1000")]

    assert [one["@iot.id"] for one in all_rows(api, f"{path}&$top=37")] == whole
    assert len(set(whole)) == len(whole) == api.read(f"{set_name}?$count=true&$top=0")["@iot.count"]


@pytest.fixture(scope="module")
def ranked(api: Api) -> None:
    """Things with names and ranks that sort awkwardly; some without properties."""
    for place, name in enumerate(
        ["a", "B", "é", "a b", "a,b", "a'b", 'a"b', "a+b", "a&b", "a%b", "a/b", "🙂"]
    ):
        properties = {"rank": place % 3 if place % 2 else f"{place}"} if place % 4 else {}
        body = thing(
            name,
            Locations=[location(name)],
            Datastreams=[
                datastream(name, unitOfMeasurement={"name": None, "symbol": name, "definition": None})
            ],
        )
        api.create("Things", body | ({"properties": properties} if properties else {}))


@pytest.mark.parametrize("key", ["id", "phenomenonTime", "result desc", "parameters/rank", "resultTime desc"])
def test_pagination_survives_writes_between_the_pages(api: Api, key: str) -> None:
    """req/request-data/pagination: what is there all the time is found once, whatever comes and goes."""
    stream = stream_of(
        api,
        *(
            observation(number, number) | ({"parameters": {"rank": number // 3}} if number % 2 else {})
            for number in range(20)
        ),
    )
    there = {one["@iot.id"]: one["result"] for one in api.read(f"{stream}/Observations?$top=100")["value"]}
    gone: set[int] = set()
    seen: list[int] = []
    url: str | None = f"{stream}/Observations?$orderby={key}&$top=3"
    while url is not None:
        page = api.read(url)
        seen += [one["@iot.id"] for one in page["value"]]
        url = page.get("@iot.nextLink")
        if not page["value"]:  # what was left has been deleted meanwhile
            break
        api.delete(f"Observations({seen[-1]})")
        waiting = sorted(set(there) - set(seen) - gone)
        if waiting:
            api.delete(f"Observations({waiting[len(waiting) // 2]})")
            gone.add(waiting[len(waiting) // 2])
        api.create(f"{stream}/Observations", observation(-5, 0))
        api.create(f"{stream}/Observations", observation(99, 59))

    found = [identifier for identifier in seen if identifier in there]
    assert sorted(found) == sorted(set(there) - gone)


def test_pagination_inside_an_expand(api: Api) -> None:
    """req/request-data/pagination: an expanded set pages by itself, to its end."""
    body = thing(
        Datastreams=[
            datastream("A", Observations=[observation(number, number % 3) for number in range(11)]),
            datastream("B", Observations=[observation(number, 0) for number in range(2)]),
        ]
    )
    path = path_of(api.create("Things", body), "Things")

    streams = api.read(
        f"{path}/Datastreams?$orderby=name&$expand=Observations($top=4;$orderby=phenomenonTime desc)"
    )["value"]

    assert len(streams[0]["Observations"]) == 4
    rest = all_rows(api, streams[0]["Observations@iot.nextLink"])
    assert sorted(row["result"] for row in streams[0]["Observations"] + rest) == list(range(11))
    assert len(streams[1]["Observations"]) == 2
    assert "Observations@iot.nextLink" not in streams[1]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "W10",
        "bnVsbA",
        "WyIxIl0",
        "e30",
        "WzEsMiwzXQ",
        "WyJ4IiwieSJd",
        "W251bGxd",
        "'",
        "%00",
        "A" * 5000,
        "WyInOyBEUk9QIl0",
    ],
)
@pytest.mark.parametrize("order", ["id", "result", "phenomenonTime", "FeatureOfInterest/name"])
def test_pagination_refuses_a_token_that_it_did_not_give(
    api: Api, stream: str, token: str, order: str
) -> None:
    """req/request-data/query-status-code: the token is opaque, and a wrong one is a client's mistake."""
    answer = api.send("GET", f"{stream}/Observations?$orderby={order}&$skiptoken={token}")

    assert answer.status_code in {200, 400}, answer.text
    if answer.status_code == 200:
        assert len(answer.json()["value"]) <= len(RESULTS)
