"""The audit key: Ed25519, in a PEM file that only the platform reads.

What lives here: making and reading it. What does not: what is signed (``chain``).

Sources: RFC 8032 (Ed25519), RFC 8410 (its form in PKCS #8).
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from client.errors import ConfigurationError

SETTING: Final = "DTWIN_AUDIT__KEY_FILE"
_OWN_ONLY: Final = 0o600
_ID_LENGTH: Final = 16


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it to a new file that only the owner can read.

    Raises:
        ConfigurationError: The file exists already, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"the audit key cannot be written to {path}: {error.strerror}") from error
    return key


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read the key.

    Raises:
        ConfigurationError: The file cannot be read, or holds no such key.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{SETTING} names {path}, which holds no key: {error}. "
            "Make one with: python -m platform_ui make-audit-key FILE",
            setting=SETTING,
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{SETTING} names {path}, which is no Ed25519 key.", setting=SETTING)
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key, or the public part of a private one.

    Raises:
        ConfigurationError: The file cannot be read, or holds neither.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        return read_key(path).public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path} is no Ed25519 key.", setting=SETTING)
    return key


def public_text(key: Ed25519PublicKey) -> str:
    """Return a public key as PEM, for whoever checks the log elsewhere."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """Return the short name of a key, the beginning of its hash: seals tell by it which key made them."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:_ID_LENGTH]
