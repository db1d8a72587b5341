"""Settings: a missing or malformed one stops the start and is named."""

from pathlib import Path

import pytest

from client.errors import ConfigurationError
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings

KEY = "fedcba9876543210" * 3
COMPLETE = {
    "DTWIN_PLATFORM__DATABASE_URL": "postgresql+psycopg://user@127.0.0.1/platform",
    "DTWIN_PLATFORM__SECRET_KEY": "kq7-" + "0123456789abcdef" * 3,
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
    file.write_text(KEY + "\n", encoding="utf-8")
    environment = {**COMPLETE, "DTWIN_PLATFORM__SECRET_KEY_FILE": str(file)}
    assert PlatformSettings.from_environment(environment).secret_key == KEY


def test_the_representation_shows_no_secret() -> None:
    text = repr(PlatformSettings.from_environment(COMPLETE))
    assert "kq7-" not in text
    assert "user@" not in text


def test_a_plain_postgres_address_gets_the_driver() -> None:
    environment = {**COMPLETE, "DTWIN_PLATFORM__DATABASE_URL": "postgresql://u@h/d"}
    assert PlatformSettings.from_environment(environment).database_url == "postgresql+psycopg://u@h/d"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTWIN_PLATFORM__SECRET_KEY", "changeme" * 5),
        ("DTWIN_PLATFORM__SECRET_KEY", "x" * 64),
        ("DTWIN_PLATFORM__DATABASE_URL", "postgresql://postgres:postgres@db/platform"),
        ("DTWIN_SENSORTHINGS__TOKEN", "changeme"),
        ("DTWIN_SENSORTHINGS__TOKEN", "asdf"),
    ],
)
def test_production_refuses_secrets_that_everybody_knows_without_showing_them(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as refused:
        PlatformSettings.from_environment({**COMPLETE, name: value})
    assert value not in str(refused.value)
    PlatformSettings.from_environment({**COMPLETE, name: value, "DTWIN_PLATFORM__MODE": "demo"})


def test_a_secret_may_be_a_credential_of_systemd(tmp_path: Path) -> None:
    (tmp_path / "DTWIN_PLATFORM__SECRET_KEY").write_text(KEY + "\n", encoding="utf-8")
    environment = {name: value for name, value in COMPLETE.items() if name != "DTWIN_PLATFORM__SECRET_KEY"}
    environment["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert PlatformSettings.from_environment(environment).secret_key == KEY


def test_production_answers_under_its_own_names_only() -> None:
    environment = {
        **COMPLETE,
        "DTWIN_PLATFORM__URL": "https://Twin.example.org/",
        "DTWIN_PLATFORM__ALLOWED_HOSTS": "twin.internal:1908, other",
    }
    rules = PlatformSettings.from_environment(environment).rules
    assert set(rules.allowed_hosts) == {
        "127.0.0.1",
        "localhost",
        "::1",
        "twin.example.org",
        "twin.internal",
        "other",
    }
    demo = PlatformSettings.from_environment({**environment, "DTWIN_PLATFORM__MODE": "demo"})
    assert demo.rules.allowed_hosts == ()


OIDC = {
    "DTWIN_OIDC__ISSUER": "https://login.example.org",
    "DTWIN_OIDC__CLIENT_ID": "platform",
    "DTWIN_OIDC__CLIENT_SECRET": KEY,
}


def test_another_service_for_log_ins_is_called_by_its_host_when_it_has_no_name() -> None:
    oidc = PlatformSettings.from_environment({**COMPLETE, **OIDC}).oidc
    assert oidc is not None
    assert (oidc.name, oidc.allowed_domains) == ("login.example.org", ())
    assert KEY not in repr(oidc)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTWIN_OIDC__ISSUER", "http://login.example.org"),
        ("DTWIN_OIDC__ISSUER", "login.example.org"),
        ("DTWIN_OIDC__CLIENT_ID", ""),
        ("DTWIN_OIDC__CLIENT_SECRET", ""),
        ("DTWIN_PLATFORM__URL", "twin.example.org"),
        ("DTWIN_PLATFORM__URL", "https://twin.example.org/sub"),
        ("DTWIN_PLATFORM__TRUSTED_PROXIES", "10.0.0.0/33"),
    ],
)
def test_a_malformed_setting_of_the_web_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        PlatformSettings.from_environment({**COMPLETE, **OIDC, name: value})
