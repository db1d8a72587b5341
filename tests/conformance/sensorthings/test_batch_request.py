"""Requirements class "batch-request": many requests in one, as multipart and as JSON.

Source: OGC 18-088, clause 11.1; OData 4.01 JSON format, clause 19 (batch requests in JSON).
"""

import json
from email.parser import BytesParser
from email.policy import HTTP

import httpx2
import pytest

from tests.conformance.sensorthings.requirements import (
    count_of,
    observation,
    observed_property,
    path_of,
    sensor,
)
from tests.integration.sensorthings.samples import Api, Json, datastream, location

NEW = {"name": "batched", "description": "t"}


def ask(api: Api, *requests: Json) -> list[Json]:
    """Send a batch in JSON; its responses."""
    answer = api.send("POST", "$batch", {"requests": list(requests)})
    assert answer.status_code == 200, answer.text
    responses = answer.json()["responses"]
    assert isinstance(responses, list)
    return responses


def request(identifier: str, method: str, url: str, body: Json = None, **more: Json) -> Json:
    made = {"id": identifier, "method": method, "url": url} | more
    return made if body is None else made | {"body": body}


def statuses(responses: list[Json]) -> dict[str, int]:
    return {one["id"]: one["status"] for one in responses}


def test_batch_in_json_answers_each_request(api: Api) -> None:
    """req/batch-request/batch-request: reads and writes, in order."""
    responses = ask(
        api,
        request("0", "post", "Things", NEW),
        request("1", "get", "Things?$filter=name eq 'batched'&$count=true&$top=0"),
        request("2", "GET", f"Things({2**40})"),
        request("3", "POST", "Things", {"name": "lame"}),
        request("4", "GET", "Nothings"),
    )

    assert statuses(responses) == {"0": 201, "1": 200, "2": 404, "3": 400, "4": 404}
    assert responses[0]["body"]["name"] == "batched"
    assert {name.lower() for name in responses[0]["headers"]} >= {"location"}
    assert responses[1]["body"]["@iot.count"] >= 1


def test_batch_in_json_takes_every_form_of_url(api: Api) -> None:
    """OData 4.01 JSON, clause 19.1: absolute, from the host, and relative to the service."""
    made = path_of(api.create("Things", NEW), "Things")
    host_path = httpx2.URL(api.root).path

    responses = ask(
        api,
        request("a", "get", f"{api.root}/{made}"),
        request("b", "get", f"{host_path}/{made}"),
        request("c", "get", made),
        request("d", "get", f"{made}?$select=name&$expand=Locations"),
        request("e", "get", f"{made}/name/$value"),
    )

    assert statuses(responses) == dict.fromkeys("abcde", 200)
    assert (
        responses[0]["body"]["@iot.id"] == responses[1]["body"]["@iot.id"] == responses[2]["body"]["@iot.id"]
    )
    assert responses[4]["body"] == "batched"


def test_batch_in_json_changes_and_deletes(api: Api) -> None:
    """req/batch-request/batch-request: every method."""
    made = path_of(api.create("Things", NEW), "Things")
    patch = [{"op": "add", "path": "/properties", "value": {"p": 1}}]

    responses = ask(
        api,
        request("1", "patch", made, {"name": "changed"}),
        request("2", "patch", made, patch, headers={"content-type": "application/json-patch+json"}),
        request("3", "get", made),
        request("4", "delete", made),
        request("5", "get", made),
    )

    assert statuses(responses) == {"1": 200, "2": 200, "3": 200, "4": 200, "5": 404}
    assert (responses[2]["body"]["name"], responses[2]["body"]["properties"]) == ("changed", {"p": 1})


def test_batch_in_json_refers_to_what_it_made(api: Api) -> None:
    """req/batch-request/batch-request: "$id" in bodies and in addresses."""
    responses = ask(
        api,
        request("thing", "post", "Things", NEW | {"Locations": [location()]}, atomicityGroup="g"),
        request("sensor", "post", "Sensors", sensor(), atomicityGroup="g"),
        request("property", "post", "ObservedProperties", observed_property(), atomicityGroup="g"),
        request(
            "stream",
            "post",
            "$thing/Datastreams",
            datastream(Sensor={"@iot.id": "$sensor"}, ObservedProperty={"@iot.id": "$property"}),
            atomicityGroup="g",
        ),
        request(
            "row",
            "post",
            "Observations",
            observation(7, Datastream={"@iot.id": "$stream"}),
            atomicityGroup="g",
        ),
        request("read", "get", "$row/Datastream?$expand=Thing,Observations"),
    )

    assert statuses(responses) == dict.fromkeys(("thing", "sensor", "property", "stream", "row"), 201) | {
        "read": 200
    }
    body = responses[-1]["body"]
    assert (body["Thing"]["name"], [row["result"] for row in body["Observations"]]) == ("batched", [7])


