"""Batches against a real service: references, groups, what follows from a failure."""

import email.parser
import email.policy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.integration.sensorthings.samples import Api, Json, datastream, thing

NewThing = Callable[..., tuple[str, str]]
SENSOR = {"name": "S", "description": "s", "encodingType": "application/pdf", "metadata": "m"}
LAME = {"name": "only a name"}


def _send(api: Api, *requests: Json, **headers: str) -> list[Json]:
    answer = api.send("POST", "$batch", {"requests": list(requests)}, headers=headers)
    assert answer.status_code == 200, answer.text
    responses: list[Json] = answer.json()["responses"]
    return responses


def _request(name: str, method: str, url: str, body: Json = None, **more: Json) -> Json:
    return {"id": name, "method": method, "url": url} | ({} if body is None else {"body": body}) | more


def _count(api: Api, name: str) -> int:
    return len(api.read(f"Things?$top=1000&$filter=name eq '{name}'")["value"])


def _thing(name: str) -> Json:
    return {"name": name, "description": "d"}


def test_every_request_is_answered_in_order(api: Api) -> None:
    made, read, missing = _send(
        api,
        _request("1", "post", "Things", _thing("in order")),
        _request("2", "get", "Things?$top=1&$select=name"),
        _request("3", "get", "Things(999999999)"),
    )

    assert (made["id"], made["status"], made["body"]["name"]) == ("1", 201, "in order")
    assert made["location"] == made["headers"]["location"] == made["body"]["@iot.selfLink"]
    assert (read["status"], list(read["body"]["value"][0])) == (200, ["name"])
    assert (missing["status"], missing["body"]["code"]) == (404, "resource.not_found")


def test_independent_requests_around_a_failed_one_are_kept(api: Api) -> None:
    name = "kept around a failure"

    responses = _send(
        api,
        *(_request(f"a{at}", "post", "Things", _thing(name)) for at in range(3)),
        _request("wrong", "post", "Things", LAME),
        *(_request(f"b{at}", "post", "Things", _thing(name)) for at in range(3)),
    )

    assert [one["status"] for one in responses] == [201] * 3 + [400] + [201] * 3
    assert _count(api, name) == 6
    links = [one["location"] for one in responses if one["status"] == 201]
    assert [api.read(link)["name"] for link in links] == [name] * 6


def test_a_failure_inside_the_database_is_the_failure_of_one_request_only(api: Api) -> None:
    name = "around a lost link"
    body = datastream(name, Thing={"@iot.id": 999_999_999})

    responses = _send(
        api,
        _request("1", "post", "Things", _thing(name)),
        _request("2", "post", "Datastreams", body),
        _request("3", "get", f"Things?$filter=name eq '{name}'"),
    )

    assert [one["status"] for one in responses] == [201, 400, 200]
    assert len(responses[2]["body"]["value"]) == 1


def test_the_preference_ends_a_batch_at_its_first_error(api: Api) -> None:
    name = "after the end"
    answer = api.send(
        "POST",
        "$batch",
        {
            "requests": [
                _request("1", "get", "Things?$top=0"),
                _request("2", "get", "Things(999999999)"),
                _request("3", "post", "Things", _thing(name)),
            ]
        },
        headers={"Prefer": "continue-on-error=false"},
    )

    assert [one["status"] for one in answer.json()["responses"]] == [200, 404]
    assert answer.headers["preference-applied"] == "continue-on-error=false"
    assert _count(api, name) == 0


def test_a_group_refers_to_what_it_has_made(api: Api) -> None:
    stream = {**datastream("by reference"), "Sensor": {"@iot.id": "$sensor"}}
    responses = _send(
        api,
        _request("thing", "post", "Things", thing("by reference", Datastreams=[]), atomicityGroup="g"),
        _request("sensor", "post", "Sensors", SENSOR, atomicityGroup="g"),
        _request("stream", "post", "$thing/Datastreams", stream, atomicityGroup="g"),
        _request("value", "post", "Observations", {"result": 5, "Datastream": {"@iot.id": "$stream"}}),
        _request("read", "get", "$stream?$expand=Thing,Sensor,Observations"),
    )

    assert [one["status"] for one in responses] == [201, 201, 201, 201, 200]
    assert [one.get("atomicityGroup") for one in responses] == ["g", "g", "g", None, None]
    found = responses[4]["body"]
    assert found["Thing"]["@iot.id"] == responses[0]["body"]["@iot.id"]
    assert found["Sensor"]["@iot.id"] == responses[1]["body"]["@iot.id"]
    assert [one["result"] for one in found["Observations"]] == [5]


