"""The authority of one home and the credentials of its services, as files.

What lives here: making them when they are missing or near their end, and the environment with which a program
shows them. What does not: signing (`platform_ui.pki`), credentials of client and stream apps (the platform
hands those out), what each principal may do (`platform_ui.acls`).

Below the folder: `ca.pem`, `ca.key` (encrypted), `services/<name>/certificate.pem` and `key.pem`, and for the
broker `keystore.pem` (key and certificate in one file, as Kafka reads it).
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from client.errors import ConfigurationError
from platform_ui.pki.authority import Authority, service_of
from setup.errors import SetupError
from setup.local.ports import LOOPBACK
from setup.local.secret_files import write_secret

OPERATOR: Final = "operator"
"""Who the command line on this machine is: a super user of the broker."""
BROKER: Final = "broker"
MQTT_BROKER: Final = "mqtt-broker"
_LISTENING: Final = (BROKER, MQTT_BROKER)
SUPER_USERS: Final = (BROKER, "platform", OPERATOR)
SERVICE_LIFETIME: Final = dt.timedelta(days=90)
_RENEW_BEFORE: Final = dt.timedelta(days=30)
_BROKER_HOSTS: Final = (LOOPBACK, "localhost", "::1")
_PASSPHRASE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ServiceFiles:
    """Where the credentials of a service are.

    Attributes:
        authority: Certificate of the authority that everybody trusts, PEM.
        certificate: Certificate of the service, PEM.
        key: Its private key, PEM, readable by its owner only.
    """

    authority: Path
    certificate: Path
    key: Path

    def mqtt_environment(self) -> dict[str, str]:
        """Return the environment with which a program reaches the MQTT broker as this service."""
        return {
            "DTWIN_MQTT__CA_FILE": str(self.authority),
            "DTWIN_MQTT__CERTIFICATE_FILE": str(self.certificate),
            "DTWIN_MQTT__KEY_FILE": str(self.key),
        }

    def environment(self) -> dict[str, str]:
        """Return the environment with which a program reaches Kafka as this service."""
        return {
            "DTWIN_KAFKA__SECURITY_PROTOCOL": "SSL",
            "DTWIN_KAFKA__SSL_CA_FILE": str(self.authority),
            "DTWIN_KAFKA__SSL_CERTIFICATE_FILE": str(self.certificate),
            "DTWIN_KAFKA__SSL_KEY_FILE": str(self.key),
        }


class LocalTrust:
    """The authority of one folder; it is made when it is first needed.

    Args:
        directory: Where certificates are.
        passphrase_file: Holds the passphrase of the authority's key; made with it.
        broker_hosts: Names and addresses under which clients reach the brokers.
    """

    def __init__(
        self, directory: Path, passphrase_file: Path, broker_hosts: tuple[str, ...] = _BROKER_HOSTS
    ) -> None:
        self.directory = directory
        self.passphrase_file = passphrase_file
        self._broker_hosts = broker_hosts
        self._authority: Authority | None = None

    @property
    def authority_file(self) -> Path:
        """The certificate of the authority."""
        return self.directory / "ca.pem"

    @property
    def keystore(self) -> Path:
        """Key and certificate of the broker in one file."""
        return self._folder(BROKER) / "keystore.pem"

    def authority(self) -> Authority:
        """Return the authority; make it when there is none.

        Raises:
            SetupError: It cannot be made or opened.
        """
        if self._authority is None:
            try:
                self._authority = self._open()
            except (ConfigurationError, OSError) as error:
                raise SetupError(
                    f"The certificate authority in {self.directory} cannot be used: {error}"
                ) from error
        return self._authority

    def service(self, name: str) -> ServiceFiles:
        """Return the credentials of a service; made anew when they are missing or end within 30 days.

        Raises:
            SetupError: They cannot be made.
        """
        files = self.files(name)
        if not self._lasts(files):
            self.renew(name)
        return files

    def files(self, name: str) -> ServiceFiles:
        """Return where the credentials of a service are, whether they are there or not."""
        folder = self._folder(name)
        return ServiceFiles(self.authority_file, folder / "certificate.pem", folder / "key.pem")

    def renew(self, name: str) -> ServiceFiles:
        """Make new credentials of a service; those it has stay valid until their end.

        Raises:
            SetupError: They cannot be made.
        """
        hosts = self._broker_hosts if name in _LISTENING else ()
        issued = self.authority().issue(service_of(name), lifetime=SERVICE_LIFETIME, hosts=hosts)
        files = self.files(name)
        folder = self._folder(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(files.key, issued.key_pem)
        write_secret(files.certificate, issued.certificate_pem)
        if name == BROKER:
            # One file, replaced at once: a broker that reloads never sees a key beside a foreign certificate.
            write_secret(self.keystore, issued.key_pem + issued.certificate_pem)
        return files

    def _folder(self, name: str) -> Path:
        return self.directory / "services" / name

    def _open(self) -> Authority:
        if Authority.exists(self.directory):
            return Authority.open(self.directory, self.passphrase_file.read_text(encoding="utf-8").strip())
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What a crash left half-made is of no use: nothing was signed with it.
        for name in ("ca.key", "ca.pem"):
            (self.directory / name).unlink(missing_ok=True)
        passphrase = secrets.token_urlsafe(_PASSPHRASE_BYTES)
        self.passphrase_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(self.passphrase_file, passphrase)
        return Authority.create(self.directory, passphrase)

    def _lasts(self, files: ServiceFiles) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
            is_whole = files.key.is_file()
        except (OSError, ValueError):
            return False
        left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
        return is_whole and left > _RENEW_BEFORE and self.authority().has_signed(certificate)
