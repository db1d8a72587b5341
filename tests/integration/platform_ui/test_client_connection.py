"""The connect page of a client app: its snippets are run as they are displayed, and it turns green.

The broker (TLS, access rules), the SensorThings service (tokens, outbox) and the platform are real.
"""

import html
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from platform_ui.app import create_app
from platform_ui.client_logs import reading
from platform_ui.settings import PlatformSettings
from setup.local.kafka import LocalKafka
from setup.local.ports import LOOPBACK, any_free_port, is_answering
from setup.local.processes import log_tail, start_process
from tests.integration.platform_ui.hostile_world import PASSWORD, RunningSite
from tests.kafka_clients import READY_S
from tests.mosquitto import find_mosquitto_pub
from tests.sensorthings_service import running_service

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]

CLIENT = "car_1"


@dataclass
class Person:
    """Somebody with a system and a client app, in a browser.

    Attributes:
        http: their browser.
        system: full name of their system.
    """

    http: httpx2.Client
    system: str

    @property
    def page(self) -> str:
        return f"/systems/{self.system}/clients/{CLIENT}"

    @property
    def folder(self) -> str:
        return f"{self.system}.{CLIENT}"

    def submit(self, path: str, **fields: str) -> httpx2.Response:
        token = self.http.get("/api/v1/session").json()["csrf_token"]
        answer = self.http.post(path, data={"csrf_token": token, **fields})
        assert answer.status_code in {200, 303}, answer.text[:2000]
        return answer

    def connection(self) -> str:
        answer = self.http.get(f"{self.page}/connection", headers={"HX-Request": "true"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def checks(self) -> dict[str, bool | None]:
        found = self.http.get(f"/api/v1{self.page}/connection").json()
        return {one["title"]: one["is_good"] for one in found["checks"]}

    def snippets(self, way: str) -> list[str]:
        """Return the lines to copy, as somebody sees them."""
        shown = self.http.get(f"{self.page}?way={way}").text
        found = re.findall(r'<pre class="code" id="snippet-[^"]+"[^>]*>(.*?)</pre>', shown, re.DOTALL)
        assert found, shown
        return [html.unescape(text) for text in found]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    server = LocalKafka(tmp_path_factory.mktemp("connection"))
    server.start()
    try:
        server.wait_ready(READY_S)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def admin_token() -> str:
    return secrets.token_hex(32)


@pytest.fixture(scope="module")
def sensorthings(
    broker: LocalKafka,
    new_database: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
    admin_token: str,
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("sensorthings")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in broker.environment("sensorthings").items():
            patch.setenv(name, value)
        chosen = {"anonymous": "none", "admin_token": admin_token, "outbox": "true"}
        with running_service(new_database("connection"), folder, **chosen) as address:
            yield address


@pytest.fixture(scope="module")
def platform(
    *,
    platform_database: str,
    broker: LocalKafka,
    sensorthings: str,
    admin_token: str,
    mqtt_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    assert broker.trust is not None
    broker.trust.authority()
    environment = {
        "DTWIN_PLATFORM__DATABASE_URL": platform_database,
        "DTWIN_PLATFORM__SECRET_KEY": secrets.token_hex(32),
        "DTWIN_PLATFORM__ATTEMPTS_PER_ADDRESS": "100000",
        "DTWIN_SENSORTHINGS__URL": sensorthings,
        "DTWIN_SENSORTHINGS__TOKEN": admin_token,
        "DTWIN_MQTT__URL": f"mqtts://{LOOPBACK}:{mqtt_port}",
        "DTWIN_RUNNER__DIRECTORY": str(tmp_path_factory.mktemp("runner")),
        "DTWIN_PKI__DIRECTORY": str(broker.trust.directory),
        "DTWIN_PKI__PASSPHRASE_FILE": str(broker.trust.passphrase_file),
        **broker.environment("platform"),
    }
    site = RunningSite(create_app(PlatformSettings.from_environment(environment)), "on")
    with pytest.MonkeyPatch.context() as patch, site as address:
        # A person gets what has come after four seconds; the tests want all of it, also of a busy broker.
        patch.setattr(reading, "WAIT_S", 60.0)
        yield address


@pytest.fixture(scope="module")
def mqtt_port() -> int:
    return any_free_port()


@pytest.fixture(scope="module")
def mqtt(
    *,
    platform: str,
    platform_database: str,
    broker: LocalKafka,
    sensorthings: str,
    admin_token: str,
    mqtt_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Run the local MQTT broker and the bridge, as the local stack does."""
    assert broker.trust is not None
    folder = tmp_path_factory.mktemp("mqtt")
    files = broker.trust.service("mqtt-broker")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DTWIN_")},
        "DTWIN_PLATFORM__DATABASE_URL": platform_database,
        "DTWIN_SENSORTHINGS__URL": sensorthings,
        "DTWIN_SENSORTHINGS__TOKEN": admin_token,
        "DTWIN_MQTT__URL": f"mqtts://{LOOPBACK}:{mqtt_port}",
        "DTWIN_MQTT__FOLDER": str(folder / "bridge"),
        **broker.environment("mqtt"),
        **broker.trust.service("mqtt").mqtt_environment(),
    }
    (folder / "bridge").mkdir()
    serve = ["--port", str(mqtt_port), "--data", str(folder / "data"), "--ca", str(files.authority)]
    serve += ["--certificate", str(files.certificate), "--key", str(files.key)]
    commands = {"broker": ["adapters.mqtt.local_broker", *serve], "bridge": ["adapters.mqtt", "run"]}
    running = []
    try:
        for name, command in commands.items():
            log = folder / f"{name}.log"
            process = start_process(
                [sys.executable, "-m", *command],
                log_file=log,
                environment=environment,
                folder=Path(__file__).parents[3],
            )
            running.append(process)
            until(lambda: is_answering(mqtt_port), lambda log=log: log_tail(log, 40))  # type: ignore[misc]
        # What is published before the bridge has a session at the broker reaches nobody.
        until(lambda: " as dtwin-bridge\n" in log_tail(log, 100), lambda: log_tail(log, 40))
        yield
    finally:
        for process in running:
            process.end()


@pytest.fixture
def person(platform: str, word: Callable[[], str]) -> Iterator[Person]:
    enterprise = word()
    with httpx2.Client(base_url=platform, timeout=60) as browser:
        found = Person(browser, f"cz.{enterprise}.Fleet.Car1")
        found.submit(
            "/signup",
            first_name="Mia",
            last_name="Test",
            email=f"{enterprise}@example.com",
            password=PASSWORD,
            confirm=PASSWORD,
        )
        found.submit("/companies/new", domain="cz", enterprise=enterprise)
        found.submit("/systems/new", company=f"cz.{enterprise}", workcenter="Fleet", station="Car1")
        found.submit(f"/systems/{found.system}/clients/new", name=CLIENT)
        yield found


def until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def download(person: Person, folder: Path) -> None:
    """Press the button; wait until the broker knows the client app, as a person who reads on does."""
    archive = person.submit(f"{person.page}/credentials/archive")
    (folder / f"{person.folder}.tar.gz").write_bytes(archive.content)
    until(lambda: person.checks()["Kafka's access rules for it"] is True, person.connection)


def run(lines: str, folder: Path, *, programs: Path | None = None, **more: str) -> str:
    """Paste lines into a terminal that has further programs."""
    own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    path = own if programs is None else f"{own}{os.pathsep}{programs}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DTWIN_")}
    done = subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=folder,
        env=kept | {"PATH": path} | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_python_lines_as_displayed_send_a_record_and_the_page_turns_green(
    person: Person, tmp_path: Path
) -> None:
    assert "Waiting for the first record" in person.connection()
    download(person, tmp_path)
    (lines,) = person.snippets("python")
    printed = run(lines, tmp_path)
    assert printed.count("received") == 5
    until(lambda: "data-arrived" in person.connection(), person.connection)
    shown = person.connection()
    assert "<strong>21.5</strong> °C" in shown
    assert "<dd>car_1</dd>" in shown
    assert "Air Temperature" in shown
    assert "hx-trigger" not in shown, "what has arrived is not waited for"
    state = person.http.get(f"/api/v1{person.page}/state").json()
    assert state["standing"] == "stopped"
    assert state["datastreams"] == [f"{person.system}.{CLIENT}.Air Temperature"]
    assert [one["state"] for one in state["states"]] == ["stopped", "started"]
    assert state["certificates"]["until"]


def test_the_curl_lines_as_displayed_send_a_record_and_the_page_turns_green(
    person: Person, tmp_path: Path
) -> None:
    download(person, tmp_path)
    describe, send = person.snippets("curl")
    run(describe, tmp_path)
    run(send, tmp_path / person.folder)
    until(lambda: "data-arrived" in person.connection(), person.connection)
    shown = person.connection()
    assert "<strong>21.5</strong> °C" in shown
    assert "<dd>car_1-http</dd>" in shown
    record = person.http.get(f"/api/v1{person.page}/connection").json()["record"]
    assert (record["result"], record["unit"]) == ("21.5", "°C")


@pytest.mark.parametrize("chosen", ["mqtt-send", "mqtt-python"])
def test_the_mqtt_lines_as_displayed_send_a_record_and_the_page_turns_green(
    person: Person, tmp_path: Path, mqtt: None, chosen: str
) -> None:
    download(person, tmp_path)
    describe, *sending = person.snippets("mqtt")
    run(describe, tmp_path)
    program, more = find_mosquitto_pub()
    lines = sending[["mqtt-send", "mqtt-python"].index(chosen)]
    run(lines, tmp_path / person.folder, programs=program.parent, **more)
    until(lambda: "data-arrived" in person.connection(), person.connection)
    shown = person.connection()
    assert "<strong>21.5</strong> °C" in shown
    assert "<dd>car_1-mqtt</dd>" in shown


def test_who_waits_in_vain_is_told_what_is_there_and_what_is_not(person: Person, tmp_path: Path) -> None:
    checks = person.checks()
    assert checks["Its certificate"] is False
    assert checks["A word of the program"] is False
    download(person, tmp_path)
    checks = person.checks()
    assert checks["Its certificate"] is True
    assert checks["Its token for SensorThings"] is True
    long_ago = int(time.time()) - 61
    patient = person.connection()
    shown = person.http.get(f"{person.page}/connection?since={long_ago}", headers={"HX-Request": "true"}).text
    assert '<details class="checks">' in patient
    assert '<details class="checks" open>' in shown
    assert "Nothing for a minute" in shown


def test_reports_are_shown_filtered_saved_and_followed(person: Person, tmp_path: Path) -> None:
    download(person, tmp_path)
    program = f"""
cd {person.folder}; set -a; . ./client.env; set +a
python3 - <<'END'
import json
from client.digital_twin_client import DigitalTwinClient
with DigitalTwinClient(**json.load(open("configuration.json"))) as client:
    client.logger.info("door is open")
    try:
        1 / 0
    except ZeroDivisionError:
        client.logger.exception("it failed <b>")
END"""
    run(f"tar -xzf {person.folder}.tar.gz\n{program}", tmp_path)
    logs = f"{person.page}/logs"
    until(lambda: "stopped" in person.http.get(logs).text, lambda: person.http.get(logs).text)
    shown = person.http.get(logs).text
    assert "door is open" in shown
    assert "it failed &lt;b&gt;" in shown
    assert "ZeroDivisionError" in shown
    assert "door is open" not in person.http.get(f"{logs}?level=ERROR").text
    found = person.http.get(f"/api/v1{person.page}/logs", params={"q": "DOOR"}).json()
    assert [one["message"] for one in found["items"]] == ["door is open"]
    saved = [json.loads(line) for line in person.http.get(f"{logs}.jsonl").text.splitlines()]
    assert [one.get("state") or one["message"] for one in saved] == [
        "started",
        "door is open",
        "it failed <b>",
        "stopped",
    ]
    with person.http.stream("GET", f"/systems/{person.system}/logs/live?client={CLIENT}") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: ") and "door is open" in line:
                break
