"""Requirements "filter" and "built-in-filter-operations": operators, precedence, literals and paths.

Source: OGC 18-088, clauses 9.3.3.5 and 9.3.3.5.1, table 21.
"""

import pytest

from tests.conformance.sensorthings.requirements import count_of, feature, observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing

MIXED: list[Json] = [
    1,
    2.5,
    "3",
    "abc",
    None,
    True,
    [1, 2],
    {"x": 1, "y": {"z": "deep"}},
    -4,
    "it's",
    False,
    1000000,
]


@pytest.fixture(scope="module")
def numbers(api: Api) -> str:
    """Results 1 to 12, with parameters."""
    rows = (
        observation(
            number, number, parameters={"half": number / 2, "name": f"n{number}", "even": number % 2 == 0}
        )
        for number in range(1, 13)
    )
    return stream_of(api, *rows, thing_name="operators")


@pytest.fixture(scope="module")
def mixed(api: Api) -> str:
    """Results of every JSON type."""
    return stream_of(api, *(observation(result, place) for place, result in enumerate(MIXED)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("result eq 3", [3]),
        ("result ne 3", [1, 2, *range(4, 13)]),
        ("result gt 10", [11, 12]),
        ("result ge 11", [11, 12]),
        ("result lt 3", [1, 2]),
        ("result le 2", [1, 2]),
        ("3 gt result", [1, 2]),
        ("result eq 3.0", [3]),
        ("result eq 3e0", [3]),
        ("result gt 1 and result lt 4", [2, 3]),
        ("result lt 2 or result gt 11", [1, 12]),
        ("not (result gt 2)", [1, 2]),
        ("not (result gt 2) and not (result lt 2)", [2]),
        ("result add 1 eq 3", [2]),
        ("result sub 1 eq 3", [4]),
        ("result mul 2 eq 6", [3]),
        ("result div 2 eq 2.5", [5]),
        ("result mod 5 eq 1", [1, 6, 11]),
        ("result sub 12 eq -10", [2]),
        ("result mul -1 eq -2", [2]),
        ("parameters/half eq 1.5", [3]),
        ("parameters/half mul 2 eq result and result lt 3", [1, 2]),
        ("parameters/name eq 'n7'", [7]),
        ("parameters/even eq true and result lt 5", [2, 4]),
        ("parameters/even and result lt 5", [2, 4]),
        ("result in (2,4,77)", [2, 4]),
    ],
)
def test_filter_operator(api: Api, numbers: str, expression: str, expected: list[Json]) -> None:
    """req/request-data/built-in-filter-operations: comparison, logical and arithmetic operators."""
    assert api.found(f"{numbers}/Observations", expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("result eq 1 or result eq 2 and result eq 3", [1]),
        ("(result eq 1 or result eq 2) and result eq 2", [2]),
        ("result eq 2 and result eq 3 or result eq 1", [1]),
        ("1 add 2 mul 3 eq 7 and result eq 1", [1]),
        ("(1 add 2) mul 3 eq 9 and result eq 1", [1]),
        ("1 add 2 mul 3 eq 9", []),
        ("10 sub 3 sub 2 eq result", [5]),
        ("10 sub (3 sub 2) eq result", [9]),
        ("12 div 3 div 2 eq result", [2]),
        ("result add 1 mul 2 eq 5", [3]),
        ("result mod 5 add 1 gt 4", [4, 9]),
        ("result lt 3 eq true", [1, 2]),
        ("not (result lt 12) or result eq 1", [1, 12]),
        ("((((result))) eq ((2)))", [2]),
    ],
)
def test_filter_precedence(api: Api, numbers: str, expression: str, expected: list[Json]) -> None:
    """req/request-data/built-in-filter-operations: not; mul div mod; add sub; gt ..; eq ne; and; or; ()."""
    assert api.found(f"{numbers}/Observations", expression) == expected


def test_filter_or_stays_inside_the_path(api: Api, numbers: str) -> None:
    """req/request-data/filter: the path's condition holds whatever the filter says."""
    stream_of(api, observation(1, 0), observation(2, 1))

    assert api.found(f"{numbers}/Observations", "result eq 1 or result eq 2") == [1, 2]
    assert api.found(f"{numbers}/Observations", "true or result eq 2") == list(range(1, 13))


