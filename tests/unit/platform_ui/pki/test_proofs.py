"""Proofs of possession: the text that both sides write, and whose signatures over it count."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from platform_ui.pki.authority import Authority
from platform_ui.pki.names import Identity, Kind
from platform_ui.pki.proofs import fingerprint, is_signed, pem_of, renewal_text, serial_text

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
CAR = Identity(Kind.CLIENT, "cz.icecars.Fleet.Car1.car_1")
TIME = "2026-01-02T03:04:05Z"
KEYS: dict[str, Callable[[], Key]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority.create(folder, "a passphrase of the tests 4711")


def request_of(key: Key) -> x509.CertificateSigningRequest:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, algorithm)


def certificate_of(authority: Authority, key: Key) -> x509.Certificate:
    pem = request_of(key).public_bytes(serialization.Encoding.PEM).decode()
    return authority.sign_request(pem, CAR, timedelta(days=1))


def sign(key: Key, text: bytes) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(text, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    else:
        signature = key.sign(text)
    return base64.b64encode(signature).decode()


def test_the_text_has_four_lines_that_name_time_request_and_certificate(authority: Authority) -> None:
    key = KEYS["P-256"]()
    request, certificate = request_of(key), certificate_of(authority, key)
    digest = hashlib.sha256(request.public_bytes(serialization.Encoding.DER)).hexdigest()
    expected = f"dtwin-renewal-v1\n{TIME}\n{digest}\n{certificate.serial_number:x}\n"
    assert renewal_text(TIME, request, certificate) == expected.encode()


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_by_the_key_of_the_certificate_counts(authority: Authority, kind: str) -> None:
    key = KEYS[kind]()
    certificate = certificate_of(authority, key)
    assert is_signed(certificate, sign(key, b"text"), b"text")
    assert not is_signed(certificate, sign(key, b"text"), b"another text")


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("signer", KEYS)
def test_a_signature_by_another_key_does_not_count(authority: Authority, kind: str, signer: str) -> None:
    certificate = certificate_of(authority, KEYS[kind]())
    assert not is_signed(certificate, sign(KEYS[signer](), b"text"), b"text")


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "é"])
def test_nonsense_is_no_signature(authority: Authority, signature: str) -> None:
    assert not is_signed(certificate_of(authority, KEYS["P-256"]()), signature, b"text")


def test_serial_numbers_and_fingerprints_are_written_as_openssl_does(authority: Authority) -> None:
    certificate = authority.certificate
    assert int(serial_text(certificate), 16) == certificate.serial_number
    pairs = fingerprint(certificate).split(":")
    assert len(pairs) == 32
    assert bytes.fromhex("".join(pairs)) == certificate.fingerprint(hashes.SHA256())
    assert x509.load_pem_x509_certificate(pem_of(certificate).encode()) == certificate
