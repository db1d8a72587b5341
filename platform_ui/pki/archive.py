"""The archive that a device starts with: its certificate, its key, and where to connect, in one file.

What lives here: which files, and packing them in memory. What does not: issuing (``authority``), and who may
have it. Nothing touches a disk, so the key is nowhere but in the answer.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

MEDIA_TYPE: Final = "application/gzip"
_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644
_KEY_FILE: Final = "key.pem"
_TOKEN_FILE: Final = "sensorthings.token"  # noqa: S105 - a name, no secret
_SECRET_FILES: Final = frozenset({_KEY_FILE, _TOKEN_FILE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientBundle:
    """What a client app needs to connect.

    Attributes:
        authority_pem: Certificate of the authority.
        certificate_pem: Its own.
        key_pem: The key, when we have made it; empty when the device keeps its own.
        configuration: What the program passes to ``DigitalTwinClient``.
        platform_url: The address of the platform, where the device renews its certificate.
        until: When the certificate ends.
        sensorthings_url: Address of the SensorThings service, for bridges, sinks and notebooks.
        sensorthings_token: By which SensorThings knows the client app; empty when none was made.
        starter: Further files by name: a first program, and what it reads.
    """

    authority_pem: str
    certificate_pem: str
    key_pem: str = field(default="", repr=False)
    configuration: Mapping[str, str]
    platform_url: str
    until: datetime
    sensorthings_url: str = ""
    sensorthings_token: str = field(default="", repr=False)
    starter: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of the folder in the archive."""
        return f"{self.configuration['system']}.{self.configuration['client_name']}"

    def files(self) -> dict[str, str]:
        """Return the text of every file by its name."""
        found = dict(self.starter) | {
            "ca.pem": self.authority_pem,
            "certificate.pem": self.certificate_pem,
            "client.env": self._environment(),
            "configuration.json": json.dumps(dict(self.configuration), indent=2) + "\n",
            "README.txt": self._readme(),
        }
        secret = {_KEY_FILE: self.key_pem, _TOKEN_FILE: self.sensorthings_token}
        return found | {name: text for name, text in secret.items() if text}

    def pack(self, at: datetime) -> bytes:
        """Return a gzip-compressed tar archive; only its owner may read the key.

        Args:
            at: The time of its files.
        """
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, text in self.files().items():
                content = text.encode()
                entry = tarfile.TarInfo(f"{self.folder}/{name}")
                entry.size, entry.mtime = len(content), int(at.timestamp())
                entry.mode = _PRIVATE if name in _SECRET_FILES else _PUBLIC
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()

    def _environment(self) -> str:
        values = {
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": self.configuration["kafka_bootstrap_servers"],
            "DTWIN_KAFKA__SECURITY_PROTOCOL": "SSL",
            "DTWIN_KAFKA__SSL_CA_FILE": "ca.pem",
            "DTWIN_KAFKA__SSL_CERTIFICATE_FILE": "certificate.pem",
            "DTWIN_KAFKA__SSL_KEY_FILE": _KEY_FILE,
            "DTWIN_PLATFORM__URL": self.platform_url,
        }
        if self.sensorthings_url:
            values["DTWIN_SENSORTHINGS__URL"] = self.sensorthings_url
        if self.sensorthings_token:
            values["DTWIN_SENSORTHINGS__TOKEN_FILE"] = _TOKEN_FILE
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _readme(self) -> str:
        arguments = "".join(
            f"    {name}={json.dumps(value)},\n" for name, value in self.configuration.items()
        )
        return (
            f"{self.folder}\n\n"
            f"The certificate counts until {self.until:%Y-%m-%d %H:%M} UTC. "
            + (
                "Keep key.pem to yourself: whoever has it is this device.\n"
                if self.key_pem
                else "Put your key beside it, as key.pem: it belongs to the signing request.\n"
            )
            + "\nIn this folder, before the program:\n\n"
            "    set -a; . ./client.env; set +a\n\n"
            + "".join(f"A first program: python3 {name}\n\n" for name in self.starter if name.endswith(".py"))
            + "The program begins with:\n\n"
            "from client.digital_twin_client import DigitalTwinClient\n\n"
            "with DigitalTwinClient(\n"
            f"{arguments}"
            ") as client:\n"
            '    client.register(instance_file="instances.json")\n'
            '    client.produce(quantity="temperature", result=21.5)\n'
        )
