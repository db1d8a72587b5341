"""The certificates of the demo's programs: are they there and do they last, and how a program shows its own.

What does not live here: issuing them, which the platform does (`platform_ui.demo_credentials`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final, Protocol

from cryptography import x509

from setup.local.paths import Home
from setup.local.trust import ServiceFiles
from setup.services import Addresses

# A demo that runs longer has its programs renew them.
_SHORTEST_LEFT: Final = dt.timedelta(days=7)


class ClientProgram(Protocol):
    """A program that is a client app."""

    @property
    def name(self) -> str:
        """The client app's name."""

    @property
    def system(self) -> str:
        """Its system."""


def client_environment(home: Home, addresses: Addresses, program: ClientProgram) -> dict[str, str]:
    """Return the environment with which a program reaches Kafka as its client app.

    Args:
        home: Folders of the stack.
        addresses: Where the parts are.
        program: Whose.
    """
    if addresses.trust is None:
        return {}
    files = _files(home, program)
    return {**files.environment(), "DTWIN_PLATFORM__URL": addresses.platform}


def credentials_last(home: Home, programs: Iterable[ClientProgram]) -> bool:
    """Tell whether every program has a certificate that lasts some days, of the home's authority."""
    if not (home.pki / "ca.pem").is_file():
        return True  # a given broker: its credentials are not ours to issue
    authority = (home.pki / "ca.pem").read_bytes()
    return all(_lasts(_files(home, program), authority) for program in programs)


def _files(home: Home, program: ClientProgram) -> ServiceFiles:
    folder = home.credentials / f"{program.system}.{program.name}"
    return ServiceFiles(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")


def _lasts(files: ServiceFiles, authority: bytes) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        is_ours = files.key.is_file() and files.authority.read_bytes() == authority
    except (OSError, ValueError):
        return False
    return is_ours and certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) > _SHORTEST_LEFT
