"""No mistake of a client is a failure of the service, no text is ever code, and reading changes nothing.

`FUZZ_EXAMPLES=2000 pytest tests/integration/sensorthings/test_fuzz.py` looks longer, and at random.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.sensorthings.fuzz import (
    JSON_VALUES,
    NASTY,
    SETS,
    altered,
    damaged,
    paths,
    queries,
)
from tests.integration.sensorthings.fuzz_typed import token_like, typed_filters, typed_paths, typed_queries
from tests.integration.sensorthings.samples import Api, Json, datastream, location, thing
from tests.sensorthings_service import running_service

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
_fuzzed = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
_MULTI = {
    "name": "M",
    "description": "m",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation",
    "multiObservationDataTypes": ["http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"],
    "unitOfMeasurements": [{"name": "n", "symbol": "s", "definition": "d"}],
    "Sensor": {"name": "S", "description": "s", "encodingType": "text/html", "metadata": "m"},
    "ObservedProperties": [{"name": "P", "definition": "http://x.org/p", "description": "p"}],
}
_OBSERVATIONS = [
    {"result": value, "phenomenonTime": f"2026-01-01T00:00:0{at}Z", "parameters": {"x": at}}
    for at, value in enumerate((1, 2.5, "text", True, None, {"a": 1}, [1, 2]))
]
_WHOLE = thing(
    properties={"a": {"b": [1, "x", None]}},
    Datastreams=[datastream(Observations=_OBSERVATIONS)],
    MultiDatastreams=[_MULTI | {"Observations": [{"result": [1]}]}],
)
_BODIES: dict[str, Json] = {
    "Things": _WHOLE,
    "Locations": location(),
    "Datastreams": datastream(Thing={"@iot.id": 1}),
    "MultiDatastreams": _MULTI | {"Thing": {"@iot.id": 1}},
    "Observations": _OBSERVATIONS[0]
    | {"Datastream": {"@iot.id": 1}, "validTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"},
    "FeaturesOfInterest": {"name": "F", "description": "f", "encodingType": "application/geo+json"}
    | {"feature": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}},
    "HistoricalLocations": {
        "time": "2026-01-01T00:00:00Z",
        "Thing": {"@iot.id": 1},
        "Locations": [{"@iot.id": 1}],
    },
    "CreateObservations": [
        {
            "Datastream": {"@iot.id": 1},
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray": [["2026-01-01T00:00:00Z", 1, 1], ["2026-01-01T00:00:01Z", 2, 1]],
        }
    ],
}
_BATCH = {
    "requests": [
        {"id": "1", "atomicityGroup": "g", "method": "post", "url": "Things", "body": _BODIES["Things"]},
        {"id": "2", "atomicityGroup": "g", "method": "patch", "url": "$1", "body": {"name": "x"}},
        {"id": "3", "method": "get", "url": "Things($1)?$top=1", "dependsOn": ["g"], "if": "$1"},
        {"id": "4", "method": "post", "url": "CreateObservations", "body": _BODIES["CreateObservations"]},
        {"id": "5", "method": "delete", "url": "/v1.1/Things(999999999)", "headers": {"Prefer": "x"}},
    ]
}
_MULTIPART = """--b
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: application/http
Content-ID: 1

POST /v1.1/Things HTTP/1.1
Content-Type: application/json

{"name": "T", "description": "d"}
--c
Content-Type: application/http
Content-ID: 2

PATCH $1 HTTP/1.1
Content-Type: application/json

{"name": "x"}
--c--
--b
Content-Type: application/http

GET Things?$top=1 HTTP/1.1
Host: localhost


