"""Proofs of possession: a signature by the key of a certificate, over a text that both sides can write.

What lives here: the text, and whether a signature over it is right. What does not: whose certificate it is
and what it is good for (``platform_ui.credentials``). No clock, no database.
"""

import binascii
import hashlib
from base64 import b64decode
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

RENEWAL_LABEL: Final = "dtwin-renewal-v1"
"""First line of the text: a signature made for something else never counts here."""


def serial_text(certificate: x509.Certificate) -> str:
    """Return the serial number in lower-case hexadecimal, without leading zeros."""
    return f"{certificate.serial_number:x}"


def pem_of(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM (RFC 7468, clause 5)."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 fingerprint as people compare it: pairs of hexadecimal digits with colons."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def renewal_text(time: str, request: x509.CertificateSigningRequest, certificate: x509.Certificate) -> bytes:
    """Return what a device signs to have its certificate renewed.

    Four lines, each ended by a line feed: the label, the time as it is sent, the SHA-256 of the request's DER
    and the serial number of the certificate, both in lower-case hexadecimal.

    Args:
        time: When it was signed, RFC 3339.
        request: What is to be signed by the authority.
        certificate: The present certificate.
    """
    digest = hashlib.sha256(request.public_bytes(serialization.Encoding.DER)).hexdigest()
    lines = (RENEWAL_LABEL, time, digest, serial_text(certificate))
    return "".join(f"{line}\n" for line in lines).encode()


def is_signed(certificate: x509.Certificate, signature: str, text: bytes) -> bool:
    """Tell whether a text was signed by the key of a certificate.

    EC keys sign with ECDSA and SHA-256 (RFC 3279, clause 2.2.3), RSA keys with RSASSA-PSS, SHA-256 and a salt
    of 32 bytes (RFC 8017, clause 8.1), Ed25519 keys as in RFC 8032.

    Args:
        certificate: Its public key counts.
        signature: Base64.
        text: What was signed.
    """
    key = certificate.public_key()
    try:
        decoded = b64decode(signature, validate=True)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(decoded, text, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
            key.verify(decoded, text, pss, hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(decoded, text)
        else:
            return False
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