def test_batch_in_json_group_is_all_or_nothing(api: Api) -> None:
    """OData 4.01 JSON, clause 19.1: an atomicity group."""
    before = count_of(api, "Things")

    responses = ask(
        api,
        request("1", "post", "Things", NEW, atomicityGroup="g"),
        request("2", "post", "Things", {"name": "lame"}, atomicityGroup="g"),
        request("3", "post", "Things", NEW),
    )

    found = statuses(responses)
    assert found["3"] == 201
    assert found["2"] == 400
    assert found.get("1", 424) >= 400
    assert count_of(api, "Things") == before + 1


def test_batch_in_json_without_a_group_keeps_what_succeeded(api: Api) -> None:
    """req/batch-request/batch-request: requests outside of a change set stand alone."""
    before = count_of(api, "Things")

    ask(
        api,
        request("1", "post", "Things", NEW),
        request("2", "post", "Things", {}),
        request("3", "post", "Things", NEW),
    )

    assert count_of(api, "Things") == before + 2


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"requests": 5},
        {"requests": [5]},
        {"requests": [{}]},
        {"requests": [{"id": "1", "method": "get"}]},
        5,
        "x",
        {"requests": [{"id": "1", "method": "jump", "url": "Things"}]},
        {"requests": [{"id": "1", "method": "get", "url": "http://[bad/"}]},
        {"requests": [{"id": "1", "method": "get", "url": 5}]},
        {"requests": [{"id": "1", "method": "post", "url": "$nothing/Datastreams", "body": {}}]},
        {
            "requests": [
                {"id": "1", "method": "get", "url": "Things"},
                {"id": "1", "method": "get", "url": "Things"},
            ]
        },
        {"requests": [{"id": "1", "method": "post", "url": "$batch", "body": {"requests": []}}]},
    ],
    ids=lambda body: str(body)[-60:],
)
def test_batch_in_json_that_is_none_is_refused(api: Api, body: Json) -> None:
    """req/batch-request/batch-request: 400 for the batch, or for the one request."""
    answer = api.send("POST", "$batch", body)

    assert answer.status_code == 400 or all(one["status"] >= 400 for one in answer.json()["responses"]), (
        answer.text
    )
    assert answer.status_code < 500
    assert not answer.is_success or all(one["status"] != 500 for one in answer.json()["responses"])


def multipart(api: Api, *parts: bytes, boundary: str = "batch_1", ending: bytes = b"\r\n") -> httpx2.Response:
    """Send a batch as multipart."""
    body = b"".join(b"--" + boundary.encode() + ending + part + ending for part in parts)
    return api.send(
        "POST",
        "$batch",
        content=body + b"--" + boundary.encode() + b"--" + ending,
        headers={"content-type": f"multipart/mixed;boundary={boundary}"},
    )


def part(
    line: str, body: Json = None, identifier: str | None = None, media_type: str = "application/json"
) -> bytes:
    """One request as a part of a batch."""
    content = b"" if body is None else json.dumps(body).encode()
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    head += [f"Content-ID: {identifier}"] if identifier else []
    inner = [f"{line} HTTP/1.1", "Host: localhost"]
    inner += [f"Content-Type: {media_type}", f"Content-Length: {len(content)}"] if body is not None else []
    return "\r\n".join([*head, "", *inner, "", ""]).encode() + content


def change_set(*parts: bytes) -> bytes:
    inner = b"".join(b"--changeset_1\r\n" + one + b"\r\n" for one in parts) + b"--changeset_1--\r\n"
    return b"Content-Type: multipart/mixed; boundary=changeset_1\r\n\r\n" + inner