def test_filter_compares_a_number_with_a_text_literal_as_text(api: Api, numbers: str) -> None:
    """req/request-data/filter: the type of the literal decides, as the suite of OGC has it."""
    assert api.found(f"{numbers}/Observations", "result gt '3'") == [4, 5, 6, 7, 8, 9]
    assert api.found(f"{numbers}/Observations", "result eq '3'") == [3]
    assert api.found(f"{numbers}/Observations", "'2' gt result") == [1, 10, 11, 12]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("result gt 1", [2.5, 1000000]),
        ("result eq 'abc'", ["abc"]),
        ("result eq 'it''s'", ["it's"]),
        ("result eq true", [True]),
        ("result eq false", [False]),
        ("result ne 1 and result lt 3", [2.5, -4]),
        ("result eq null", [None]),
        ("result/x eq 1", [{"x": 1, "y": {"z": "deep"}}]),
        ("result/y/z eq 'deep'", [{"x": 1, "y": {"z": "deep"}}]),
        ("result[1] eq 2", [[1, 2]]),
        ("result eq -4", [-4]),
        ("result add 1 eq 2", [1]),
        ("result eq 1e6", [1000000]),
    ],
)
def test_filter_compares_each_stored_type_with_its_like(
    api: Api, mixed: str, expression: str, expected: list[Json]
) -> None:
    """req/request-data/filter: result is typed by the stored value; another type is no error."""
    assert api.found(f"{mixed}/Observations", expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "result div 0 eq 1",
        "result mod 0 eq 1",
        "result gt 1 and false",
        "result/none eq 1",
        "parameters/none gt 1",
        "length(result) eq 99",
        "round(result) eq 99",
        "result mul 1e308 mul 1e308 eq 1",
        "result eq 99999999999999999999",
    ],
)
def test_filter_null_and_false_are_left_out(api: Api, mixed: str, expression: str) -> None:
    """req/request-data/filter: entities for which the expression is false or null are not in the answer."""
    assert api.found(f"{mixed}/Observations", expression) == []


@pytest.fixture(scope="module")
def linked(api: Api) -> str:
    """A Thing with nested properties, two Locations and Datastreams with Observations."""
    body = thing(
        "paths é",
        properties={
            "a": {"b": 5, "c": [10, 20]},
            "k-x": "v",
            "when": "2020-06-01T00:00:00Z",
            "flag": True,
            "nil": None,
        },
        Locations=[location("Salzburg"), location("Wien") | {"encodingType": "text/plain"}],
        Datastreams=[
            datastream("DS1", Observations=[observation(number, number) for number in (1, 2)]),
            datastream("DS2", unitOfMeasurement={"name": "metre", "symbol": "m", "definition": None}),
        ],
    )
    return path_of(api.create("Things", body), "Things")


@pytest.mark.parametrize(
    ("expression", "is_true"),
    [
        ("properties/a/b eq 5", True),
        ("properties/a/b add 1 gt 5", True),
        ("properties/a/b eq '5'", True),
        ("properties/a/c[1] eq 20", True),
        ("properties/k-x eq 'v'", True),
        ("properties/flag", True),
        ("properties/flag eq false", False),
        ("properties/nil eq null", True),
        ("properties/nope eq null", True),
        ("properties/nope ne null", False),
        ("properties/when lt 2020-07-01T00:00:00Z", True),
        ("properties/when gt 2020-07-01T00:00:00Z", False),
        ("Datastreams/name eq 'DS2'", True),
        ("Datastreams/name eq 'DS3'", False),
        ("Datastreams/unitOfMeasurement/symbol eq 'm'", True),
        ("Datastreams/Observations/result eq 2", True),
        ("Datastreams/Observations/result eq 3", False),
        ("Datastreams/Observations/FeatureOfInterest/name eq 'Salzburg'", True),
        ("Locations/name eq 'Wien'", True),
        ("Locations/name eq 'Wien' and Locations/name eq 'Salzburg'", True),
        ("HistoricalLocations/time lt now()", True),
        ("Datastreams/Thing/name eq name", True),
        ("name eq 'paths é'", True),
        ("description eq null", False),
    ],
)
def test_filter_follows_paths(api: Api, linked: str, expression: str, *, is_true: bool) -> None:
    """req/request-data/filter: paths over to-one and to-many relations, and into JSON."""
    identifier = api.read(f"{linked}?$select=id")["@iot.id"]

    for name in ("id", "@iot.id"):
        found = api.found("Things", f"{name} eq {identifier} and ({expression})", "@iot.id")
        assert found == ([identifier] if is_true else [])


