"""`dtwin pki`: what it prints and writes, and what it leaves alone."""

import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from client.errors import ConfigurationError
from platform_ui.pki.names import Identity, Kind
from setup.errors import SetupError
from setup.local.trust import LocalTrust
from setup.pki_commands import pki

CAR = "cz.icecars.CarFleet.Car1.car_1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DTWIN_HOME", str(tmp_path))
    return tmp_path


def trust_of(home: Path) -> LocalTrust:
    return LocalTrust(home / "pki", home / "secrets" / "pki_passphrase")


def run(*arguments: str) -> str:
    done = CliRunner().invoke(pki, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def serial(home: Path, name: str) -> int:
    file = home / "pki" / "services" / name / "certificate.pem"
    return x509.load_pem_x509_certificate(file.read_bytes()).serial_number


def test_the_authority_is_printed_or_saved(home: Path) -> None:
    trust_of(home).authority()
    printed = run("ca")
    run("ca", "--out", str(home / "copy.pem"))
    assert printed == (home / "copy.pem").read_text(encoding="utf-8")
    assert x509.load_pem_x509_certificate(printed.encode()) == trust_of(home).authority().certificate


@pytest.mark.parametrize("command", ["show", "ca"])
def test_who_only_looks_makes_no_authority(home: Path, command: str) -> None:
    with pytest.raises(SetupError, match="dtwin up"):
        run(command)
    assert not (home / "pki").exists()


def test_what_was_signed_for_services_is_shown_with_its_end(home: Path) -> None:
    trust_of(home).service("recorder")
    found = json.loads(run("show", "--json"))
    assert list(found["services"]) == ["recorder"]
    assert int(found["services"]["recorder"]["serial"], 16) == serial(home, "recorder")
    text = run("show")
    assert found["authority"]["fingerprint"] in text
    assert "recorder" in text


def test_a_certificate_is_written_with_its_key_for_its_owner_only(home: Path) -> None:
    out = home / "car"
    assert f"User:client.{CAR}" in run("issue", "client", CAR, "--out", str(out))
    certificate = x509.load_pem_x509_certificate((out / "certificate.pem").read_bytes())
    assert Identity.of_subject(certificate.subject) == Identity(Kind.CLIENT, CAR)
    assert trust_of(home).authority().has_signed(certificate)
    assert stat.S_IMODE((out / "key.pem").stat().st_mode) == 0o600


def test_files_that_are_there_are_not_written_over(home: Path) -> None:
    out = home / "car"
    run("issue", "client", CAR, "--out", str(out))
    before = (out / "key.pem").read_bytes()
    with pytest.raises(SetupError, match="key"):
        run("issue", "client", CAR, "--out", str(out))
    assert (out / "key.pem").read_bytes() == before


def test_a_name_that_cannot_stand_in_a_certificate_is_refused(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="name for a certificate"):
        run("issue", "client", "a,OU=dt-service", "--out", str(home / "x"))
    assert not (home / "x").exists()


def test_services_get_new_certificates_and_the_broker_keeps_its_own(home: Path) -> None:
    trust = trust_of(home)
    for name in ("recorder", "broker"):
        trust.service(name)
    before = {name: serial(home, name) for name in ("recorder", "broker")}
    shown = run("renew-services")
    assert "recorder" in shown
    assert serial(home, "recorder") != before["recorder"]
    assert serial(home, "broker") == before["broker"]


def test_a_broker_that_does_not_run_is_not_rotated(home: Path) -> None:
    with pytest.raises(SetupError, match="dtwin up"):
        run("rotate-broker")
