import os
from dataclasses import replace
from pathlib import Path

import pytest

from setup import entry
from setup.errors import PartMissingError
from setup.lazy_group import MOUNTS, Mount, _load
from setup.local.paths import Home
from setup.recording import recorder_settings
from setup.services import (
    Addresses,
    base_environment,
    ensure_secrets,
    given_address,
    module_command,
    platform_settings,
    sensorthings_settings,
    stack_environment,
    wanted_metrics_port,
    wanted_port,
)

ADDRESSES = Addresses(
    kafka="127.0.0.1:9099",
    postgres="postgresql://postgres@/postgres?host=%2Frun",
    sensorthings="http://127.0.0.1:8085",
    platform="http://127.0.0.1:1909",
    sensorthings_token_file="/secrets/admin",
)


def test_a_part_named_by_the_environment_is_given() -> None:
    environment = {"DTWIN_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092", "DTWIN_SENSORTHINGS__URL": ""}
    assert given_address("kafka", environment) == "kafka:9092"
    assert given_address("sensorthings", environment) is None, "an empty variable names nothing"
    assert given_address("runner", environment) is None


@pytest.mark.parametrize(("text", "port"), [("8000", 8000), ("", 1908), ("many", 1908)])
def test_the_wanted_port_comes_from_the_environment_or_is_the_usual_one(text: str, port: int) -> None:
    assert wanted_port("platform", 1908, {"DTWIN_PLATFORM__PORT": text}) == port


def test_services_are_told_where_the_others_are(tmp_path: Path) -> None:
    home = Home(tmp_path)
    environment = stack_environment(home, ADDRESSES)
    assert environment["DTWIN_KAFKA__BOOTSTRAP_SERVERS"] == "127.0.0.1:9099"
    assert environment["DTWIN_SENSORTHINGS__URL"] == "http://127.0.0.1:8085"
    assert environment["DTWIN_RUNNER__DIRECTORY"] == str(tmp_path / "runner")
    own = sensorthings_settings(ADDRESSES)
    assert own["DTWIN_SENSORTHINGS__PORT"] == "8085"
    assert own["DTWIN_SENSORTHINGS__ADMIN_TOKEN_FILE"] == "/secrets/admin"
    assert "DTWIN_SENSORTHINGS__TOKEN_FILE" not in environment, "programs get tokens of their own"
    platform = platform_settings(home, ADDRESSES, "demo")
    assert platform["DTWIN_PLATFORM__PORT"] == "1909"
    assert platform["DTWIN_SENSORTHINGS__TOKEN_FILE"] == "/secrets/admin"
    given = platform_settings(home, replace(ADDRESSES, sensorthings_token_file=""), "demo")
    assert "DTWIN_SENSORTHINGS__TOKEN_FILE" not in given, "the token of a given service is in our environment"
    assert platform["DTWIN_PLATFORM__DATABASE_URL"] == "postgresql+psycopg://postgres@/platform?host=%2Frun"


def test_a_stack_with_mqtt_says_so_where_devices_look_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DTWIN_MQTT__PUBLIC_URL", "DTWIN_SENSORTHINGS__MQTT_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    endpoints = "DTWIN_SENSORTHINGS__MQTT_ENDPOINTS"
    assert endpoints not in sensorthings_settings(ADDRESSES)
    assert "DTWIN_MQTT__URL" not in platform_settings(Home(tmp_path), ADDRESSES, "demo")
    by_mqtt = replace(ADDRESSES, mqtt="mqtts://127.0.0.1:8884")
    assert sensorthings_settings(by_mqtt)[endpoints] == "mqtts://127.0.0.1:8884"
    # Recorded as its own settings: a running platform starts again when MQTT is added.
    assert platform_settings(Home(tmp_path), by_mqtt, "demo")["DTWIN_MQTT__URL"] == "mqtts://127.0.0.1:8884"
    plain = replace(ADDRESSES, mqtt="mqtt://broker:1883")
    assert endpoints not in sensorthings_settings(plain), "devices do not come without TLS"
    monkeypatch.setenv("DTWIN_MQTT__PUBLIC_URL", "mqtts://mqtt.example.org:8883")
    assert sensorthings_settings(plain)[endpoints] == "mqtts://mqtt.example.org:8883"
    monkeypatch.setenv(endpoints, "mqtts://other.example.org:8883")
    assert sensorthings_settings(by_mqtt)[endpoints] == "mqtts://other.example.org:8883"


def test_the_platform_looks_at_the_parts_that_there_are(tmp_path: Path) -> None:
    def looked_at(addresses: Addresses) -> set[str]:
        settings = platform_settings(Home(tmp_path), addresses, "demo")
        return {name for name in settings if name.endswith("__PROGRESS_FILE")}

    recorder = "DTWIN_RECORDER__PROGRESS_FILE"
    assert looked_at(ADDRESSES) == {recorder}
    assert looked_at(replace(ADDRESSES, sensorthings_token_file="")) == set()
    both = replace(ADDRESSES, elasticsearch="http://127.0.0.1:9200", mqtt="mqtts://127.0.0.1:8883")
    assert looked_at(both) == {
        recorder,
        "DTWIN_ELASTICSEARCH__PROGRESS_FILE",
        "DTWIN_MQTT__PROGRESS_FILE",
    }


@pytest.mark.parametrize(("text", "port"), [("", 9095), ("0", 0), ("9300", 9300), ("many", 9095)])
def test_the_page_of_figures_has_its_usual_port_or_the_one_of_the_environment(text: str, port: int) -> None:
    assert wanted_metrics_port("runner", {"DTWIN_RUNNER__METRICS_PORT": text}) == port


def test_a_part_is_told_of_its_page_and_the_page_is_recorded(tmp_path: Path) -> None:
    with_pages = replace(ADDRESSES, metrics={"recorder": 9096})
    assert recorder_settings(Home(tmp_path), with_pages)["DTWIN_RECORDER__METRICS_PORT"] == "9096"
    assert with_pages.metrics_ports("recorder") == {"metrics": 9096}
    assert not with_pages.metrics_settings("runner")
    assert not with_pages.metrics_ports("runner")


def test_programs_find_the_rooms_of_the_clone_from_any_folder(tmp_path: Path) -> None:
    environment = base_environment(Home(tmp_path))
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(Path(__file__).parents[3])
    assert environment["PYTHONSAFEPATH"] == "1"


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    ensure_secrets(home)
    files = (home.secret_key_file, home.sensorthings_token_file)
    first = [file.read_text() for file in files]
    ensure_secrets(home)
    assert [file.read_text() for file in files] == first
    assert len(set(first)) == len(files)
    for file in files:
        assert len(file.read_text()) >= 32
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_program_that_is_not_installed_is_named_with_the_remedy() -> None:
    with pytest.raises(PartMissingError, match=r"no_such_room.*pip install"):
        module_command("no_such_room", "serve")
    with pytest.raises(PartMissingError, match=r"no_such_room\.part"):
        module_command("no_such_room.part")


def test_a_mounted_command_without_its_extra_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    mount = Mount("streamhub.commands", "app", "help", (("no_such_package",), "streamhub"))
    monkeypatch.setitem(MOUNTS, "app", mount)
    with pytest.raises(PartMissingError, match=r"digital-twin-stack\[streamhub\]"):
        _load("app")


def test_a_bare_install_names_the_extra_for_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 1
    assert "digital-twin-stack[command]" in capsys.readouterr().err
