"""The authority: what it makes, opens, signs, and refuses."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from client.errors import ConfigurationError
from platform_ui.pki.authority import Authority, RequestRefusedError, read_request, service_of
from platform_ui.pki.names import Identity, Kind

PASSPHRASE = "a passphrase of the tests 4711"
CAR = Identity(Kind.CLIENT, "cz.icecars.Fleet.Car1.car_1")
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"), PASSPHRASE)


def csr(key: Key) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "service.platform")])
    wishes = x509.BasicConstraints(ca=True, path_length=None)
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(wishes, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_the_key_of_an_authority_is_encrypted_and_for_its_owner_only(tmp_path: Path) -> None:
    Authority.create(tmp_path / "pki", PASSPHRASE)
    key = tmp_path / "pki" / "ca.key"
    assert key.read_text(encoding="ascii").startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Authority.exists(tmp_path / "pki")


def test_an_authority_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    made = Authority.create(tmp_path, PASSPHRASE)
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__DIRECTORY"):
        Authority.create(tmp_path, PASSPHRASE)
    assert Authority.open(tmp_path, PASSPHRASE).certificate == made.certificate


def test_a_short_passphrase_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__PASSPHRASE"):
        Authority.create(tmp_path, "short")
    assert not Authority.exists(tmp_path)


def test_a_wrong_passphrase_a_missing_folder_and_a_foreign_key_are_named(tmp_path: Path) -> None:
    Authority.create(tmp_path / "one", PASSPHRASE)
    Authority.create(tmp_path / "other", PASSPHRASE)
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__PASSPHRASE"):
        Authority.open(tmp_path / "one", "another passphrase 0815")
    with pytest.raises(ConfigurationError, match="DTWIN_PKI__DIRECTORY"):
        Authority.open(tmp_path / "none", PASSPHRASE)
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(ConfigurationError, match=r"ca\.key"):
        Authority.open(tmp_path / "one", PASSPHRASE)


def test_a_certificate_names_its_holder_and_signs_no_others(authority: Authority) -> None:
    issued = authority.issue(CAR, lifetime=DAY)
    certificate = issued.certificate
    assert Identity.of_subject(certificate.subject) == CAR
    assert authority.has_signed(certificate)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert not basic.value.ca
    assert usages(certificate) == {ExtendedKeyUsageOID.CLIENT_AUTH}
    assert "PRIVATE KEY" not in repr(issued)


def test_the_certificate_of_a_server_names_its_hosts(authority: Authority) -> None:
    certificate = authority.issue(service_of("broker"), lifetime=DAY, hosts=("127.0.0.1", "kafka.test"))
    names = certificate.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kafka.test"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert ExtendedKeyUsageOID.SERVER_AUTH in usages(certificate.certificate)


def test_no_certificate_outlives_its_authority(authority: Authority) -> None:
    certificate = authority.issue(CAR, lifetime=timedelta(days=100_000)).certificate
    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_clock_that_is_a_little_behind_accepts_a_new_certificate(authority: Authority) -> None:
    certificate = authority.issue(CAR, lifetime=DAY).certificate
    assert certificate.not_valid_before_utc <= datetime.now(UTC) - timedelta(minutes=4)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_of_a_request_only_the_key_is_taken_over(authority: Authority, key: Key) -> None:
    certificate = authority.sign_request(csr(key), CAR, DAY)
    assert certificate.public_key() == key.public_key()
    assert Identity.of_subject(certificate.subject) == CAR
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - weak on purpose
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ],
)
def test_weak_and_unusual_keys_are_refused(authority: Authority, key: Key) -> None:
    with pytest.raises(RequestRefusedError, match="P-256") as caught:
        authority.sign_request(csr(key), CAR, DAY)
    assert caught.value.code == "weak_key"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "\0", "é" * 9]
)
def test_what_is_no_request_is_told_so(text: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read_request(text)
    assert caught.value.code == "unreadable"


def test_a_request_with_a_foreign_key_in_it_is_forged() -> None:
    mine, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    der = x509.load_pem_x509_csr(csr(mine).encode()).public_bytes(serialization.Encoding.DER)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    wrong = der.replace(mine.public_key().public_bytes(*form), other.public_key().public_bytes(*form))
    pem = x509.load_der_x509_csr(wrong).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(RequestRefusedError) as caught:
        read_request(pem)
    assert caught.value.code == "forged"


def test_what_another_authority_signed_is_not_ours(authority: Authority, tmp_path: Path) -> None:
    other = Authority.create(tmp_path, PASSPHRASE)
    assert not authority.has_signed(other.issue(CAR, lifetime=DAY).certificate)
    assert not authority.has_signed(other.certificate)
