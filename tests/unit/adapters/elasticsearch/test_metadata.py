"""Metadata of Datastreams: asked for once, fresh after a while, never in the way."""

from typing import Any

import pytest

from adapters.elasticsearch.documents import StreamMetadata
from adapters.elasticsearch.metadata import MetadataCache, read_metadata
from client.errors import UnavailableError
from tests.unit.adapters.records import NAME, SYSTEM

TOPIC = f"{SYSTEM}.int"
POINT = {"type": "Point", "coordinates": [14.4, 50.1, 200]}


def entity(name: str = NAME, symbol: str = "km/h", location: object = POINT) -> dict[str, Any]:
    return {
        "name": name,
        "unitOfMeasurement": {"name": "kilometre per hour", "symbol": symbol, "definition": "x"},
        "ObservedProperty": {"name": "Speed"},
        "Thing": {"name": f"{SYSTEM}.Main", "Locations": [{"name": "Prague", "location": location}]},
    }


class FakeSensorThings:
    def __init__(self, *entities: dict[str, Any]) -> None:
        self.entities = list(entities)
        self.asked: list[str] = []
        self.is_away = False

    def search(
        self, entities: str, condition: str, *, select: tuple[str, ...], expand: str | None = None
    ) -> list[dict[str, Any]]:
        assert entities == "Datastreams"
        assert "Locations" in (expand or "")
        assert "name" in select
        self.asked.append(condition)
        if self.is_away:
            raise UnavailableError("away")
        return self.entities


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_documents_carry_is_read() -> None:
    assert read_metadata(entity()) == StreamMetadata("km/h", "Speed", "Prague", (14.4, 50.1))


@pytest.mark.parametrize(
    ("location", "point"),
    [
        ({"type": "Feature", "geometry": POINT}, (14.4, 50.1)),
        ({"type": "Point", "coordinates": [14.4, 91]}, None),
        ({"type": "Point", "coordinates": [181.0, 0]}, None),
        ({"type": "Point", "coordinates": [1]}, None),
        ({"type": "Point", "coordinates": [True, 1]}, None),
        ({"type": "Polygon", "coordinates": [[[1, 2]]]}, None),
        (None, None),
        ("here", None),
    ],
)
def test_only_a_point_on_earth_is_a_location(location: object, point: object) -> None:
    assert read_metadata(entity(location=location)).location == point


def test_a_datastream_with_nothing_around_it_has_no_metadata() -> None:
    assert read_metadata({"name": NAME}) == StreamMetadata()
    assert read_metadata(entity(symbol="")).unit == "kilometre per hour"


def test_one_question_serves_all_datastreams_of_a_system() -> None:
    server = FakeSensorThings(entity(), entity(f"{SYSTEM}.Main.Fuel", "l"))
    cache = MetadataCache(server, Clock())
    assert not cache.tail(TOPIC, NAME, SYSTEM).is_known
    cache.refresh_when_due()
    assert b'"unit":"km/h"' in cache.tail(TOPIC, NAME, SYSTEM).text
    assert b'"unit":"l"' in cache.tail(TOPIC, f"{SYSTEM}.Main.Fuel", SYSTEM).text
    assert cache.tail(TOPIC, NAME, SYSTEM).is_known
    assert server.asked == [f"startswith(name,'{SYSTEM}.')"]


def test_an_unknown_datastream_still_has_what_its_name_says() -> None:
    tail = MetadataCache(FakeSensorThings()).tail(TOPIC, NAME, SYSTEM)
    assert not tail.is_known
    assert b'"thing":"Main"' in tail.text
    assert MetadataCache(None).tail(TOPIC, NAME, SYSTEM).text == tail.text


def test_what_is_unknown_is_asked_for_again_sooner_than_what_is_known() -> None:
    server, clock = FakeSensorThings(), Clock()
    cache = MetadataCache(server, clock)
    cache.tail(TOPIC, NAME, SYSTEM)
    cache.refresh_when_due()
    server.entities = [entity()]
    clock.now = 9.0
    cache.refresh_when_due()
    assert not cache.tail(TOPIC, NAME, SYSTEM).is_known
    clock.now = 10.0
    cache.refresh_when_due()
    assert cache.tail(TOPIC, NAME, SYSTEM).is_known
    server.entities = [entity(symbol="mph")]
    clock.now = 69.0
    cache.refresh_when_due()
    assert b'"km/h"' in cache.tail(TOPIC, NAME, SYSTEM).text
    clock.now = 70.0
    cache.refresh_when_due()
    assert b'"mph"' in cache.tail(TOPIC, NAME, SYSTEM).text


