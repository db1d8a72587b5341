"""Client certificates: whose they are, and whether one of ours signed them.

What lives here: reading and checking a certificate that a proxy passes on (RFC 9440), and the name in one
that this service's own TLS has checked already. What does not: TLS (`sensorthings.http.tls`), and what a
principal may do (`sensorthings.access.registry`).

The name is in the subject's UID (RFC 4519, clause 2.39) where there is one, because a common name holds at
most 64 characters (RFC 5280, appendix A.1, `ub-common-name`); otherwise it is the common name. An
organizational unit `dt-<kind>` tells what the platform made a certificate for: those of stream apps and
services are not to be taken for client apps of the same name.
"""

import base64
import binascii
import ipaddress
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from client.errors import ConfigurationError
from sensorthings.access.tokens import NotProvenError

CLIENT_CERT_HEADER = "client-cert"
"""Header with which a proxy passes a client's certificate on: RFC 9440, clause 2.2."""
_MAX_CHARACTERS = 16 * 1024
_SHORTEST = 3
_KIND_PREFIX = "dt-"
_CLIENT_UNIT = "dt-client"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def certified_name(der: bytes) -> str:
    """Give the name in a subject: UID or common name, `<system>.<name>` of a client app.

    Raises:
        NotProvenError: It is no certificate, has not exactly one such name, or is of no client app.
    """
    return _name_of(_load(der))


def _load(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        raise _refusal("The client certificate cannot be read.") from None


def _name_of(certificate: x509.Certificate) -> str:
    try:
        subject = certificate.subject
    except ValueError:
        raise _refusal("The client certificate cannot be read.") from None
    units = {str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)}
    if any(unit.startswith(_KIND_PREFIX) and unit != _CLIENT_UNIT for unit in units):
        raise _refusal("The client certificate is of a stream app or a service, not of a client app.")
    for kind in (NameOID.USER_ID, NameOID.COMMON_NAME):
        names = subject.get_attributes_for_oid(kind)
        if len(names) == 1:
            return str(names[0].value)
        if names:
            break
    raise _refusal("The client certificate needs exactly one UID, or exactly one common name.")


def certificate_in_header(value: str) -> bytes:
    """Read a Client-Cert header: DER in base64 between colons (RFC 9440, clause 2.1; RFC 8941, 3.3.5).

    Raises:
        NotProvenError: The value is not of that form.
    """
    text = value.strip()
    try:
        if _SHORTEST <= len(text) <= _MAX_CHARACTERS and text[0] == text[-1] == ":":
            return base64.b64decode(text[1:-1], validate=True)
    except binascii.Error:
        pass
    raise _refusal("The Client-Cert header is not base64 between colons (RFC 9440).")


class Authority:
    """The certificate authorities whose client certificates count.

    Args:
        certificates: Their certificates.
    """

    def __init__(self, certificates: Sequence[x509.Certificate]) -> None:
        self._certificates = tuple(certificates)

    @classmethod
    def from_file(cls, path: Path) -> "Authority":
        """Read a PEM file of one or more certificates.

        Raises:
            ConfigurationError: The file cannot be read or holds no certificate.
        """
        try:
            return cls(x509.load_pem_x509_certificates(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"DTWIN_SENSORTHINGS__CLIENT_CA names {path}, which is no PEM file of certificates: {error}",
                setting="DTWIN_SENSORTHINGS__CLIENT_CA",
            ) from None

    def check(self, der: bytes, now: datetime) -> str:
        """Give the name in a certificate that one of these authorities signed.

        Args:
            der: The certificate.
            now: The time for which it must be valid, aware.

        Raises:
            NotProvenError: It is not signed by any of them, not valid now, or not made for clients.
        """
        certificate = _load(der)
        if not any(_has_signed(authority, certificate, now) for authority in self._certificates):
            raise _refusal("The client certificate was not signed by an authority that counts here.")
        if not _is_valid(certificate, now):
            raise _refusal("The client certificate is not valid at this time.")
        if not _is_for_clients(certificate):
            raise _refusal("The client certificate is not made for clients (extended key usage).")
        return _name_of(certificate)


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate, now: datetime) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_valid(authority, now)


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read a list of addresses and networks, separated by commas, such as `127.0.0.1, 10.0.0.0/8`.

    Raises:
        ConfigurationError: One of them is none.
    """
    try:
        return tuple(
            ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()
        )
    except ValueError as error:
        raise ConfigurationError(
            f"DTWIN_SENSORTHINGS__TRUSTED_PROXIES is wrong: {error}. For example 127.0.0.1,10.0.0.0/8.",
            setting="DTWIN_SENSORTHINGS__TRUSTED_PROXIES",
        ) from None


def is_within(host: str | None, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of some networks."""
    if host is None or not networks:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _refusal(detail: str) -> NotProvenError:
    return NotProvenError("access.certificate", detail)
