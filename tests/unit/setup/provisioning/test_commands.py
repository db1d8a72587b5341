"""The commands that write provisioning files, with a platform that is only pretended."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from platform_ui.analytics.api import AnalyticsAnswer, FiguresAnswer
from setup import provision_commands
from setup.entry import exit_code
from setup.local.state import PartState, StateFile
from setup.remote.connection import Connection
from setup.remote.errors import RemoteError, UsageError

CAR, ROADS = "cz.icecars.Fleet.Car1", "at.roads.Lab.Roads"
Run = Callable[..., Any]


def listed(number: int, name: str) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "thing": name.rpartition(".")[0],
        "system": ".".join(name.split(".")[:4]),
        "unit": "°C",
        "unit_code": "Cel",
        "observed_property": "Temperature",
    }


def answer(request: httpx2.Request) -> httpx2.Response:
    path, token = request.url.path.removeprefix("/api/v1"), request.url.params.get("page_token")
    if path == "/systems":
        return httpx2.Response(200, json={"items": [{"name": CAR}, {"name": ROADS}], "next_page_token": None})
    if path == "/apps":
        app = {"name": "share", "source_system": CAR, "target_system": ROADS}
        return httpx2.Response(200, json={"items": [app], "next_page_token": None})
    if path == f"/systems/{CAR}/analytics":
        one = listed(2, f"{CAR}.Main.T2") if token else listed(1, f"{CAR}.Main.T1")
        return httpx2.Response(200, json={"datastreams": [one], "next_page_token": None if token else "next"})
    if path == f"/systems/{ROADS}/analytics":
        return httpx2.Response(200, json={"datastreams": [], "next_page_token": None})
    return httpx2.Response(404, json={"title": "Not Found", "status": 404, "code": "system.not_found"})


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A function that types a command; returns what came of it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DTWIN_TOKEN", "t")
    monkeypatch.setenv("DTWIN_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("DTWIN_PLATFORM__URL", "https://twin.example.org")

    def connect(configuration: Any, file: Any) -> Connection:  # noqa: ANN401 - handed through
        return Connection(configuration, file, httpx2.Client(transport=httpx2.MockTransport(answer)))

    monkeypatch.setattr(provision_commands, "Connection", connect)
    return lambda *words: CliRunner().invoke(provision_commands.provision, [str(word) for word in words])


def test_all_systems_get_a_dashboard_with_the_datastreams_of_every_page(run: Run, tmp_path: Path) -> None:
    done = run("grafana", "--output", tmp_path, "--prometheus-url", "http://127.0.0.1:9090")
    assert done.exit_code == 0, done.output
    board = json.loads((tmp_path / f"dashboards/dtwin/cz.icecars/{CAR}.json").read_text())
    titles = [one["title"] for one in board["panels"]]
    assert titles.count("T1") == titles.count("T2") == 2
    assert "Stream apps" in titles
    assert (tmp_path / f"dashboards/dtwin/at.roads/{ROADS}.json").exists()


def test_a_check_tells_drift_by_exit_code_3_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    words = ("kibana", "--output", tmp_path, "--company", "cz.icecars")
    assert run(*words, "--check").exit_code == 3
    assert list(tmp_path.glob("**/*.ndjson")) == []
    assert run(*words).exit_code == 0
    assert run(*words, "--check").exit_code == 0
    file = tmp_path / "cz.icecars" / f"{CAR}.ndjson"
    file.write_text(file.read_text() + "\n")
    drifted = run(*words, "--check")
    assert drifted.exit_code == 3
    assert f"~ {file}" in drifted.output
    assert not (tmp_path / "at.roads").exists()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "tool",
    [("grafana", "--elasticsearch-url", "https://search:9200"), ("kibana",)],
    ids=["grafana", "kibana"],
)
def test_one_system_after_the_other_gives_the_files_of_all(
    run: Run, tmp_path: Path, tool: tuple[str, ...]
) -> None:
    whole, single = tmp_path / "whole", tmp_path / "single"
    assert run(*tool, "--output", whole).exit_code == 0
    for system in (CAR, ROADS):
        assert run(*tool, "--output", single, "--system", system).exit_code == 0
    assert content(single) == content(whole)
    for folder in (whole, single):
        for words in ((), ("--system", CAR), ("--company", "at.roads"), ("--system", ROADS, "--system", CAR)):
            assert run(*tool, "--output", folder, *words, "--check").exit_code == 0, words


def test_a_run_for_one_system_leaves_the_files_of_others_and_removes_its_own_that_are_true_no_more(
    run: Run, tmp_path: Path
) -> None:
    tool = ("grafana", "--output", tmp_path)
    assert (
        run(
            *tool, "--elasticsearch-url", "https://search:9200", "--prometheus-url", "http://p:9090"
        ).exit_code
        == 0
    )
    before = content(tmp_path)
    former = f"dashboards/dtwin/cz.icecars/{CAR}.ndjson"
    (tmp_path / former).write_text("of an earlier version")
    (tmp_path / ".dtwin-grafana.json").write_text(json.dumps([*sorted(before), former]))
    done = run(*tool, "--system", CAR)
    assert done.exit_code == 0, done.output
    assert f"- {tmp_path / former}" in done.output
    after = content(tmp_path)
    roads = f"dashboards/dtwin/at.roads/{ROADS}.json"
    assert after[roads] == before[roads]
    assert sorted(after) == sorted(before)
    named = {one["name"] for one in yaml.safe_load(after["datasources/dtwin.yaml"])["datasources"]}
    assert named == {"Digital Twin SensorThings", "Digital Twin Prometheus", f"Digital Twin {ROADS}"}
    folders = [one["folder"] for one in yaml.safe_load(after["dashboards/dtwin.yaml"])["providers"]]
    assert folders == ["at.roads", "cz.icecars"]
    assert f"- {tmp_path / roads}" not in run(*tool, "--company", "cz.icecars").output
    assert run(*tool).exit_code == 0
    named = {
        one["name"]
        for one in yaml.safe_load((tmp_path / "datasources/dtwin.yaml").read_text())["datasources"]
    }
    assert named == {"Digital Twin SensorThings"}, "a run for everything leaves nothing of earlier ones"


@pytest.mark.parametrize("broken", ["{", "[1]", "datasources: 7", "datasources: [7, {name: 7}]"])
def test_a_file_of_all_systems_that_is_not_as_we_write_it_is_written_anew(
    run: Run, tmp_path: Path, broken: str
) -> None:
    (tmp_path / "datasources").mkdir()
    (tmp_path / "datasources" / "dtwin.yaml").write_text(broken)
    assert run("grafana", "--output", tmp_path, "--system", CAR).exit_code == 0
    sources = yaml.safe_load((tmp_path / "datasources" / "dtwin.yaml").read_text())["datasources"]
    assert [one["name"] for one in sources] == ["Digital Twin SensorThings"]


def test_prometheus_files_need_no_platform(run: Run, tmp_path: Path) -> None:
    words = ("prometheus", "--output", tmp_path, "--target", "127.0.0.1:9095")
    assert run(*words).exit_code == 0
    assert "twin.example.org:443" in (tmp_path / "prometheus.yml").read_text()
    assert run(*words, "--check").exit_code == 0
    assert run("prometheus", "--output", tmp_path, "--check").exit_code == 3


def test_prometheus_asks_what_was_started_in_this_home_unless_told_otherwise(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DTWIN_PLATFORM__URL")
    monkeypatch.delenv("DTWIN_SENSORTHINGS__URL", raising=False)
    monkeypatch.setenv("DTWIN_HOME", str(tmp_path / "home"))
    state = StateFile(tmp_path / "home" / "state.json")
    (tmp_path / "home").mkdir()
    state.put(PartState("runner", "", 1, ports={"metrics": 9105}))
    state.put(PartState("platform", "http://127.0.0.1:1909", 1))

    def asked() -> dict[str, list[str]]:
        jobs = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
        return {one["job_name"]: one["static_configs"][0]["targets"] for one in jobs}

    words = ("prometheus", "--output", tmp_path, "--target", "10.0.0.7:9098", "--target", "127.0.0.1:9105")
    assert run(*words).exit_code == 0
    assert asked() == {
        "dtwin-platform": ["127.0.0.1:1909"],
        "dtwin-sensorthings": ["127.0.0.1:8084"],
        "dtwin-apps": ["10.0.0.7:9098", "127.0.0.1:9105"],
    }
    assert run(*words, "--platform-url", "https://twin.example.org").exit_code == 0
    assert asked()["dtwin-platform"] == ["twin.example.org:443"]
    jobs = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    assert [one["scheme"] for one in jobs] == ["https", "http", "http"]


def test_a_system_that_nobody_knows_is_not_found(run: Run, tmp_path: Path) -> None:
    done = run("kibana", "--output", tmp_path, "--system", "cz.icecars.Fleet.Nothing")
    assert isinstance(done.exception, RemoteError)
    assert exit_code(done.exception) == 5


@pytest.mark.parametrize(
    "words",
    [("grafana", "--source", "elasticsearch"), ("prometheus", "--platform-url", "nothing")],
)
def test_what_cannot_be_meant_is_a_usage_error(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(*words, "--output", tmp_path)
    assert isinstance(done.exception, UsageError)
    assert exit_code(done.exception) == 2


def test_what_is_read_of_a_datastream_is_what_the_platform_tells() -> None:
    assert set(listed(1, f"{CAR}.Main.T1")) <= set(FiguresAnswer.model_fields)
    assert {"datastreams", "next_page_token"} <= set(AnalyticsAnswer.model_fields)


@pytest.mark.parametrize("option", ["--elasticsearch-url", "--sensorthings-url", "--prometheus-url"])
def test_a_password_in_an_address_is_not_written_into_a_file(run: Run, tmp_path: Path, option: str) -> None:
    done = run("grafana", "--output", str(tmp_path / "g"), option, "https://anna:hunter2@search:9200")
    assert isinstance(done.exception, UsageError)
    assert "hunter2" not in str(done.exception)
    assert not (tmp_path / "g").exists()
