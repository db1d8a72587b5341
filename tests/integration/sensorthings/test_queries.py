"""Reading: paths, filters over real data, expands, ordering, paging, and every mistake a problem document."""

from urllib.parse import quote

import pytest

from tests.integration.sensorthings.samples import Api, Json, area_around, datastream, thing

RESULTS: list[Json] = [1, 2.5, "3", "abc", None, True, [1, 2], {"x": 1}, -4, "it's"]


@pytest.fixture(scope="module")
def stream(api: Api) -> str:
    """Path of a Datastream with one Observation of each kind, a second apart."""
    observations = [
        {
            "phenomenonTime": f"2020-01-01T00:00:{place:02}Z",
            "result": result,
            "resultTime": "2020-01-02T00:00:03.25Z" if place % 2 else None,
            "parameters": {"i": place},
        }
        for place, result in enumerate(RESULTS)
    ]
    body = thing(
        name="Thing é",
        properties={"a": {"b": 5, "t": "2020-01-01T00:00:00Z"}, "k-x": "v"},
        Datastreams=[datastream("DS1", Observations=observations)],
    )
    made = api.create("Things", body)
    streams = api.read(f"Things({made['@iot.id']})/Datastreams")["value"]
    return f"Datastreams({streams[0]['@iot.id']})"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("result gt 1", [2.5]),
        ("5 gt result", [1, 2.5, -4]),
        ("result gt '1'", [2.5, "3", "abc", "it's"]),
        ("result eq 'it''s'", ["it's"]),
        ("result eq true", [True]),
        ("result eq null", [None]),
        ("result/x eq 1", [{"x": 1}]),
        ("result[0] eq 1", [[1, 2]]),
        ("not result gt 1", [1, -4]),
        ("not (result gt 1)", [1, -4]),
        ("result in (1,'abc')", [1, "abc"]),
        ("result add 1 eq 2", [1]),
        ("result mul 2 eq 5", [2.5]),
        ("result div 0 eq 1", []),
        ("result mod 2 eq 0.5", [2.5]),
        ("result eq 1 or result eq 2.5", [1, 2.5]),
        ("result lt 100 and parameters/i mod 2 eq 0", [1, -4]),
        ("round(result) eq 3", [2.5]),
        ("floor(result) eq 2", [2.5]),
        ("ceiling(result) eq 3", [2.5]),
        ("contains(result,'b')", ["abc"]),
        ("phenomenonTime lt 2020-01-01T00:00:02Z", [1, 2.5]),
        ("2020-01-01T00:00:02Z gt phenomenonTime", [1, 2.5]),
        ("phenomenonTime le '2020-01-01T00:00:01Z'", [1, 2.5]),
        ("phenomenonTime eq 2020-01-01T01:00:01+01:00", [2.5]),
        ("phenomenonTime ge 2020-01-01T00:00:09Z", ["it's"]),
        ("phenomenonTime add duration'PT1S' eq 2020-01-01T00:00:02Z", [2.5]),
        ("phenomenonTime sub 2020-01-01T00:00:00Z eq duration'PT3S'", ["abc"]),
        ("during(phenomenonTime,2020-01-01T00:00:00Z/2020-01-01T00:00:01Z)", [1, 2.5]),
        ("second(phenomenonTime) eq 3", ["abc"]),
        ("second(resultTime) eq 3 and fractionalseconds(resultTime) eq 0.25 and result gt 1", [2.5]),
        ("time(phenomenonTime) lt 00:00:01", [1]),
        ("date(phenomenonTime) eq 2020-01-01 and hour(phenomenonTime) eq 0 and result eq 1", [1]),
        ("year(phenomenonTime) eq 2020 and month(phenomenonTime) eq 1 and day(phenomenonTime) ne 1", []),
        ("resultTime eq null and result eq 1", [1]),
        ("now() sub duration'P1D' lt phenomenonTime", []),
        ("mindatetime() gt phenomenonTime or phenomenonTime gt maxdatetime()", []),
        ("totaloffsetminutes(phenomenonTime) ne 0", []),
        ("Datastream/Thing/properties/a/b eq 5 and result eq 1", [1]),
        ("Datastream/Thing/Locations/name eq 'Salzburg' and result eq 1", [1]),
        ("Datastream/Thing/Locations/name eq 'nowhere'", []),
        ("FeatureOfInterest/name eq 'Salzburg' and result eq 1", [1]),
        ("Datastream/unitOfMeasurement/name eq 'degree Celsius' and result eq 1", [1]),
    ],
)
def test_filter_finds_the_observations_for_which_it_is_true(
    api: Api, stream: str, expression: str, expected: list[Json]
) -> None:
    assert api.found(f"{stream}/Observations", expression) == expected


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("substringof('hing',name)", True),
        ("startswith(name,'Th') and endswith(name,'é')", True),
        ("length(name) eq 7 and indexof(name,'h') eq 1 and indexof(name,'zz') eq -1", True),
        ("substring(name,1) eq 'hing é' and substring(name,1,2) eq 'hi'", True),
        ("tolower(name) eq 'thing é' and toupper(name) eq 'THING É'", True),
        ("trim(concat(' ',name)) eq name", True),
        ("tolower(concat(name,'É')) eq 'thing éé'", True),
        ("substring(name,99999999999) eq ''", True),
        ("substring(name,0,-5) eq '' and substring(name,-99999999999,2) eq ''", True),
        ("properties/k-x eq 'v'", True),
        ("properties/a/t lt 2021-01-01T00:00:00Z and year(properties/a/t) eq 2020", True),
        ("properties/nope eq null", True),
        ("properties/a/b gt 5", False),
        ("Datastreams/Observations/result eq 2.5", True),
        ("Datastreams/Observations/result gt Datastreams/Observations/parameters/i", True),
        ("Datastreams/Observations/result gt 10", False),
        ("not Datastreams/name eq 'DS1'", False),
        ("name gt 'Thing z'", True),  # by code point é comes after z
    ],
)
def test_filter_on_texts_and_over_to_many_relations(
    api: Api, stream: str, expression: str, *, is_found: bool
) -> None:
    identifier = api.read(f"{stream}/Thing")["@iot.id"]

    found = api.found("Things", f"id eq {identifier} and ({expression})", "@iot.id")

    assert found == ([identifier] if is_found else [])


