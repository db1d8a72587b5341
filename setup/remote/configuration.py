"""Which platform a command asks, and as whom: flag, else environment, else profile, else default.

What lives here: the order, and where each value came from. What does not: the file (``profiles``).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.errors import DigitalTwinError
from setup.local.paths import Home, home_folder
from setup.remote.errors import UsageError
from setup.remote.profiles import Profile, ProfileFile, Profiles

URL: Final = "DTWIN_PLATFORM__URL"
TOKEN: Final = "DTWIN_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "DTWIN_TOKEN_FILE"  # noqa: S105 - same
PROFILE: Final = "DTWIN_PROFILE"
LOCAL: Final = "http://127.0.0.1:1908"  # where `dtwin up` puts the platform when the port is free


@dataclass(frozen=True, slots=True)
class Value:
    """A setting and where it came from."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What counts for one command.

    Attributes:
        profile: Its name.
        url: The platform's address.
        token: Empty when nobody is logged in.
        stored: The profile that the token came from, when it did: it may be renewed.
    """

    profile: Value
    url: Value
    token: Value
    stored: Profile | None


def configure(
    file: ProfileFile,
    *,
    url: str = "",
    profile: str = "",
    environment: Mapping[str, str] = os.environ,
) -> Configuration:
    """Put together what counts.

    Args:
        file: The profiles.
        url: The flag; empty when it was not given.
        profile: The flag; empty when it was not given.
        environment: Variables.

    Raises:
        UsageError: a profile is named that there is not, a file cannot be read, or an address is none.
    """
    profiles = file.read()
    name = _profile_name(profile, environment, profiles, file)
    if name.origin in {"--profile", PROFILE} and name.text not in profiles.known:
        listed = ", ".join(sorted(profiles.known)) or "none: dtwin login makes one"
        raise UsageError(f"There is no profile named {name.text} ({name.origin}). Known: {listed}.")
    stored = profiles.known.get(name.text)
    place = f"{file.path}, profile {name.text}"
    address = _url(url, environment, stored, place)
    token = _given_token(environment)
    if token is None and stored is not None and stored.token and stored.url == address.text:
        return Configuration(name, address, Value(stored.token, place), stored)
    return Configuration(name, address, token or Value("", "nobody is logged in"), None)


def address_of(text: str) -> str:
    """Return an address without a slash at the end.

    Raises:
        UsageError: it is no http or https address.
    """
    found = text.strip().rstrip("/")
    if not found.startswith(("http://", "https://")) or not found.partition("://")[2]:
        raise UsageError(f"{text!r} is no address of a platform: use https://HOST or http://HOST:PORT.")
    return found


def _profile_name(flag: str, environment: Mapping[str, str], profiles: Profiles, file: ProfileFile) -> Value:
    if flag:
        return Value(flag, "--profile")
    if environment.get(PROFILE):
        return Value(environment[PROFILE], PROFILE)
    return Value(profiles.current, str(file.path) if profiles.known else "default")


def _url(flag: str, environment: Mapping[str, str], stored: Profile | None, place: str) -> Value:
    if flag:
        return Value(address_of(flag), "--url")
    if environment.get(URL):
        return Value(address_of(environment[URL]), URL)
    if stored is not None:
        return Value(stored.url, place)
    return local_platform(environment)


def _given_token(environment: Mapping[str, str]) -> Value | None:
    if environment.get(TOKEN):
        return Value(environment[TOKEN], TOKEN)
    file = environment.get(TOKEN_FILE)
    if not file:
        return None
    try:
        return Value(Path(file).read_text(encoding="utf-8").strip(), f"{TOKEN_FILE}, {file}")
    except OSError as error:
        raise UsageError(f"{TOKEN_FILE} names {file}, which cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{TOKEN_FILE} names {file}, which is no text.") from error


def local_platform(environment: Mapping[str, str] = os.environ) -> Value:
    """Return where the platform of this machine's stack is, or would be by default."""
    home = Home(home_folder(environment))
    if home.state_file.is_file() and importlib.util.find_spec("psutil") is not None:
        from setup.local.state import StateFile  # noqa: PLC0415 (needs the extra `local`, checked above)

        try:
            part = StateFile(home.state_file).parts().get("platform")
        except DigitalTwinError as error:
            raise UsageError(str(error)) from error
        if part is not None and part.address:
            return Value(address_of(part.address), f"the local stack in {home.folder}")
    return Value(LOCAL, "default")
