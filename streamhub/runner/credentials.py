"""Who an app is to Kafka: a certificate and its key, in files that nobody but the app's user can read.

What lives here: the credentials of one app, writing and finding its files, the environment that names them.
What does not: issuing certificates (the platform), connecting with them (`client.messaging.security`).

Below the folder of the app, `credentials` is a link to the folder of the present generation. A new generation
is written as a whole beside it before the link is turned, so certificate and key always belong together. A
process keeps the generation that it was started with; older ones are deleted when the next one starts.
"""

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from client.errors import ConfigurationError

__all__ = ["AppCredentials", "CredentialFiles"]

_LINK: Final = "credentials"
_GENERATION: Final = "credentials-"
_DIGEST_CHARACTERS: Final = 32
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_FILES: Final = ("ca.pem", "certificate.pem", "key.pem")
_SETTINGS: Final = ("SSL_CA_FILE", "SSL_CERTIFICATE_FILE", "SSL_KEY_FILE")
_PREFIX: Final = "DTWIN_KAFKA__"


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """What an app shows to Kafka, and whom it trusts; all PEM texts.

    Attributes:
        authority: Certificates of the authorities that the broker's certificate may come from.
        certificate: Certificate of the app, with its chain.
        key: Private key of the certificate, not encrypted; does not show in `repr`.

    Raises:
        ConfigurationError: one of them is not PEM.
    """

    authority: str
    certificate: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, text in (("authority", self.authority), ("certificate", self.certificate)):
            if "-----BEGIN CERTIFICATE-----" not in text:
                raise ConfigurationError(
                    f"credentials of an app: the {name} is no certificate in PEM form", setting=name
                )
        if "PRIVATE KEY-----" not in self.key or "ENCRYPTED" in self.key:
            raise ConfigurationError(
                "credentials of an app: the key is no private key in PEM form without a password",
                setting="key",
            )

    @property
    def generation(self) -> str:
        """Name of the folder that holds them: another one for other credentials."""
        content = "\0".join(astuple(self)).encode()
        return _GENERATION + hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]


class CredentialFiles:
    """The credential files of one app."""

    def __init__(self, folder: Path) -> None:
        """Look at the files of an app.

        Args:
            folder: The folder of the app.
        """
        self._folder = folder
        self._link = folder / _LINK

    @property
    def generation(self) -> str:
        """Name of the present generation, which changes with the credentials; empty when there are none."""
        try:
            return os.readlink(self._link)  # noqa: PTH115 - Path.readlink would make a path of the text
        except OSError:
            return ""

    def write(self, credentials: AppCredentials) -> bool:
        """Make these the credentials of the app; say whether they are others than before.

        Raises:
            OSError: the folder cannot be written.
        """
        name = credentials.generation
        if self.generation == name and (self._link / _FILES[-1]).is_file():
            return False
        # Named anew each time: a folder is only ever turned to when it is complete.
        draft = self._folder / f"{name}.{uuid.uuid4().hex}.new"
        try:
            _write_folder(draft, credentials)
            with contextlib.suppress(OSError):
                draft.rename(self._folder / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        turned = self._folder / f"{_LINK}.{uuid.uuid4().hex}.new"
        turned.symlink_to(name, target_is_directory=True)
        turned.replace(self._link)
        return True

    def environment(self, seen_at: str = "") -> Mapping[str, str]:
        """Give the settings that a process of the app needs to use them; none when there are none.

        Args:
            seen_at: Where the process finds the folder of the app, when that is elsewhere.
        """
        generation = self.generation
        if not generation:
            return {}
        folder = PurePosixPath(seen_at, generation) if seen_at else (self._folder / generation).resolve()
        files = {
            f"{_PREFIX}{setting}": str(folder / name) for setting, name in zip(_SETTINGS, _FILES, strict=True)
        }
        return {f"{_PREFIX}SECURITY_PROTOCOL": "SSL", **files}

    def forget_old(self) -> None:
        """Delete generations that no process uses: called when none of the app runs."""
        present = self.generation
        for path in self._folder.glob(f"{_GENERATION}*"):
            if path.name != present:
                shutil.rmtree(path, ignore_errors=True)

    def delete(self) -> None:
        """Delete all of them; no error when there are none."""
        self._link.unlink(missing_ok=True)
        self.forget_old()


def _write_folder(folder: Path, credentials: AppCredentials) -> None:
    folder.mkdir(mode=_FOLDER_MODE)
    # What the process's mask takes away from a mode is no concern here: it only ever takes.
    for name, text in zip(_FILES, astuple(credentials), strict=True):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
