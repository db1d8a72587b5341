import os
from dataclasses import replace
from pathlib import Path

import pytest

from setup import entry
from setup.errors import PartMissingError
from setup.lazy_group import MOUNTS, Mount, _load
from setup.local.paths import Home
from setup.services import (
    Addresses,
    base_environment,
    ensure_secrets,
    given_address,
    module_command,
    platform_settings,
    sensorthings_settings,
    stack_environment,
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
