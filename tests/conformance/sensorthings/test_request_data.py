"""Requirements class "request-data": $select, $expand, $orderby, $top, $skip, $count.

Source: OGC 18-088, clause 9.3. Filters have modules of their own, so has paging.
"""

import pytest

from tests.conformance.sensorthings.requirements import observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, datastream, thing


@pytest.fixture(scope="module")
def station(api: Api) -> str:
    """A Thing with two Datastreams, of three and of twelve Observations."""
    body = thing(
        "request-data",
        properties={"floor": 3},
        Datastreams=[
            datastream("A", Observations=[observation(number, number) for number in (3, 1, 2)]),
            datastream(
                "B",
                properties={"rank": 1},
                Observations=[
                    observation(number, number, parameters={"odd": number % 2}) for number in range(1, 13)
                ],
            ),
        ],
    )
    return path_of(api.create("Things", body), "Things")


@pytest.fixture(scope="module")
def stream(api: Api, station: str) -> str:
    """The Datastream with the results 1 to 12."""
    (one,) = api.read(f"{station}/Datastreams?$filter=name eq 'B'")["value"]
    return path_of(one, "Datastreams")


def results(page: Json) -> list[Json]:
    return [one["result"] for one in page["value"]]


@pytest.mark.parametrize(
    ("selected", "keys"),
    [
        ("name", {"name"}),
        ("name,description", {"name", "description"}),
        ("id", {"@iot.id"}),
        ("@iot.id,name", {"@iot.id", "name"}),
        ("name,Datastreams", {"name", "Datastreams@iot.navigationLink"}),
        ("properties", {"properties"}),
        ("@iot.selfLink", {"@iot.selfLink"}),
    ],
)
def test_request_data_select_gives_what_is_named(
    api: Api, station: str, selected: str, keys: set[str]
) -> None:
    """req/request-data/select."""
    assert set(api.read(f"{station}?$select={selected}")) == keys
    identifier = api.read(f"{station}?$select=id")["@iot.id"]
    (row,) = api.read(f"Things?$select={selected}&$filter=id eq {identifier}")["value"]
    assert set(row) == keys


def test_request_data_select_of_the_unknown_is_refused(api: Api, station: str) -> None:
    """req/request-data/select and req/request-data/query-status-code."""
    for selected in ("nothing", "name,nothing", "result", "name/first", "", ",", "name,,description"):
        assert api.refuse("GET", f"{station}?$select={selected}")["status"] == 400, selected


def test_request_data_select_keeps_what_is_expanded(api: Api, station: str) -> None:
    """req/request-data/select: expanded entities are in the answer whether selected or not."""
    read = api.read(f"{station}?$select=name&$expand=Datastreams($select=name)")

    assert read["name"] == "request-data"
    assert [set(one) for one in read["Datastreams"]] == [{"name"}, {"name"}]


def test_request_data_expand_of_a_set_and_of_one(api: Api, station: str, stream: str) -> None:
    """req/request-data/expand."""
    read = api.read(f"{stream}?$expand=Thing,Observations,Sensor,ObservedProperty")

    assert read["Thing"]["name"] == "request-data"
    assert len(read["Observations"]) == 12
    assert read["Sensor"]["name"] == "S"
    assert read["ObservedProperty"]["name"] == "Temperature"
    assert not {"Thing@iot.navigationLink", "Observations@iot.navigationLink"} & set(read)
    assert read["Thing"]["@iot.selfLink"] == f"{api.root}/{station}"


def test_request_data_expand_by_slashes_goes_levels_down(api: Api, station: str) -> None:
    """req/request-data/expand: A/B/C."""
    read = api.read(
        f"{station}?$expand=Datastreams/Observations/FeatureOfInterest,Datastreams/Sensor,Locations"
    )

    assert read["Locations"][0]["name"] == "Salzburg"
    assert {one["Sensor"]["name"] for one in read["Datastreams"]} == {"S"}
    features = {
        row["FeatureOfInterest"]["name"] for one in read["Datastreams"] for row in one["Observations"]
    }
    assert features == {"Salzburg"}


def test_request_data_expand_nests_options_three_levels_deep(api: Api, station: str) -> None:
    """req/request-data/expand: $filter, $orderby, $top, $skip, $count, $select and $expand inside."""
    identifier = api.read(f"{station}?$select=id")["@iot.id"]

    page = api.read(
        f"Things?$filter=id eq {identifier}&$select=name"
        "&$expand=Datastreams($filter=name eq 'B';$select=name,properties;$count=true;"
        "$expand=Observations($filter=result gt 2 and parameters/odd eq 1;$orderby=result desc;$top=2;"
        "$skip=1;$count=true;$select=result;$expand=FeatureOfInterest($select=name)))"
    )

    (one,) = page["value"]
    (inner,) = one["Datastreams"]
    assert one["name"] == "request-data"
    assert one["Datastreams@iot.count"] == 1
    assert inner["name"] == "B"
    assert inner["properties"] == {"rank": 1}
    assert inner["Observations@iot.count"] == 5
    assert [row["result"] for row in inner["Observations"]] == [9, 7]
    assert [row["FeatureOfInterest"] for row in inner["Observations"]] == [{"name": "Salzburg"}] * 2
    rest = api.read(inner["Observations@iot.nextLink"])
    assert results(rest) == [5, 3]
    assert [row["FeatureOfInterest"] for row in rest["value"]] == [{"name": "Salzburg"}] * 2


