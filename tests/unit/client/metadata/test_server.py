"""The SensorThings port against a scripted service: no sockets, but real requests and answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from client.errors import (
    ConfigurationError,
    EntityNotFoundError,
    EntityRejectedError,
    SensorThingsError,
    UnavailableError,
)
from client.metadata.entities import (
    Datastream,
    Location,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.metadata.server import SensorThingsServer, parse_addresses

Answer = Callable[[httpx2.Request], httpx2.Response]
CAR = Thing("cz.icecars.Fleet.Car1.Main", "The car's computer", {"doors": 4})


class Script:
    """Answers requests in the order of a list and remembers them."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def seen(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def body(self, index: int) -> dict[str, Any]:
        return dict(json.loads(self.requests[index].content))


def page(*entities: Mapping[str, object], following: str | None = None) -> httpx2.Response:
    link = {} if following is None else {"@iot.nextLink": following}
    return httpx2.Response(200, json={"value": list(entities), **link})


def server(script: Answer, addresses: str = "localhost:8084", retry_s: float = 0.0) -> SensorThingsServer:
    http = httpx2.Client(transport=httpx2.MockTransport(script))
    return SensorThingsServer(addresses, retry_s=retry_s, http=http)


def test_an_entity_that_is_missing_is_created_and_its_id_read_from_the_body() -> None:
    script = Script(page(), httpx2.Response(201, json={"@iot.id": 12, "name": CAR.name}))
    assert server(script).upsert(CAR) == replace(CAR, iot_id=12)
    assert script.seen == ["GET /v1.1/Things", "POST /v1.1/Things"]
    assert script.body(1) == {
        "name": CAR.name,
        "description": "The car's computer",
        "properties": {"doors": 4},
    }


@pytest.mark.parametrize(
    ("location", "iot_id"),
    [("http://x/v1.1/Things(7)", 7), ("/v1.1/Things(-7)", -7), ("http://x/v1.1/Things('a''b')", "a'b")],
)
def test_an_id_may_stand_in_the_location_header_only(location: str, iot_id: int | str) -> None:
    script = Script(page(), httpx2.Response(201, headers={"Location": location}))
    assert server(script).upsert(CAR).iot_id == iot_id


def test_an_answer_without_any_id_makes_the_port_look_again() -> None:
    script = Script(page(), httpx2.Response(201), page({"@iot.id": 3, "name": CAR.name}))
    assert server(script).upsert(CAR).iot_id == 3


def test_a_service_that_hides_its_ids_is_an_error() -> None:
    script = Script(page(), httpx2.Response(201), page())
    with pytest.raises(SensorThingsError, match="does not say its id"):
        server(script).upsert(CAR)


def test_names_are_quoted_in_the_filter() -> None:
    script = Script(page({"@iot.id": 1, "name": "car's & Öl #1+", "description": "d"}))
    server(script).upsert(Thing("car's & Öl #1+", "d"))
    query = dict(script.requests[0].url.params)
    assert query["$filter"] == "name eq 'car''s & Öl #1+'"


def test_an_entity_that_is_the_same_is_left_alone() -> None:
    present = {"@iot.id": 5, "name": CAR.name, "description": CAR.description, "properties": {"doors": 4}}
    script = Script(page(present))
    assert server(script).upsert(CAR).iot_id == 5
    assert script.seen == ["GET /v1.1/Things"]


def test_only_what_differs_is_patched() -> None:
    present = {"@iot.id": "a'b", "name": CAR.name, "description": "old", "properties": {"doors": 4}}
    script = Script(page(present), httpx2.Response(200))
    server(script).upsert(CAR)
    assert script.requests[1].method == "PATCH"
    assert script.requests[1].url.path == "/v1.1/Things('a''b')"
    assert script.body(1) == {"description": "The car's computer"}


def datastream() -> Datastream:
    return Datastream(
        "cz.icecars.Fleet.Car1.Main.Speed",
        "How fast",
        ObservationType.MEASUREMENT,
        UnitOfMeasurement("metre per second", "m/s", "ucum:m/s", "mps"),
        replace(CAR, iot_id=1),
        Sensor("GPS", "d", "text/plain", "m", iot_id=2),
        ObservedProperty("Speed", "d", "https://example.com/speed", iot_id=3),
    )


