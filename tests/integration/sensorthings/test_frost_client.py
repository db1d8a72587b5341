"""FROST's Python client, written by others against another server, works with every entity type here."""

from collections.abc import Callable
from typing import Any

import frost_sta_client as fsc
import pytest
import requests

pytestmark = pytest.mark.filterwarnings("ignore:furl.pathstr:DeprecationWarning")
OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
POINT = {"type": "Point", "coordinates": [13.05, 47.8]}
Entity = Any
"""An entity of the client, which has no types."""


@pytest.fixture(scope="module")
def service(sensorthings_url: str) -> Entity:
    return fsc.SensorThingsService(f"{sensorthings_url}/v1.1")


def location(name: str = "L") -> Entity:
    return fsc.Location(name=name, description="d", location=POINT, encoding_type="application/geo+json")


def sensor(name: str = "S") -> Entity:
    return fsc.Sensor(name=name, description="d", encoding_type="application/pdf", metadata="m")


def observed_property(name: str = "P") -> Entity:
    return fsc.ObservedProperty(name=name, definition="http://x.org/p", description="d")


class Units(list[Entity]):
    """Units of a MultiDatastream; the client asks a list for its state, and a plain one has none."""

    def __getstate__(self) -> object:
        return [one.__getstate__() for one in self]


def unit(name: str) -> Entity:
    return fsc.UnitOfMeasurement(name=name, symbol=name, definition="http://x.org/u")


@pytest.fixture
def thing(service: Entity) -> Entity:
    made = fsc.Thing(name="T", description="d", properties={"a": 1}, locations=[location()])
    service.create(made)
    return made


@pytest.fixture
def stream(service: Entity, thing: Entity) -> Entity:
    made = fsc.Datastream(
        name="D",
        description="d",
        observation_type=f"{OM}OM_Measurement",
        unit_of_measurement=unit("kelvin"),
        properties={"rank": 1},
        thing=fsc.Thing(id=thing.id),
        sensor=sensor(),
        observed_property=observed_property(),
    )
    service.create(made)
    return made


@pytest.fixture
def multi_stream(service: Entity, thing: Entity) -> Entity:
    made = fsc.MultiDatastream(
        name="M",
        description="d",
        observation_type=f"{OM}OM_ComplexObservation",
        multi_observation_data_types=[f"{OM}OM_Measurement"] * 2,
        unit_of_measurements=Units([unit("metre"), unit("degree")]),
        thing=fsc.Thing(id=thing.id),
        sensor=sensor(),
        observed_properties=[observed_property("speed"), observed_property("direction")],
    )
    service.create(made)
    return made


def observation(second: int, result: object, **more: Entity) -> Entity:
    return fsc.Observation(phenomenon_time=f"2020-01-01T00:00:{second:02}+00:00", result=result, **more)