def test_or_in_a_filter_stays_inside_the_path(api: Api, stream: str) -> None:
    other = api.create("Things", thing(Datastreams=[datastream(Observations=[{"result": 1}])]))
    elsewhere = api.read(f"Things({other['@iot.id']})/Datastreams")["value"][0]["@iot.id"]

    assert api.found(f"{stream}/Observations", "result eq 1 or result eq 2.5") == [1, 2.5]
    assert api.found(f"Datastreams({elsewhere})/Observations", "result eq 1 or result eq 2.5") == [1]


def test_order_puts_null_first_ascending_and_last_descending(api: Api, stream: str) -> None:
    def ordered(keys: str) -> list[Json]:
        page = api.read(f"{stream}/Observations?$orderby={keys}&$select=result")
        return [one["result"] for one in page["value"]]

    ascending = [None, True, -4, 1, 2.5, "3", "abc", "it's", [1, 2], {"x": 1}]
    assert ordered("result") == ascending
    assert ordered("result desc") == ascending[::-1]
    assert ordered("resultTime,parameters/i desc")[:5] == [-4, [1, 2], None, "3", 1]
    assert ordered("resultTime desc,parameters/i desc")[0] == "it's"
    assert ordered("Datastream/Thing/name,phenomenonTime desc") == RESULTS[::-1]


