"""Making the gate from the settings.

What lives here: reading the files that settings name, once at the start. What does not: the settings' names
and defaults (`sensorthings.settings`).
"""

from pathlib import Path

from client.errors import ConfigurationError
from sensorthings.access.authentication import Gate
from sensorthings.access.certificates import Authority, parse_networks
from sensorthings.access.tokens import digest_of
from sensorthings.database import Database
from sensorthings.settings import PREFIX, Settings

_SHORTEST_TOKEN = 32
_FILE_SETTING = f"{PREFIX}ADMIN_TOKEN_FILE"


def make_gate(settings: Settings, database: Database) -> Gate:
    """Make what finds out who sends a request.

    Raises:
        ConfigurationError: A file that a setting names cannot be used.
    """
    return Gate(
        database,
        anonymous=settings.anonymous,
        admin_digest=_admin_digest(settings),
        memory_s=settings.token_memory_s,
        authority=None if settings.client_ca is None else Authority.from_file(settings.client_ca),
        proxies=parse_networks(settings.trusted_proxies),
    )


def _admin_digest(settings: Settings) -> bytes | None:
    if settings.admin_token is not None:
        return digest_of(settings.admin_token.get_secret_value())
    if settings.admin_token_file is not None:
        return digest_of(_read_token(settings.admin_token_file))
    return None


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{_FILE_SETTING} names a file that cannot be read: {error}.", setting=_FILE_SETTING
        ) from None
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigurationError(
            f"{_FILE_SETTING} names {path}, which holds fewer than {_SHORTEST_TOKEN} characters. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'.",
            setting=_FILE_SETTING,
        )
    return token
