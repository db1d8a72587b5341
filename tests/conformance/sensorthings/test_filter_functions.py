"""Requirement "built-in-query-functions": text, time and number; geospatial ones have a module of their own.

Each case gives the function's value, and is asked both ways: equal to it, and not equal to it.

Source: OGC 18-088, clause 9.3.3.5.2, table 22.
"""

import pytest

from tests.conformance.sensorthings.requirements import observation, path_of, stream_of
from tests.integration.sensorthings.samples import Api, Json, thing

MOMENT = "2021-03-04T05:06:07.25Z"


@pytest.fixture(scope="module")
def identifier(api: Api) -> int:
    """A Thing with a name, texts and numbers to work on."""
    properties = {"padded": "  in  ", "n": 2.5, "m": -2.5, "i": 7, "t": MOMENT, "empty": "", "needle": "ïve"}
    made = api.create("Things", thing("Naïve O'Brien", properties=properties))
    assert isinstance(made["@iot.id"], int)
    return made["@iot.id"]


@pytest.fixture(scope="module")
def moment(api: Api) -> str:
    """One Observation, at a quarter of a second past."""
    return stream_of(api, {"result": -7.5, "phenomenonTime": MOMENT, "resultTime": "2021-12-31T23:59:59Z"})


TEXT = [
    ("substringof('ïve',name)", "true"),
    ("substringof(properties/needle,name)", "true"),
    ("substringof('IVE',name)", "false"),
    ("substringof('%',name)", "false"),
    ("substringof('',name)", "true"),
    ("endswith(name,'Brien')", "true"),
    ("endswith(name,'brien')", "false"),
    ("endswith(name,'_rien')", "false"),
    ("startswith(name,'Naï')", "true"),
    ("startswith(name,'N%')", "false"),
    ("contains(name,'O''B')", "true"),
    ("length(name)", "13"),
    ("length('')", "0"),
    ("length('a''b')", "3"),
    ("length(properties/padded)", "6"),
    ("indexof(name,'N')", "0"),
    ("indexof(name,'ïve')", "2"),
    ("indexof(name,'zz')", "-1"),
    ("indexof('abcb','b')", "1"),
    ("substring(name,1)", "'aïve O''Brien'"),
    ("substring(name,0,5)", "'Naïve'"),
    ("substring(name,2,2)", "'ïv'"),
    ("substring(name,0,0)", "''"),
    ("substring(name,13)", "''"),
    ("substring(name,11,99)", "'en'"),
    ("substring('abc',1)", "'bc'"),
    ("tolower(name)", "'naïve o''brien'"),
    ("toupper(name)", "'NAÏVE O''BRIEN'"),
    ("tolower('ÀÉ')", "'àé'"),
    ("trim(properties/padded)", "'in'"),
    ("trim(' a b ')", "'a b'"),
    ("concat(name,'!')", "'Naïve O''Brien!'"),
    ("concat(concat(properties/empty,'a'),'b')", "'ab'"),
    ("toupper(substring(concat(trim(properties/padded),'put'),0,3))", "'INP'"),
    ("length(concat(name,name)) sub length(name)", "13"),
]
NUMBERS = [
    ("round(properties/n)", "3"),
    ("round(properties/m)", "-3"),
    ("round(0.5)", "1"),
    ("round(-0.5)", "-1"),
    ("round(1.5)", "2"),
    ("round(2.5)", "3"),
    ("round(-1.5)", "-2"),
    ("round(1.49999)", "1"),
    ("round(-1.49999)", "-1"),
    ("round(properties/i)", "7"),
    ("round(properties/n add 1)", "4"),
    ("floor(properties/n)", "2"),
    ("floor(properties/m)", "-3"),
    ("floor(7)", "7"),
    ("ceiling(properties/n)", "3"),
    ("ceiling(properties/m)", "-2"),
    ("ceiling(7.000001)", "8"),
    ("properties/i mod 4", "3"),
    ("properties/i mul properties/n", "17.5"),
    ("properties/i sub properties/m", "9.5"),
    ("properties/n div 2", "1.25"),
    ("properties/i add 1 mul 2", "9"),
]
TIMES = [
    ("year(phenomenonTime)", "2021"),
    ("month(phenomenonTime)", "3"),
    ("day(phenomenonTime)", "4"),
    ("hour(phenomenonTime)", "5"),
    ("minute(phenomenonTime)", "6"),
    ("second(phenomenonTime)", "7"),
    ("fractionalseconds(phenomenonTime)", "0.25"),
    ("fractionalseconds(resultTime)", "0"),
    ("second(resultTime)", "59"),
    ("date(phenomenonTime)", "2021-03-04"),
    ("date(resultTime)", "2021-12-31"),
    ("time(phenomenonTime)", "05:06:07.25"),
    ("time(resultTime)", "23:59:59"),
    ("totaloffsetminutes(phenomenonTime)", "0"),
    ("year(resultTime) add 1", "2022"),
    ("month(resultTime) sub month(phenomenonTime)", "9"),
    ("round(result)", "-8"),
    ("floor(result)", "-8"),
    ("ceiling(result)", "-7"),
    ("floor(fractionalseconds(phenomenonTime) mul 100)", "25"),
]