def test_filter_over_to_one_relations(api: Api, linked: str) -> None:
    """req/request-data/filter: from an Observation up to its Thing's Location."""
    for expression in (
        "Datastream/Thing/properties/a/b eq 5",
        "Datastream/Thing/Locations/name eq 'Wien'",
        "Datastream/ObservedProperty/name eq 'Temperature'",
        "FeatureOfInterest/name eq 'Salzburg'",
    ):
        (stream,) = api.read(f"{linked}/Datastreams?$filter=name eq 'DS1'")["value"]
        assert api.found(f"{path_of(stream, 'Datastreams')}/Observations", expression) == [1, 2], expression


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("phenomenonTime eq 2020-01-01T00:00:02Z", [2]),
        ("phenomenonTime eq 2020-01-01T01:00:02+01:00", [2]),
        ("phenomenonTime eq '2020-01-01T00:00:02Z'", [2]),
        ("phenomenonTime lt 2020-01-01T00:00:03Z", [1, 2]),
        ("phenomenonTime ge 2020-01-01T00:00:12.000Z", [12]),
        ("2020-01-01T00:00:03Z gt phenomenonTime", [1, 2]),
        ("phenomenonTime gt 2020-01-01T00:00:10Z and phenomenonTime le 2020-01-01T00:00:11Z", [11]),
        ("phenomenonTime add duration'PT1S' eq 2020-01-01T00:00:03Z", [2]),
        ("phenomenonTime lt now() sub duration'P1D' and result eq 1", [1]),
        ("phenomenonTime ne 2020-01-01T00:00:02Z and result lt 4", [1, 3]),
        ("during(phenomenonTime,2020-01-01T00:00:01Z/2020-01-01T00:00:02.5Z)", [1, 2]),
        ("before(phenomenonTime,2020-01-01T00:00:02Z)", [1]),
        ("after(phenomenonTime,2020-01-01T00:00:11Z)", [12]),
        ("overlaps(phenomenonTime,2020-01-01T00:00:11Z/2020-01-01T00:00:30Z)", [11, 12]),
    ],
)
def test_filter_times(api: Api, numbers: str, expression: str, expected: list[Json]) -> None:
    """req/request-data/filter: literals of time, offsets, durations and intervals."""
    assert api.found(f"{numbers}/Observations", expression) == expected


def test_filter_inside_an_interval_of_time(api: Api) -> None:
    """req/request-data/filter: phenomenonTime as an interval is compared by both of its ends."""
    stream = stream_of(api, {"result": 1, "phenomenonTime": "2020-01-01T00:00:00Z/2020-01-01T01:00:00Z"})

    for expression, expected in {
        "phenomenonTime lt 2020-01-01T00:30:00Z": [],
        "phenomenonTime lt 2020-01-01T02:00:00Z": [1],
        "phenomenonTime gt 2019-01-01T00:00:00Z": [1],
        "phenomenonTime eq 2020-01-01T00:00:00Z/2020-01-01T01:00:00Z": [1],
    }.items():
        assert api.found(f"{stream}/Observations", expression) == expected, expression


@pytest.mark.parametrize("set_name", ["Things", "Datastreams", "Sensors", "ObservedProperties", "Locations"])
def test_filter_by_name_with_every_awkward_sign(api: Api, set_name: str) -> None:
    """req/request-data/filter: a text literal is never more than a text."""
    for name in (
        "it's",
        "100%_\\",
        'a"b',
        "a;b,c(d)/e",
        "--",
        "'); DROP TABLE thing; --",
        "+&#?=",
        "🙂",
        "\t\n",
        "$1 :x %s",
    ):
        stream = api.create(
            "Things",
            thing(
                name,
                Locations=[location(name)],
                Datastreams=[
                    datastream(
                        name,
                        Sensor={
                            "name": name,
                            "description": "s",
                            "encodingType": "text/html",
                            "metadata": "m",
                        },
                        ObservedProperty={"name": name, "definition": "http://x.org", "description": "p"},
                        Observations=[observation(name, FeatureOfInterest=feature(name))],
                    )
                ],
            ),
        )
        assert stream["name"] == name
        literal = name.replace("'", "''")
        assert set(api.found(set_name, f"name eq '{literal}'", "name")) == {name}
        assert name in api.found("Observations", f"result eq '{literal}'")
        assert name in api.found(set_name, f"startswith(name,'{literal}')", "name")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "name",
        "name eq",
        "eq 'a'",
        "name eq 'a",
        "name = 'a'",
        "nothing eq 1",
        "name eq 'a' and",
        "(name eq 'a'",
        "name eq 'a')",
        "nofunction(name)",
        "length()",
        "length(name,name)",
        "substring(name)",
        "name eq 2020-13-01",
        "Datastreams/nothing eq 1",
        "Nothing/name eq 1",
        "name/first eq 'a'",
        "'a'",
        "1",
        "not",
        "id eq",
        "name eq 'a' 'b'",
        "geo.distance(name)",
        "name add",
        "year(1,2) eq 1",
        "name in ()",
        "name eq \x00",
        "name eq 'a\x00'",
    ],
)
def test_filter_that_cannot_be_understood_is_refused(api: Api, expression: str) -> None:
    """req/request-data/query-status-code: 400."""
    before = count_of(api, "Things")

    assert api.refuse("GET", "Things", params={"$filter": expression})["status"] in {400, 501}
    assert count_of(api, "Things") == before


def test_filter_deeper_than_any_sane_one_is_answered(api: Api) -> None:
    """req/request-data/query-status-code: depth and length are no way to a 500."""
    for expression in (
        "(" * 3000 + "true" + ")" * 3000,
        " or ".join(["name eq 'a'"] * 600),
        "not " * 2000 + "true",
    ):
        answer = api.send("GET", "Things", params={"$filter": expression})
        assert answer.status_code < 500, answer.text
