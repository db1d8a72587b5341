"""Requirements "status-codes" and "query-status-code": no mistake of a client is an error of the server.

Source: OGC 18-088, clause 9.3.2; RFC 9110, clause 15; RFC 9457.
"""

import json

import pytest

from tests.conformance.sensorthings.requirements import SETS, observation, stream_of
from tests.integration.sensorthings.samples import Api, Json, thing

ODD_PATHS = [
    *(
        "Things(1",
        "Things)1(",
        "Things(1)/",
        "Things//",
        "Things(1)/Datastreams(",
        "Things(%00)",
        "Things('a')",
        'Things(")',
    ),
    *(
        "Things(99999999999999999999)",
        "Things(1)/name/$value/$value",
        "Things/$ref/$ref",
        "Things(1)/$ref/name",
        "$ref",
        "$value",
    ),
    *(
        "Things/$count",
        "Things(1)/@iot.id",
        "Things(1)/properties/a/b/c/d",
        "Observations(1)/result/0",
        "%F0%9F%99%82",
        "%ff%fe",
    ),
    *(
        "Things(1)/Datastreams(1)/Thing/Datastreams(1)/Thing/Datastreams(1)/Thing",
        "..",
        "../v1.1/Things",
        "Things;x=1",
        "$batch",
    ),
    "/".join(["Things(1)", *["Datastreams(1)/Thing"] * 60]),
    "Things(1)/" + "a" * 3000,
]
ODD_OPTIONS = [
    *(
        "$top",
        "$top=",
        "$top=1&$top=1",
        "$top=99999999999999999999",
        "$skip=99999999999999999999",
        "$top=%00",
        "$top=٣",
    ),
    *(
        "$filter",
        "$filter=%",
        "$filter=%zz",
        "$filter=%ff",
        "$filter=name eq '%00'",
        "$filter=name eq 'a' &",
        "$filter=\\",
    ),
    *(
        "$orderby=%00",
        "$orderby=name,,name",
        "$orderby=name desc,",
        "$orderby=properties/%27",
        "$orderby=Datastreams/name",
    ),
    *(
        "$select=*",
        "$select=%27",
        "$select=name;description",
        "$expand=*",
        "$expand=Datastreams/Thing/Datastreams/Thing/Datastreams",
    ),
    *(
        "$expand=Datastreams($expand=Thing($expand=Datastreams($expand=Thing)))",
        "$expand=Datastreams($top=1;$top=2)",
    ),
    *(
        "$expand=Datastreams($filter=name eq ')')",
        "$expand=Datastreams($filter=name eq ';')",
        "$count=TRUE",
        "$count=true&$count=false",
    ),
    *(
        "&&&",
        "=",
        "?",
        "$=",
        "$filter=1 eq 1",
        "$filter=true",
        "$filter=1",
        "$filter=properties",
        "$filter=properties eq properties",
    ),
    *(
        "$filter=name in ('a','b')",
        "$filter=id eq 'a'",
        "$filter=id eq 1.5",
        "$filter=id eq 99999999999999999999999",
        "$filter=id gt null",
    ),
    *(
        "$filter=year(name) eq 2020",
        "$filter=length(id) eq 1",
        "$filter=name add 1 eq 2",
        "$filter=properties/a add 'x' eq 1",
    ),
    *(
        "$filter=substring(name,-1) eq ''",
        "$filter=substring(name,2147483648) eq ''",
        "$filter=substring(name,1,-1) eq ''",
    ),
    *(
        "$filter=name eq date(2020-01-01)",
        "$filter=round(1e400) eq 1",
        "$filter=1e400 gt 1",
        "$filter=1 div 0 eq 1",
        "$filter=1 mod 0 eq 1",
    ),
    *(
        "$filter=now() add duration'P99999999Y' gt now()",
        "$filter=now() sub duration'PX' gt now()",
        "$filter=duration'P1D' gt 1",
    ),
    *(
        "$filter=HistoricalLocations/time gt 9999-12-31T23:59:59Z",
        "$filter=HistoricalLocations/time gt 0000-01-01T00:00:00Z",
    ),
    *(
        "$filter=HistoricalLocations/time gt 99999-01-01T00:00:00Z",
        "$filter=HistoricalLocations/time eq 2020-01-01T25:00:00Z",
    ),
    *(
        "$filter=st_within(name,geography'POINT(1 1)')",
        "$filter=geo.distance(Locations/location,geography'POINT(1 1)') lt 'a'",
    ),
    *(
        "$filter=geo.distance(Locations/location,geography'POINT(1e400 1)') lt 1",
        "$resultFormat=CSV&$resultFormat=CSV",
    ),
    "$filter=" + "name eq 'a' or " * 400 + "true",
    "$orderby=" + ",".join(["name"] * 300),
    "$expand=" + ",".join(["Datastreams"] * 300),
    "$select=" + ",".join(["name"] * 300),
    "$skiptoken=%00",
]


