import base64
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from client.enrolment import Renewal, enrol, finish_replacing, main, renewal_of, replace_files
from client.errors import ConfigurationError, EnrolmentError
from client.messaging.security import KafkaSecurity

BORN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LIFE = dt.timedelta(days=30)
NAME = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "test")])
AUTHORITY_KEY = ec.generate_private_key(ec.SECP256R1())


def certificate_for(key: ec.EllipticCurvePublicKey, serial: int = 4711) -> str:
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(BORN)
        .not_valid_after(BORN + LIFE)
        .sign(AUTHORITY_KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def files(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
    certificate, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(certificate_for(key.public_key()))
    private.write_text(key_pem(key))
    return certificate, private


class Platform:
    """Signs what it is sent, as the platform does, and remembers it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.refusal: httpx2.Response | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.paths.append(request.url.path)
        self.bodies.append(json.loads(request.content))
        if self.refusal is not None:
            return self.refusal
        asked = x509.load_pem_x509_csr(self.bodies[-1]["request"].encode()).public_key()
        assert isinstance(asked, ec.EllipticCurvePublicKey)
        return httpx2.Response(200, json={"certificate": certificate_for(asked, 4712), "ca": "the authority"})

    def http(self) -> httpx2.Client:
        return httpx2.Client(transport=httpx2.MockTransport(self))


def renewal(platform: Platform, files: tuple[Path, Path], now: Callable[[], dt.datetime]) -> Renewal:
    return Renewal("https://dtwin.test", *files, http=platform.http(), now=now)


def public_key_of(certificate: Path) -> object:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()


def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left(files: tuple[Path, Path]) -> None:
    platform, present = Platform(), [BORN + dt.timedelta(days=19)]
    renew = renewal(platform, files, lambda: present[0])
    renew()
    assert platform.bodies == []
    present[0] += dt.timedelta(days=2)
    renew()
    assert platform.paths == ["/api/v1/credentials/renewal"]
    private = serialization.load_pem_private_key(files[1].read_bytes(), None)
    assert public_key_of(files[0]) == private.public_key(), "certificate and key belong together"
    assert files[1].stat().st_mode & 0o777 == 0o600


def test_the_present_key_signs_time_request_and_serial_number(
    files: tuple[Path, Path], key: ec.EllipticCurvePrivateKey
) -> None:
    platform = Platform()
    renewal(platform, files, lambda: BORN + dt.timedelta(days=25)).renew()
    body = platform.bodies[0]
    assert body["time"] == "2026-01-26T00:00:00.000Z"
    request = x509.load_pem_x509_csr(body["request"].encode())
    digest = hashlib.sha256(request.public_bytes(serialization.Encoding.DER)).hexdigest()
    text = f"dtwin-renewal-v1\n{body['time']}\n{digest}\n{4711:x}\n".encode()
    key.public_key().verify(base64.b64decode(body["signature"]), text, ec.ECDSA(hashes.SHA256()))
    assert request.public_key() != key.public_key(), "the next key is a new one"
    assert "PRIVATE" not in json.dumps(body)


def test_a_refusal_is_told_with_its_hint_and_the_next_tries_wait_longer_and_longer(
    files: tuple[Path, Path],
) -> None:
    platform, present = Platform(), [BORN + dt.timedelta(days=25)]
    platform.refusal = httpx2.Response(403, json={"detail": "Revoked.", "hint": "Ask an agent."})
    renew = renewal(platform, files, lambda: present[0])
    before = files[0].read_bytes()
    with pytest.raises(EnrolmentError, match=r"403: Revoked\. Ask an agent\."):
        renew()
    renew()
    assert len(platform.bodies) == 1, "not at once"
    for pause_s in (61, 121):
        present[0] += dt.timedelta(seconds=pause_s)
        with pytest.raises(EnrolmentError):
            renew()
    present[0] += dt.timedelta(seconds=121)
    renew()
    assert len(platform.bodies) == 3
    assert files[0].read_bytes() == before


def test_whoever_is_no_platform_is_told_so(files: tuple[Path, Path]) -> None:
    platform = Platform()
    platform.refusal = httpx2.Response(200, text="<html>")
    with pytest.raises(EnrolmentError, match="without JSON"):
        renewal(platform, files, lambda: BORN).renew()


@pytest.mark.parametrize("written", [("key",), ("key", "certificate"), ("certificate",)])
def test_files_fit_together_after_a_crash_at_any_point(
    files: tuple[Path, Path], key: ec.EllipticCurvePrivateKey, written: tuple[str, ...]
) -> None:
    following = ec.generate_private_key(ec.SECP256R1())
    certificate, private = files
    if "key" in written:
        private.with_name("key.pem.new").write_text(key_pem(following))
    if "certificate" in written:
        certificate.with_name("certificate.pem.new").write_text(certificate_for(following.public_key()))
    if written == ("certificate",):  # the key has its name already
        private.write_text(key_pem(following))
    finish_replacing(certificate, private)
    found = serialization.load_pem_private_key(private.read_bytes(), None)
    assert public_key_of(certificate) == found.public_key()
    assert (found.public_key() == key.public_key()) == (written == ("key",))
    assert sorted(path.name for path in certificate.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_replaced_files_are_whole_and_closed_to_others(tmp_path: Path) -> None:
    replace_files(tmp_path / "c.pem", "certificate", tmp_path / "k.pem", "key")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "c.pem": "certificate",
        "k.pem": "key",
    }
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match=r"missing/c\.pem"):
        replace_files(tmp_path / "missing" / "c.pem", "certificate", tmp_path / "missing" / "k.pem", "key")


def test_the_first_certificate_costs_a_token_and_the_key_stays(tmp_path: Path) -> None:
    platform = Platform()
    found = enrol("https://dtwin.test/", "dtwin_enrol_x", tmp_path / "new", platform.http())
    assert [path.name for path in found] == ["ca.pem", "certificate.pem", "key.pem"]
    assert platform.paths == ["/api/v1/credentials/enrolment"]
    assert platform.bodies[0].keys() == {"token", "request"}
    assert found[0].read_text() == "the authority"
    private = serialization.load_pem_private_key(found[2].read_bytes(), None)
    assert public_key_of(found[1]) == private.public_key()


def test_nothing_is_renewed_unless_the_environment_names_a_platform(files: tuple[Path, Path]) -> None:
    security = KafkaSecurity(protocol="SSL", certificate_file=files[0], key_file=files[1])
    assert renewal_of(security, {}) is None
    assert renewal_of(KafkaSecurity(), {"DTWIN_PLATFORM__URL": "https://dtwin.test"}) is None
    assert renewal_of(security, {"DTWIN_PLATFORM__URL": "https://dtwin.test"}) is not None


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    with pytest.raises(ConfigurationError, match=r"digital-twin-stack\[enrolment\]"):
        Renewal("https://dtwin.test", *files)
    security = KafkaSecurity(protocol="SSL", certificate_file=files[0], key_file=files[1])
    assert renewal_of(security, {"DTWIN_PLATFORM__URL": "https://dtwin.test"}) is None
    assert "will end without being renewed" in caplog.text


def test_the_command_says_what_went_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--token", "x"])
    assert main(["--platform", "no address", "--token", "x", "--out", str(tmp_path)]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_a_platform_authority_that_cannot_be_read_is_told_at_the_start(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(EnrolmentError, match=r"missing\.pem cannot be read as certificates"):
        Renewal("https://host.test", *files, ca_file=str(tmp_path / "missing.pem"))