def test_an_outage_of_sensorthings_keeps_what_was_known() -> None:
    server, clock = FakeSensorThings(entity()), Clock()
    cache = MetadataCache(server, clock)
    cache.tail(TOPIC, NAME, SYSTEM)
    cache.refresh_when_due()
    server.is_away = True
    clock.now = 100.0
    cache.refresh_when_due()
    assert cache.tail(TOPIC, NAME, SYSTEM).is_known
    server.is_away, server.entities = False, []
    clock.now = 200.0
    cache.refresh_when_due()
    assert not cache.tail(TOPIC, NAME, SYSTEM).is_known


def test_an_outage_at_the_start_is_told_once_and_asked_about_again_after_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, clock = FakeSensorThings(entity()), Clock()
    server.is_away = True
    cache = MetadataCache(server, clock)
    for name in (NAME, f"{SYSTEM}.Main.Fuel", NAME):
        assert not cache.tail(TOPIC, name, SYSTEM).is_known
        cache.refresh_when_due()
    assert len(server.asked) == 1
    clock.now = 10.0
    cache.refresh_when_due()
    assert len(server.asked) == 2
    assert caplog.text.count("not available") == 1


def test_records_may_wait_once_for_a_datastream_that_is_asked_for_by_its_name() -> None:
    server, clock = FakeSensorThings(), Clock()
    cache = MetadataCache(server, clock, grace_s=5.0)
    assert cache.tail(TOPIC, NAME, SYSTEM).waits_until == 5.0
    cache.refresh_when_due()
    cache.refresh_when_due()
    assert server.asked == [f"startswith(name,'{SYSTEM}.')", f"name eq '{NAME}'"]
    clock.now = 4.0
    assert cache.tail(TOPIC, NAME, SYSTEM).waits_until == 5.0
    server.entities = [entity()]
    cache.refresh_when_due()
    assert cache.tail(TOPIC, NAME, SYSTEM).is_known
    asked = len(server.asked)
    cache.refresh_when_due()
    assert len(server.asked) == asked


def test_a_datastream_that_stays_unknown_is_asked_for_now_and_then_only() -> None:
    server, clock = FakeSensorThings(), Clock()
    cache = MetadataCache(server, clock, grace_s=5.0)
    for tenth in range(1000):
        clock.now = tenth / 10
        assert cache.tail(TOPIC, NAME, SYSTEM).waits_until == 5.0
        if clock.now >= 5.0:
            cache.refresh_when_due()
    assert 8 <= len(server.asked) <= 11


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("", FakeSensorThings()),
        (NAME, None),
        (f"{SYSTEM}.Main.{'x' * 33_000}", FakeSensorThings()),
        (f"{SYSTEM}.Main.tab\tnul\0", FakeSensorThings()),
        ("no name of a Datastream", FakeSensorThings()),
    ],
)
def test_nothing_is_waited_for_that_nobody_can_tell(name: str, server: FakeSensorThings | None) -> None:
    assert MetadataCache(server, Clock(), grace_s=5.0).tail(TOPIC, name, SYSTEM).waits_until == 0.0


def test_quotes_in_names_do_not_leave_the_condition() -> None:
    server = FakeSensorThings()
    cache = MetadataCache(server, Clock(), grace_s=5.0)
    cache.tail(TOPIC, f"{SYSTEM}.T.x' or name ne '", SYSTEM)
    cache.refresh_when_due()
    cache.refresh_when_due()
    assert server.asked[1] == f"name eq '{SYSTEM}.T.x" + 2 * "'" + " or name ne " + 3 * "'"


def test_what_no_document_can_carry_does_not_come_into_one() -> None:
    found = read_metadata(entity(symbol="\ud83d", location={"type": "Point", "coordinates": [10**400, 1]}))
    assert (found.unit, found.location) == ("?", None)
    nowhere = {"type": "Point", "coordinates": [float("nan"), 1.0]}
    assert read_metadata(entity(location=nowhere)).location is None
