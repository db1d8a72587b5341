import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from client.messaging.security import KafkaSecurity
from platform_ui.pki.names import Identity
from setup.errors import SetupError
from setup.local import trust as trust_module
from setup.local.trust import BROKER, LocalTrust


@pytest.fixture
def trust(tmp_path: Path) -> LocalTrust:
    return LocalTrust(tmp_path / "pki", tmp_path / "secrets" / "passphrase")


def certificate_of(trust: LocalTrust, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(trust.files(name).certificate.read_bytes())


def test_the_authority_is_made_once_with_an_encrypted_key_that_others_cannot_read(trust: LocalTrust) -> None:
    first = trust.authority().certificate
    again = LocalTrust(trust.directory, trust.passphrase_file).authority().certificate
    assert first == again
    key = trust.directory / "ca.key"
    assert b"ENCRYPTED" in key.read_bytes()
    for secret in (key, trust.passphrase_file):
        assert secret.stat().st_mode & 0o777 == 0o600


def test_a_service_gets_a_certificate_of_its_name_with_which_clients_are_configured(
    trust: LocalTrust,
) -> None:
    files = trust.service("recorder")
    certificate = certificate_of(trust, "recorder")
    assert Identity.of_subject(certificate.subject).principal == "User:service.recorder"
    assert trust.authority().has_signed(certificate)
    security = KafkaSecurity.from_environment(files.environment())
    assert security.to_librdkafka()["ssl.certificate.location"] == str(files.certificate)
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_credentials_are_kept_until_thirty_days_before_their_end(
    trust: LocalTrust, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust.service("recorder")
    first = certificate_of(trust, "recorder")
    trust.service("recorder")
    assert certificate_of(trust, "recorder") == first
    monkeypatch.setattr(trust_module, "SERVICE_LIFETIME", dt.timedelta(days=29))
    trust.renew("recorder")
    short = certificate_of(trust, "recorder")
    monkeypatch.undo()
    trust.service("recorder")
    assert certificate_of(trust, "recorder") != short


def test_credentials_of_another_authority_are_replaced(trust: LocalTrust, tmp_path: Path) -> None:
    other = LocalTrust(tmp_path / "other", tmp_path / "other-passphrase")
    other.service("platform")
    files = trust.files("platform")
    files.key.parent.mkdir(parents=True)
    files.key.write_bytes(other.files("platform").key.read_bytes())
    files.certificate.write_bytes(other.files("platform").certificate.read_bytes())
    trust.service("platform")
    assert trust.authority().has_signed(certificate_of(trust, "platform"))


def test_the_broker_has_its_addresses_in_its_certificate_and_one_file_with_key_and_certificate(
    trust: LocalTrust,
) -> None:
    trust.service(BROKER)
    certificate = certificate_of(trust, BROKER)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    both = trust.keystore.read_bytes()
    assert x509.load_pem_x509_certificate(both) == certificate
    key = serialization.load_pem_private_key(both, None)
    assert key.public_key() == certificate.public_key()


def test_a_crash_before_the_authority_was_whole_leaves_nothing_in_the_way(trust: LocalTrust) -> None:
    trust.directory.mkdir()
    (trust.directory / "ca.key").write_text("half")
    assert trust.service("platform").certificate.is_file()


def test_a_lost_passphrase_is_told_with_the_folder(trust: LocalTrust) -> None:
    trust.authority()
    trust.passphrase_file.write_text("something else entirely")
    with pytest.raises(SetupError, match="PASSPHRASE does not open"):
        LocalTrust(trust.directory, trust.passphrase_file).authority()
    trust.passphrase_file.unlink()
    with pytest.raises(SetupError, match=str(trust.directory)):
        LocalTrust(trust.directory, trust.passphrase_file).authority()