@pytest.mark.parametrize(
    "order", ["result desc", "result", "phenomenonTime", "resultTime", "FeatureOfInterest/name"]
)
def test_paging_shows_each_entity_once_and_ends_without_a_link(api: Api, stream: str, order: str) -> None:
    whole = api.read(f"{stream}/Observations?$orderby={order}")["value"]
    url = f"{stream}/Observations?$top=3&$count=true&$expand=Datastream($select=name)&$orderby={order}"
    seen: list[Json] = []
    pages = 0

    while url:
        page = api.read(url)
        assert page["@iot.count"] == len(RESULTS)
        seen += [one["@iot.id"] for one in page["value"]]
        assert all(one["Datastream"] == {"name": "DS1"} for one in page["value"])
        url, pages = page.get("@iot.nextLink", ""), pages + 1

    assert seen == [one["@iot.id"] for one in whole]
    assert pages == 4


def test_next_link_keeps_every_option(api: Api, stream: str) -> None:
    expression = quote("result ne 'it''s' and (parameters/i lt 8.5 or not startswith(result,'é'))")
    first = api.read(f"{stream}/Observations?$filter={expression}&$top=1&$select=result,id")

    second = api.read(first["@iot.nextLink"])

    assert [page["value"][0]["result"] for page in (first, second)] == [1, 2.5]
    assert second["value"][0].keys() == {"result", "@iot.id"}


def test_expanded_sets_page_by_themselves(api: Api, stream: str) -> None:
    shown = api.read(
        f"{stream}?$select=name&$expand=Observations($top=2;$orderby=phenomenonTime desc;$count=true;"
        "$select=result;$filter=result ne null),Thing($expand=Locations)"
    )

    assert shown["Observations"] == [{"result": "it's"}, {"result": -4}]
    assert shown["Observations@iot.count"] == 9
    further = api.read(shown["Observations@iot.nextLink"])
    assert [one["result"] for one in further["value"]] == [{"x": 1}, [1, 2]]
    assert shown["Thing"]["Locations"][0]["name"] == "Salzburg"
    assert shown.keys() == {
        "name",
        "Observations",
        "Observations@iot.count",
        "Observations@iot.nextLink",
        "Thing",
    }


def test_last_value_of_each_datastream_comes_by_one_expand(api: Api, stream: str) -> None:
    shown = api.read(f"{stream}/Thing/Datastreams?$expand=Observations($top=1;$orderby=phenomenonTime desc)")

    assert [one["result"] for one in shown["value"][0]["Observations"]] == ["it's"]


def test_top_zero_gives_the_count_alone(api: Api, stream: str) -> None:
    assert api.read(f"{stream}/Observations?$top=0&$count=true") == {"@iot.count": 10, "value": []}


def test_paths_lead_over_any_number_of_relations(api: Api, stream: str) -> None:
    first = api.read(f"{stream}/Observations?$top=1")["value"][0]["@iot.id"]
    path = f"Observations({first})/Datastream/Thing/Locations"
    place = api.read(path)["value"][0]

    assert place["name"] == "Salzburg"
    assert api.read(f"{path}({place['@iot.id']})/Things/$ref") == {
        "value": [{"@iot.selfLink": api.read(f"{stream}/Thing")["@iot.selfLink"]}]
    }
    assert api.read(f"{stream}/Thing/$ref") == {"@iot.selfLink": api.read(f"{stream}/Thing")["@iot.selfLink"]}
    assert api.refuse("GET", f"{path}(999999999)")["status"] == 404
    assert api.refuse("GET", "Things(999999999)/Datastreams")["status"] == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", {"name": "DS1"}),
        ("unitOfMeasurement/name", {"name": "degree Celsius"}),
        ("Thing/properties/a/b", {"b": 5}),
        ("phenomenonTime", {"phenomenonTime": "2020-01-01T00:00:00Z/2020-01-01T00:00:09Z"}),
        ("observedArea", {"observedArea": area_around(13.05, 47.8)}),
    ],
)
def test_property_is_shown_under_its_name(api: Api, stream: str, path: str, expected: Json) -> None:
    assert api.read(f"{stream}/{path}") == expected