@pytest.fixture(scope="module", autouse=True)
def _something(api: Api) -> None:
    """Rows for the odd filters to run over."""
    stream_of(api, observation(1), observation("a", 1), observation(None, 2), observation([1], 3))
    api.create("Things", thing("a", properties={"a": 1}))


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "PUT", "POST", "HEAD", "OPTIONS", "PURGE"])
def test_status_of_an_odd_address_is_never_500(api: Api, method: str) -> None:
    """req/request-data/status-codes: 404 or 400, 405 for the method."""
    for path in ODD_PATHS:
        content = b"{}" if method in {"PATCH", "PUT", "POST"} else None
        answer = api.send(method, path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code < 500 or answer.status_code == 501, f"{method} {path[:80]}: {answer.text}"
        assert not answer.is_server_error or answer.status_code == 501


@pytest.mark.parametrize("option", ODD_OPTIONS, ids=lambda option: option[:60])
def test_status_of_an_odd_option_is_never_500(api: Api, option: str) -> None:
    """req/request-data/query-status-code: 200, 400 or 501, and in time."""
    answer = api.send("GET", f"Things?{option}", timeout=10)

    assert answer.status_code in {200, 400, 414, 501}, answer.text


@pytest.mark.parametrize("set_name", SETS)
@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, "", "x", [], [1], {}, {"@iot.id": 1}, {"@iot.id": None}, [{"@iot.id": {}}], 2**70],
)
def test_status_of_an_odd_value_is_never_500(api: Api, set_name: str, value: Json) -> None:
    """req/create-update-delete/create-entity: every property and relation with every kind of value."""
    names = [
        "name",
        "description",
        "properties",
        "encodingType",
        "location",
        "feature",
        "metadata",
        "definition",
        "time",
    ]
    names += [
        "result",
        "phenomenonTime",
        "resultTime",
        "validTime",
        "resultQuality",
        "parameters",
        "unitOfMeasurement",
    ]
    names += ["observationType", "@iot.id", "@iot.selfLink", "unitOfMeasurements", *SETS[set_name]]
    whole = {
        "name": "n",
        "description": "d",
        "encodingType": "text/html",
        "metadata": "m",
        "definition": "http://x.org",
    }

    for name in names:
        answer = api.send("POST", set_name, content=json.dumps(whole | {name: value}), headers=JSON)
        assert answer.status_code < 500, f"{name}={value}: {answer.text}"


JSON = {"content-type": "application/json"}


def test_status_of_a_body_of_another_kind(api: Api) -> None:
    """RFC 9110, clause 15.5.16: 415 or 400 for what is not JSON; a missing type is taken for JSON."""
    for kind in ("text/xml", "multipart/form-data; boundary=x", "application/octet-stream", "nonsense", ""):
        answer = api.send("POST", "Things", content=b"<Thing/>", headers={"content-type": kind})
        assert answer.status_code in {400, 415}, kind
    body = json.dumps({"name": "T", "description": "t"})
    for kind in (
        "application/json; charset=utf-8",
        "application/json;odata.metadata=none",
        "APPLICATION/JSON",
    ):
        assert api.send("POST", "Things", content=body, headers={"content-type": kind}).status_code == 201, (
            kind
        )


def test_status_of_deeply_nested_json_is_never_500(api: Api) -> None:
    """req/create-update-delete/create-entity: a body that is deeper than any parser likes."""
    for content in (
        "[" * 100_000,
        '{"name":' * 50_000,
        json.dumps({"name": "T", "description": "t"})[:-1]
        + ',"properties":'
        + '{"a":' * 3000
        + "1"
        + "}" * 3001,
    ):
        answer = api.send("POST", "Things", content=content, headers=JSON)
        assert answer.status_code < 500, answer.text[:300]


def test_status_of_accept_headers_and_others_is_never_500(api: Api) -> None:
    """RFC 9110: headers that a service may not like."""
    for headers in (
        {"accept": "text/xml"},
        {"accept": "nonsense"},
        {"if-match": "*"},
        {"range": "bytes=0-1"},
        {"expect": "nothing"},
        {"content-type": "application/json"},
        {"accept-encoding": "gzip;q=x"},
        {"x-forwarded-host": "evil'\"<>"},
        {"x-forwarded-proto": "javascript"},
    ):
        answer = api.send("GET", "Things?$top=1", headers=headers)
        assert answer.status_code < 500, headers


def test_status_problem_says_what_and_what_to_do(api: Api) -> None:
    """RFC 9457: a stable code, a detail that names the place, and a hint."""
    for path in ("Things?$filter=nope eq 1", "Things(1)/nope", "Things?$top=x", "Nothings"):
        problem = api.refuse("GET", path)
        assert problem["detail"]
        assert problem["code"] == problem["code"].lower()


def test_status_of_plus_and_percent_in_queries(api: Api) -> None:
    """WHATWG URL, application/x-www-form-urlencoded: + is a blank, %2B is a plus."""
    api.create("Things", {"name": "one plus+two", "description": "t"})

    found = api.read("Things?$filter=name+eq+'one+plus%2Btwo'&%24count=true")

    assert found["@iot.count"] == 1
