"""Requests to a SensorThings service, and whom they go to."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx2
import pytest

from adapters.frames.errors import SourceError
from adapters.frames.interval import Interval
from adapters.frames.observations import ObservationService
from adapters.frames.streams import stream_of
from client.metadata.server import SensorThingsServer

DAY = Interval(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
TOKEN = "dtw_" + "t" * 40


def service(answer: Callable[[httpx2.Request], httpx2.Response]) -> ObservationService:
    http = httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)
    return ObservationService(
        SensorThingsServer("http://twins:8084", token=TOKEN, retry_s=0.0, http=http),
    )


def page(number: int, following: str | None) -> httpx2.Response:
    rows = [[f"2026-01-02T00:00:0{number}Z", number]]
    group = {"components": ["phenomenonTime", "result"], "dataArray": rows}
    more = {} if following is None else {"@iot.nextLink": following}
    return httpx2.Response(200, json={"value": [group], **more})


def test_a_link_to_another_host_is_followed_where_the_token_belongs() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        is_first = len(asked) == 1
        return page(len(asked), "https://evil.example/v1.1/x?$skiptoken=2" if is_first else None)

    pieces = list(service(answer).read([stream_of("a.bb.cc.dd.T.D", 7)], DAY, []))
    assert [piece.column("result").to_pylist() for piece in pieces] == [[1.0], [2.0]]
    assert {request.url.host for request in asked} == {"twins"}
    assert all(request.headers["Authorization"] == f"Bearer {TOKEN}" for request in asked)


def test_a_redirection_to_another_host_does_not_get_the_token() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if request.url.host == "twins":
            return httpx2.Response(302, headers={"Location": "https://evil.example/v1.1/x"})
        return page(1, None)

    list(service(answer).read([stream_of("a.bb.cc.dd.T.D", 7)], DAY, []))
    assert [request.url.host for request in asked] == ["twins", "evil.example"]
    assert "Authorization" not in asked[1].headers


@pytest.mark.parametrize("links", [["?a=1", "?b=2"], ["?a=1"], [""]])
def test_pages_in_a_circle_end(links: list[str]) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return page(1, f"http://twins:8084/v1.1/x{links[len(asked) % len(links)]}")

    with pytest.raises(SourceError, match="circle"):
        list(service(answer).read([stream_of("a.bb.cc.dd.T.D", 7)], DAY, []))
    assert len(asked) <= 4


def test_quotes_and_signs_of_a_pattern_stay_in_its_text() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"value": []})

    assert service(answer).streams(["x') or true&$top=1#"]) == []
    (request,) = asked
    assert dict(request.url.params)["$filter"] == "substringof('x'') or true&$top=1#',name)"
    assert b"$top=10000" in request.url.query