def datastream_on_the_wire(**changes: object) -> dict[str, object]:
    return {
        "@iot.id": 9,
        "name": "cz.icecars.Fleet.Car1.Main.Speed",
        "description": "How fast",
        "observationType": ObservationType.MEASUREMENT.uri,
        "unitOfMeasurement": {"name": "metre per second", "symbol": "m/s", "definition": "ucum:m/s"},
        "Thing": {"@iot.id": 1, "name": CAR.name},
        "Sensor": {"@iot.id": 2},
        "ObservedProperty": {"@iot.id": 3},
        **changes,
    }


def test_a_datastream_is_created_with_its_links_and_unit() -> None:
    script = Script(page(), httpx2.Response(201, json={"@iot.id": 9}))
    assert server(script).upsert(datastream()).iot_id == 9
    body = script.body(1)
    assert body["Thing"] == {"@iot.id": 1}
    assert body["Sensor"] == {"@iot.id": 2}
    assert body["ObservedProperty"] == {"@iot.id": 3}
    assert body["unitOfMeasurement"]["abbreviation"] == "mps"
    assert body["observationType"].endswith("/OM_Measurement")


def test_a_datastream_is_the_same_when_its_links_lead_to_the_same_entities() -> None:
    script = Script(page(datastream_on_the_wire()))
    server(script).upsert(datastream())
    assert dict(script.requests[0].url.params)["$expand"] == "Thing,Sensor,ObservedProperty"
    assert len(script.requests) == 1


def test_a_datastream_moves_to_another_thing() -> None:
    script = Script(page(datastream_on_the_wire(Thing={"@iot.id": 99})), httpx2.Response(204))
    server(script).upsert(datastream())
    assert script.body(1) == {"Thing": {"@iot.id": 1}}


PLACED = replace(CAR, location=Location(47.8, 13.05))
POINT = {"type": "Point", "coordinates": [13.05, 47.8]}


def there(name: str = f"{CAR.name} place", location: object = None) -> dict[str, object]:
    """The car as the service has it, at a place."""
    body = {"@iot.id": 3, "name": CAR.name, "description": CAR.description, "properties": {"doors": 4}}
    return body | {"Locations": [{"@iot.id": 8, "name": name, "location": location or POINT}]}


def test_a_thing_is_created_with_its_location() -> None:
    script = Script(page(), httpx2.Response(201, json={"@iot.id": 3}))
    server(script).upsert(PLACED)
    assert script.body(1)["Locations"] == [
        {
            "name": f"{CAR.name} place",
            "description": f"Where {CAR.name} is",
            "encodingType": "application/geo+json",
            "location": POINT,
        }
    ]


def test_a_thing_that_is_where_it_was_is_left_alone() -> None:
    script = Script(page(there()), page(there()))
    server(script).upsert(PLACED)
    assert "$expand=Locations" in str(script.requests[0].url)
    server(script).upsert(CAR)
    assert script.seen == ["GET /v1.1/Things"] * 2


@pytest.mark.parametrize(
    "present",
    [
        there(location={"type": "Point", "coordinates": [13.05, 47.9]}),
        there(location={"type": "Point", "coordinates": []}),
        there(location="not known yet"),
        there(name="Ring"),
        {"@iot.id": 3, "name": CAR.name, "description": CAR.description, "properties": {"doors": 4}},
    ],
)
def test_a_thing_that_has_moved_gets_another_location_and_no_patch(present: dict[str, object]) -> None:
    script = Script(page(present), httpx2.Response(201, headers={"Location": "http://x/Locations(9)"}))
    server(script).upsert(PLACED)
    assert script.seen == ["GET /v1.1/Things", "POST /v1.1/Things(3)/Locations"]
    assert script.body(1)["location"] == POINT


def test_pages_are_followed_until_the_name_is_found() -> None:
    following = "http://localhost:8084/v1.1/Things?$skip=1"
    script = Script(
        page({"@iot.id": 1, "name": "other"}, following=following), page({"@iot.id": 2, "name": "x"})
    )
    found = server(script).datastream("x")
    assert found == {"@iot.id": 2, "name": "x"}
    assert str(script.requests[1].url).startswith("http://localhost:8084/v1.1/Things?")


def test_pages_that_turn_in_a_circle_are_an_error() -> None:
    link = "http://localhost:8084/v1.1/Things?$skip=1"
    script = Script(page(following=link), page(following=link))
    with pytest.raises(SensorThingsError, match="pages in a circle"):
        server(script).datastream("x")