def test_value_is_bare_text_and_objects_are_json(api: Api, stream: str) -> None:
    name = api.send("GET", f"{stream}/name/$value")
    unit = api.send("GET", f"{stream}/unitOfMeasurement/$value")

    assert (name.text, name.headers["content-type"]) == ("DS1", "text/plain; charset=utf-8")
    assert unit.headers["content-type"] == "application/json"
    assert unit.json()["symbol"] == "°C"
    assert api.send("GET", f"{stream}/phenomenonTime/$value").text.endswith("T00:00:09Z")


@pytest.mark.parametrize("path", ["properties", "properties/$value", "unitOfMeasurement/definition"])
def test_property_without_a_value_is_no_content(api: Api, stream: str, path: str) -> None:
    answer = api.send("GET", f"{stream}/{path}")

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("Things?$filter=name eq", 400, "query.syntax"),
        ("Things?$filter=nme eq 'x'", 400, "query.type"),
        ("Things?$filter=name gt 5", 400, "query.type"),
        ("Things?$filter=name", 400, "query.type"),
        ("Things?$filter=foo(name)", 400, "query.type"),
        ("Things?$filter=length(name,name) eq 1", 400, "query.type"),
        ("Things?$filter=Datastreams eq 1", 400, "query.type"),
        ("Things?$filter=name/x eq 1", 400, "query.type"),
        ("Things?$filter=now() sub duration'P3000000D' lt now()", 400, "value.not_usable"),
        ("Things?$filter=name eq '%00'", 400, "query.syntax"),
        ("Things?$filter=%ff", 400, "query.syntax"),
        ("Things?$filter=id gt 1e9999", 400, "query.syntax"),
        ("Things?$top=-1", 400, "query.syntax"),
        ("Things?$top=1.5", 400, "query.syntax"),
        ("Things?$top=1&$top=2", 400, "query.syntax"),
        ("Things?$skip=x", 400, "query.syntax"),
        ("Things?$count=maybe", 400, "query.syntax"),
        ("Things?$foo=1", 400, "query.unknown_option"),
        ("Things?$search=1", 501, "request.unsupported"),
        ("Locations?$filter=location eq geography'POINT(1 1)'", 400, "query.type"),
        ("Datastreams?$orderby=observedArea", 400, "query.type"),
        ("Things?$orderby=Datastreams/name", 400, "query.type"),
        ("Things?$orderby=name sideways", 400, "query.syntax"),
        ("Things?$expand=Foo", 400, "query.type"),
        ("Things?$expand=Datastreams($top=-1)", 400, "query.syntax"),
        ("Datastreams?$expand=Thing($top=1)", 400, "query.type"),
        ("Things?$select=foo", 400, "query.type"),
        ("Things(1)?$top=1", 400, "query.option_not_here"),
        ("Things(1)/foo", 404, "resource.not_found"),
        ("Things(1)/name/foo", 404, "resource.not_found"),
        ("Things/name", 404, "resource.not_found"),
        ("Things('a')", 404, "resource.not_found"),
        ("Things(9223372036854775807)", 404, "resource.not_found"),
        ("Things(99999999999999999999)", 404, "resource.not_found"),
        ("Foo", 404, "resource.not_found"),
    ],
)
def test_wrong_reads_are_told_by_code(api: Api, path: str, status: int, code: str) -> None:
    problem = api.refuse("GET", path)

    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["hint"]


def test_syntax_mistake_is_told_with_its_column(api: Api) -> None:
    problem = api.refuse("GET", "Things?$filter=name%20eq%20%27x%27%20und%20id%20eq%201")

    assert (problem["option"], problem["column"]) == ("$filter", 13)


def test_text_cannot_leave_its_parameter(api: Api) -> None:
    name = "x'; DROP TABLE thing; -- \\ % :a {0} \" é"
    made = api.create("Things", {"name": name, "description": name, "properties": {name: name}})

    assert api.found("Things", f"name eq '{name.replace(chr(39), chr(39) * 2)}'", "@iot.id") == [
        made["@iot.id"]
    ]
    assert api.read(f"Things({made['@iot.id']})/properties/{quote(name, safe='')}") == {name: name}
