"""`app run` with a join: units looked up, outputs registered, results with the ids of their Datastreams."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from client.messaging.records import partition_for
from client.metadata.entities import (
    Datastream,
    ObservationType,
    ObservedProperty,
    Sensor,
    Thing,
    UnitOfMeasurement,
)
from client.metadata.server import SensorThingsServer
from tests.integration.streamhub.flows import Flow, eventually
from tests.kafka_clients import connection

PARTITIONS = 3
POWER = (
    "SELECT 2 * PI() / 60 * l.result * r.result AS power UNIT 'W' FROM {system} AS l JOIN {system} AS r "
    "WITHIN 1 s ON l.thing = r.thing WHERE l.name LIKE '%.Speed' AND r.name LIKE '%.Torque' TIME MEAN"
)


def register(url: str, name: str, unit: str) -> None:
    """Register a Datastream with its Thing, as a device does."""
    server = SensorThingsServer(url)
    thing = server.upsert(Thing(name.rpartition(".")[0], "a spindle", {}))
    sensor = server.upsert(Sensor(f"sensor of {name}", "a sensor", "text/plain", "none", {}))
    seen = server.upsert(ObservedProperty(name, name, f"urn:test:{name}", {}))
    measured = UnitOfMeasurement(unit, unit, f"http://www.opengis.net/def/uom/UCUM/0/{unit}")
    server.upsert(
        Datastream(
            name=name,
            description=name,
            observation_type=ObservationType.MEASUREMENT,
            unit_of_measurement=measured,
            thing=thing,
            sensor=sensor,
            observed_property=seen,
            properties={},
        )
    )
    server.close()


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(sensorthings_url: str, tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(flow: Flow, *, url: str | None = sensorthings_url) -> subprocess.Popen[bytes]:
        with (tmp_path / "app.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "streamhub", "app", "run", "--stream-name", "power"),
                        *("--source-system", str(flow.source), "--target-system", str(flow.target)),
                        *("--filter-logic", POWER.format(system=flow.source)),
                        *("--bootstrap-server", flow.bootstrap),
                        *(() if url is None else ("--sensorthings-url", url)),
                    ],
                    stderr=log,
                )
            )
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(20)


def send(flow: Flow) -> None:
    """Produce as devices do: the Thing chooses the partition."""
    producer = Producer(connection(flow.bootstrap))
    for quantity, time, result in (
        ("Speed", "2026-01-02T03:00:00Z", 1200),
        ("Torque", "2026-01-02T03:00:00.400Z", 2.5),
    ):
        value = {"phenomenonTime": time, "result": result}
        name = f"{flow.source}.Spindle.{quantity}"
        place = partition_for(name, PARTITIONS)
        producer.produce(flow.source.topics.internal, json.dumps(value).encode(), name.encode(), place)
    assert producer.flush(30) == 0


def test_the_power_of_a_spindle_arrives_with_its_datastream(
    new_flow: Callable[..., Flow], start: Start, sensorthings_url: str, tmp_path: Path
) -> None:
    flow = new_flow(PARTITIONS)
    register(sensorthings_url, f"{flow.source}.Spindle.Speed", "1/min")
    register(sensorthings_url, f"{flow.source}.Spindle.Torque", "N.m")
    app = start(flow)
    send(flow)

    def received() -> object:
        assert app.poll() is None, (tmp_path / "app.log").read_text()
        return flow.received()

    eventually(received, 120, "a result")
    (record,) = flow.received()
    assert (record.key or b"").decode() == f"{flow.target}.Spindle.power"
    value = json.loads(record.value or b"")
    assert value["result"] == pytest.approx(314.159265)
    assert value["phenomenonTime"] == "2026-01-02T03:00:00.200000Z"
    server = SensorThingsServer(sensorthings_url)
    found = server.datastream(f"{flow.target}.Spindle.power")
    server.close()
    assert found is not None
    assert value["Datastream"] == {"@iot.id": found["@iot.id"]}
    unit = found["unitOfMeasurement"]
    assert isinstance(unit, dict)
    assert unit["symbol"] == "W"


def test_units_that_do_not_fit_are_refused_before_anything_runs(
    new_flow: Callable[..., Flow], start: Start, sensorthings_url: str, tmp_path: Path
) -> None:
    flow = new_flow()
    register(sensorthings_url, f"{flow.source}.Spindle.Speed", "Cel")
    register(sensorthings_url, f"{flow.source}.Spindle.Torque", "N.m")
    assert start(flow).wait(120) == 2
    assert "error: line 1, column " in (tmp_path / "app.log").read_text()
