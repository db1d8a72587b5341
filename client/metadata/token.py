"""The token by which a SensorThings service knows a client.

What lives here: where the token is read from, and its form. What does not: sending it
(`client.metadata.server`). It never appears in messages or logs.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from client.errors import ConfigurationError

TOKEN_VARIABLE: Final = "DTWIN_SENSORTHINGS__TOKEN"  # noqa: S105 - a name, not a secret
_FILE_VARIABLE: Final = f"{TOKEN_VARIABLE}_FILE"


def token_from_environment(environment: Mapping[str, str] | None = None) -> str | None:
    """Read the token from DTWIN_SENSORTHINGS__TOKEN, or from the file that ..._FILE names; None for none.

    Args:
        environment: Where to read; the process's environment when left out.

    Raises:
        ConfigurationError: the file cannot be read, or what was read is no token.
    """
    source = os.environ if environment is None else environment
    path = source.get(_FILE_VARIABLE)
    if path:
        return checked_token(_read(Path(path)), _FILE_VARIABLE)
    return checked_token(source.get(TOKEN_VARIABLE) or None, TOKEN_VARIABLE)


def checked_token(token: str | None, setting: str) -> str | None:
    """Check that a token can be sent as it is (RFC 6750, clause 2.1: one word of printable ASCII).

    Args:
        token: The token; None or blank for none.
        setting: Where it comes from, for the message.

    Raises:
        ConfigurationError: it cannot; the message does not show it.
    """
    if token is None or not token.strip():
        return None
    word = token.strip()
    if not word.isascii() or not word.isprintable() or " " in word:
        raise ConfigurationError(
            f"{setting} is no token: one word of printable ASCII characters. Copy it again from the page of "
            "the client in the platform",
            setting=setting,
        )
    return word


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{_FILE_VARIABLE} names {path}, which cannot be read: {error}", setting=_FILE_VARIABLE
        ) from error
