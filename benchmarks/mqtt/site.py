"""One system behind a Mosquitto: its Datastreams, its topics, its bridge, which may be killed."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx2
from confluent_kafka import Message

from adapters.mqtt.progress import read_figures
from benchmarks.measuring.topics import create_topic, read_committed
from client.messaging.topics import SystemName
from setup.local.processes import ProcessIdentity, log_tail, start_process
from streamhub.engine.progress import AppProgress, read_progress
from tests.mosquitto import Mosquitto

_TYPE: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
_ROOT: Final = Path(__file__).parents[2]


class MqttSite:
    """What a bridge needs around it, and the bridge.

    Args:
        bootstrap: Address of Kafka, to which the environment's certificate gives every right.
        sensorthings: Address of the SensorThings service, where everybody may write.
        mosquitto: The MQTT broker, running.
        system: Name of the system.
        folder: Where the bridge remembers, and writes its log and progress.
    """

    def __init__(
        self, bootstrap: str, sensorthings: str, mosquitto: Mosquitto, system: str, folder: Path
    ) -> None:
        self.bootstrap = bootstrap
        self.sensorthings = sensorthings
        self.mosquitto = mosquitto
        self.system = system
        self.topics = SystemName.parse(system).topics
        self.folder = folder
        self._bridges: list[ProcessIdentity] = []
        self._files = mosquitto.identity("bridge")
        for topic, partitions in zip(self.topics.all(), (3, 1, 1, 1), strict=True):
            create_topic(bootstrap, topic, partitions)

    def register(self, thing: str, datastreams: Mapping[str, str]) -> Mapping[str, int]:
        """Register a Thing with Datastreams, by name and observationType; give their ids by full name."""
        full = f"{self.system}.{thing}"
        unit = {"name": "one", "symbol": "1", "definition": "1"}
        entity = {
            "name": full,
            "description": "a device",
            "Datastreams": [
                {
                    "name": f"{full}.{name}",
                    "description": "what it tells",
                    "observationType": f"{_TYPE}{kind}",
                    "unitOfMeasurement": unit,
                    "ObservedProperty": {"name": f"{full}.{name}", "definition": "x:y", "description": "-"},
                    "Sensor": {
                        "name": f"{full}.{name}",
                        "description": "-",
                        "encodingType": "text/html",
                        "metadata": "-",
                    },
                }
                for name, kind in datastreams.items()
            ],
        }
        httpx2.post(f"{self.sensorthings}/v1.1/Things", json=entity, timeout=30).raise_for_status()
        return {f"{full}.{name}": self.datastream_id(f"{full}.{name}") for name in datastreams}

    def datastream_id(self, name: str) -> int:
        """Ask for the id of a Datastream."""
        answer = httpx2.get(
            f"{self.sensorthings}/v1.1/Datastreams", params={"$filter": f"name eq '{name}'"}, timeout=30
        )
        return int(answer.json()["value"][0]["@iot.id"])

    @property
    def log_file(self) -> Path:
        """Where the bridge's output goes."""
        return self.folder / "bridge.log"

    @property
    def progress_file(self) -> Path:
        """Where the bridge writes its progress."""
        return self.folder / "progress.json"

    def start(self, *arguments: str, bootstrap: str | None = None, **settings: str) -> ProcessIdentity:
        """Start a bridge; settings by their names after `DTWIN_MQTT__`, in lower case."""
        certificate, key = self._files
        given = {
            "url": self.mosquitto.url,
            "ca_file": str(self.mosquitto.ca_file),
            "certificate_file": str(certificate),
            "key_file": str(key),
            "folder": str(self.folder / "remembered"),
            "progress_file": str(self.progress_file),
            "client_id": f"bridge-{self.system}",
            "system": self.system,
            "client": "gateway",
        } | settings
        process = start_process(
            [sys.executable, "-m", "adapters.mqtt", "run", *(arguments or ("--no-buffer",))],
            log_file=self.log_file,
            environment=os.environ
            | {
                "DTWIN_KAFKA__BOOTSTRAP_SERVERS": bootstrap or self.bootstrap,
                "DTWIN_SENSORTHINGS__URL": self.sensorthings,
            }
            | {f"DTWIN_MQTT__{name.upper()}": value for name, value in given.items()},
            folder=_ROOT,
        )
        self._bridges.append(process)
        return process

    def start_ready(self, *arguments: str, bootstrap: str | None = None, **settings: str) -> ProcessIdentity:
        """Start a bridge and wait until it has its subscriptions."""
        process = self.start(*arguments, bootstrap=bootstrap, **settings)
        self.wait(lambda: self._is_ready(process), "connection of the bridge")
        return process

    def _is_ready(self, process: ProcessIdentity) -> bool:
        progress = self.progress()
        return progress is not None and progress.pid == process.pid and progress.state == "running"

    def progress(self) -> AppProgress | None:
        """Read the progress of the bridge."""
        return read_progress(self.progress_file)

    def figures(self) -> Mapping[str, Any]:
        """Read what only a bridge has in its progress."""
        return read_figures(self.progress_file)

    def wait(self, ask: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
        """Wait until something has happened.

        Raises:
            TimeoutError: It has not; the message ends with the bridge's log.
        """
        deadline = time.monotonic() + timeout_s
        while not ask():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not happen:\n{log_tail(self.log_file, 20)}")
            time.sleep(0.05)

    def records(self, topic: str | None = None) -> Sequence[Message]:
        """Read a topic to its end; the system's own records when none is named."""
        return list(read_committed(self.bootstrap, topic or self.topics.internal))

    def values(self, topic: str | None = None) -> list[dict[str, Any]]:
        """Read the values of a topic as JSON."""
        return [json.loads(message.value() or b"null") for message in self.records(topic)]

    def end(self) -> None:
        """Kill every bridge that was started here."""
        for process in self._bridges:
            process.kill()


def terminate(process: ProcessIdentity) -> bool:
    """Ask a bridge to end; give whether it did."""
    return process.end(first_signal=signal.SIGTERM, timeout_s=60)
