"""Units of what an app reads and Datastreams of what it computes, with SensorThings in memory."""

from collections.abc import Sequence

import pytest

from client.errors import UnavailableError
from client.metadata.entities import (
    Datastream,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.metadata.wire import JsonObject
from client.testing import InMemorySensorThings
from streamhub.errors import StreamAppError
from streamhub.outputs import read_units, register_outputs, source_things_of
from streamhub.query import Derivation, compile_statement

MILL = "at.srfg.Mill.M1"
TARGET = "at.srfg.Mill.Board"
POWER = (
    "SELECT 2 * PI() / 60 * l.result * r.result AS power UNIT 'W', TRUE AS always, "
    f"l.name AS word, coalesce(l.note, 'none') AS note FROM {MILL} AS l JOIN {MILL} AS r WITHIN 1 s "
    f"WHERE l.name = '{MILL}.Spindle.Speed' AND r.name = '{MILL}.Spindle.Torque'"
)


class SensorThings(InMemorySensorThings):
    """A service that can be searched; it ignores the condition, as some services do."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: list[str] = []

    def search(self, entities: str, condition: str, *, select: Sequence[str]) -> list[JsonObject]:
        self._note(f"search {entities}")
        self.conditions.append(condition)
        assert select
        return list(self.entities.get(entities, {}).values())

    def device(self, system: str, thing: str, **units: UnitOfMeasurement) -> None:
        """Register the Datastreams of a device."""
        thing_entity = self.upsert(Thing(f"{system}.{thing}", "A thing"))
        sensor = self.upsert(Sensor(f"{system}.sensor", "A sensor", "application/pdf", "https://example.com"))
        observed = self.upsert(ObservedProperty(f"{system}.property", "Any", "https://example.com"))
        for name, unit in units.items():
            full = f"{system}.{thing}.{name}"
            kind = ObservationType.MEASUREMENT
            self.upsert(Datastream(full, name, kind, unit, thing_entity, sensor, observed))


@pytest.fixture
def server() -> SensorThings:
    return SensorThings()


def compiled(statement: str) -> Derivation:
    found = compile_statement(statement)
    assert isinstance(found, Derivation)
    return found


def register(
    server: SensorThings, statement: str, name: str = "power", things: Sequence[str] = ()
) -> dict[str, int | str]:
    return register_outputs(
        server,
        app_name=name,
        app_id=f"{MILL}.{name}",
        target_system=TARGET,
        derivation=compiled(statement),
        source_things=things,
    )


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (UnitOfMeasurement("degree Celsius", "°C", "http://www.opengis.net/def/uom/UCUM/0/Cel"), "Cel"),
        (UnitOfMeasurement("degree Celsius", "°C", "ucum:Cel"), "Cel"),
        (UnitOfMeasurement("Fahrenheit", "°F", "http://www.opengis.net/def/uom/UCUM/0/%5BdegF%5D"), "[degF]"),
        (UnitOfMeasurement("turns", "rpm", "https://example.com/rpm"), "rpm"),
        (UnitOfMeasurement("newton metre", None, None), "newton metre"),
        (UnitOfMeasurement("", "", ""), None),
        (UnitOfMeasurement(None, None, None), None),
    ],
)
def test_the_unit_is_what_the_definition_tells_else_the_symbol_else_the_name(
    server: SensorThings, unit: UnitOfMeasurement, expected: str | None
) -> None:
    server.device(MILL, "Spindle", Speed=unit)
    assert read_units(server, [MILL]) == {f"{MILL}.Spindle.Speed": expected}


def test_units_of_several_systems_are_asked_for_at_once_and_those_of_others_left_out(
    server: SensorThings,
) -> None:
    unit = UnitOfMeasurement("metre", "m", None)
    for system in (MILL, f"{MILL}1", TARGET):
        server.device(system, "Thing", height=unit)
    server.requests.clear()
    assert sorted(read_units(server, [MILL, TARGET, MILL])) == [
        f"{TARGET}.Thing.height",
        f"{MILL}.Thing.height",
    ]
    assert server.requests == ["search Datastreams"]
    assert server.conditions == [f"startswith(name,'{MILL}.') or startswith(name,'{TARGET}.')"]


def test_no_system_needs_no_question(server: SensorThings) -> None:
    assert read_units(server, []) == {}
    assert server.requests == []


def test_a_service_that_is_down_is_an_error(server: SensorThings) -> None:
    server.is_available = False
    with pytest.raises(UnavailableError):
        read_units(server, [MILL])


def test_every_datastream_column_is_registered_with_its_unit_and_kind(server: SensorThings) -> None:
    ids = register(server, POWER)
    datastreams = server.entities["Datastreams"]
    assert ids == {name: datastream["@iot.id"] for name, datastream in datastreams.items()}
    prefix = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_"
    kinds = {
        name.removeprefix(f"{TARGET}.power."): str(datastream["observationType"]).removeprefix(prefix)
        for name, datastream in datastreams.items()
    }
    assert kinds == {"power": "Measurement", "always": "TruthObservation", "note": "Observation"}
    assert datastreams[f"{TARGET}.power.power"]["unitOfMeasurement"] == {
        "name": "watt",
        "symbol": "W",
        "definition": "http://www.opengis.net/def/uom/UCUM/0/W",
    }
    assert datastreams[f"{TARGET}.power.note"]["unitOfMeasurement"] == {
        "name": None,
        "symbol": None,
        "definition": None,
    }


def test_the_app_is_the_sensor_and_its_statement_the_metadata(server: SensorThings) -> None:
    register(server, POWER)
    (sensor,) = server.entities["Sensors"].values()
    assert (sensor["name"], sensor["encodingType"], sensor["metadata"]) == (
        f"stream app {MILL}.power",
        "text/plain",
        POWER,
    )


def test_registering_again_changes_no_id_and_makes_nothing_new(server: SensorThings) -> None:
    first = register(server, POWER)
    before = {entities: dict(known) for entities, known in server.entities.items()}
    assert register(server, POWER) == first
    assert server.entities == before


def test_what_is_registered_can_be_read_as_units_again(server: SensorThings) -> None:
    register(
        server, f"SELECT result AS warm UNIT '[degF]', -result AS cold FROM {MILL}", "t", [f"{MILL}.Oven"]
    )
    assert read_units(server, [TARGET]) == {f"{TARGET}.Oven.warm": "[degF]", f"{TARGET}.Oven.cold": None}


def test_things_of_the_source_are_kept_and_may_serve_several_apps_of_it(server: SensorThings) -> None:
    statement = f"SELECT result * 2 AS twice UNIT 'm' FROM {MILL}"
    things = [f"{MILL}.Oven", f"{MILL}.Press"]
    ids = register(server, statement, "double", things)
    assert list(ids) == [f"{TARGET}.Oven.twice", f"{TARGET}.Press.twice"]
    assert server.entities["Things"][f"{TARGET}.Oven"]["properties"] == {"streamSource": f"{MILL}.Oven"}
    more = register(server, statement.replace("twice", "again"), "another", things)
    assert list(more) == [f"{TARGET}.Oven.again", f"{TARGET}.Press.again"]


def test_no_known_thing_means_nothing_to_register_yet(server: SensorThings) -> None:
    assert register(server, f"SELECT result * 2 AS twice FROM {MILL}", "double") == {}
    assert server.entities == {}


def test_a_thing_of_a_device_is_refused_and_nothing_is_changed(server: SensorThings) -> None:
    server.device(TARGET, "power", load=UnitOfMeasurement("watt", "W", None))
    before = {entities: dict(known) for entities, known in server.entities.items()}
    with pytest.raises(StreamAppError, match=rf"Thing {TARGET}\.power is there already .* of a device"):
        register(server, POWER)
    assert server.entities == before


def test_a_datastream_of_another_app_is_refused_by_name(server: SensorThings) -> None:
    statement = f"SELECT result * 2 AS twice FROM {MILL}"
    register(server, statement, "first", [f"{MILL}.Oven"])
    with pytest.raises(StreamAppError, match=rf"Datastream {TARGET}\.Oven\.twice .* of {MILL}\.first"):
        register(server, statement, "second", [f"{MILL}.Oven"])
    assert f"stream app {MILL}.second" not in server.entities["Sensors"]


def test_names_with_quotes_are_asked_for_as_odata_wants_them(server: SensorThings) -> None:
    register(server, f'SELECT result * 2 AS "it\'s" FROM {MILL}', "quoted", [f"{MILL}.Oven"])
    assert server.conditions[-1] == f"name eq '{TARGET}.Oven.it''s'"


def test_many_names_are_asked_for_in_portions(server: SensorThings) -> None:
    things = [f"{MILL}.Oven{number}" for number in range(45)]
    assert len(register(server, f"SELECT result * 2 AS twice FROM {MILL}", "many", things)) == 45
    assert [condition.count("name eq") for condition in server.conditions] == [20, 20, 5] * 2


def test_only_things_that_the_condition_lets_through_are_sources() -> None:
    derivation = compiled(f"SELECT result * 2 AS twice FROM {MILL} WHERE thing <> 'Press' AND result > 3")
    names = [
        f"{MILL}.Oven.a",
        f"{MILL}.Press.a",
        f"{MILL}.nothing",
        f"{MILL}.Oven.b",
        f"{TARGET}.Oven.a",
        f"{MILL}.Saw.a",
    ]
    assert source_things_of(derivation, names) == [f"{MILL}.Oven", f"{MILL}.Saw"]
