"""The certificate authority: one key that signs the certificates of everybody who talks to Kafka.

What lives here: making the authority, opening it, signing. What does not: who may have a certificate and what
was issued (``platform_ui.credentials``). The private key leaves memory only encrypted.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from client.errors import ConfigurationError
from platform_ui.pki.names import ORGANIZATION, Identity, Kind

CERTIFICATE_FILE: Final = "ca.pem"
KEY_FILE: Final = "ca.key"
AUTHORITY_LIFETIME: Final = dt.timedelta(days=3650)
# Clocks of devices are not exact.
CLOCK_SKEW: Final = dt.timedelta(minutes=5)
MIN_PASSPHRASE: Final = 16
SMALLEST_RSA_BITS: Final = 2048
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)


@dataclass(frozen=True, slots=True)
class IssuedCredentials:
    """A certificate with the key that was made for it.

    Attributes:
        certificate: The certificate.
        certificate_pem: The same as PEM.
        key_pem: The private key, PKCS #8 as PEM, not encrypted: hand it over, do not keep it.
    """

    certificate: x509.Certificate
    certificate_pem: str
    key_pem: str = field(repr=False)


class RequestRefusedError(ValueError):
    """A certificate signing request cannot be signed.

    Attributes:
        code: Stable word for the case: ``unreadable``, ``forged`` or ``weak_key``.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Authority:
    """An authority whose key is in memory; ``create`` makes one, ``open`` reads one."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, directory: Path, passphrase: str) -> "Authority":
        """Make an authority and keep it in a folder: ``ca.pem``, and ``ca.key`` encrypted.

        Args:
            directory: Where it is kept; only its owner may enter.
            passphrase: Encrypts the key, at least 16 characters.

        Raises:
            ConfigurationError: There is one already, the passphrase is short, or the folder is not writable.
        """
        if len(passphrase) < MIN_PASSPHRASE:
            raise ConfigurationError(
                f"DTWIN_PKI__PASSPHRASE has {len(passphrase)} characters: use at least {MIN_PASSPHRASE}",
                setting="DTWIN_PKI__PASSPHRASE",
            )
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key)
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The key first: an authority is there when its certificate is.
            _write_new(directory / KEY_FILE, encrypted, 0o600)
            _write_new(
                directory / CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM), 0o644
            )
        except OSError as error:
            raise ConfigurationError(
                f"DTWIN_PKI__DIRECTORY {directory}: no authority can be made there: {error}",
                setting="DTWIN_PKI__DIRECTORY",
            ) from error
        return cls(certificate, key)

    @classmethod
    def open(cls, directory: Path, passphrase: str) -> "Authority":
        """Read an authority.

        Raises:
            ConfigurationError: There is none, it cannot be read, or the passphrase is wrong.
        """
        try:
            certificate = x509.load_pem_x509_certificate((directory / CERTIFICATE_FILE).read_bytes())
            encrypted = (directory / KEY_FILE).read_bytes()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"DTWIN_PKI__DIRECTORY names {directory}, which holds no authority: {error}",
                setting="DTWIN_PKI__DIRECTORY",
            ) from error
        try:
            key = serialization.load_pem_private_key(encrypted, passphrase.encode())
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"DTWIN_PKI__PASSPHRASE does not open {directory / KEY_FILE}", setting="DTWIN_PKI__PASSPHRASE"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ConfigurationError(
                f"DTWIN_PKI__DIRECTORY: {KEY_FILE} in {directory} is not the key of {CERTIFICATE_FILE}",
                setting="DTWIN_PKI__DIRECTORY",
            )
        return cls(certificate, key)

    @staticmethod
    def exists(directory: Path) -> bool:
        """Tell whether a folder holds an authority."""
        return (directory / CERTIFICATE_FILE).is_file() and (directory / KEY_FILE).is_file()

    @property
    def certificate_pem(self) -> str:
        """The authority's certificate, which everybody who talks to us trusts."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, identity: Identity, *, lifetime: dt.timedelta, hosts: Sequence[str] = ()
    ) -> IssuedCredentials:
        """Make a key and sign a certificate for it.

        Args:
            identity: Whose it is.
            lifetime: How long it counts.
            hosts: Names and addresses under which a server is reached; clients have none.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(key.public_key(), identity, lifetime, hosts)
        return IssuedCredentials(
            certificate,
            certificate.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
        )

    def sign_request(self, request_pem: str, identity: Identity, lifetime: dt.timedelta) -> x509.Certificate:
        """Sign the key of a request (PKCS #10); of what else it says nothing is taken over.

        Raises:
            RequestRefusedError: It cannot be read, is not signed by its own key, or its key is weak.
        """
        request = read_request(request_pem)
        return self._sign(_strong_key(request), identity, lifetime, ())

    def sign_revocations(self, revoked: Mapping[int, dt.datetime], *, lifetime: dt.timedelta) -> str:
        """List certificates that count no more, for servers that look at such a list; PEM.

        Source: RFC 5280, clause 5 "CRL and CRL Extensions Profile".

        Args:
            revoked: When certificates were revoked, by serial number.
            lifetime: How long the list counts.
        """
        present = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(present - CLOCK_SKEW)
            .next_update(present + lifetime)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .add_extension(x509.CRLNumber(int(present.timestamp() * 1000)), critical=False)
        )
        for serial, since in sorted(revoked.items()):
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
            builder = builder.add_revoked_certificate(one.build())
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def has_signed(self, certificate: x509.Certificate) -> bool:
        """Tell whether a certificate was signed by this authority, whatever its dates say."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def _sign(
        self,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey,
        identity: Identity,
        lifetime: dt.timedelta,
        hosts: Sequence[str],
    ) -> x509.Certificate:
        present = dt.datetime.now(dt.UTC)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if hosts:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = (
            x509.CertificateBuilder()
            .subject_name(identity.subject)
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(present - CLOCK_SKEW)
            .not_valid_after(min(present + lifetime, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if hosts:
            names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def read_request(request_pem: str) -> x509.CertificateSigningRequest:
    """Read a signing request whose own signature is right.

    Raises:
        RequestRefusedError: It cannot be read, or somebody else's key stands in it.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem.encode())
        is_own = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RequestRefusedError(
            "unreadable",
            "The signing request cannot be read. Give the whole text of request.pem, "
            "from BEGIN CERTIFICATE REQUEST to END CERTIFICATE REQUEST, both lines included.",
        ) from error
    if not is_own:
        raise RequestRefusedError("forged", "The signing request is not signed by the key that stands in it.")
    return request


def service_of(name: str) -> Identity:
    """Give the identity of one of the platform's own services."""
    return Identity(Kind.SERVICE, name)


def _strong_key(
    request: x509.CertificateSigningRequest,
) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
    key = request.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA_BITS:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise RequestRefusedError(
        "weak_key",
        f"The key of the signing request is not accepted: use EC P-256 or P-384, Ed25519, or RSA of at least "
        f"{SMALLEST_RSA_BITS} bits.",
    )


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    present = dt.datetime.now(dt.UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, "Digital Twin Stack authority"),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(present - CLOCK_SKEW)
        .not_valid_after(present + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not be there yet.

    Raises:
        OSError: It is there, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