def test_an_unavailable_service_is_tried_again() -> None:
    script = Script(
        httpx2.ConnectError("refused"),
        httpx2.Response(503, text="starting"),
        httpx2.ReadTimeout("slow"),
        httpx2.Response(429),
        httpx2.Response(200, json={"value": []}),
    )
    port = server(script, retry_s=60)
    patient_without_sleep(port)
    port.check()
    assert len(script.requests) == 5


def patient_without_sleep(port: SensorThingsServer) -> None:
    """Let the retries of a port follow each other at once."""
    port.sleep = lambda _seconds: None


def test_the_time_for_trying_again_is_bounded() -> None:
    script = Script(httpx2.ConnectError("refused"))
    with pytest.raises(
        UnavailableError, match=r"does not answer at http://localhost:8084/v1\.1: refused"
    ) as caught:
        server(script, retry_s=0).check()
    assert caught.value.retriable


def test_a_creation_whose_answer_was_lost_is_not_made_twice() -> None:
    script = Script(
        page(),
        httpx2.ReadTimeout("lost"),
        page({"@iot.id": 4, "name": CAR.name, "description": CAR.description, "properties": {"doors": 4}}),
    )
    port = server(script, retry_s=60)
    patient_without_sleep(port)
    assert port.upsert(CAR).iot_id == 4
    assert script.seen == ["GET /v1.1/Things", "POST /v1.1/Things", "GET /v1.1/Things"]


def test_the_next_address_is_asked_when_one_is_away() -> None:
    script = Script(httpx2.ConnectError("refused"), page(), httpx2.Response(201, json={"@iot.id": 1}))
    server(script, "first:1,https://second/sta").upsert(CAR)
    assert [str(request.url).split("?")[0] for request in script.requests] == [
        "http://first:1/v1.1/Things",
        "https://second/sta/Things",
        "https://second/sta/Things",
    ]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx2.Response(400, text="no such property"), EntityRejectedError, "answers 400: no such property"),
        (httpx2.Response(403), EntityRejectedError, "answers 403: Forbidden"),
        (httpx2.Response(404, text="nothing here"), EntityNotFoundError, "answers 404: nothing here"),
        (httpx2.Response(500, text="x" * 10_000), UnavailableError, "answers 500: x"),
        (httpx2.Response(200, text="<html>"), SensorThingsError, "is not JSON"),
        (httpx2.Response(200, json=[1]), SensorThingsError, "a JSON list, not an object"),
        (httpx2.Response(200, json={"hello": 1}), SensorThingsError, "not as SensorThings 1.1 does"),
        (httpx2.TooManyRedirects("round"), SensorThingsError, "failed: round"),
    ],
)
def test_what_goes_wrong_is_a_typed_error(
    answer: httpx2.Response | Exception, error: type[SensorThingsError], said: str
) -> None:
    with pytest.raises(error) as caught:
        server(Script(answer)).check()
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600
    if isinstance(caught.value, EntityRejectedError) and isinstance(answer, httpx2.Response):
        assert caught.value.status == answer.status_code


def test_a_hurried_question_is_asked_once() -> None:
    script = Script(httpx2.ConnectError("refused"))
    port = server(script, retry_s=3600)
    with pytest.raises(UnavailableError):
        port.datastream("x", patient=False)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:8084", ("http://localhost:8084/v1.1",)),
        ("http://localhost:8084/", ("http://localhost:8084/v1.1",)),
        ("https://x.org/FROST/v1.0/", ("https://x.org/FROST/v1.0",)),
        (" a:1 , b:2 ,", ("http://a:1/v1.1", "http://b:2/v1.1")),
        ("[::1]:8084", ("http://[::1]:8084/v1.1",)),
    ],
)
def test_addresses_may_be_written_in_several_ways(text: str, expected: tuple[str, ...]) -> None:
    assert parse_addresses(text) == expected


@pytest.mark.parametrize(
    "text", ["", ",", "http://", "ftp://x", "x:99999", "x:port", "a b:1", "http://x?y=1", "http://x#y", ":80"]
)
def test_what_is_no_address_is_refused_before_any_request(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_addresses(text)
    assert caught.value.setting == "gost_servers"
