"""Observations from Elasticsearch or OpenSearch, as the sink has indexed them.

What lives here: which requests are made, reading pages. What does not: writing documents and their fields
(`adapters.elasticsearch`), tables (`tables`).

Plain HTTP, because it is the same for Elasticsearch from 7.10 to 9 and for OpenSearch. Pages come from one
point in time where the server has that (Elasticsearch from 7.12 with its free licence), else from a scroll;
both show the index as it was when reading began.

Source: Elasticsearch, "Paginate search results", "Point in time API", "Scroll API", "Composite aggregation".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import orjson
import pyarrow as pa

from adapters.frames.errors import SourceError
from adapters.frames.interval import Interval, short
from adapters.frames.streams import Stream, stream_of
from adapters.frames.tables import DT_ID, RESULT_TIME, TEXT, instants, piece_of
from client.errors import ConfigurationError

INDEX: Final = "dtwin-*"
_PAGE: Final = 10_000  # index.max_result_window, unless somebody has changed it
_KEEP: Final = "2m"
_TIMEOUT_S: Final = 60.0
_FIRST_POINT_IN_TIME: Final = (7, 12)
_REFUSED: Final = 400
_UNAUTHORIZED: Final = frozenset({401, 403})
_SHOWN_CHARACTERS: Final = 300

Hits = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SearchEngineSettings:
    """How the server is reached.

    Attributes:
        url: Its address.
        username: For basic authentication; empty for none.
        password: The same.
        api_key: Instead of them; empty for none.
        ca_file: Certificates that are trusted; empty for those of the machine.
        index: What is searched.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    ca_file: str = ""
    index: str = INDEX


