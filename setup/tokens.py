"""The SensorThings tokens of a home: the admin's, and those of the demo's programs.

What lives here: reading them, and having those made that are missing. What does not: the service's
administration itself (`platform_ui.access.port`), which the platform uses as well.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

from client.errors import ConfigurationError
from client.metadata.token import token_from_environment
from platform_ui.access.port import SensorThingsAccess, client_principal, own_rights
from platform_ui.errors import MetadataError
from setup.errors import SetupError
from setup.local.paths import Home
from setup.local.secret_files import write_secret
from setup.services import Addresses

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT_S = 5.0


def admin_token(addresses: Addresses) -> str | None:
    """Return the admin token of the stack's SensorThings service; None for a given one without a token.

    Raises:
        SetupError: the file cannot be read.
    """
    file = addresses.sensorthings_token_file
    environment = {"DTWIN_SENSORTHINGS__TOKEN_FILE": file} if file else None
    try:
        return token_from_environment(environment)
    except ConfigurationError as error:
        raise SetupError(str(error)) from error


def ensure_client_tokens(
    home: Home, addresses: Addresses, clients: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], dict[str, str]]:
    """Have a token for each client app, in a file that only its owner may read.

    Args:
        home: Where the files go.
        addresses: Where the service is.
        clients: System and name of each.

    Returns:
        The environment with which each program finds its token.

    Raises:
        SetupError: the service does not make one.
    """
    token = admin_token(addresses)
    wanted = list(clients)
    if token is None:
        return {client: {} for client in wanted}
    access = SensorThingsAccess(addresses.sensorthings, token)
    found: dict[tuple[str, str], dict[str, str]] = {}
    try:
        for system, name in wanted:
            file = home.client_token_file(client_principal(system, name))
            if not _counts(addresses.sensorthings, file):
                principal = client_principal(system, name)
                if principal not in access.principals():  # the platform's keeper has not been here yet
                    access.put_principal(principal, own_rights(system))
                write_secret(file, access.create_token(principal, "demo"))
            found[system, name] = {"DTWIN_SENSORTHINGS__TOKEN_FILE": str(file)}
    except MetadataError as error:
        raise SetupError(f"{error.detail} {error.hint}".strip()) from error
    finally:
        access.close()
    return found


def knows(sensorthings: str, token: str) -> bool:
    """Tell whether a service knows whoever shows a token.

    Args:
        sensorthings: Its address.
        token: The token.
    """
    question = urllib.request.Request(  # noqa: S310 - an address of the stack
        f"{sensorthings}/access/v1/me", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with _DIRECT.open(question, timeout=_TIMEOUT_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _counts(sensorthings: str, file: Path) -> bool:
    return file.is_file() and knows(sensorthings, file.read_text(encoding="utf-8").strip())