--b--
""".replace("\n", "\r\n")
_HEADERS = (
    "Accept",
    "Content-Type",
    "Prefer",
    "If-Match",
    "Accept-Encoding",
    "Range",
    "X-HTTP-Method-Override",
)


@pytest.fixture(scope="module")
def database(new_database: Callable[[str], str]) -> str:
    return new_database("fuzz")


@pytest.fixture(scope="module")
def api(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service of its own, because anything may become of its data."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with running_service(database, folder, ids="both") as address, httpx2.Client(timeout=30) as client:
        made = Api(client, f"{address}/v1.1")
        made.create("Things", _WHOLE)
        yield made


@pytest.fixture(scope="module")
def content(database: str) -> Callable[[], Json]:
    """A function that gives a digest of every table."""
    url = database.replace("postgresql+psycopg", "postgresql")

    def read() -> Json:
        with psycopg.connect(url) as connection:
            found = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'sensorthings'"
            )
            tables = [name for (name,) in found]
            digest = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM sensorthings."
            return {name: connection.execute(f'{digest}"{name}" t').fetchone() for name in tables}

    return read


def _check(answer: httpx2.Response) -> None:
    """No failure of the service, and what says it is JSON is JSON."""
    said = (
        f"{answer.request.method} {answer.request.url} {answer.request.content[:600]!r}: {answer.text[:400]}"
    )
    assert answer.status_code < 500 or answer.status_code == 501, said
    media_type = answer.headers.get("content-type", "")
    if answer.content and "json" in media_type:
        parsed = orjson.loads(answer.content)
        if answer.status_code >= 400:
            assert parsed["status"] == answer.status_code, said
            assert media_type == "application/problem+json", said
    assert answer.status_code < 400 or "json" in media_type, said


@_fuzzed
@given(set_name=st.sampled_from(SETS), query=queries())
def test_query_options_never_fail(api: Api, set_name: str, query: str) -> None:
    _check(api.send("GET", f"{set_name}?{query}"))


@_fuzzed
@given(path=typed_queries())
def test_queries_whose_types_fit_never_fail(api: Api, path: str) -> None:
    _check(api.send("GET", path))


@_fuzzed
@given(path=typed_paths())
def test_paths_that_lead_somewhere_never_fail(api: Api, path: str) -> None:
    _check(api.send("GET", path))


@pytest.mark.parametrize("order", ["result", "phenomenonTime desc", "parameters/x,result", "Datastream/name"])
def test_tokens_for_the_next_page_never_fail(api: Api, order: str) -> None:
    page = api.read(f"Observations?$top=1&$orderby={quote(order)}")
    token = parse_qs(urlsplit(page["@iot.nextLink"]).query)["$skiptoken"][0]

    @_fuzzed
    @given(other=token_like(token))
    def read(other: str) -> None:
        _check(api.send("GET", f"Observations?$top=1&$orderby={quote(order)}&$skiptoken={quote(other)}"))

    read()


@_fuzzed
@given(path=paths(), query=st.one_of(st.just(""), queries()))
def test_paths_never_fail(api: Api, path: str, query: str) -> None:
    _check(api.send("GET", f"{path}?{query}"))


def test_reading_changes_nothing(api: Api, content: Callable[[], Json]) -> None:
    before = content()

    @_fuzzed
    @given(path=paths(), query=queries())
    def read(path: str, query: str) -> None:
        api.send("GET", f"{path}?{query}")

    read()

    assert content() == before


@pytest.mark.parametrize("name", sorted(_BODIES))
def test_the_bodies_that_are_altered_are_right_themselves(api: Api, name: str) -> None:
    assert api.send("POST", name, _BODIES[name]).status_code == 201


@pytest.mark.parametrize("name", sorted(_BODIES))
def test_bodies_of_new_entities_never_fail(api: Api, name: str) -> None:
    @settings(_fuzzed, max_examples=max(10, _EXAMPLES // 4))
    @given(body=st.one_of(altered(_BODIES[name]), JSON_VALUES))
    def create(body: Any) -> None:  # noqa: ANN401 - any JSON value
        answer = api.client.post(
            f"{api.root}/{name}", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        _check(answer)

    create()


@_fuzzed
@given(
    set_name=st.sampled_from(SETS),
    method=st.sampled_from(("PATCH", "PUT")),
    body=st.one_of(*(altered(one) for one in _BODIES.values()), JSON_VALUES),
)
def test_changes_never_fail(api: Api, set_name: str, method: str, body: Any) -> None:  # noqa: ANN401
    answer = api.client.request(
        method,
        f"{api.root}/{set_name}(1)",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    _check(answer)


@_fuzzed
@given(
    operations=altered(
        [
            {"op": "add", "path": "/properties/a/b/0", "value": 1},
            {"op": "test", "path": "/name", "value": "x"},
            {"op": "move", "from": "/properties/a", "path": "/properties/c"},
            {"op": "remove", "path": "/description"},
        ]
    )
)
def test_json_patches_never_fail(api: Api, operations: Any) -> None:  # noqa: ANN401 - any JSON value
    answer = api.client.patch(
        f"{api.root}/Things(1)",
        content=json.dumps(operations),
        headers={"Content-Type": "application/json-patch+json"},
    )
    _check(answer)


@_fuzzed
@given(body=altered(_BATCH))
def test_json_batches_never_fail(api: Api, body: Any) -> None:  # noqa: ANN401 - any JSON value
    answer = api.client.post(
        f"{api.root}/$batch", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )

    _check(answer)
    if answer.status_code == 200:
        for one in answer.json()["responses"]:
            assert one["status"] < 500 or one["status"] == 501, (json.dumps(body), one)


@_fuzzed
@given(body=damaged(st.just(_MULTIPART)))
def test_multipart_batches_never_fail(api: Api, body: str) -> None:
    answer = api.client.post(
        f"{api.root}/$batch",
        content=body.encode("utf-8", "surrogatepass"),
        headers={"Content-Type": "multipart/mixed; boundary=b"},
    )

    _check(answer)
    assert "HTTP/1.1 500" not in answer.text


@_fuzzed
@given(
    body=st.binary(max_size=40), media_type=st.sampled_from(("application/json", "multipart/mixed", "x", ""))
)
def test_bytes_never_fail(api: Api, body: bytes, media_type: str) -> None:
    for path in ("Things", "$batch", "CreateObservations"):
        _check(api.client.post(f"{api.root}/{path}", content=body, headers={"Content-Type": media_type}))


@_fuzzed
@given(
    name=st.sampled_from(_HEADERS),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    method=st.sampled_from(("GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE", "SEARCH")),
)
def test_headers_and_methods_never_fail(api: Api, name: str, value: str, method: str) -> None:
    _check(api.send(method, "Things(999999999)", headers={name: value.strip()}))


@pytest.mark.parametrize("text", NASTY)
def test_texts_stay_data_in_every_place(api: Api, text: str) -> None:
    properties = {text: text, "list": [text, {text: [text]}]}
    unit = {"name": text, "symbol": text, "definition": text}
    sensor = {"name": text, "description": text, "encodingType": text, "metadata": {text: text}}
    observed = {"name": text, "definition": text, "description": text, "properties": properties}
    observation = {"result": text, "parameters": properties, "resultQuality": [text]}
    stream = {
        **datastream(
            text, description=text, unitOfMeasurement=unit, observationType=text, properties=properties
        ),
        "Sensor": sensor,
        "ObservedProperty": observed,
        "Observations": [observation],
    }
    place = {**location(text), "description": text, "properties": properties}

    made = api.create(
        "Things",
        {"name": text, "description": text, "properties": properties}
        | {"Locations": [place], "Datastreams": [stream]},
    )

    found = api.read(
        f"Things({made['@iot.id']})?$expand=Locations,"
        "Datastreams($expand=Sensor,ObservedProperty,Observations/FeatureOfInterest)"
    )
    read = found["Datastreams"][0]
    assert (found["name"], found["description"], found["properties"]) == (text, text, properties)
    assert (found["Locations"][0]["name"], found["Locations"][0]["properties"]) == (text, properties)
    assert (read["unitOfMeasurement"], read["observationType"]) == (unit, text)
    assert {name: read["Sensor"][name] for name in sensor} == sensor
    assert {name: read["ObservedProperty"][name] for name in observed} == observed
    assert {name: read["Observations"][0][name] for name in observation} == observation
    assert read["Observations"][0]["FeatureOfInterest"]["name"] == text


@pytest.mark.parametrize("text", NASTY)
def test_texts_find_what_equals_them_and_nothing_else(api: Api, text: str) -> None:
    made = api.create("Sensors", {"name": text, "description": text, "encodingType": "e", "metadata": text})
    literal = "'" + text.replace("'", "''") + "'"

    for expression in (
        f"name eq {literal}",
        f"substringof({literal},name) and length(name) eq {len(text)}",
        f"concat({literal},'') eq metadata",
        f"description in ('other',{literal})",
    ):
        names = {one["name"] for one in _found(api, expression)}
        assert names == {text}, expression
    assert made["@iot.id"] in {one["@iot.id"] for one in _found(api, f"name eq {literal}")}


def _found(api: Api, expression: str) -> list[Json]:
    answer = api.client.get(f"{api.root}/Sensors", params={"$filter": expression, "$top": "1000"})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["value"]
    return found


@pytest.mark.parametrize(
    "option", ["$filter", "$orderby", "$select", "$expand", "$top", "$skiptoken", "bucket"]
)
def test_texts_in_options_are_mistakes_that_change_nothing(
    api: Api, content: Callable[[], Json], option: str
) -> None:
    before = content()

    for text in NASTY:
        for value in (text, f"name{text}", f"name eq '{text}"):
            _check(api.client.get(f"{api.root}/Observations", params={option: value}))

    assert content() == before


@_fuzzed
@given(expression=typed_filters("Observations"))
def test_a_filter_and_its_negation_share_no_entity(api: Api, expression: str) -> None:
    both = [
        api.client.get(f"{api.root}/Observations", params={"$filter": one, "$select": "id", "$top": "1000"})
        for one in (expression, f"not {expression}")
    ]
    if all(one.status_code == 200 for one in both):
        first, second = ({one["@iot.id"] for one in answer.json()["value"]} for answer in both)
        assert not first & second
