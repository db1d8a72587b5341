"""What a notebook is connected to, and as whom.

What lives here: finding the services, having a token made for the notebook and taken back. What does not:
JupyterLab (`server`).

A token is made for each run and revoked at its end; in between it is in a file that only its owner may read,
and notebooks know the name of that file only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.errors import ConfigurationError
from client.metadata.token import TOKEN_VARIABLE, token_from_environment
from platform_ui.access.port import Rights, SensorThingsAccess
from platform_ui.errors import MetadataError
from setup.errors import SetupError
from setup.local.paths import Home
from setup.local.secret_files import write_secret
from setup.local.state import PartState, StateFile
from setup.notebook.remote import RemoteClient, open_remote

URL: Final = "DTWIN_SENSORTHINGS__URL"
TOKEN_FILE: Final = f"{TOKEN_VARIABLE}_FILE"
ANALYST: Final = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics.datastack-adapter"
"""Who analyses in the demo; taken where nobody is named."""
_ELASTICSEARCH: Final = "DTWIN_ELASTICSEARCH__"
_HANDED_ON: Final = (_ELASTICSEARCH, "DTWIN_PARQUET__")
_SECRETS: Final = ("PASSWORD", "API_KEY")
_LABEL: Final = "notebook"
_SHOWN_NAMES: Final = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user chose.

    Attributes:
        identity: As whom: a client app's `<system>.<client>`, or on this machine a person's e-mail address;
            empty for the one that is obvious.
        is_admin: With the local stack's admin token, which opens everything.
        url: Address of a platform elsewhere; empty for none.
        profile: Profile of such a platform; empty for none.
    """

    identity: str = ""
    is_admin: bool = False
    url: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True)
class NotebookConnection:
    """What notebooks are told.

    Attributes:
        environment: Variables by which `adapters.frames` finds its sources; no secret among them.
        place: What it is connected to, for people.
        identity: As whom, for people.
    """

    environment: Mapping[str, str]
    place: str
    identity: str


@contextmanager
def connected(
    home: Home, folder: Path, wanted: Wanted, environment: Mapping[str, str] = os.environ
) -> Iterator[NotebookConnection]:
    """Give a connection that lasts as long as the block.

    Args:
        home: Folders of the local stack.
        folder: Where the token's file goes; closed to others.
        wanted: What the user chose.
        environment: Variables of this process.

    Raises:
        SetupError: There is nothing to connect to, or it is open who asks.
        DigitalTwinError: The platform or the service does not answer, or refuses.
    """
    parts = StateFile(home.state_file).parts()
    local = parts.get("sensorthings")
    is_local = local is not None and local.is_running()
    if wanted.url or wanted.profile:
        source = _remote(folder, wanted)
    elif _has_token(environment) and environment.get(URL) and not wanted.is_admin and not wanted.identity:
        source = _given(folder, environment)
    elif is_local and local is not None:
        source = _local(home, folder, wanted, local)
    elif environment.get(URL):
        source = _given(folder, environment)
    else:
        source = _remote(folder, wanted)
    with source as found:
        yield NotebookConnection(
            {**_handed_on(environment, parts, folder), **found.environment}, found.place, found.identity
        )


def _has_token(environment: Mapping[str, str]) -> bool:
    return bool(environment.get(TOKEN_VARIABLE) or environment.get(TOKEN_FILE))


def _handed_on(
    environment: Mapping[str, str], parts: Mapping[str, PartState], folder: Path
) -> dict[str, str]:
    """Return what notebooks are told of other sources: ours, secrets as files, else the local stack's."""
    found = {name: value for name, value in environment.items() if value and name.startswith(_HANDED_ON)}
    for secret in _SECRETS:
        value = found.pop(f"{_ELASTICSEARCH}{secret}", "")
        if value:
            found[f"{_ELASTICSEARCH}{secret}_FILE"] = _secret_file(folder, secret.lower(), value)
    engine = parts.get("elasticsearch")
    if f"{_ELASTICSEARCH}URL" not in found and engine is not None and engine.is_running() and engine.address:
        found[f"{_ELASTICSEARCH}URL"] = engine.address
    return found


