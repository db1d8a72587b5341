"""The proxy's own certificate, where none is given: signed by the platform's authority, renewed in time.

What lives here: when a new one is needed, and writing it. What does not: the authority
(`platform_ui.pki.authority`).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from client.errors import ConfigurationError
from platform_ui.pki.authority import CERTIFICATE_FILE, Authority, service_of
from setup.local.paths import Home
from setup.local.secret_files import write_secret
from setup.proxy.configuration import Places
from setup.proxy.settings import ProxySettings

LIFETIME: Final = dt.timedelta(days=90)
_RENEWED_WHEN_LEFT: Final = LIFETIME / 3
SERVICE: Final = "proxy"


def authority_folder(home: Home, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the platform's authority: `DTWIN_PKI__DIRECTORY`, else that of the home."""
    named = environment.get("DTWIN_PKI__DIRECTORY", "").strip()
    return Path(named).expanduser() if named else home.pki


def authority_certificate(folder: Path) -> Path | None:
    """Return the certificate of an authority, whose client certificates count; None when there is none."""
    path = folder / CERTIFICATE_FILE
    return path if path.is_file() else None


def ensure_certificate(
    settings: ProxySettings, places: Places, folder: Path, passphrase: str, now: dt.datetime | None = None
) -> bool:
    """Sign a certificate for the proxy's names, unless files are given or the present one will do.

    Args:
        settings: The names.
        places: Where it is written.
        folder: Of the authority.
        passphrase: Of the authority's key; empty when it is not known.
        now: The time, aware; the clock's when None.

    Returns:
        Whether there is a new one.

    Raises:
        ConfigurationError: one is needed, but there is no authority, or its passphrase is missing or wrong.
    """
    if settings.certificate_file is not None:
        return False
    if _will_do(settings, places, authority_certificate(folder), now or dt.datetime.now(dt.UTC)):
        return False
    if not Authority.exists(folder) or not passphrase:
        raise ConfigurationError(
            f"The proxy has no certificate: {folder} holds no authority that could sign one (dtwin up makes "
            "it), or DTWIN_PKI__PASSPHRASE_FILE does not name its passphrase. Or name files: "
            "DTWIN_PROXY__CERTIFICATE_FILE and DTWIN_PROXY__KEY_FILE.",
            setting="DTWIN_PROXY__CERTIFICATE_FILE",
        )
    authority = Authority.open(folder, passphrase)
    issued = authority.issue(service_of(SERVICE), lifetime=LIFETIME, hosts=settings.names)
    write_secret(places.key_file, issued.key_pem)
    write_secret(places.certificate_file, issued.certificate_pem)
    return True


def read_passphrase(home: Home, environment: Mapping[str, str] = os.environ) -> str:
    """Return the passphrase of the authority, from the environment or the home's secrets; empty for none.

    Raises:
        ConfigurationError: `DTWIN_PKI__PASSPHRASE_FILE` names a file that cannot be read.
    """
    given = environment.get("DTWIN_PKI__PASSPHRASE", "").strip()
    named = environment.get("DTWIN_PKI__PASSPHRASE_FILE", "").strip()
    if given:
        return given
    path = Path(named) if named else home.pki_passphrase_file
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        if not named:
            return ""
        raise ConfigurationError(
            f"DTWIN_PKI__PASSPHRASE_FILE cannot be read: {error}", setting="DTWIN_PKI__PASSPHRASE_FILE"
        ) from error


def _will_do(settings: ProxySettings, places: Places, authority: Path | None, now: dt.datetime) -> bool:
    try:
        present = x509.load_pem_x509_certificate(places.certificate_file.read_bytes())
        names = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if authority is not None:
            present.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    known = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    return (
        places.key_file.is_file()
        and known == set(settings.names)
        and present.not_valid_after_utc - now > _RENEWED_WHEN_LEFT
    )
