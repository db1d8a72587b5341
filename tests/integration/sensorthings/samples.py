"""What the tests of the service share: a client that checks statuses, and bodies of entities."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

Json = Any
"""What a JSON text holds; tests look into it freely."""

POINT = {"type": "Point", "coordinates": [13.05, 47.8]}


@dataclass(frozen=True)
class Api:
    """The service as a test sees it: paths in, parsed JSON out, unexpected statuses fail at once."""

    client: httpx2.Client
    root: str

    def send(self, method: str, path: str, body: Json = None, **more: Json) -> httpx2.Response:
        url = path if path.startswith("http") else f"{self.root}/{path}"
        return (
            self.client.request(method, url, json=body, **more)
            if body is not None
            else self.client.request(method, url, **more)
        )

    def read(self, path: str) -> Json:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, path: str, body: Json) -> Json:
        answer = self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def change(self, path: str, body: Json) -> Json:
        answer = self.send("PATCH", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delete(self, path: str) -> None:
        answer = self.send("DELETE", path)
        assert answer.status_code == 200, answer.text

    def refuse(self, method: str, path: str, body: Json = None, **more: Json) -> Json:
        answer = self.send(method, path, body, **more)
        assert 400 <= answer.status_code < 500 or answer.status_code == 501, (
            f"{answer.status_code} {answer.text}"
        )
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["code"]
        return problem

    def found(self, path: str, expression: str, key: str = "result") -> list[Json]:
        joint = "&" if "?" in path else "?"
        answer = self.read(f"{path}{joint}$orderby=id&$filter={quote(expression)}")
        return [entity[key] for entity in answer["value"]]


def datastream(name: str = "Air Temperature", **more: Json) -> dict[str, Json]:
    """A Datastream with Sensor and ObservedProperty inline."""
    return {
        "name": name,
        "description": "of the air",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": None},
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "Sensor": {"name": "S", "description": "s", "encodingType": "text/html", "metadata": "m"},
        "ObservedProperty": {"name": "Temperature", "definition": "http://x.org/t", "description": "t"},
    } | more


def location(name: str = "Salzburg", coordinates: list[float] | None = None) -> dict[str, Json]:
    """A Location, a point."""
    place = {"type": "Point", "coordinates": coordinates} if coordinates else POINT
    return {"name": name, "description": "a place", "encodingType": "application/geo+json", "location": place}


def thing(name: str = "Station", **more: Json) -> dict[str, Json]:
    """A Thing with a Location and a Datastream."""
    return {
        "name": name,
        "description": "a thing",
        "Locations": [location()],
        "Datastreams": [datastream()],
    } | more


def area_around(longitude: float, latitude: float) -> Json:
    """The observedArea of Observations at one place: a polygon, as everywhere."""
    return {"type": "Polygon", "coordinates": [[[longitude, latitude]] * 5]}
