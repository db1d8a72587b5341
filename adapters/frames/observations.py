"""Observations from a SensorThings service, as the holder of a token sees them.

What lives here: which requests are made, reading pages. What does not: HTTP with its retries
(`client.metadata.server`), tables (`tables`).

Source: OGC 18-088, clauses 9.3.3 (query options) and 13.1 (data arrays); time buckets are an extension of our
service, and where they are not understood the observations themselves are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from adapters.frames.errors import SourceError
from adapters.frames.interval import Interval, iso_duration, short
from adapters.frames.streams import Stream, stream_of
from adapters.frames.tables import RESULT_TIME, piece_of
from client.errors import EntityRejectedError
from client.metadata.server import SensorThingsServer
from client.metadata.wire import DATASTREAMS, IOT_ID, NEXT_LINK, JsonObject

_PAGE: Final = 10_000  # the service gives as many as its own limit allows
_ABOUT: Final = "$select=id,name,unitOfMeasurement&$expand=ObservedProperty($select=name)&$orderby=id"
_BUCKETS_UNKNOWN: Final = frozenset({400, 501})


class ObservationService:
    """A SensorThings service as a source of frames.

    Args:
        server: The service, with the token of whoever asks.
    """

    name = "observations"

    def __init__(self, server: SensorThingsServer) -> None:
        self._server = server
        self.title = f"the SensorThings service {server.base_urls[0]}"

    def streams(self, parts: Sequence[str]) -> list[Stream]:
        """List the Datastreams whose names contain one of these texts; all of them for no text.

        Raises:
            SensorThingsError: The service does not answer, or refuses.
        """
        known = [part for part in parts if part]
        query = f"{_ABOUT}&$top={_PAGE}"
        if parts and len(known) == len(parts):
            tests = (f"substringof('{_literal(part)}',name)" for part in known)
            query += f"&$filter={_quoted(' or '.join(tests))}"
        return [_stream(found) for page in self._pages(DATASTREAMS, query) for found in page]

    def count(self, streams: Sequence[Stream], interval: Interval) -> int:
        """Count the observations of Datastreams in an interval.

        Raises:
            SensorThingsError: The service does not answer, or refuses.
        """
        query = f"$filter={_within(interval)}&$top=0&$count=true"
        documents = (self._server.document(f"{_observations(stream)}?{query}") for stream in streams)
        return sum(int(str(document.get("@iot.count", 0))) for document in documents)

    def span(self, streams: Sequence[Stream]) -> Interval | None:
        """Return from when to when there are observations; None for none.

        Raises:
            SensorThingsError: The service does not answer, or refuses.
        """
        ends: list[Any] = []
        for stream in streams:
            for order in ("asc", "desc"):
                query = f"$select=phenomenonTime&$orderby=phenomenonTime%20{order}&$top=1"
                found = self._server.document(f"{_observations(stream)}?{query}").get("value")
                ends += [one["phenomenonTime"] for one in found] if isinstance(found, list) else []
        if not ends:
            return None
        times = piece_of(ends, [None] * len(ends), 0, {}).column(0).to_pylist()
        return Interval(min(times), max(times))

    def read(
        self, streams: Sequence[Stream], interval: Interval, attributes: Sequence[str]
    ) -> Iterator[pa.Table]:
        """Give the observations of Datastreams in an interval, piece by piece.

        Args:
            streams: The Datastreams.
            interval: From when to when.
            attributes: Further columns: `result_time`, or names among the parameters.

        Raises:
            SensorThingsError: The service does not answer, or refuses.
        """
        selected = ["phenomenonTime", "result"]
        selected += ["resultTime"] if RESULT_TIME in attributes else []
        selected += ["parameters"] if set(attributes) - {RESULT_TIME} else []
        query = (
            f"$resultFormat=dataArray&$select={','.join(selected)}&$filter={_within(interval)}"
            f"&$orderby=phenomenonTime&$top={_PAGE}"
        )
        for at, stream in enumerate(streams):
            for page in self._pages(_observations(stream), query):
                for group in page:
                    yield _piece(group, at, attributes)

    def means(
        self, streams: Sequence[Stream], interval: Interval, step: timedelta
    ) -> Iterator[pa.Table] | None:
        """Give means over steps as the service computes them; None when it cannot.

        Raises:
            SensorThingsError: The service does not answer, or refuses.
        """
        query = f"bucket={iso_duration(step)}&aggregate=avg&$filter={_within(interval)}&$top={_PAGE}"
        try:
            first = self._server.document(f"{_observations(streams[0])}?{query}")
        except EntityRejectedError as error:
            if error.status in _BUCKETS_UNKNOWN:
                return None
            raise
        value = first.get("value")
        if not isinstance(value, list) or any("avg" not in one for one in value):
            return None  # it takes the options for unknown ones, and ignores them
        return self._buckets(streams, query)

    def _buckets(self, streams: Sequence[Stream], query: str) -> Iterator[pa.Table]:
        for at, stream in enumerate(streams):
            for page in self._pages(_observations(stream), query):
                times = [str(bucket["phenomenonTime"]) for bucket in page]
                yield piece_of(times, [bucket["avg"] for bucket in page], at, {})

    def _pages(self, path: str, query: str) -> Iterator[list[JsonObject]]:
        """Give page after page; the link to the next is followed at the address that we know."""
        seen = {query}
        while True:
            document = self._server.document(f"{path}?{query}")
            value = document.get("value")
            if not isinstance(value, list):
                raise SourceError(f"{self.title} answers {path} without a list. Check its address")
            yield value
            following = document.get(NEXT_LINK)
            if not isinstance(following, str):
                return
            further = following.partition("?")[2]
            if not further or further in seen:
                raise SourceError(f"{self.title} pages in a circle at {path}")
            seen.add(further)
            query = further

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _stream(found: Mapping[str, Any]) -> Stream:
    unit = found.get("unitOfMeasurement") or {}
    observed = found.get("ObservedProperty") or {}
    symbol = str(unit.get("symbol") or unit.get("name") or "") if isinstance(unit, dict) else ""
    return stream_of(str(found["name"]), found[IOT_ID], symbol, str(observed.get("name") or ""))


def _piece(group: Mapping[str, Any], at: int, attributes: Sequence[str]) -> pa.Table:
    place = {name: number for number, name in enumerate(group["components"])}
    rows = group["dataArray"]
    times, results = place["phenomenonTime"], place["result"]
    further: dict[str, list[Any]] = {}
    for name in attributes:
        if name == RESULT_TIME:
            further[name] = [row[place["resultTime"]] for row in rows]
        else:
            further[name] = [(row[place["parameters"]] or {}).get(name) for row in rows]
    return piece_of([row[times] for row in rows], [row[results] for row in rows], at, further)


def _observations(stream: Stream) -> str:
    key = stream.key if isinstance(stream.key, int) else quote("'" + stream.key.replace("'", "''") + "'")
    return f"{DATASTREAMS}({key})/Observations"


def _within(interval: Interval) -> str:
    start, end = short(interval.start), short(interval.end)
    return _quoted(f"phenomenonTime ge {start} and phenomenonTime lt {end}")


def _literal(text: str) -> str:
    return text.replace("'", "''")


def _quoted(condition: str) -> str:
    return quote(condition, safe="")