@pytest.mark.parametrize("wrong", [LAME, datastream("lost", Thing={"@iot.id": 999_999_999})])
def test_nothing_of_a_failed_group_is_kept(api: Api, wrong: Json) -> None:
    name = f"rolled back {len(wrong)}"

    responses = _send(
        api,
        _request("1", "post", "Things", _thing(name), atomicityGroup="g"),
        _request("2", "post", "Datastreams", wrong, atomicityGroup="g"),
        _request("3", "post", "Things", _thing(name), atomicityGroup="g"),
        _request("4", "get", "$1"),
        _request("5", "get", "Things?$top=0", dependsOn=["g"]),
        _request("6", "get", "Things?$top=0"),
    )

    assert [one["status"] for one in responses] == [424, 400, 424, 424, 424, 200]
    assert responses[0]["body"]["code"] == "batch.failed_dependency"
    assert "2" in responses[0]["body"]["detail"]
    assert _count(api, name) == 0


def test_a_thing_is_made_only_when_it_is_not_found(api: Api) -> None:
    name = "get or create"
    requests = (
        _request("found", "get", f"Things?$filter=name eq '{name}'&$top=1"),
        _request("made", "post", "Things", _thing(name), **{"if": "not $found"}),
    )

    first, second = _send(api, *requests), _send(api, *requests)

    assert [one["status"] for one in first] == [200, 201]
    assert [one["status"] for one in second] == [200, 200]
    assert _count(api, name) == 1


