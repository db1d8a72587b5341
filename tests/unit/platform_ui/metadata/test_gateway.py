"""The way from the explorer to the SensorThings service, with a service that the test plays."""

from collections.abc import Callable
from http import HTTPMethod
from pathlib import Path

import httpx2
import pytest

from platform_ui.errors import MetadataError, NotFoundError
from platform_ui.metadata.gateway import (
    BATCH,
    MAX_ANSWER_BYTES,
    MAX_QUERY_CHARACTERS,
    AnswerTooLargeError,
    Gateway,
    RehearsedGateway,
)
from platform_ui.settings import PlatformSettings

Service = Callable[[httpx2.Request], httpx2.Response]
PERSON = "anna@example.com"


def gateway(service: Service, *, token: str = "") -> Gateway:
    settings = PlatformSettings(
        database_url="postgresql+psycopg://x/y",
        secret_key="s" * 40,
        kafka_bootstrap_servers="kafka.test:9092",
        sensorthings_url="http://things.test:8084",
        sensorthings_token=token,
        runner_directory=Path("runner"),
    )
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(service), follow_redirects=False)
    return Gateway(settings, client=client)


async def test_path_and_query_reach_the_service_as_they_are() -> None:
    asked: list[httpx2.Request] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"value": []})

    query = "$filter=name%20eq%20'%C2%B0C'&$expand=Thing(%24select%3Dname)"
    answer = await gateway(service).read("Things(1)/Datastreams", query, PERSON)
    assert (answer.status, answer.body, answer.media_type) == (200, b'{"value":[]}', "application/json")
    assert asked[0].method == "GET"
    assert str(asked[0].url) == f"http://things.test:8084/v1.1/Things(1)/Datastreams?{query}"


async def test_an_id_with_signs_is_escaped_again() -> None:
    asked: list[bytes] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path)
        return httpx2.Response(404, json={})

    await gateway(service).read("Things('ä b?#')", "", PERSON)
    assert asked == [b"/v1.1/Things('%C3%A4%20b%3F%23')"]


async def test_the_service_is_told_who_asks_when_the_platform_has_a_token() -> None:
    seen: list[httpx2.Headers] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, json={})

    await gateway(service, token="secret").read("Things", "", PERSON)
    await gateway(service).read("Things", "", PERSON)
    assert (seen[0]["authorization"], seen[0]["dtwin-act-as"]) == ("Bearer secret", PERSON)
    assert "authorization" not in seen[1]
    assert "dtwin-act-as" not in seen[1]


async def test_a_problem_of_the_service_is_passed_on() -> None:
    problem = {"status": 400, "option": "$filter", "column": 3}
    answer = await gateway(
        lambda _: httpx2.Response(400, json=problem, headers={"Content-Type": "application/problem+json"})
    ).read("Things", "", PERSON)
    assert answer.status == 400
    assert answer.media_type == "application/problem+json"
    assert b'"column":3' in answer.body


async def test_nothing_that_a_browser_would_run_is_passed_on() -> None:
    answer = await gateway(lambda _: httpx2.Response(200, html="<script>1</script>")).read(
        "Things", "", PERSON
    )
    assert answer.media_type == "application/octet-stream"


@pytest.mark.parametrize("path", ["$batch", "../admin", "Things/.."])
async def test_other_paths_are_never_asked_for(path: str) -> None:
    with pytest.raises(NotFoundError):
        await gateway(lambda _: pytest.fail("the service was asked")).read(path, "", PERSON)


async def test_a_query_has_a_longest_length() -> None:
    with pytest.raises(NotFoundError):
        await gateway(lambda _: pytest.fail("the service was asked")).read(
            "Things", "x" * (MAX_QUERY_CHARACTERS + 1), PERSON
        )


async def test_an_answer_has_a_largest_size() -> None:
    body = b" " * (MAX_ANSWER_BYTES + 1)
    with pytest.raises(AnswerTooLargeError):
        await gateway(lambda _: httpx2.Response(200, content=body)).read("Things", "", PERSON)


async def test_a_redirect_is_not_followed() -> None:
    with pytest.raises(MetadataError):
        await gateway(lambda _: httpx2.Response(302, headers={"Location": "http://elsewhere.test"})).read(
            "Things", "", PERSON
        )


@pytest.mark.parametrize(("status", "code"), [(401, "metadata.not_known"), (403, "metadata.not_known_yet")])
async def test_a_service_that_does_not_know_who_asks_is_no_matter_of_logging_in(
    status: int, code: str
) -> None:
    with pytest.raises(MetadataError) as raised:
        await gateway(lambda _: httpx2.Response(status, json={})).read("Things", "", PERSON)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx2.ReadTimeout("slow"), "metadata.too_slow"),
        (httpx2.ConnectError("nobody"), "metadata.unavailable"),
    ],
)
async def test_a_service_that_does_not_answer_is_said_to(error: Exception, code: str) -> None:
    def service(_: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(MetadataError) as raised:
        await gateway(service).read("Things", "", PERSON)
    assert raised.value.code == code


async def test_a_change_is_sent_in_the_name_of_the_person() -> None:
    seen: list[httpx2.Request] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"responses": []})

    way = gateway(service, token="secret")
    await way.write(HTTPMethod.POST, BATCH, PERSON, {"requests": []})
    await way.write(HTTPMethod.DELETE, "Things(1)", PERSON)
    assert [(one.method, str(one.url), one.content) for one in seen] == [
        ("POST", "http://things.test:8084/v1.1/$batch", b'{"requests":[]}'),
        ("DELETE", "http://things.test:8084/v1.1/Things(1)", b""),
    ]
    assert {one.headers["dtwin-act-as"] for one in seen} == {PERSON}


@pytest.mark.parametrize("path", ["", "../access/v1/principals", "Nothing", "$metadata"])
async def test_nothing_else_is_ever_changed(path: str) -> None:
    with pytest.raises(NotFoundError):
        await gateway(lambda _: pytest.fail("the service was asked")).write(HTTPMethod.DELETE, path, PERSON)


async def test_what_is_only_tried_is_read_and_never_written() -> None:
    asked: list[str] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.method)
        return httpx2.Response(200, json={"value": []})

    tried = RehearsedGateway(gateway(service))
    assert (await tried.read("Things", "", PERSON)).body == b'{"value":[]}'
    assert (await tried.write(HTTPMethod.POST, "Things", PERSON, {"name": "x"})).status == 200
    assert asked == ["GET"]
    assert tried.root == "http://things.test:8084/v1.1"
