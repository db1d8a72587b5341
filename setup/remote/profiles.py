"""The profiles of a user: which platforms there are, and by which tokens they are reached.

They are in ``$XDG_CONFIG_HOME/dtwin/config.toml``, which only its owner may read. What does not live here:
which of them counts (``configuration``), getting tokens (``session``).

Source: TOML 1.0.0; XDG Base Directory Specification 0.8 for the place.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from setup.local.paths import exclusive_lock
from setup.local.secret_files import write_secret
from setup.remote.errors import UsageError

DEFAULT_NAME: Final = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """One platform, and as whom it is asked.

    Attributes:
        url: Its address, without a slash at the end.
        email: Who has logged in; empty for a token that was given.
        token: The access token, or one that was made by hand.
        refresh_token: Gets the next access token; empty for a token that was given.
        expires_at: When the access token ends [s since the epoch]; 0 when that is not known.
    """

    url: str
    email: str = ""
    token: str = ""
    refresh_token: str = ""
    expires_at: float = 0.0

    def with_token(self, token: str) -> Profile:
        """Return the same platform with a token that was made by hand."""
        return dataclasses.replace(self.without_tokens(), token=token)

    def without_tokens(self) -> Profile:
        """Return the same platform, logged out."""
        return dataclasses.replace(self, token="", refresh_token="", expires_at=0.0)


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the file says.

    Attributes:
        current: Name of the one that is used when nothing else is said.
        known: All of them by name.
    """

    current: str = DEFAULT_NAME
    known: Mapping[str, Profile] = field(default_factory=dict)


class ProfileFile:
    """The file of the profiles; changes of two commands come one after the other."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_file()

    def read(self) -> Profiles:
        """Return the profiles; none when there is no file.

        Raises:
            UsageError: it cannot be understood.
        """
        try:
            content = tomllib.loads(self.path.read_text(encoding="utf-8"))
            known = {name: Profile(**entry) for name, entry in content.get("profiles", {}).items()}
            return Profiles(str(content.get("current", DEFAULT_NAME)), known)
        except FileNotFoundError:
            return Profiles()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{self.path} cannot be read: {error}.\n  What to do: mend it, or delete it and log in again."
            ) from error

    def put(self, name: str, profile: Profile, *, use: bool = False) -> None:
        """Keep a profile under a name; `use` makes it the one that counts.

        Raises:
            UsageError: the file cannot be understood.
        """
        with self.lock():
            found = self.read()
            current = name if use or not found.known else found.current
            self._write(Profiles(current, {**found.known, name: profile}))

    def replace(self, name: str, profile: Profile) -> None:
        """Put a profile in the place of the one of this name, by somebody who holds the lock.

        Raises:
            UsageError: the file cannot be understood.
        """
        found = self.read()
        self._write(Profiles(found.current, {**found.known, name: profile}))

    def use(self, name: str) -> None:
        """Make a profile the one that counts.

        Raises:
            UsageError: there is none of the name.
        """
        with self.lock():
            found = self.read()
            self._require(found, name)
            self._write(dataclasses.replace(found, current=name))

    def remove(self, name: str) -> Profile:
        """Forget a profile and return it.

        Raises:
            UsageError: there is none of the name.
        """
        with self.lock():
            found = self.read()
            profile = self._require(found, name)
            rest = {key: value for key, value in found.known.items() if key != name}
            current = next(iter(rest), DEFAULT_NAME) if found.current == name else found.current
            self._write(Profiles(current, rest))
        return profile

    def _require(self, found: Profiles, name: str) -> Profile:
        if name not in found.known:
            listed = ", ".join(sorted(found.known)) or "none: dtwin login makes one"
            raise UsageError(f"There is no profile named {name}. Known: {listed}.")
        return found.known[name]

    def lock(self) -> AbstractContextManager[None]:
        """Return a lock on the file, for what reads and then writes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return exclusive_lock(self.path.with_suffix(".lock"))

    def _write(self, profiles: Profiles) -> None:
        write_secret(self.path, text_of(profiles))


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the profiles are: `$XDG_CONFIG_HOME/dtwin/config.toml`."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dtwin" / "config.toml"


def text_of(profiles: Profiles) -> str:
    """Return the profiles as TOML; a JSON string without escapes of surrogates is a TOML string."""
    lines = [f"current = {_quoted(profiles.current)}"]
    for name, profile in sorted(profiles.known.items()):
        lines += ["", f"[profiles.{_quoted(name)}]"]
        for key, value in asdict(profile).items():
            if value:
                lines.append(f"{key} = {_quoted(value) if isinstance(value, str) else value}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
