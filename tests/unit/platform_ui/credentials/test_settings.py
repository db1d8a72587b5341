"""The settings of the certificate authority: left out together, checked at the start, named when wrong."""

import secrets
from pathlib import Path

import pytest

from client.errors import ConfigurationError
from platform_ui.settings import PlatformSettings

COMPLETE = {
    "DTWIN_PLATFORM__DATABASE_URL": "postgresql+psycopg://user@127.0.0.1/platform",
    "DTWIN_PLATFORM__SECRET_KEY": secrets.token_hex(32),
    "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "DTWIN_SENSORTHINGS__URL": "http://127.0.0.1:8084/",
    "DTWIN_RUNNER__DIRECTORY": "runner",
}
PASSPHRASE = "correct horse battery staple"


def read(**settings: str) -> PlatformSettings:
    return PlatformSettings.from_environment(COMPLETE | {f"DTWIN_PKI__{n}": v for n, v in settings.items()})


def test_without_a_folder_there_is_no_authority_and_certificates_count_30_days() -> None:
    settings = read()
    assert (settings.pki_directory, settings.client_certificate_days) == (None, 30)


def test_folder_passphrase_and_days_are_taken_over_and_no_secret_shows(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n", encoding="utf-8")
    settings = read(DIRECTORY=str(tmp_path), PASSPHRASE_FILE=str(file), CLIENT_DAYS="7")
    assert (settings.pki_directory, settings.client_certificate_days) == (tmp_path, 7)
    assert settings.pki_passphrase == PASSPHRASE
    assert PASSPHRASE not in repr(settings)


def test_a_folder_without_a_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__PASSPHRASE"):
        read(DIRECTORY=str(tmp_path))


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__DIRECTORY"):
        read(DIRECTORY="/nowhere/at/all", PASSPHRASE=PASSPHRASE)


@pytest.mark.parametrize("days", ["0", "398", "-1", "a month", "1.5"])
def test_a_wrong_number_of_days_is_named(days: str) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__CLIENT_DAYS"):
        read(CLIENT_DAYS=days)
