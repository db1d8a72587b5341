"""Reading single settings: texts, numbers, lists and secrets, each refused with its name.

What lives here: how a value is read and what makes a secret too weak. What does not: which settings there are
(``settings``, ``acl_settings``).
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from client.errors import ConfigurationError

MIN_DIFFERENT_CHARACTERS = 10
# Passwords that come with examples, images and demos of databases, brokers and services like ours.
KNOWN_SECRETS = frozenset(
    {
        "admin", "asdf", "changeit", "changeme", "change-me", "default", "demo", "digital-twin", "dtwin",
        "example", "guest", "kafka", "password", "passw0rd", "platform", "postgres", "postgresql", "root",
        "secret", "test", "user", "123456", "12345678",
    }
)  # fmt: skip


class Mode(StrEnum):
    """Whether the platform serves people or a demonstration with known passwords."""

    PRODUCTION = "production"
    DEMO = "demo"


def required(environment: Mapping[str, str], name: str, meaning: str) -> str:
    """Return a setting that has no default.

    Args:
        environment: Where it is read.
        name: Of the variable.
        meaning: What it names, for the message.

    Raises:
        ConfigurationError: it is not set.
    """
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{name} is not set: it names {meaning}")
    return value


def secret_of(environment: Mapping[str, str], name: str) -> str:
    """Return a secret from the file that ``<name>_FILE`` names, the variable, or systemd's credentials.

    Source: systemd.exec(5), "CREDENTIALS".
    """
    file_name = environment.get(f"{name}_FILE", "")
    credential = Path(environment.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / name
    if not file_name and (name in environment or not credential.is_file()):
        return environment.get(name, "").strip()
    file_name = file_name or str(credential)
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{name}_FILE cannot be read: {error}") from error


def mode_of(environment: Mapping[str, str]) -> Mode:
    """Return whether the platform serves people or a demonstration.

    Raises:
        ConfigurationError: it is neither.
    """
    text = environment.get("DTWIN_PLATFORM__MODE") or Mode.PRODUCTION.value
    try:
        return Mode(text)
    except ValueError:
        raise ConfigurationError(f"DTWIN_PLATFORM__MODE is {text!r}: use production or demo") from None


def strong(name: str, secret: str, mode: Mode) -> str:
    """Return a secret unless production must not run with it: everybody knows it, or can guess it.

    Raises:
        ConfigurationError: it is a well-known one, a repetition of one, or of few different characters; the
            message does not show it.
    """
    if not secret or mode is Mode.DEMO:
        return secret
    word = secret.lower()
    is_known = any(word == known * (len(word) // len(known)) for known in KNOWN_SECRETS)
    if is_known or len(set(secret)) < min(MIN_DIFFERENT_CHARACTERS, len(secret) // 2):
        raise ConfigurationError(
            f"{name} is a well-known or guessable secret, and production does not start with one. "
            "Make a new one, for instance: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return secret


def listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, without blanks."""
    return tuple(part.strip().lower() for part in environment.get(name, "").split(",") if part.strip())


def whole(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a whole number.

    Args:
        environment: Where it is read.
        name: Of the variable.
        default: What counts when it is not set.
        most: The largest that is allowed; the smallest is 1.

    Raises:
        ConfigurationError: it is no such number.
    """
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise ConfigurationError(f"{name} is {text!r}: use a whole number from 1 to {most}")
    return int(text)
