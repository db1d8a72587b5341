"""What the sink does while Elasticsearch or its metadata is not there."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from setup.local.elasticsearch import LocalElasticsearch
from tests.integration.adapters.elasticsearch.indexing import Plant, observation


def _register(url: str, plant: Plant) -> None:
    """Make the plant's first Datastream, deep."""
    datastream = {
        "name": plant.name,
        "description": "",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "revolutions per minute", "symbol": "rpm", "definition": "x"},
        "ObservedProperty": {"name": "Rotation", "definition": "http://example.org/r", "description": ""},
        "Sensor": {
            "name": "Tacho",
            "description": "",
            "encodingType": "text/html",
            "metadata": "http://example.org",
        },
    }
    place = {"type": "Point", "coordinates": [13.0, 47.8]}
    thing = {
        "name": f"{plant.system}.Mill1",
        "description": "",
        "Locations": [
            {"name": "Hall", "description": "", "encodingType": "application/geo+json", "location": place}
        ],
        "Datastreams": [datastream],
    }
    httpx2.post(f"{url}/v1.1/Things", json=thing, timeout=60).raise_for_status()


def test_records_wait_for_metadata_that_is_late_and_what_stays_unknown_is_counted(
    plant: Plant, sensorthings_url: str
) -> None:
    plant.send(observation(1))
    patient = plant.start(DTWIN_SENSORTHINGS__URL=sensorthings_url, DTWIN_ELASTICSEARCH__GRACE_S="300")
    plant.wait(lambda: (p := plant.progress()) is not None and p.held == 1, "waiting for metadata")
    _register(sensorthings_url, plant)
    plant.wait_for_documents(1)
    patient.end(first_signal=signal.SIGTERM, timeout_s=60)
    plant.send(observation(2), key=f"{plant.system}.Mill2.Speed")
    plant.start(DTWIN_SENSORTHINGS__URL=sensorthings_url, DTWIN_ELASTICSEARCH__GRACE_S="1")
    plant.wait_for_documents(2)
    plant.wait(lambda: (p := plant.progress()) is not None and p.missing == 1, "one without metadata")
    plant.wait_for_the_end()
    found = {document["result"]: document for document in plant.documents()}
    known = found[1]
    assert (known["unit"], known["observed_property"], known["place"]) == ("rpm", "Rotation", "Hall")
    assert known["location"] == [13.0, 47.8]
    assert "unit" not in found[2]
    said = plant.progress()
    assert said is not None
    assert said.missing == 1


@pytest.mark.extended
@pytest.mark.slow
def test_elasticsearch_that_goes_away_stops_the_sink_and_costs_no_record(
    kafka_bootstrap: str, unique_system: Callable[[], str], tmp_path: Path
) -> None:
    node = LocalElasticsearch(tmp_path / "elasticsearch")
    node.start()
    try:
        node.wait_ready(120)
        plant = Plant(kafka_bootstrap, node.url, unique_system(), tmp_path)
        plant.fill(20_000)
        plant.start(DTWIN_ELASTICSEARCH__BULK_BYTES="500000")
        plant.wait_for_documents(1)
        node.kill()
        plant.fill(1_000)  # so that something is left to be indexed, however fast the sink was
        plant.wait(lambda: (p := plant.progress()) is not None and p.trouble is not None, "it says so")
        node.start()
        node.wait_ready(120)
        plant.wait_for_documents(21_000, 240)
        plant.wait_for_the_end()
        topic, index = plant.contents()
        assert index == topic
        said = plant.progress()
        assert said is not None
        assert said.trouble is None
        plant.end()
    finally:
        node.stop()


@pytest.mark.extended
@pytest.mark.slow
def test_a_sink_ends_when_asked_although_elasticsearch_never_answers(plant: Plant) -> None:
    plant.send(observation(1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sink = plant.start(DTWIN_ELASTICSEARCH__URL=address)
        connection, _ = silent.accept()
        os.kill(sink.pid, signal.SIGTERM)
        assert sink.wait_ended(50), "it waits for an answer"
        connection.close()
    plant.start()
    plant.wait_for_documents(1)