class SearchEngine:
    """Elasticsearch or OpenSearch as a source of frames.

    Args:
        settings: How it is reached.
        http: A client to use instead of an own one.

    Raises:
        ConfigurationError: The file of trusted certificates cannot be read.
    """

    name = "elasticsearch"

    def __init__(self, settings: SearchEngineSettings, http: httpx2.Client | None = None) -> None:
        self._settings = settings
        self.title = f"Elasticsearch at {settings.url}"
        self._http = http or _client(settings)

    def streams(self, parts: Sequence[str]) -> list[Stream]:
        """List the Datastreams whose names contain one of these texts; all of them for no text.

        Raises:
            SourceError: The server does not answer, or refuses.
        """
        fields = ("name", "unit", "observed_property")
        sources = [{name: {"terms": {"field": name, "missing_bucket": name != "name"}}} for name in fields]
        composite: dict[str, Any] = {"size": _PAGE, "sources": sources}
        body: dict[str, Any] = {"size": 0, "aggs": {"streams": {"composite": composite}}}
        if parts and all(parts):
            tests = [{"wildcard": {"name": {"value": f"*{_literal(part)}*"}}} for part in parts]
            body["query"] = {"bool": {"should": tests, "minimum_should_match": 1}}
        found: dict[str, Stream] = {}
        while True:
            answer = self._search(body).get("aggregations", {}).get("streams", {})
            for bucket in answer.get("buckets", ()):
                key = bucket["key"]
                unit, observed = key["unit"] or "", key["observed_property"] or ""
                if key["name"] not in found or unit:  # the sink may have met it before its metadata
                    found[key["name"]] = stream_of(key["name"], key["name"], unit, observed)
            if "after_key" not in answer:
                return list(found.values())
            composite["after"] = answer["after_key"]

    def count(self, streams: Sequence[Stream], interval: Interval) -> int:
        """Count the documents of Datastreams in an interval.

        Raises:
            SourceError: The server does not answer, or refuses.
        """
        path = f"/{self._settings.index}/_count?ignore_unavailable=true&allow_no_indices=true"
        return int(self._json("POST", path, {"query": _query(streams, interval)})["count"])

    def span(self, streams: Sequence[Stream]) -> Interval | None:
        """Return from when to when there are documents; None for none.

        Raises:
            SourceError: The server does not answer, or refuses.
        """
        ends = {name: {name: {"field": "@timestamp"}} for name in ("min", "max")}
        found = self._search({"size": 0, "query": _query(streams, None), "aggs": ends}).get(
            "aggregations", {}
        )
        times = [found.get(name, {}).get("value_as_string") for name in ("min", "max")]
        if None in times:
            return None
        start, end = instants(times).to_pylist()
        return Interval(start, end)

    def read(
        self, streams: Sequence[Stream], interval: Interval, attributes: Sequence[str]
    ) -> Iterator[pa.Table]:
        """Give the documents of Datastreams in an interval, piece by piece.

        Args:
            streams: The Datastreams.
            interval: From when to when.
            attributes: Further columns: `result_time`, or names among the attributes.

        Raises:
            SourceError: The server does not answer, or refuses.
        """
        places = {stream.name: at for at, stream in enumerate(streams)}
        wanted = ["name", "@timestamp", "phenomenon_time", "result", "result_text", "result_json", DT_ID]
        wanted += ["result_time"] if RESULT_TIME in attributes else []
        wanted += [f"attributes.{name}" for name in attributes if name != RESULT_TIME]
        body = {
            "size": _PAGE,
            "query": _query(streams, interval),
            "sort": [{"@timestamp": {"order": "asc", "unmapped_type": "date"}}],
            "_source": wanted,
        }
        for hits in self._snapshot(body):
            yield _piece(hits, places, attributes)

    def means(self, streams: Sequence[Stream], interval: Interval, step: object) -> None:
        """Give nothing: doubled documents of two systems would weigh twice, so means are made of all."""

    def _snapshot(self, body: Mapping[str, Any]) -> Iterator[Hits]:
        """Give page after page of one state of the index."""
        return self._by_point_in_time(body) if self._has_point_in_time() else self._by_scroll(body)

    def _has_point_in_time(self) -> bool:
        version = self._json("GET", "/").get("version") or {}
        number = tuple(int(part) for part in str(version.get("number", "0.0")).split(".")[:2])
        is_elasticsearch = "distribution" not in version and version.get("build_flavor") != "oss"
        return is_elasticsearch and number >= _FIRST_POINT_IN_TIME

    def _by_point_in_time(self, body: Mapping[str, Any]) -> Iterator[Hits]:
        path = f"/{self._settings.index}/_pit?keep_alive={_KEEP}&ignore_unavailable=true"
        point = self._json("POST", path)["id"]
        asked = {**body, "track_total_hits": False}  # a scroll would refuse that
        try:
            while True:
                answer = self._json("POST", "/_search", {**asked, "pit": {"id": point, "keep_alive": _KEEP}})
                point, hits = answer.get("pit_id", point), answer["hits"]["hits"]
                if not hits:
                    return
                yield hits
                asked["search_after"] = hits[-1]["sort"]
        finally:
            with contextlib.suppress(SourceError):  # it ends by itself
                self._json("DELETE", "/_pit", {"id": point})

    def _by_scroll(self, body: Mapping[str, Any]) -> Iterator[Hits]:
        answer = self._search(body, scroll=_KEEP)
        try:
            while answer["hits"]["hits"]:
                yield answer["hits"]["hits"]
                further = {"scroll": _KEEP, "scroll_id": answer["_scroll_id"]}
                answer = self._json("POST", "/_search/scroll", further)
        finally:
            with contextlib.suppress(SourceError):  # it ends by itself
                self._json("DELETE", "/_search/scroll", {"scroll_id": answer.get("_scroll_id")})

    def _search(self, body: Mapping[str, Any], scroll: str = "") -> dict[str, Any]:
        options = "ignore_unavailable=true&allow_no_indices=true" + (f"&scroll={scroll}" if scroll else "")
        return self._json("POST", f"/{self._settings.index}/_search?{options}", body)

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        content = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        try:
            answer = self._http.request(method, path, content=content, headers=headers)
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise SourceError(
                f"{self.title} does not answer: {reason}. Check DTWIN_ELASTICSEARCH__URL, or start the local "
                "one with: dtwin up --with elasticsearch"
            ) from error
        if answer.status_code in _UNAUTHORIZED:
            raise SourceError(
                f"{self.title} answers {answer.status_code}. Set DTWIN_ELASTICSEARCH__USERNAME and "
                "..._PASSWORD, or ..._API_KEY, of somebody who may read there"
            )
        if answer.status_code >= _REFUSED:
            said = answer.text[:_SHOWN_CHARACTERS]
            raise SourceError(f"{self.title} answers {method} {path} with {answer.status_code}: {said}")
        return self._checked(answer.content)

    def _checked(self, content: bytes) -> dict[str, Any]:
        """Read an answer.

        Raises:
            SourceError: It is none, or one of a part of the server: a frame of it would lack records unseen.
        """
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise SourceError(f"{self.title} answers with something that is not JSON") from error
        if not isinstance(found, dict):
            raise SourceError(f"{self.title} answers, but not as Elasticsearch does. Check its address")
        shards = found.get("_shards")
        failed = shards.get("failed") if isinstance(shards, dict) else 0
        if failed or found.get("timed_out"):
            said = orjson.dumps(shards).decode()[:_SHOWN_CHARACTERS]
            raise SourceError(f"only a part of {self.title} answers: {said}. Try again when it is whole")
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _client(settings: SearchEngineSettings) -> httpx2.Client:
    headers = {"Authorization": f"ApiKey {settings.api_key}"} if settings.api_key else {}
    auth = (settings.username, settings.password) if settings.username and not settings.api_key else None
    verify: Any = True
    if settings.ca_file:
        try:
            verify = httpx2.create_ssl_context(verify=settings.ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"DTWIN_ELASTICSEARCH__CA_FILE names {settings.ca_file}, which cannot be read: {error}",
                setting="DTWIN_ELASTICSEARCH__CA_FILE",
            ) from error
    return httpx2.Client(base_url=settings.url, headers=headers, auth=auth, verify=verify, timeout=_TIMEOUT_S)


def _query(streams: Sequence[Stream], interval: Interval | None) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = [{"terms": {"name": [stream.name for stream in streams]}}]
    if interval is not None:
        # Dates of the index have milliseconds: what lies in the last one is sieved out afterwards.
        ends = {"gte": _floor(interval), "lte": short(interval.end)}
        conditions.append({"range": {"@timestamp": ends}})
    return {"bool": {"filter": conditions}}


def _floor(interval: Interval) -> str:
    start = interval.start
    return short(start.replace(microsecond=start.microsecond // 1000 * 1000))


def _piece(hits: Hits, places: Mapping[str, int], attributes: Sequence[str]) -> pa.Table:
    sources = [hit["_source"] for hit in hits]
    further: dict[str, Sequence[object]] = {}
    for name in attributes:
        further[name] = [
            source.get(RESULT_TIME) if name == RESULT_TIME else (source.get("attributes") or {}).get(name)
            for source in sources
        ]
    further[DT_ID] = [source.get(DT_ID) or hit["_id"] for source, hit in zip(sources, hits, strict=True)]
    times = [source.get("phenomenon_time") or source["@timestamp"] for source in sources]
    results = [_result(source) for source in sources]
    return piece_of(times, results, [places[source["name"]] for source in sources], further)


def _result(source: Mapping[str, Any]) -> object:
    for name in ("result", TEXT, "result_json"):
        if source.get(name) is not None:
            return source[name]
    return None


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