def test_request_data_expand_gives_the_latest_of_each(api: Api, station: str) -> None:
    """req/request-data/expand: options hold for each parent by itself."""
    read = api.read(
        f"{station}/Datastreams?$orderby=name&$expand=Observations($top=1;$orderby=phenomenonTime desc)"
    )

    assert [[row["result"] for row in one["Observations"]] for one in read["value"]] == [[3], [12]]


def test_request_data_expand_with_top_zero_counts_only(api: Api, stream: str) -> None:
    """req/request-data/expand: $top=0;$count=true."""
    read = api.read(f"{stream}?$expand=Observations($top=0;$count=true)")

    assert (read["Observations"], read["Observations@iot.count"]) == ([], 12)


def test_request_data_expand_over_to_one_takes_select_and_expand(api: Api, stream: str) -> None:
    """req/request-data/expand: a to-one relation with options."""
    page = api.read(
        f"{stream}/Observations?$top=1&$select=result&$expand=Datastream($select=name;$expand=Thing($select=name))"
    )

    assert page["value"] == [{"result": 1, "Datastream": {"name": "B", "Thing": {"name": "request-data"}}}]


@pytest.mark.parametrize(
    "expanded",
    [
        "Nothing",
        "name",
        "Datastreams/Nothing",
        "Datastreams(",
        "Datastreams($top=-1)",
        "Datastreams($nope=1)",
        "",
        ",",
        "Datastreams($filter=)",
        "Datastreams($filter=nope eq 1)",
        "Datastreams($count=maybe)",
        "Datastreams()x",
    ],
)
def test_request_data_expand_of_the_unknown_is_refused(api: Api, station: str, expanded: str) -> None:
    """req/request-data/expand and req/request-data/query-status-code."""
    assert api.refuse("GET", f"{station}?$expand={expanded}")["status"] in {400, 501}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("result", [1, 2, 3]),
        ("result asc", [1, 2, 3]),
        ("result desc", [3, 2, 1]),
        ("result DESC", [3, 2, 1]),  # as FROST's client writes it
        ("phenomenonTime desc", [3, 2, 1]),
        ("Datastream/name,result desc", [3, 2, 1]),
        ("result mod 2,result desc", [2, 3, 1]),
        ("FeatureOfInterest/name asc,Datastream/Thing/properties/floor desc,id desc", [2, 1, 3]),
    ],
)
def test_request_data_orderby_sorts(api: Api, station: str, order: str, expected: list[int]) -> None:
    """req/request-data/orderby: paths, several keys, asc and desc."""
    (one,) = api.read(f"{station}/Datastreams?$filter=name eq 'A'")["value"]

    assert results(api.read(f"{path_of(one, 'Datastreams')}/Observations?$orderby={order}")) == expected


NULLABLE = [("a", 2), ("b", None), ("c", 1), ("d", None)]


@pytest.fixture(scope="module")
def nullable(api: Api) -> str:
    """Observations of which some have no resultTime, validTime or parameter."""
    return stream_of(
        api,
        *(
            observation(name, second)
            | (
                {
                    "resultTime": f"2020-01-0{rank}T00:00:00Z",
                    "validTime": f"2020-01-0{rank}T00:00:00Z/2020-02-01T00:00:00Z",
                    "parameters": {"rank": rank},
                }
                if rank
                else {}
            )
            for second, (name, rank) in enumerate(NULLABLE)
        ),
    )


@pytest.mark.parametrize("key", ["resultTime", "parameters/rank", "validTime"])
def test_request_data_orderby_puts_null_first_ascending(api: Api, nullable: str, key: str) -> None:
    """req/request-data/orderby: null values come before non-null values in ascending order."""
    assert results(api.read(f"{nullable}/Observations?$orderby={key},result")) == ["b", "d", "c", "a"]
    assert results(api.read(f"{nullable}/Observations?$orderby={key} asc,result desc")) == [
        "d",
        "b",
        "c",
        "a",
    ]


@pytest.mark.parametrize("key", ["resultTime", "parameters/rank", "validTime"])
def test_request_data_orderby_puts_null_last_descending(api: Api, nullable: str, key: str) -> None:
    """req/request-data/orderby: null values come after non-null values in descending order."""
    assert results(api.read(f"{nullable}/Observations?$orderby={key} desc,result")) == ["a", "c", "b", "d"]


