"""A consumer's memory of metadata: asks seldom, never raises."""

import pytest

from client.metadata.catalogue import DatastreamCatalogue
from client.metadata.entities import (
    Datastream,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.testing import InMemorySensorThings


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> InMemorySensorThings:
    return InMemorySensorThings()


@pytest.fixture
def catalogue(server: InMemorySensorThings, clock: Clock) -> DatastreamCatalogue:
    return DatastreamCatalogue(server, clock, fresh_s=300, missing_s=10)


def register(server: InMemorySensorThings, description: str = "d") -> None:
    server.upsert(
        Datastream(
            "a.T.D",
            description,
            ObservationType.MEASUREMENT,
            UnitOfMeasurement(None, None, None),
            server.upsert(Thing("a.T", "d")),
            server.upsert(Sensor("a.S", "d", "text/plain", "m")),
            server.upsert(ObservedProperty("a.P", "d", "x")),
        )
    )
    server.requests.clear()


def test_a_known_datastream_is_asked_for_once_while_it_is_fresh(
    server: InMemorySensorThings, catalogue: DatastreamCatalogue, clock: Clock
) -> None:
    register(server)
    first = catalogue.find("a.T.D")
    assert first is not None
    assert first["name"] == "a.T.D"
    clock.now += 299
    assert catalogue.find("a.T.D") is first
    assert len(server.requests) == 1
    register(server, "changed")
    clock.now += 2
    changed = catalogue.find("a.T.D")
    assert changed is not None
    assert changed["description"] == "changed"


def test_an_unknown_datastream_is_asked_for_again_after_a_while(
    server: InMemorySensorThings, catalogue: DatastreamCatalogue, clock: Clock
) -> None:
    assert catalogue.find("a.T.D") is None
    register(server)
    clock.now += 9
    assert catalogue.find("a.T.D") is None
    assert server.requests == []
    clock.now += 2
    assert catalogue.find("a.T.D") is not None


def test_an_unavailable_service_is_left_alone_for_a_while_and_old_answers_serve(
    server: InMemorySensorThings, catalogue: DatastreamCatalogue, clock: Clock
) -> None:
    register(server)
    known = catalogue.find("a.T.D")
    server.is_available = False
    server.requests.clear()
    clock.now += 301
    assert catalogue.find("a.T.D") == known
    assert catalogue.find("a.T.Other") is None
    assert len(server.requests) == 1
    clock.now += 11
    server.is_available = True
    assert catalogue.find("a.T.D") is not None
    assert len(server.requests) == 2
