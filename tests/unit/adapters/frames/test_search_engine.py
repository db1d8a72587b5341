"""Requests to Elasticsearch and OpenSearch, by the version that answers."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from adapters.frames.errors import SourceError
from adapters.frames.interval import Interval
from adapters.frames.search_engine import SearchEngine, SearchEngineSettings
from adapters.frames.streams import stream_of

NAME = "cz.icecars.Fleet.Car1.Main.Speed"
DAY = Interval(datetime(2026, 1, 2, microsecond=1500, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
NINE = {"number": "9.1.0", "build_flavor": "default"}
OLD = {"number": "7.10.2", "build_flavor": "oss"}
OPEN = {"number": "3.1.0", "distribution": "opensearch"}


class Server:
    """Answers as a server with two pages does, and keeps what it was asked."""

    def __init__(self, version: dict[str, str]) -> None:
        self.version = version
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.pages = [[self.hit(1), self.hit(2)], [self.hit(3)], []]

    def hit(self, number: int) -> dict[str, Any]:
        source = {
            "name": NAME,
            "@timestamp": f"2026-01-02T00:00:0{number}Z",
            "phenomenon_time": f"2026-01-02T00:00:0{number}.000123Z",
            "result": number,
            "attributes": {"gear": number},
            "dt_id": f"id-{number}",
        }
        return {"_id": f"id-{number}.mark", "_source": source, "sort": [number]}

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content else {}
        path = request.url.path
        self.asked.append((request.method, path, body))
        if path == "/":
            return httpx2.Response(200, json={"version": self.version})
        if path.endswith("_pit") and request.method == "POST":
            return httpx2.Response(200, json={"id": "point"})
        if request.method == "DELETE":
            return httpx2.Response(200, json={})
        if "scroll" in str(request.url.query) and "track_total_hits" in body:
            return httpx2.Response(
                400, text="disabling [track_total_hits] is not allowed in a scroll context"
            )
        return httpx2.Response(200, json={"_scroll_id": "scroll", "hits": {"hits": self.pages.pop(0)}})

    def source(self) -> SearchEngine:
        http = httpx2.Client(base_url="http://search", transport=httpx2.MockTransport(self.answer))
        return SearchEngine(SearchEngineSettings("http://search"), http)


def rows(server: Server) -> list[dict[str, Any]]:
    pieces = server.source().read([stream_of(NAME)], DAY, ["gear"])
    return [row for piece in pieces for row in piece.to_pylist()]


@pytest.mark.parametrize("version", [NINE, OLD, OPEN])
def test_all_pages_are_read_with_times_to_the_microsecond_and_ids(version: dict[str, str]) -> None:
    found = rows(Server(version))
    assert [row["result"] for row in found] == [1, 2, 3]
    assert [row["dt_id"] for row in found] == ["id-1", "id-2", "id-3"]
    assert [row["gear"] for row in found] == [1, 2, 3]
    assert found[0]["phenomenon_time"] == datetime(2026, 1, 2, 0, 0, 1, 123, UTC)


def test_a_new_elasticsearch_reads_from_a_point_in_time_and_gives_it_back() -> None:
    server = Server(NINE)
    rows(server)
    searches = [body for method, path, body in server.asked if path == "/_search"]
    assert [body.get("search_after") for body in searches] == [None, [2], [3]]
    assert all(body["pit"]["id"] == "point" for body in searches)
    assert server.asked[-1] == ("DELETE", "/_pit", {"id": "point"})


@pytest.mark.parametrize("version", [OLD, OPEN])
def test_others_read_by_a_scroll_and_give_it_back(version: dict[str, str]) -> None:
    server = Server(version)
    rows(server)
    assert [path for _, path, _ in server.asked[1:3]] == ["/dtwin-*/_search", "/_search/scroll"]
    assert server.asked[-1] == ("DELETE", "/_search/scroll", {"scroll_id": "scroll"})


def test_dates_of_milliseconds_lose_no_record_of_the_first_and_last_one() -> None:
    server = Server(NINE)
    rows(server)
    body = next(body for _, path, body in server.asked if path == "/_search")
    names, times = body["query"]["bool"]["filter"]
    assert names == {"terms": {"name": [NAME]}}
    assert times["range"]["@timestamp"] == {
        "gte": "2026-01-02T00:00:00.001000Z",
        "lte": "2026-01-03T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "DTWIN_ELASTICSEARCH__USERNAME"), (500, "with 500: broken"), (200, "not JSON")],
)
def test_refusals_say_what_to_do(status: int, words: str) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, text="broken"))
    source = SearchEngine(
        SearchEngineSettings("http://search"), httpx2.Client(base_url="http://search", transport=transport)
    )
    with pytest.raises(SourceError, match=words):
        source.streams(())


def test_a_server_that_is_away_says_where_it_was_looked_for() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    http = httpx2.Client(base_url="http://search", transport=httpx2.MockTransport(refuse))
    with pytest.raises(SourceError, match="--with elasticsearch"):
        SearchEngine(SearchEngineSettings("http://search"), http).count([stream_of(NAME)], DAY)


@pytest.mark.parametrize(
    "part",
    [
        {"_shards": {"total": 2, "successful": 1, "failed": 1}},
        {"timed_out": True, "_shards": {"total": 1, "failed": 0}},
    ],
)
@pytest.mark.parametrize("version", [NINE, OLD])
def test_half_an_answer_is_none(part: dict[str, Any], version: dict[str, str]) -> None:
    server = Server(version)
    whole = server.answer

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = whole(request)
        if request.url.path.endswith(("_search", "_count")):
            return httpx2.Response(200, json=json.loads(found.content) | {"count": 1} | part)
        return found

    server.answer = answer  # type: ignore[method-assign]
    for call in (
        lambda: list(server.source().read([stream_of(NAME)], DAY, [])),
        lambda: server.source().count([stream_of(NAME)], DAY),
    ):
        with pytest.raises(SourceError, match="only a part"):
            call()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"1", b""])
def test_what_is_no_answer_of_elasticsearch_is_said(body: bytes) -> None:
    server = Server(OLD)
    server.answer = lambda _request: httpx2.Response(200, content=body)  # type: ignore[assignment, method-assign]
    with pytest.raises(SourceError, match="answers"):
        server.source().count([stream_of(NAME)], DAY)


def test_names_and_patterns_are_values_and_not_part_of_the_question() -> None:
    server = Server(OLD)
    server.pages = [[], []]
    name = 'a.bb.cc.dd.T."}},{"match_all":{"x'
    server.source().streams(['a*b?c\\d"}'])
    assert not list(server.source().read([stream_of(name)], DAY, []))
    searched = [body for _, path, body in server.asked if path.endswith("_search")]
    (test,) = searched[0]["query"]["bool"]["should"]
    assert test == {"wildcard": {"name": {"value": '*a\\*b\\?c\\\\d"}*'}}}
    assert {"terms": {"name": [name]}} in searched[1]["query"]["bool"]["filter"]