MAKERS: dict[str, tuple[Callable[[], Entity], str]] = {
    "things": (lambda: fsc.Thing(name="plain", description="d", properties={"x": [1]}), "name"),
    "locations": (location, "name"),
    "sensors": (sensor, "metadata"),
    "observed_properties": (observed_property, "definition"),
    "features_of_interest": (
        lambda: fsc.FeatureOfInterest(
            name="F", description="d", encoding_type="application/geo+json", feature=POINT
        ),
        "description",
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_client_creates_reads_updates_and_deletes(service: Entity, kind: str) -> None:
    make, attribute = MAKERS[kind]
    entities = getattr(service, kind)()
    made = make()

    service.create(made)
    read = entities.find(made.id)
    assert getattr(read, attribute) == getattr(make(), attribute)
    setattr(read, attribute, "http://x.org/changed")
    service.update(read)
    assert getattr(entities.find(made.id), attribute) == "http://x.org/changed"
    service.patch(read, [{"op": "replace", "path": f"/{attribute}", "value": "http://x.org/patched"}])
    assert getattr(entities.find(made.id), attribute) == "http://x.org/patched"

    service.delete(read)

    with pytest.raises(requests.exceptions.HTTPError, match="404"):
        entities.find(made.id)


def test_client_handles_datastreams(service: Entity, stream: Entity) -> None:
    read = service.datastreams().find(stream.id)
    assert read.unit_of_measurement.name == "kelvin"
    assert read.properties == {"rank": 1}

    read.name = "renamed"
    service.update(read)
    service.patch(read, [{"op": "add", "path": "/properties/new", "value": True}])

    read = service.datastreams().find(stream.id)
    assert (read.name, read.properties) == ("renamed", {"rank": 1, "new": True})
    service.delete(read)
    with pytest.raises(requests.exceptions.HTTPError, match="404"):
        service.datastreams().find(stream.id)


def test_client_handles_multi_datastreams(service: Entity, multi_stream: Entity) -> None:
    read = service.multi_datastreams().find(multi_stream.id)
    assert [one["name"] for one in read.unit_of_measurements] == ["metre", "degree"]
    assert [one.name for one in read.get_observed_properties().query().list()] == ["speed", "direction"]

    for second, place in enumerate((POINT, {"type": "Point", "coordinates": [14.0, 48.0]})):
        feature = fsc.FeatureOfInterest(
            name="F", description="d", encoding_type="application/geo+json", feature=place
        )
        link = fsc.MultiDatastream(id=multi_stream.id)
        service.create(observation(second, [second, 2], multi_datastream=link, feature_of_interest=feature))
    service.patch(read, [{"op": "replace", "path": "/description", "value": "changed"}])

    read = service.multi_datastreams().find(multi_stream.id)
    assert read.description == "changed"
    assert [one.result for one in read.get_observations().query().list()] == [[0, 2], [1, 2]]
    service.delete(read)
    with pytest.raises(requests.exceptions.HTTPError, match="404"):
        service.multi_datastreams().find(multi_stream.id)


def test_client_handles_historical_locations(service: Entity, thing: Entity) -> None:
    (made,) = service.historical_locations().query().filter(f"Thing/id eq {thing.id}").list()

    made.time = "2001-01-01T00:00:00+00:00"
    service.patch(made, [{"op": "replace", "path": "/time", "value": made.time}])

    read = (
        service.historical_locations()
        .query()
        .filter(f"Thing/id eq {thing.id}")
        .expand("Locations")
        .list()
        .get(0)
    )
    assert read.time.startswith("2001-01-01T00:00:00")
    assert read.locations.get(0).name == "L"
    service.delete(read)
    assert len(service.historical_locations().query().filter(f"Thing/id eq {thing.id}").list().entities) == 0


@pytest.mark.parametrize("result", [0, 1.5, "text", True, [1, "a"], {"a": {"b": 1}}], ids=repr)
def test_client_handles_observations(service: Entity, stream: Entity, result: object) -> None:
    made = observation(0, result, datastream=fsc.Datastream(id=stream.id), parameters={"p": 1})

    service.create(made)

    read = service.observations().find(made.id)
    assert (read.result, read.parameters) == (result, {"p": 1})
    read.result = "changed"
    service.update(read)
    assert service.observations().find(made.id).result == "changed"
    service.delete(read)
    assert len(stream_observations(service, stream)) == 0


def stream_observations(service: Entity, stream: Entity, page: int = 100) -> list[Entity]:
    query = service.datastreams().find(stream.id).get_observations().query()
    return list(query.orderby("phenomenonTime", "ASC").top(page).list())


def test_client_creates_data_arrays_and_pages_through_them(service: Entity, stream: Entity) -> None:
    rows = fsc.DataArrayValue()
    properties = fsc.DataArrayValue.Property
    rows.components = {properties.PHENOMENON_TIME, properties.RESULT}
    rows.datastream = fsc.Datastream(id=stream.id)
    for second in range(25):
        rows.add_observation(observation(second, second))
    document = fsc.DataArrayDocument()
    document.add_data_array_value(rows)

    made = service.observations().create(document)

    assert len(made) == 25
    assert all(one.self_link.startswith("http") for one in made)
    assert [one.result for one in stream_observations(service, stream, page=4)] == list(range(25))
    counted = (
        service.observations()
        .query()
        .filter(f"Datastream/id eq {stream.id} and result gt 19")
        .count()
        .top(2)
        .list()
    )
    assert counted.count == 5


PAGED = ["things", "locations", "historical_locations", "datastreams", "multi_datastreams", "sensors"]


@pytest.mark.parametrize("kind", [*PAGED, "observed_properties", "features_of_interest", "observations"])
def test_client_pages_through_every_set(
    service: Entity, stream: Entity, multi_stream: Entity, kind: str
) -> None:
    for second in range(3):
        service.create(fsc.Thing(name=f"paged {second}", description="d", locations=[location()]))
        service.create(observation(second, second, datastream=fsc.Datastream(id=stream.id)))
        service.create(sensor(f"paged {second}"))
        service.create(observed_property(f"paged {second}"))

    def query() -> Entity:
        return getattr(service, kind)().query().filter("id gt 0").orderby("id")

    total = query().count().top(0).list().count
    found = [one.id for one in query().top(total // 3 + 1).list()]

    assert len(found) == len(set(found)) == total > 0
    assert found == sorted(found, reverse=True)


def test_client_expands_and_selects(service: Entity, stream: Entity) -> None:
    service.create(observation(7, 7, datastream=fsc.Datastream(id=stream.id)))

    (read,) = (
        service.datastreams()
        .query()
        .filter(f"id eq {stream.id}")
        .expand(
            "Thing($expand=Locations),Sensor,ObservedProperty,Observations($top=1;$expand=FeatureOfInterest)"
        )
        .list()
    )

    assert read.thing.locations.get(0).name == "L"
    assert (read.sensor.name, read.observed_property.name) == ("S", "P")
    assert read.observations.get(0).feature_of_interest.feature == POINT