@pytest.mark.parametrize(("call", "value"), TEXT)
def test_filter_text_function(api: Api, identifier: int, call: str, value: str) -> None:
    """req/request-data/built-in-query-functions: string functions."""
    _has_value(api, "Things", f"id eq {identifier}", call, value)


@pytest.mark.parametrize(("call", "value"), NUMBERS)
def test_filter_number_function(api: Api, identifier: int, call: str, value: str) -> None:
    """req/request-data/built-in-query-functions: math functions; a half rounds away from zero."""
    _has_value(api, "Things", f"id eq {identifier}", call, value)


@pytest.mark.parametrize(("call", "value"), TIMES)
def test_filter_time_function(api: Api, moment: str, call: str, value: str) -> None:
    """req/request-data/built-in-query-functions: date functions; second is without its fraction."""
    _has_value(api, f"{moment}/Observations", "true", call, value)


def test_filter_time_functions_read_times_in_properties(api: Api, identifier: int) -> None:
    """req/request-data/built-in-query-functions: date functions on a time that is a text in JSON."""
    _has_value(api, "Things", f"id eq {identifier}", "year(properties/t)", "2021")
    _has_value(api, "Things", f"id eq {identifier}", "second(properties/t)", "7")


@pytest.mark.parametrize(
    ("expression", "is_true"),
    [
        ("phenomenonTime lt now()", True),
        ("phenomenonTime gt now()", False),
        ("phenomenonTime gt mindatetime()", True),
        ("phenomenonTime lt maxdatetime()", True),
        ("mindatetime() lt maxdatetime()", True),
        ("now() lt maxdatetime() and now() gt mindatetime()", True),
        ("year(now()) ge 2024", True),
        ("time(phenomenonTime) lt 05:06:08", True),
        ("time(phenomenonTime) gt 05:06:07", True),
        ("time(phenomenonTime) eq 05:06:07", False),
        ("date(phenomenonTime) lt 2021-03-05", True),
        ("date(phenomenonTime) eq date(resultTime)", False),
        ("hour(resultTime) gt hour(phenomenonTime)", True),
        ("resultTime sub phenomenonTime gt duration'P1D'", True),
    ],
)
def test_filter_time_functions_compare(api: Api, moment: str, expression: str, *, is_true: bool) -> None:
    """req/request-data/built-in-query-functions: now, mindatetime, maxdatetime, date and time as values."""
    assert api.found(f"{moment}/Observations", expression) == ([-7.5] if is_true else [])


def test_filter_functions_on_results_of_other_types_find_nothing(api: Api) -> None:
    """req/request-data/built-in-query-functions: a value of another type is null, never an error."""
    values: list[Json] = [1, "a", None, True, [1], {}]
    stream = stream_of(api, *(observation(value, place) for place, value in enumerate(values)))

    for call in ("length(result)", "round(result)", "indexof(result,'x')", "floor(result)"):
        answer = api.send("GET", f"{stream}/Observations", params={"$filter": f"{call} eq 12345"})
        assert (answer.status_code, answer.json()["value"]) == (200, []), call


def test_filter_functions_sort_too(api: Api) -> None:
    """req/request-data/orderby: an expression may be a function."""
    stream = stream_of(api, *(observation(text, place) for place, text in enumerate(["bb", "A", "ccc"])))

    def order(expression: str) -> list[Json]:
        return [one["result"] for one in api.read(f"{stream}/Observations?$orderby={expression}")["value"]]

    assert order("length(result) desc") == ["ccc", "bb", "A"]
    assert order("tolower(result)") == ["A", "bb", "ccc"]
    assert order("second(phenomenonTime) mod 2 desc,id") == ["A", "bb", "ccc"]


def _has_value(api: Api, path: str, scope: str, call: str, value: str) -> None:
    assert len(api.found(path, f"{scope} and {call} eq {value}", "@iot.id")) == 1, f"{call} is not {value}"
    assert api.found(path, f"{scope} and {call} ne {value}", "@iot.id") == []


def test_filter_functions_are_the_same_over_relations(api: Api, moment: str) -> None:
    """req/request-data/built-in-query-functions: arguments may be paths."""
    owner = api.read(f"{moment}/Thing")

    found = api.found(
        "Things", f"id eq {owner['@iot.id']} and round(Datastreams/Observations/result) eq -8", "@iot.id"
    )

    assert found == [owner["@iot.id"]]
    assert api.found(f"{moment}/Observations", "tolower(Datastream/name) eq 'air temperature'") == [-7.5]
    assert path_of(owner, "Things") in api.read(f"{moment}/Thing/$ref")["@iot.selfLink"]
