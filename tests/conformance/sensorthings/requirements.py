"""What the tests of the requirements share: entities as clients send them, and pages to their end."""

from urllib.parse import quote

from tests.integration.sensorthings.samples import Api, Json, datastream, thing

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
SETS = {
    "Things": ("Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams"),
    "Locations": ("Things", "HistoricalLocations"),
    "HistoricalLocations": ("Thing", "Locations"),
    "Datastreams": ("Thing", "Sensor", "ObservedProperty", "Observations"),
    "MultiDatastreams": ("Thing", "Sensor", "ObservedProperties", "Observations"),
    "Sensors": ("Datastreams", "MultiDatastreams"),
    "ObservedProperties": ("Datastreams", "MultiDatastreams"),
    "Observations": ("Datastream", "MultiDatastream", "FeatureOfInterest"),
    "FeaturesOfInterest": ("Observations",),
}
"""Every entity set and the relations of its entities."""
_PAGES_LIMIT = 400


def sensor(name: str = "S", **more: Json) -> dict[str, Json]:
    """A Sensor."""
    return {"name": name, "description": "s", "encodingType": "application/pdf", "metadata": "m"} | more


def observed_property(name: str = "P", **more: Json) -> dict[str, Json]:
    """An ObservedProperty."""
    return {"name": name, "definition": f"http://x.org/{quote(name)}", "description": "p"} | more


def feature(name: str = "F", geometry: Json = None, **more: Json) -> dict[str, Json]:
    """A FeatureOfInterest, a point unless told."""
    return {
        "name": name,
        "description": "f",
        "encodingType": "application/geo+json",
        "feature": geometry or {"type": "Point", "coordinates": [1.0, 2.0]},
    } | more


def observation(result: Json, second: int = 0, **more: Json) -> dict[str, Json]:
    """An Observation, so many seconds after the beginning of 2020."""
    minutes, seconds = divmod(second, 60)
    return {"result": result, "phenomenonTime": f"2020-01-01T00:{minutes:02}:{seconds:02}Z"} | more


def stream_of(api: Api, *observations: Json, thing_name: str = "Station", **more: Json) -> str:
    """Make a Thing with one Datastream and its Observations; the path of the Datastream."""
    body = thing(thing_name, Datastreams=[datastream(Observations=list(observations), **more)])
    made = api.create("Things", body)
    (stream,) = api.read(f"Things({made['@iot.id']})/Datastreams?$select=id")["value"]
    return f"Datastreams({stream['@iot.id']})"


def path_of(entity: Json, set_name: str) -> str:
    """The path of an entity."""
    return f"{set_name}({entity['@iot.id']})"


def pages(api: Api, path: str) -> list[list[Json]]:
    """Follow the next links from a path to the end; the rows of each page."""
    found: list[list[Json]] = []
    url: str | None = path
    while url is not None:
        page = api.read(url)
        found.append(page["value"])
        url = page.get("@iot.nextLink")
        assert len(found) < _PAGES_LIMIT, f"{path} never ends"
        assert url is None or page["value"], "only the last page may be empty"
    return found


def all_rows(api: Api, path: str) -> list[Json]:
    """All rows of all pages."""
    return [row for page in pages(api, path) for row in page]


def count_of(api: Api, path: str) -> int:
    """How many entities a set has."""
    counted = api.read(f"{path}{'&' if '?' in path else '?'}$count=true&$top=0")["@iot.count"]
    assert isinstance(counted, int)
    return counted