def test_many_observations_go_into_a_batch_as_a_data_array(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    array = {
        "Datastream": {"@iot.id": int(stream[12:-1])},
        "components": ["phenomenonTime", "result"],
        "dataArray": [[f"2026-01-01T00:00:0{at}Z", at] for at in range(3)],
    }

    (response,) = _send(api, _request("1", "post", "CreateObservations", [array], atomicityGroup="g"))

    assert response["status"] == 201
    assert len(response["body"]) == 3
    assert api.read(f"{stream}/Observations?$count=true&$top=0")["@iot.count"] == 3


def test_a_group_widens_the_times_of_its_datastream(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    times = [f"19{at}0-01-01T00:00:00Z" for at in range(1, 10)]

    responses = _send(
        api,
        *(
            _request(time, "post", f"{stream}/Observations", {"result": 1, "phenomenonTime": time})
            | {"atomicityGroup": "g"}
            for time in times
        ),
    )

    assert {one["status"] for one in responses} == {201}
    assert api.read(stream)["phenomenonTime"] == f"{times[0]}/{times[-1]}"


def test_a_group_brings_observations_of_new_months(api: Api, new_thing: NewThing) -> None:
    """Each month has a partition, which is made while the group's own transaction is open."""
    path, stream = new_thing()
    times = [f"2061-{month:02}-01T00:00:00Z" for month in range(1, 5)]

    responses = _send(
        api,
        _request("patch", "patch", stream, {"description": "locked"}, atomicityGroup="g"),
        _request("move", "patch", path, {"description": "locked"}, atomicityGroup="g"),
        *(
            _request(time, "post", f"{stream}/Observations", {"result": 1, "phenomenonTime": time})
            | {"atomicityGroup": "g"}
            for time in times
        ),
    )

    assert {one["status"] for one in responses} <= {200, 201}
    assert api.read(f"{stream}/Observations?$count=true&$top=0")["@iot.count"] == 4


def test_batches_at_once_do_not_block_each_other(api: Api, new_thing: NewThing) -> None:
    streams = [new_thing()[1] for _ in range(3)]

    def send(turn: int) -> set[int]:
        order = streams if turn % 2 else streams[::-1]
        posts = [
            _request(f"{turn}-{at}", "post", f"{one}/Observations", {"result": turn})
            for at, one in enumerate(order)
        ]
        return {one["status"] for one in _send(api, *posts)}

    with ThreadPoolExecutor(8) as pool:
        statuses = set().union(*pool.map(send, range(24)))

    assert statuses == {201}
    counts = [api.read(f"{one}/Observations?$count=true&$top=0")["@iot.count"] for one in streams]
    assert counts == [24, 24, 24]


@pytest.mark.parametrize("url", ["$batch", "%24batch", "/v1.1/$batch/"])
def test_a_batch_holds_no_batch(api: Api, url: str) -> None:
    (response,) = _send(api, _request("1", "post", url, {"requests": []}))

    assert (response["status"], response["body"]["code"]) == (400, "batch.nested")


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"{}", "application/json", 400),
        (b"--x", "multipart/mixed", 400),
        (b"--x\r\n", "multipart/mixed; boundary=x", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
def test_what_is_no_batch_is_refused_whole(api: Api, body: bytes, media_type: str, status: int) -> None:
    answer = api.client.post(f"{api.root}/$batch", content=body, headers={"Content-Type": media_type})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_methods_and_addresses_are_checked_as_outside(api: Api) -> None:
    responses = _send(
        api,
        _request("1", "delete", "Things"),
        _request("2", "brew", "Things"),
        _request("3", "get", "Nothing"),
        _request("4", "get", "http://elsewhere.example.org/v1.1/Things"),
        _request("5", "get", "Things?$top=x"),
        _request("6", "post", "Things", {"name": "x"}, headers={"Content-Type": "text/xml"}),
    )

    assert [one["status"] for one in responses] == [405, 405, 404, 400, 400, 415]


def _multipart(api: Api, text: str) -> list[Json]:
    """Send a batch; gives its answers flat, as (Content-ID, status, body)."""
    answer = api.client.post(
        f"{api.root}/$batch",
        content=text.encode(),
        headers={"Content-Type": "multipart/mixed; boundary=batch_x"},
    )
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.default).parsebytes(head + answer.content)
    found: list[Json] = []
    for part in message.walk():
        if part.get_content_type() == "application/http":
            status, _, rest = part.get_payload(decode=True).decode().partition("\r\n")  # type: ignore[union-attr]
            found.append((part["Content-ID"], int(status.split()[1]), rest.partition("\r\n\r\n")[2]))
    return found


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_multipart_batch_has_reads_and_an_atomic_change_set(api: Api, line_end: str) -> None:
    name = f"multipart {len(line_end)}"
    text = f"""--batch_x
Content-Type: multipart/mixed;boundary=set_y

--set_y
Content-Type: application/http
Content-ID: sensor1

POST /v1.1/Sensors HTTP/1.1
Host: localhost
Content-Type: application/json
Content-Length: 3

{{"name":"°C","description":"s","encodingType":"application/pdf","metadata":"m"}}
--set_y
Content-Type: application/http
Content-ID: thing1

POST Things HTTP/1.1
Content-Type: application/json

{{"name":"{name}","description":"d"}}
--set_y
Content-Type: application/http
Content-ID: any

POST $thing1/Datastreams HTTP/1.1
Content-Type: application/json

{{"name":"D","description":"d","unitOfMeasurement":{{"name":null,"symbol":null,"definition":null}},
"observationType":"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
"ObservedProperty":{{"name":"P","description":"p","definition":"http://x.org/p"}},
"Sensor":{{"@iot.id":"$sensor1"}}}}
--set_y--
--batch_x
Content-Type: application/http

GET {api.root}/Things?$filter=name%20eq%20'{name}'&$select=name&$expand=Datastreams/Sensor HTTP/1.1


--batch_x--
"""

    *made, read = _multipart(api, text.replace("\n", line_end))

    assert [(one, status) for one, status, _ in made] == [("sensor1", 201), ("thing1", 201), ("any", 201)]
    assert read[:2] == (None, 200)
    assert '"name":"°C"' in read[2].replace('": "', '":"')


def test_a_failed_change_set_leaves_nothing_and_has_one_answer(api: Api) -> None:
    name = "never made"
    text = f"""--batch_x
Content-Type: multipart/mixed;boundary=set_y

--set_y
Content-Type: application/http
Content-ID: 1

POST Things HTTP/1.1
Content-Type: application/json

{{"name":"{name}","description":"d"}}
--set_y
Content-Type: application/http
Content-ID: 2

PATCH /v1.1/Things(999999999) HTTP/1.1
Content-Type: application/json

{{"name":"x"}}
--set_y--
--batch_x
Content-Type: application/http

GET Things?$top=0 HTTP/1.1

--batch_x--"""

    failed, read = _multipart(api, text)

    assert failed[:2] == ("2", 404)
    assert read[1] == 200
    assert _count(api, name) == 0


def test_batches_of_the_older_version_give_its_addresses(sensorthings_url: str) -> None:
    answer = httpx2.post(
        f"{sensorthings_url}/v1.0/$batch",
        json={"requests": [_request("1", "post", "Things", _thing("older"))]},
        timeout=60,
    )

    assert answer.json()["responses"][0]["location"].startswith(f"{sensorthings_url}/v1.0/Things(")