@contextmanager
def _given(folder: Path, environment: Mapping[str, str]) -> Iterator[NotebookConnection]:
    url = environment[URL]
    token = token_from_environment(environment)
    if token is None:
        yield NotebookConnection({URL: url}, url, "nobody (no token)")
        return
    yield NotebookConnection(_told(folder, url, token), url, "the holder of the token that is set")


@contextmanager
def _local(home: Home, folder: Path, wanted: Wanted, part: PartState) -> Iterator[NotebookConnection]:
    place = f"the local stack, {part.address}"
    admin = _admin_token(home, part)
    if admin is None:
        yield NotebookConnection({URL: part.address}, place, "nobody (the service takes no tokens from here)")
        return
    if wanted.is_admin:
        yield NotebookConnection(
            _told(folder, part.address, admin), place, "the administrator, who sees everything"
        )
        return
    with closing(SensorThingsAccess(part.address, admin)) as access:
        try:
            name = _chosen(access.principals(), wanted.identity)
            label = f"{_LABEL} {secrets.token_hex(4)}"  # two notebooks may begin at the same moment
            token = access.create_token(name, label)
            made = [one.id for one in access.tokens(name) if one.label == label]
        except MetadataError as error:
            raise SetupError(f"{error.detail} {error.hint}".strip()) from error
        try:
            yield NotebookConnection(_told(folder, part.address, token), place, name)
        finally:
            _revoke(access, name, made)


def _admin_token(home: Home, part: PartState) -> str | None:
    if part.is_given:
        return token_from_environment()
    try:
        return home.sensorthings_token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SetupError(f"{home.sensorthings_token_file} cannot be read: {error.strerror}.") from error


def _chosen(principals: Mapping[str, Rights], identity: str) -> str:
    """Choose as whom a notebook asks.

    Raises:
        SetupError: There is no such one, or several could be meant.
    """
    others = {name: rights for name, rights in principals.items() if not rights.is_admin and rights.grants}
    listed = ", ".join(sorted(others)[:_SHOWN_NAMES]) or "none yet: register a client app on the platform"
    if identity:
        if identity not in others:
            raise SetupError(f"The SensorThings service knows nobody named {identity!r}. Known: {listed}.")
        return identity
    if ANALYST in others:
        return ANALYST
    if len(others) == 1:
        return next(iter(others))
    raise SetupError(f"As whom should the notebook ask? Say --as NAME; known: {listed}. Or --as-admin.")


def _revoke(access: SensorThingsAccess, name: str, numbers: list[int]) -> None:
    for number in numbers:
        try:
            access.revoke_token(name, number)
        except MetadataError:
            return  # the stack was taken down first; the file with the token goes in any case


@contextmanager
def _remote(folder: Path, wanted: Wanted) -> Iterator[NotebookConnection]:
    if wanted.is_admin:
        raise ConfigurationError("--as-admin is for the stack of this machine only", setting="--as-admin")
    with open_remote(wanted.url, wanted.profile) as platform:
        client = _client(platform.clients(), wanted.identity, platform.url)
        with platform.token(client) as token:
            yield NotebookConnection(
                _told(folder, client.sensorthings, token), platform.url, client.principal
            )


def _client(clients: list[RemoteClient], identity: str, url: str) -> RemoteClient:
    listed = ", ".join(one.principal for one in clients[:_SHOWN_NAMES]) or "none: register one there"
    found = [one for one in clients if not identity or one.principal == identity]
    if len(found) == 1:
        return found[0]
    if identity:
        raise SetupError(f"You operate no client app {identity!r} at {url}. Yours: {listed}.")
    raise SetupError(f"As which client app should the notebook ask? Say --as NAME; yours at {url}: {listed}.")


def _told(folder: Path, url: str, token: str) -> dict[str, str]:
    return {URL: url, TOKEN_FILE: _secret_file(folder, "sensorthings_token", token)}


def _secret_file(folder: Path, name: str, text: str) -> str:
    file = folder / name
    try:
        write_secret(file, text)
    except OSError as error:
        raise SetupError(f"{file} cannot be written: {error.strerror}.") from error
    return str(file)
