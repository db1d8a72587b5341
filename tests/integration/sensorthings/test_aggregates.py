"""Aggregates by time bucket over HTTP."""

from collections.abc import Callable

import pytest

from tests.integration.sensorthings.samples import Api, Json, thing

NewThing = Callable[..., tuple[str, str]]


def number_of(path: str) -> int:
    return int(path.partition("(")[2].rstrip(")"))


def fill(api: Api, stream: str, *rows: tuple[str, Json]) -> None:
    body = {
        "Datastream": {"@iot.id": number_of(stream)},
        "components": ["phenomenonTime", "result"],
        "dataArray": [list(row) for row in rows],
    }
    assert "error" not in api.create("CreateObservations", [body])


@pytest.fixture
def stream(api: Api, new_thing: NewThing) -> str:
    """A Datastream with Observations in three hours."""
    _, stream = new_thing()
    hours = [
        ("T10:00:00Z", 3),
        ("T10:59:59.999999Z", 1),
        ("T11:00:00Z", 5),
        ("T13:30:00Z", 2.5),
        ("T13:31:00Z", "x"),
    ]
    fill(api, stream, *((f"2026-03-01{time}", result) for time, result in hours))
    return stream


def test_buckets_of_a_datastream(api: Api, stream: str) -> None:
    found = api.read(f"{stream}/Observations?bucket=PT1H&aggregate=count,min,max,avg,sum,first,last")
    day = "2026-03-01T"
    assert found == {
        "value": [
            {
                "Datastream": {"@iot.id": number_of(stream)},
                "phenomenonTime": f"{day}{start}:00:00Z/{day}{end}:00:00Z",
                **dict(zip(("count", "min", "max", "avg", "sum", "first", "last"), values, strict=True)),
            }
            for start, end, values in (
                (10, 11, (2, 1, 3, 2, 4, 3, 1)),
                (11, 12, (1, 5, 5, 5, 5, 5, 5)),
                (13, 14, (1, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5)),
            )
        ]
    }


def test_a_filter_says_what_takes_part(api: Api, stream: str) -> None:
    path = (
        f"Observations?bucket=P1D&aggregate=sum&$filter=Datastream/id eq {number_of(stream)} and result lt 4"
    )
    (one,) = api.read(path)["value"]
    assert one["sum"] == 6.5
    assert one["phenomenonTime"] == "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"


def test_pages_hold_every_bucket_once(api: Api) -> None:
    made = api.create("Things", thing(Datastreams=[]))
    assert made["@iot.id"]
    streams = []
    for _ in range(2):
        _, stream = _new_stream(api)
        fill(api, stream, *((f"2026-03-01T{hour:02}:30:00Z", hour) for hour in range(10)))
        streams.append(number_of(stream))
    chosen = f"$filter=Datastream/id in ({streams[0]},{streams[1]})"
    path = f"Observations?bucket=PT1H&aggregate=first&$top=3&{chosen}"
    seen: list[tuple[int, float]] = []
    pages = 0
    while path:
        page = api.read(path)
        assert len(page["value"]) <= 3
        seen += [(one["Datastream"]["@iot.id"], one["first"]) for one in page["value"]]
        path = page.get("@iot.nextLink", "")
        pages += 1
    assert seen == [(stream, hour) for stream in streams for hour in range(10)]
    assert pages == 7


def _new_stream(api: Api) -> tuple[str, str]:
    made = api.create("Things", thing())
    path = f"Things({made['@iot.id']})"
    return path, f"Datastreams({api.read(f'{path}/Datastreams?$select=id')['value'][0]['@iot.id']})"


@pytest.mark.parametrize(
    "path",
    [
        "Things?bucket=PT1H",
        "Observations(1)?bucket=PT1H",
        "Observations?bucket=P1.5",
        "Observations?bucket=PT0S",
        "Observations?bucket=-PT1H",
        "Observations?bucket=P99999999D",
        "Observations?bucket=PT1H&bucket=PT1H",
        "Observations?bucket=PT1H&aggregate=median",
        "Observations?bucket=PT1H&aggregate=",
        "Observations?aggregate=count",
        "Observations?bucket=PT1H&$orderby=id",
        "Observations?bucket=PT1H&$expand=Datastream",
        "Observations?bucket=PT1H&$filter=nothing eq 1",
        "Observations?bucket=PT1H&$skiptoken=W10",
        "Observations?bucket=PT1H&$skiptoken=WyIxIiwieCJd",
        "Observations?bucket=PT1H&$skiptoken=WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTkiLCIyMDI2LTAxLTAxIl0",
    ],
)
def test_what_cannot_be_asked_for_is_told(api: Api, path: str) -> None:
    assert api.refuse("GET", path)["status"] == 400


def test_buckets_below_a_missing_entity_are_missing(api: Api) -> None:
    assert api.refuse("GET", "Datastreams(9223372036854775807)/Observations?bucket=P1D")["status"] == 404


def test_numbers_too_large_to_be_added_up_have_no_sum(api: Api, new_thing: NewThing) -> None:
    _, stream = new_thing()
    day = "2026-04-01T"
    fill(api, stream, (f"{day}10:00:00Z", 1.7e308), (f"{day}10:01:00Z", 1.7e308), (f"{day}11:00:00Z", 4))

    found = api.read(f"{stream}/Observations?bucket=PT1H&aggregate=count,sum,avg,max")["value"]

    assert [one["count"] for one in found] == [2, 1]
    assert [one["sum"] for one in found] == [None, 4]
    assert [one["avg"] for one in found] == [None, 4]
    assert [one["max"] for one in found] == [1.7e308, 4]