def test_request_data_orderby_puts_null_results_at_the_same_ends(api: Api) -> None:
    """req/request-data/orderby: a result of null is null too."""
    stream = stream_of(api, observation(2, 0), observation(None, 1), observation(1, 2))

    assert results(api.read(f"{stream}/Observations?$orderby=result")) == [None, 1, 2]
    assert results(api.read(f"{stream}/Observations?$orderby=result desc")) == [2, 1, None]


def test_request_data_orderby_compares_text_by_code_point(api: Api) -> None:
    """req/request-data/orderby: as the suite does, whatever the database's collation."""
    stream = stream_of(api, *(observation(text, place) for place, text in enumerate("bÄaBA_z")))

    assert results(api.read(f"{stream}/Observations?$orderby=result")) == sorted("bÄaBA_z")


@pytest.mark.parametrize(
    "order", ["nothing", "result up", "result desc asc", "", "result,", "Observations", "result eq"]
)
def test_request_data_orderby_of_the_unknown_is_refused(api: Api, stream: str, order: str) -> None:
    """req/request-data/orderby and req/request-data/query-status-code."""
    assert api.refuse("GET", f"{stream}/Observations?$orderby={order}")["status"] == 400


def test_request_data_top_and_skip_cut_the_ordered_rows(api: Api, stream: str) -> None:
    """req/request-data/top, req/request-data/skip."""
    rows = f"{stream}/Observations?$orderby=result"

    assert results(api.read(f"{rows}&$top=2")) == [1, 2]
    assert results(api.read(f"{rows}&$skip=10")) == [11, 12]
    assert results(api.read(f"{rows}&$skip=3&$top=2")) == [4, 5]
    assert results(api.read(f"{rows}&$top=2&$skip=3")) == [4, 5]
    assert results(api.read(f"{rows}&$skip=12")) == []
    assert results(api.read(f"{rows}&$top=0")) == []
    assert len(results(api.read(f"{rows}&$top=99999999"))) == 12


@pytest.mark.parametrize("option", ["$top", "$skip"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", "", "1e2", "null", "99999999999999999999x"])
def test_request_data_top_and_skip_must_be_whole_numbers(
    api: Api, stream: str, option: str, value: str
) -> None:
    """req/request-data/top, req/request-data/skip: non-negative integers."""
    assert api.refuse("GET", f"{stream}/Observations?{option}={value}")["status"] == 400


def test_request_data_count_is_of_the_filtered_set(api: Api, stream: str) -> None:
    """req/request-data/count: after $filter; not changed by $top, $skip and $expand."""
    rows = f"{stream}/Observations"

    assert api.read(f"{rows}?$count=true")["@iot.count"] == 12
    assert api.read(f"{rows}?$count=true&$top=1&$skip=5&$expand=Datastream")["@iot.count"] == 12
    assert api.read(f"{rows}?$count=true&$filter=result gt 9")["@iot.count"] == 3
    assert "@iot.count" not in api.read(f"{rows}?$count=false")
    assert "@iot.count" not in api.read(rows)


@pytest.mark.parametrize("value", ["maybe", "1", "", "True ", "yes"])
def test_request_data_count_must_be_true_or_false(api: Api, stream: str, value: str) -> None:
    """req/request-data/count and req/request-data/query-status-code."""
    assert api.refuse("GET", f"{stream}/Observations?$count={value}")["status"] == 400


def test_request_data_options_take_effect_in_the_standards_order(api: Api, stream: str) -> None:
    """req/request-data/order: $filter, $count, $orderby, $skip, $top, then $expand and $select."""
    page = api.read(
        f"{stream}/Observations?$top=2&$select=result&$skip=1&$orderby=result desc&$count=true"
        "&$expand=Datastream($select=name)&$filter=result le 10"
    )

    assert page["@iot.count"] == 10
    assert page["value"] == [{"result": number, "Datastream": {"name": "B"}} for number in (9, 8)]


@pytest.mark.parametrize(
    "query",
    [
        "$search=x",
        "$apply=aggregate(result)",
        "$compute=1",
        "$format=xml",
        "$nope=1",
        "$Filter=result eq 1",
        "$levels=2",
    ],
)
def test_request_data_unknown_system_option_is_refused(api: Api, stream: str, query: str) -> None:
    """req/request-data/status-codes, req/request-data/query-status-code: 501 or 400."""
    assert api.refuse("GET", f"{stream}/Observations?{query}")["status"] in {400, 501}


def test_request_data_options_are_refused_where_they_mean_nothing(api: Api, stream: str) -> None:
    """req/request-data/query-status-code: an option given twice, or one for sets asked of an entity."""
    for path in (f"{stream}/Observations?$top=1&$top=2", f"{stream}?$top=1", f"{stream}?$filter=name eq 'B'"):
        assert api.refuse("GET", path)["status"] in {400, 501}, path
