"""Settings: a missing or malformed one stops the start and is named."""

from pathlib import Path

import pytest

from client.errors import ConfigurationError
from platform_ui.settings import Mode, PlatformSettings

COMPLETE = {
    "DTWIN_PLATFORM__DATABASE_URL": "postgresql+psycopg://user@127.0.0.1/platform",
    "DTWIN_PLATFORM__SECRET_KEY": "k" * 40,
    "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "DTWIN_SENSORTHINGS__URL": "http://127.0.0.1:8084/",
    "DTWIN_RUNNER__DIRECTORY": "runner",
}


def test_a_complete_environment_gives_settings_with_the_defaults_of_production() -> None:
    settings = PlatformSettings.from_environment(COMPLETE)
    assert (settings.mode, settings.host, settings.port) == (Mode.PRODUCTION, "127.0.0.1", 1908)
    assert settings.sensorthings_url == "http://127.0.0.1:8084"
    assert settings.gost_servers == "127.0.0.1:8084"


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_a_missing_setting_is_named(name: str) -> None:
    environment = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(ConfigurationError, match=name):
        PlatformSettings.from_environment(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTWIN_PLATFORM__DATABASE_URL", "sqlite:///x.db"),
        ("DTWIN_PLATFORM__SECRET_KEY", "too short"),
        ("DTWIN_PLATFORM__SECRET_KEY_FILE", "/nowhere/at/all"),
        ("DTWIN_PLATFORM__MODE", "production!"),
        ("DTWIN_PLATFORM__PORT", "80 80"),
        ("DTWIN_PLATFORM__PORT", "0"),
        ("DTWIN_PLATFORM__PORT", "65536"),
        ("DTWIN_SENSORTHINGS__URL", "127.0.0.1:8084"),
    ],
)
def test_a_malformed_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        PlatformSettings.from_environment({**COMPLETE, name: value})


def test_demo_mode_makes_a_secret_of_its_own_each_time() -> None:
    environment = {**COMPLETE, "DTWIN_PLATFORM__MODE": "demo", "DTWIN_PLATFORM__SECRET_KEY": ""}
    first = PlatformSettings.from_environment(environment)
    second = PlatformSettings.from_environment(environment)
    assert len(first.secret_key) >= 32
    assert first.secret_key != second.secret_key


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 40 + "\n", encoding="utf-8")
    environment = {**COMPLETE, "DTWIN_PLATFORM__SECRET_KEY_FILE": str(file)}
    assert PlatformSettings.from_environment(environment).secret_key == "f" * 40


def test_the_representation_shows_no_secret() -> None:
    text = repr(PlatformSettings.from_environment(COMPLETE))
    assert "kkkk" not in text
    assert "user@" not in text


def test_a_plain_postgres_address_gets_the_driver() -> None:
    environment = {**COMPLETE, "DTWIN_PLATFORM__DATABASE_URL": "postgresql://u@h/d"}
    assert PlatformSettings.from_environment(environment).database_url == "postgresql+psycopg://u@h/d"
