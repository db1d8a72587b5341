"""A small certificate authority for tests: it signs clients and servers, also badly when asked to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both as PEM; return the files of certificate and key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key


class TestAuthority:
    """An authority of its own."""

    __test__ = False

    def __init__(self, name: str = "Test CA", *, now: datetime | None = None) -> None:
        self._now = now or datetime.now(tz=UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = self._builder(subject, subject, key, 30 * DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.own = Signed(builder.sign(key, hashes.SHA256()), key)

    def sign(
        self,
        *names: str,
        server: bool = False,
        lifetime: timedelta = DAY,
        subject: x509.Name | None = None,
    ) -> Signed:
        """Sign a certificate of common names or a subject; a negative lifetime makes an expired one."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(subject or _name(*names), self.own.certificate.subject, key, lifetime)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if server:
            address = x509.IPAddress(ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return Signed(builder.sign(self.own.key, hashes.SHA256()), key)

    def sign_for_later(self, name: str) -> Signed:
        """Sign a certificate that is valid only from tomorrow on."""
        now, self._now = self._now, self._now + 3 * DAY
        try:
            return self.sign(name)
        finally:
            self._now = now

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now + min(-DAY, lifetime - DAY))
            .not_valid_after(self._now + lifetime)
        )


def _name(*names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
