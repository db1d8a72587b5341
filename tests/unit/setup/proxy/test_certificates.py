"""When the proxy needs a certificate of our authority, and what stands in it."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from client.errors import ConfigurationError
from platform_ui.pki.authority import Authority
from setup.local.paths import Home
from setup.local.secret_files import write_secret
from setup.proxy.certificates import LIFETIME, authority_folder, ensure_certificate, read_passphrase
from setup.proxy.configuration import Places
from setup.proxy.settings import ProxySettings

PASSPHRASE = "sixteen characters and more"
NOW = dt.datetime.now(dt.UTC)
SETTINGS = ProxySettings(names=("twin.example.org", "127.0.0.1"))


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    Authority.create(tmp_path / "pki", PASSPHRASE)
    return tmp_path / "pki"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "proxy").mkdir()
    return Places(tmp_path / "proxy", tmp_path / "temporary")


def test_the_certificate_names_the_hosts_and_its_key_is_closed(authority: Path, places: Places) -> None:
    assert ensure_certificate(SETTINGS, places, authority, PASSPHRASE)
    made = x509.load_pem_x509_certificate(places.certificate_file.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["twin.example.org", "127.0.0.1"]
    assert places.key_file.stat().st_mode & 0o777 == 0o600


def test_a_certificate_stays_until_a_third_of_its_life_is_left(authority: Path, places: Places) -> None:
    assert ensure_certificate(SETTINGS, places, authority, PASSPHRASE)
    assert not ensure_certificate(SETTINGS, places, authority, "", NOW + LIFETIME / 2)
    assert ensure_certificate(SETTINGS, places, authority, PASSPHRASE, NOW + LIFETIME * 0.7)


def test_other_names_or_another_authority_need_another_certificate(
    authority: Path, places: Places, tmp_path: Path
) -> None:
    ensure_certificate(SETTINGS, places, authority, PASSPHRASE)
    renamed = replace(SETTINGS, names=("other.example.org",))
    assert ensure_certificate(renamed, places, authority, PASSPHRASE)
    assert not ensure_certificate(renamed, places, authority, PASSPHRASE)
    Authority.create(tmp_path / "second", PASSPHRASE)
    assert ensure_certificate(renamed, places, tmp_path / "second", PASSPHRASE)


def test_a_given_certificate_is_never_replaced(places: Places, tmp_path: Path) -> None:
    given = replace(SETTINGS, certificate_file=tmp_path / "given.pem", key_file=tmp_path / "given.key")
    assert not ensure_certificate(given, places, tmp_path / "nowhere", "")
    assert not places.certificate_file.exists()


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_without_an_authority_it_is_said_what_to_do(places: Places, tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PROXY__CERTIFICATE_FILE"):
        ensure_certificate(SETTINGS, places, tmp_path / "nowhere", passphrase)


def test_authority_and_passphrase_are_those_of_the_home_unless_others_are_named(tmp_path: Path) -> None:
    home, other = Home(tmp_path / "home"), tmp_path / "other"
    home.pki_passphrase_file.parent.mkdir(parents=True)
    assert read_passphrase(home, {}) == ""
    write_secret(home.pki_passphrase_file, "of the home\n")
    write_secret(other, "of the file\n")
    assert authority_folder(home, {}) == home.pki
    assert authority_folder(home, {"DTWIN_PKI__DIRECTORY": str(other)}) == other
    assert read_passphrase(home, {}) == "of the home"
    assert read_passphrase(home, {"DTWIN_PKI__PASSPHRASE_FILE": str(other)}) == "of the file"
    assert read_passphrase(home, {"DTWIN_PKI__PASSPHRASE": "given"}) == "given"
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__PASSPHRASE_FILE cannot be read"):
        read_passphrase(home, {"DTWIN_PKI__PASSPHRASE_FILE": str(tmp_path / "nowhere")})