def answers(answer: httpx2.Response) -> list[Json]:
    """The (status, JSON) of each part; a list of such for a change set."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + answer.content)
    assert message.is_multipart(), answer.text
    return [_read(one) for one in message.iter_parts()]


def _read(message: Json) -> Json:
    if message.is_multipart():
        return [_read(one) for one in message.iter_parts()]
    assert message.get_content_type() == "application/http"
    raw = message.get_payload(decode=True) or b""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    status = int(head.split(None, 2)[1])
    return status, json.loads(body) if body.strip() else None


def test_batch_in_multipart_answers_each_request(api: Api) -> None:
    """req/batch-request/batch-request: the form of the standard."""
    made = path_of(api.create("Things", NEW), "Things")
    path = httpx2.URL(api.root).path

    found = answers(
        multipart(
            api,
            part(f"GET {path}/{made}"),
            part(f"GET {path}/Things({2**40})"),
            part(f"PATCH {path}/{made}", {"name": "changed"}),
            part(f"POST {path}/Things", {"name": "lame"}),
            part(f"GET {path}/{made}/name"),
            part(f"DELETE {path}/{made}"),
            part(f"GET {path}/{made}"),
        )
    )

    assert [status for status, _ in found] == [200, 404, 200, 400, 200, 200, 404]
    assert found[4][1] == {"name": "changed"}


def test_batch_in_multipart_takes_every_form_of_url(api: Api) -> None:
    """req/batch-request/batch-request: absolute, from the host, and relative to the service."""
    made = path_of(api.create("Things", NEW), "Things")
    path = httpx2.URL(api.root).path

    found = answers(
        multipart(api, part(f"GET {api.root}/{made}"), part(f"GET {path}/{made}"), part(f"GET {made}"))
    )

    assert [status for status, _ in found] == [200, 200, 200]
    assert found[0][1] == found[1][1] == found[2][1]


def test_batch_in_multipart_change_set_refers_to_what_it_made(api: Api) -> None:
    """req/batch-request/batch-request: Content-ID, "$x" in bodies and addresses."""
    found = answers(
        multipart(
            api,
            change_set(
                part("POST Things", NEW | {"Locations": [location()]}, "t"),
                part("POST Sensors", sensor(), "s"),
                part("POST $t/Datastreams", datastream(Sensor={"@iot.id": "$s"}), "d"),
                part("POST Observations", observation(3, Datastream={"@iot.id": "$d"}), "o"),
                part("PATCH $t", {"name": "changed in the set"}),
            ),
        )
    )

    (inside,) = found
    assert [status for status, _ in inside] == [201, 201, 201, 201, 200]
    row = path_of(inside[3][1], "Observations")
    assert api.read(f"{row}/Datastream/Thing")["name"] == "changed in the set"
    assert api.read(f"{row}/Datastream/Sensor")["@iot.id"] == inside[1][1]["@iot.id"]


def test_batch_in_multipart_change_set_is_all_or_nothing(api: Api) -> None:
    """req/batch-request/batch-request: a change set is atomic; its failure is one answer."""
    before = count_of(api, "Things")

    found = answers(
        multipart(
            api,
            change_set(part("POST Things", NEW, "1"), part("POST Things", {"name": "lame"}, "2")),
            part("GET Things?$top=0&$count=true"),
            change_set(part("POST Things", NEW, "1")),
        )
    )

    first = found[0] if isinstance(found[0], list) else [found[0]]
    assert first[-1][0] == 400
    assert found[1][1]["@iot.count"] == before
    assert found[2][0][0] == 201
    assert count_of(api, "Things") == before + 1


def test_batch_in_multipart_with_bare_line_feeds(api: Api) -> None:
    """Robustness: what people write by hand ends lines with a line feed only."""
    text = b"Content-Type: application/http\n\nGET Things?$top=0&$count=true HTTP/1.1\nHost: h\n\n"

    found = answers(multipart(api, text, ending=b"\n"))

    assert found[0][0] == 200


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "multipart/mixed; boundary=b"),
        (b"--b\r\n\r\n", "multipart/mixed; boundary=b"),
        (b"--b--", "multipart/mixed"),
        (b"--b\r\nContent-Type: application/http\r\n\r\nnonsense\r\n--b--", "multipart/mixed; boundary=b"),
        (
            b"--b\r\nContent-Type: text/plain\r\n\r\nGET Things HTTP/1.1\r\n\r\n--b--",
            "multipart/mixed; boundary=b",
        ),
        (
            b"--b\r\nContent-Type: application/http\r\n\r\nGET  HTTP/1.1\r\n\r\n--b--",
            "multipart/mixed; boundary=b",
        ),
        (
            b"--b\r\nContent-Type: application/http\r\n\r\nPOST Things HTTP/1.1\r\n\r\n{\r\n--b--",
            "multipart/mixed; boundary=b",
        ),
        (b"\xff\xfe\x00", "multipart/mixed; boundary=b"),
        (b"x", "text/plain"),
        (b"x", "multipart/mixed; boundary=" + "b" * 500),
    ],
)
def test_batch_in_multipart_that_is_none_is_refused(api: Api, content: bytes, media_type: str) -> None:
    """req/batch-request/batch-request: 400 or 415 for the batch, or an error for the one request."""
    answer = api.send("POST", "$batch", content=content, headers={"content-type": media_type})

    assert answer.status_code < 500, answer.text
    if answer.status_code == 200:
        assert all(status in {400, 404, 405, 415} for status, _ in answers(answer)) or not answer.content
