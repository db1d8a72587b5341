"""The stack through its command line, in a home and on ports of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
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

    def __call__(self, *arguments: str, code: int | None = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "setup", *arguments],
            env=self.environment | environment,
            cwd=CLONE,
            capture_output=True,
            text=True,
            timeout=420,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, code: int | None = 0) -> dict[str, dict[str, Any]]:
        return {row["part"]: row for row in json.loads(self("status", "-o", "json", code=code))}

    def wait_until(self, what: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        """Wait until the states of the parts are as wanted: a busy machine keeps parts from answering."""
        deadline = time.monotonic() + 120
        while not what(rows := self.status(code=None)):
            assert time.monotonic() < deadline, rows
        return rows

    def wait_until_running(self) -> dict[str, dict[str, Any]]:
        """Wait until every part answers, or is given."""
        return self.wait_until(lambda rows: {row["state"] for row in rows.values()} <= {"running", "given"})

    def wait_until_died(self, part: str) -> None:
        """Wait until the command line tells that a part, which was killed, has died."""
        self.wait_until(lambda rows: rows[part]["state"] == "died")
        assert self.status(code=6)[part]["state"] == "died"

    def wait_until_well(self) -> None:
        """Wait until the doctor finds nothing that needs to be mended."""
        deadline = time.monotonic() + 120
        while "fix:" in (said := self("doctor", code=None)):
            assert time.monotonic() < deadline, said

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

    first = dtwin.wait_until_running()
    assert {row["state"] for row in first.values()} == {"running"}
    assert first["sensorthings"]["address"] != f"http://127.0.0.1:{dtwin.ports['SENSORTHINGS']}"
    with urllib.request.urlopen(f"{first['platform']['address']}/health/ready", timeout=60) as answer:  # noqa: S310 (an address made above)
        assert answer.status == 200
    for setting in ("DTWIN_RUNNER__METRICS_PORT", "DTWIN_RECORDER__METRICS_PORT"):
        page = f"http://127.0.0.1:{dtwin.environment[setting]}/metrics"
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert b"dtwin_app_" in answer.read()
    dtwin.wait_until_well()
    secret = dtwin.home / "secrets" / "platform_secret_key"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text() not in (dtwin.home / "state.json").read_text()

    os.kill(first["sensorthings"]["pid"], signal.SIGKILL)
    dtwin.wait_until_died("sensorthings")
    assert "dtwin logs sensorthings" in dtwin("doctor", code=1)

    dtwin("up")
    second = dtwin.wait_until_running()
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
    row = dtwin.wait_until_running()["kafka"]
    assert (row["state"], row["pid"], row["address"]) == ("given", None, kafka_bootstrap)
    said = dtwin("up", "--with", "mqtt", code=1, DTWIN_KAFKA__BOOTSTRAP_SERVERS=kafka_bootstrap)
    assert "DTWIN_MQTT__URL" in said, "only our own authority signs for the local MQTT broker"
    dtwin("down")
    with socket.create_connection(("127.0.0.1", int(kafka_bootstrap.rpartition(":")[2])), timeout=60):
        pass


@pytest.mark.extended
def test_elasticsearch_given_by_url_is_used_and_left_alone(
    dtwin: CommandLine, elasticsearch_url: str
) -> None:
    nobody = f"http://127.0.0.1:{any_free_port()}"
    said = dtwin("up", "--with", "elasticsearch", code=6, DTWIN_ELASTICSEARCH__URL=nobody)
    assert "DTWIN_ELASTICSEARCH__URL names an elasticsearch that does not answer" in said
    dtwin("up", "--with", "elasticsearch", DTWIN_ELASTICSEARCH__URL=elasticsearch_url)
    row = dtwin.wait_until_running()["elasticsearch"]
    assert (row["state"], row["pid"], row["address"]) == ("given", None, elasticsearch_url)
    dtwin("down")
    assert ask_elasticsearch(elasticsearch_url, {}).ready


@pytest.mark.extended
def test_mqtt_comes_up_with_its_bridge_and_mends_itself(dtwin: CommandLine) -> None:
    said = dtwin("up", "--with", "mqtt")
    assert f"MQTT          mqtts://127.0.0.1:{dtwin.ports['MQTT']}" in said
    first = dtwin.wait_until_running()
    assert {row["state"] for row in first.values()} == {"running"}
    assert {"mqtt", "mqtt-bridge"} < set(first)
    dtwin.wait_until_well()
    os.kill(first["mqtt"]["pid"], signal.SIGKILL)
    dtwin.wait_until_died("mqtt")
    dtwin("up")
    second = dtwin.wait_until_running()
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
