"""The stack through its command line, in a home and on ports of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup.local.answers import ask_elasticsearch
from setup.local.elasticsearch import LARGEST_PORT
from setup.local.ports import any_free_port
from setup.services import GIVEN_BY, METRICS
from tests.processes import processes_of

CLONE = Path(__file__).parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(900)]


class CommandLine:
    """`dtwin` with a home and wanted ports of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {part: any_free_port() for part in ("KAFKA", "SENSORTHINGS", "PLATFORM", "MQTT")}
        self.ports["ELASTICSEARCH"] = any_free_port(7000, LARGEST_PORT)
        given = {*GIVEN_BY.values(), "DTWIN_WITH"}
        self.environment = {name: value for name, value in os.environ.items() if name not in given}
        self.environment |= {"DTWIN_HOME": str(home), "PYTHONPATH": str(CLONE)}
        self.environment |= {f"DTWIN_{part}__PORT": str(port) for part, port in self.ports.items()}
        self.environment |= {name: str(any_free_port()) for name, _ in METRICS.values()}

    def __call__(self, *arguments: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "setup", *arguments],
            env=self.environment | environment,
            cwd=CLONE,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, code: int = 0) -> dict[str, dict[str, Any]]:
        return {row["part"]: row for row in json.loads(self("status", "-o", "json", code=code))}

    def processes(self) -> list[list[str]]:
        """Every process that knows this home, by its command line or its environment."""
        return processes_of(self.home)


@pytest.fixture
def dtwin(tmp_path: Path) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path / "home")
    yield command
    command("down", "--purge", "--yes")


def test_the_stack_comes_up_mends_itself_and_leaves_nothing(dtwin: CommandLine) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", dtwin.ports["SENSORTHINGS"]))
        said = dtwin("up", DTWIN_WITH="elasticsearch")
    assert f"Port {dtwin.ports['SENSORTHINGS']} is taken" in said
    assert f"Elasticsearch http://127.0.0.1:{dtwin.ports['ELASTICSEARCH']}" in said

    first = dtwin.status()
    assert {row["state"] for row in first.values()} == {"running"}
    assert first["sensorthings"]["address"] != f"http://127.0.0.1:{dtwin.ports['SENSORTHINGS']}"
    with urllib.request.urlopen(f"{first['platform']['address']}/health/ready", timeout=60) as answer:  # noqa: S310 (an address made above)
        assert answer.status == 200
    for setting in ("DTWIN_RUNNER__METRICS_PORT", "DTWIN_RECORDER__METRICS_PORT"):
        page = f"http://127.0.0.1:{dtwin.environment[setting]}/metrics"
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert b"dtwin_app_" in answer.read()
    assert "fix:" not in dtwin("doctor")
    secret = dtwin.home / "secrets" / "platform_secret_key"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text() not in (dtwin.home / "state.json").read_text()

    os.kill(first["sensorthings"]["pid"], signal.SIGKILL)
    time.sleep(0.5)
    assert dtwin.status(code=6)["sensorthings"]["state"] == "died"
    assert "dtwin logs sensorthings" in dtwin("doctor", code=1)

    dtwin("up")
    second = dtwin.status()
    assert second["sensorthings"]["state"] == "running"
    for part in ("kafka", "elasticsearch"):
        assert second[part]["pid"] == first[part]["pid"], "what ran was left alone"

    dtwin("down")
    assert dtwin.processes() == []
    assert {row["state"] for row in dtwin.status(code=6).values()} == {"stopped"}
    dtwin("down", "--purge", "--yes")
    assert not dtwin.home.exists()


def test_a_broker_given_by_url_is_used_and_left_alone(dtwin: CommandLine, kafka_bootstrap: str) -> None:
    said = dtwin("up", DTWIN_KAFKA__BOOTSTRAP_SERVERS=kafka_bootstrap)
    assert "given" in said
    row = dtwin.status()["kafka"]
    assert (row["state"], row["pid"], row["address"]) == ("given", None, kafka_bootstrap)
    said = dtwin("up", "--with", "mqtt", code=1, DTWIN_KAFKA__BOOTSTRAP_SERVERS=kafka_bootstrap)
    assert "DTWIN_MQTT__URL" in said, "only our own authority signs for the local MQTT broker"
    dtwin("down")
    with socket.create_connection(("127.0.0.1", int(kafka_bootstrap.rpartition(":")[2])), timeout=5):
        pass


@pytest.mark.extended
def test_elasticsearch_given_by_url_is_used_and_left_alone(
    dtwin: CommandLine, elasticsearch_url: str
) -> None:
    nobody = f"http://127.0.0.1:{any_free_port()}"
    said = dtwin("up", "--with", "elasticsearch", code=6, DTWIN_ELASTICSEARCH__URL=nobody)
    assert "DTWIN_ELASTICSEARCH__URL names an elasticsearch that does not answer" in said
    dtwin("up", "--with", "elasticsearch", DTWIN_ELASTICSEARCH__URL=elasticsearch_url)
    row = dtwin.status()["elasticsearch"]
    assert (row["state"], row["pid"], row["address"]) == ("given", None, elasticsearch_url)
    dtwin("down")
    assert ask_elasticsearch(elasticsearch_url, {}).ready


@pytest.mark.extended
def test_mqtt_comes_up_with_its_bridge_and_mends_itself(dtwin: CommandLine) -> None:
    said = dtwin("up", "--with", "mqtt")
    assert f"MQTT          mqtts://127.0.0.1:{dtwin.ports['MQTT']}" in said
    first = dtwin.status()
    assert {row["state"] for row in first.values()} == {"running"}
    assert {"mqtt", "mqtt-bridge"} < set(first)
    assert "fix:" not in dtwin("doctor")
    os.kill(first["mqtt"]["pid"], signal.SIGKILL)
    time.sleep(0.5)
    assert dtwin.status(code=6)["mqtt"]["state"] == "died"
    dtwin("up")
    second = dtwin.status()
    assert {row["state"] for row in second.values()} == {"running"}
    assert second["mqtt-bridge"]["pid"] == first["mqtt-bridge"]["pid"], "it connects again by itself"
    dtwin("down")
    assert dtwin.processes() == []


@pytest.mark.extended
def test_a_given_broker_that_does_not_answer_is_named_and_nothing_stays(dtwin: CommandLine) -> None:
    nobody = f"127.0.0.1:{any_free_port()}"
    said = dtwin("up", code=6, DTWIN_KAFKA__BOOTSTRAP_SERVERS=nobody)
    assert "DTWIN_KAFKA__BOOTSTRAP_SERVERS" in said
    assert dtwin.processes() == []
