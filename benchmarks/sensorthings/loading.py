"""What is in the service while it is measured: Things, Datastreams, and as many Observations as asked for."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2

from benchmarks.sensorthings.scenarios import Catalogue, moment, thing_name

THINGS: Final = 20
DATASTREAMS: Final = 5
"""Of each Thing."""
_ROWS: Final = 2000  # rows of one request
_TIMEOUT_S: Final = 120.0
Json = dict[str, Any]


def load(host: str, observations: int) -> Catalogue:
    """Create everything over HTTP.

    Args:
        host: `127.0.0.1:PORT`.
        observations: How many Observations, over all Datastreams.
    """
    with httpx2.Client(base_url=f"http://{host}/v1.1/", timeout=_TIMEOUT_S) as client:
        things = [_create(client, place) for place in range(THINGS)]
        streams = [
            one["@iot.id"]
            for thing in things
            for one in client.get(f"Things({thing})/Datastreams?$select=id&$orderby=id").json()["value"]
        ]
        each = max(1, observations // len(streams))
        for body in _data_arrays(streams, each):
            answer = client.post("CreateObservations", json=body)
            if answer.status_code != httpx2.codes.CREATED or '"error' in answer.text:
                raise SystemExit(f"CreateObservations failed: {answer.status_code} {answer.text[:300]}")
    return Catalogue(host, tuple(things), tuple(streams), each)


def _create(client: httpx2.Client, place: int) -> int:
    answer = client.post("Things", json=_thing(place))
    if answer.status_code != httpx2.codes.CREATED:
        raise SystemExit(f"POST Things failed: {answer.status_code} {answer.text[:300]}")
    identifier: int = answer.json()["@iot.id"]
    return identifier


def _thing(place: int) -> Json:
    return {
        "name": thing_name(place),
        "description": "a station of the benchmark",
        "properties": {"floor": place % 4, "owner": {"name": "bench"}},
        "Locations": [
            {
                "name": f"place {place}",
                "description": "where it stands",
                "encodingType": "application/geo+json",
                "location": {"type": "Point", "coordinates": [13.0 + place / 100, 47.8]},
            }
        ],
        "Datastreams": [_datastream(place, number) for number in range(DATASTREAMS)],
    }


def _datastream(place: int, number: int) -> Json:
    name = f"{thing_name(place)}.quantity {number}"
    return {
        "name": name,
        "description": "a quantity of the benchmark",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "http://x.org/Cel"},
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "properties": {"rank": number},
        "Sensor": {
            "name": f"sensor of {name}",
            "description": "measures",
            "encodingType": "application/pdf",
            "metadata": "http://x.org/sensor.pdf",
        },
        "ObservedProperty": {
            "name": f"property {number}",
            "definition": f"http://x.org/property/{number}",
            "description": "what is measured",
        },
    }


def _data_arrays(streams: list[int], each: int) -> Iterator[list[Json]]:
    """Several Datastreams a request, so that one request has about as many rows however few each has."""
    groups: list[Json] = []
    waiting = 0
    for stream in streams:
        for begin in range(0, each, _ROWS):
            rows = [[moment(place), _value(place)] for place in range(begin, min(each, begin + _ROWS))]
            components = ["phenomenonTime", "result"]
            groups.append({"Datastream": {"@iot.id": stream}, "components": components, "dataArray": rows})
            waiting += len(rows)
            if waiting >= _ROWS:
                yield groups
                groups, waiting = [], 0
    if groups:
        yield groups


def _value(place: int) -> float:
    return round(place * 37 % 1000 / 10, 1)  # 0.0 to 99.9, half of them above 50
