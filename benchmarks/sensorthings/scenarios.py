"""The requests of every scenario, as bytes that a connection can send as they are.

A mark of six signs stands for a number that the client counts up, so that no two Observations have one time.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

MARK: Final = "######"
"""Replaced by the number of the request, with leading zeros."""
OBSERVATION_STEP_S: Final = 60
ARRAY_ROWS: Final = 100
BATCH_REQUESTS: Final = 20
_VARIANTS: Final = 50  # different requests of one scenario, sent in turn
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is in the service.

    Attributes:
        host: `127.0.0.1:8084`.
        things: Ids of the Things.
        datastreams: Ids of the Datastreams, those of one Thing together.
        observations: How many Observations each Datastream has, a minute apart from the beginning of 2026.
    """

    host: str
    things: tuple[int, ...]
    datastreams: tuple[int, ...]
    observations: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of request.

    Attributes:
        name: As on the command line.
        title: As in the table.
        make: Gives the requests, from a catalogue.
        follows: Each connection follows the next links of its answers.
        rows: Observations that one request stores; 0 for reads.
    """

    name: str
    title: str
    make: Callable[[Catalogue], list[bytes]]
    follows: bool = False
    rows: int = 0


def thing_name(place: int) -> str:
    """The name of a Thing, by its place in the catalogue."""
    return f"bench.station.{place:02}"


def moment(place: int) -> str:
    """The time of a Datastream's Observation, by its place."""
    minutes = place * OBSERVATION_STEP_S // 60
    return f"2026-01-{1 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"


def reading(catalogue: Catalogue, path: str) -> bytes:
    """A GET of a path below the version, spaces and quotes as typed."""
    target = quote(f"/v1.1/{path}", safe="/()$?&=,;:'@")
    return f"GET {target} HTTP/1.1\r\nHost: {catalogue.host}\r\nAccept: application/json\r\n\r\n".encode()


def _posting(catalogue: Catalogue, path: str, body: object) -> bytes:
    content = json.dumps(body, separators=(",", ":"))
    return (
        f"POST /v1.1/{path} HTTP/1.1\r\nHost: {catalogue.host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n{content}"
    ).encode()


def _observation(second: int = 0) -> Json:
    return {
        "phenomenonTime": f"2026-06-01T00:{second // 60:02}:{second % 60:02}.{MARK}Z",
        "result": 21.5 + second,
    }


def _each_stream(path: str) -> Callable[[Catalogue], list[bytes]]:
    return lambda it: [reading(it, path.format(id=one)) for one in it.datastreams[:_VARIANTS]]


def _each_name(path: str) -> Callable[[Catalogue], list[bytes]]:
    return lambda it: [reading(it, path.format(name=thing_name(place))) for place in range(len(it.things))]


def _one(path: str) -> Callable[[Catalogue], list[bytes]]:
    return lambda it: [reading(it, path)]


def _two_level_expands(catalogue: Catalogue) -> list[bytes]:
    expand = "$expand=Datastreams($expand=Sensor,ObservedProperty),Locations"
    return [reading(catalogue, f"Things({one})?{expand}") for one in catalogue.things]


def _time_ranges(catalogue: Catalogue) -> list[bytes]:
    made = []
    for place, one in enumerate(catalogue.datastreams[:_VARIANTS]):
        begin = place * 7 % max(1, catalogue.observations - 60)
        condition = f"phenomenonTime ge {moment(begin)} and phenomenonTime lt {moment(begin + 60)}"
        made.append(reading(catalogue, f"Datastreams({one})/Observations?$filter={condition}&$top=100"))
    return made


def _posts(catalogue: Catalogue) -> list[bytes]:
    streams = catalogue.datastreams[:_VARIANTS]
    return [_posting(catalogue, f"Datastreams({one})/Observations", _observation()) for one in streams]


def _linked_posts(catalogue: Catalogue) -> list[bytes]:
    return [
        _posting(catalogue, "Observations", _observation() | {"Datastream": {"@iot.id": one}})
        for one in catalogue.datastreams[:_VARIANTS]
    ]


def _data_arrays(catalogue: Catalogue) -> list[bytes]:
    rows = [list(_observation(second).values()) for second in range(ARRAY_ROWS)]
    return [
        _posting(
            catalogue,
            "CreateObservations",
            [{"Datastream": {"@iot.id": one}, "components": ["phenomenonTime", "result"], "dataArray": rows}],
        )
        for one in catalogue.datastreams[:_VARIANTS]
    ]


def _batches(catalogue: Catalogue) -> list[bytes]:
    return [
        _posting(
            catalogue,
            "$batch",
            {
                "requests": [
                    {
                        "id": str(second),
                        "method": "post",
                        "url": f"Datastreams({one})/Observations",
                        "body": _observation(second),
                    }
                    for second in range(BATCH_REQUESTS)
                ]
            },
        )
        for one in catalogue.datastreams[:_VARIANTS]
    ]


SCENARIOS: Final = (
    Scenario("entity", "GET one Datastream", _each_stream("Datastreams({id})")),
    Scenario("by-name", "Things by name", _each_name("Things?$filter=name eq '{name}'")),
    Scenario("top-100", "Observations?$top=100", _one("Observations?$top=100")),
    Scenario(
        "newest-100",
        "newest 100 of a Datastream",
        _each_stream("Datastreams({id})/Observations?$orderby=phenomenonTime desc&$top=100"),
    ),
    Scenario(
        "three-expands",
        "20 Datastreams, 3 expands",
        _one("Datastreams?$top=20&$expand=Thing,Sensor,ObservedProperty"),
    ),
    Scenario("two-level-expand", "Thing, 2-level expands", _two_level_expands),
    Scenario(
        "last-values",
        "last value of 5 Datastreams",
        _one("Datastreams?$top=5&$expand=Observations($orderby=phenomenonTime desc;$top=1)"),
    ),
    Scenario(
        "result-filter", "Observations, result gt 50", _one("Observations?$filter=result gt 50&$top=100")
    ),
    Scenario("time-range", "time range of a Datastream", _time_ranges),
    Scenario(
        "by-thing-name", "Datastreams by Thing/name", _each_name("Datastreams?$filter=Thing/name eq '{name}'")
    ),
    Scenario(
        "count", "count of a Datastream", _each_stream("Datastreams({id})/Observations?$count=true&$top=0")
    ),
    Scenario("deep-page", "pages of 100 by next links", _one("Observations?$top=100"), follows=True),
    Scenario(
        "aggregate",
        "mean by hour of a Datastream",
        _each_stream("Datastreams({id})/Observations?bucket=PT1H&aggregate=count,min,max,avg"),
    ),
    Scenario("post", "POST 1 Observation", _posts, rows=1),
    Scenario("post-linked", "POST 1, linked in body", _linked_posts, rows=1),
    Scenario("data-array", f"CreateObservations, {ARRAY_ROWS} rows", _data_arrays, rows=ARRAY_ROWS),
    Scenario("batch", f"JSON $batch of {BATCH_REQUESTS} POSTs", _batches, rows=BATCH_REQUESTS),
)
"""Reads before writes: what the writes add does not slow the reads."""
