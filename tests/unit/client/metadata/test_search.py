"""Searching entities: one question, however many pages the answer takes."""

import httpx2
import pytest

from client.errors import UnavailableError
from client.metadata.server import SensorThingsServer

CONDITION = "startswith(name,'at.srfg.Mill.M1.')"


def server(answer: object, retry_s: float = 0.0) -> SensorThingsServer:
    http = httpx2.Client(transport=httpx2.MockTransport(answer))  # type: ignore[arg-type]
    found = SensorThingsServer("localhost:8084", retry_s=retry_s, http=http)
    found.sleep = lambda _seconds: None
    return found


def test_all_pages_are_read_and_the_options_are_sent_once() -> None:
    seen: list[httpx2.URL] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url)
        if "skip" in str(request.url):
            return httpx2.Response(200, json={"value": [{"name": "b"}]})
        following = "http://localhost:8084/v1.1/Datastreams?$skip=1"
        return httpx2.Response(200, json={"value": [{"name": "a"}], "@iot.nextLink": following})

    assert server(answer).search("Datastreams", CONDITION, select=("id", "name")) == [
        {"name": "a"},
        {"name": "b"},
    ]
    assert seen[0].path == "/v1.1/Datastreams"
    assert dict(seen[0].params) == {
        "$filter": CONDITION,
        "$select": "id,name",
        "$orderby": "id",
        "$top": "1000",
    }
    assert len(seen) == 2


def test_a_page_that_fails_lets_the_search_begin_again() -> None:
    answers = [
        httpx2.Response(200, json={"value": [{"name": "a"}], "@iot.nextLink": "http://localhost:8084/2"}),
        httpx2.Response(503),
        httpx2.Response(200, json={"value": [{"name": "a"}]}),
    ]
    assert server(lambda _request: answers.pop(0), retry_s=60).search(
        "Things", "name eq 'a'", select=("name",)
    ) == [{"name": "a"}]
    assert answers == []


def test_a_service_that_stays_away_is_named() -> None:
    with pytest.raises(UnavailableError, match="localhost:8084"):
        server(lambda _request: httpx2.Response(503)).search("Things", "true", select=("name",))
