"""The settings of the platform, read from the environment once and handed down.

What lives here: names, defaults and checks of the settings. What does not: anything that opens a
connection. A missing or malformed setting stops the start and is named in the message.

| variable | meaning | default |
|---|---|---|
| ``DTWIN_PLATFORM__DATABASE_URL`` | ``postgresql+psycopg://...`` (also ``..._FILE``) | required |
| ``DTWIN_PLATFORM__SECRET_KEY`` | signs forms and notices (also ``..._FILE``) | required in production |
| ``DTWIN_PLATFORM__MODE`` | ``production`` or ``demo`` | ``production`` |
| ``DTWIN_PLATFORM__HOST``, ``DTWIN_PLATFORM__PORT`` | where the site listens | ``127.0.0.1``, 1908 |
| ``DTWIN_KAFKA__BOOTSTRAP_SERVERS`` | ``host:port,...`` | required |
| ``DTWIN_SENSORTHINGS__URL`` | ``http://host:port`` | required |
| ``DTWIN_SENSORTHINGS__TOKEN`` | the service's admin token (also ``..._FILE``) | access is not administered |
| ``DTWIN_RUNNER__DIRECTORY`` | the folder shared with ``python -m streamhub runner`` | required |
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from client.metadata.token import token_from_environment

DEFAULT_PORT = 1908  # the seed's port of the platform
MIN_SECRET_LENGTH = 32
MAX_PORT = 65535


class Mode(StrEnum):
    """Whether the platform serves people or a demonstration with known passwords."""

    PRODUCTION = "production"
    DEMO = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """Everything the platform is told from outside."""

    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    kafka_bootstrap_servers: str
    sensorthings_url: str
    runner_directory: Path
    mode: Mode = Mode.PRODUCTION
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    sensorthings_token: str = field(default="", repr=False)

    @property
    def gost_servers(self) -> str:
        """The SensorThings service as the client wants it: ``host:port`` without a scheme."""
        return urlsplit(self.sensorthings_url).netloc

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "PlatformSettings":
        """Read and check all settings.

        Raises:
            ConfigurationError: a setting is missing or malformed; the message names it.
        """
        mode = _mode(environment)
        return cls(
            database_url=database_url(environment),
            secret_key=_secret_key(environment, mode),
            kafka_bootstrap_servers=_required(
                environment,
                "DTWIN_KAFKA__BOOTSTRAP_SERVERS",
                "the Kafka brokers, for instance 127.0.0.1:9092",
            ),
            sensorthings_url=_sensorthings_url(environment),
            runner_directory=Path(
                _required(environment, "DTWIN_RUNNER__DIRECTORY", "the folder of the stream app runner")
            ),
            mode=mode,
            host=environment.get("DTWIN_PLATFORM__HOST") or "127.0.0.1",
            port=_port(environment),
            security=KafkaSecurity.from_environment(environment),
            sensorthings_token=token_from_environment(environment) or "",
        )


def database_url(environment: Mapping[str, str]) -> str:
    """Return the URL of the platform's database for SQLAlchemy with psycopg 3.

    Raises:
        ConfigurationError: the setting is missing or names another database or driver.
    """
    name = "DTWIN_PLATFORM__DATABASE_URL"
    text = _secret(environment, name)
    if not text:
        raise ConfigurationError(
            f"{name} is not set: it names the database of the platform, "
            "for instance postgresql+psycopg://user@127.0.0.1/platform"
        )
    for prefix in ("postgresql://", "postgres://"):
        if text.startswith(prefix):
            text = "postgresql+psycopg://" + text.removeprefix(prefix)
    if not text.startswith("postgresql+psycopg://"):
        raise ConfigurationError(f"{name} must start with postgresql+psycopg://")
    return text


def _required(environment: Mapping[str, str], name: str, meaning: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{name} is not set: it names {meaning}")
    return value


def _secret(environment: Mapping[str, str], name: str) -> str:
    """Return a secret from the variable or from the file that ``<name>_FILE`` names."""
    file_name = environment.get(f"{name}_FILE", "")
    if not file_name:
        return environment.get(name, "").strip()
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{name}_FILE cannot be read: {error}") from error


def _mode(environment: Mapping[str, str]) -> Mode:
    text = environment.get("DTWIN_PLATFORM__MODE") or Mode.PRODUCTION.value
    try:
        return Mode(text)
    except ValueError:
        raise ConfigurationError(f"DTWIN_PLATFORM__MODE is {text!r}: use production or demo") from None


def _secret_key(environment: Mapping[str, str], mode: Mode) -> str:
    name = "DTWIN_PLATFORM__SECRET_KEY"
    key = _secret(environment, name)
    if not key and mode is Mode.DEMO:
        return secrets.token_urlsafe(MIN_SECRET_LENGTH)  # forms opened before a restart must be reloaded
    if not key:
        raise ConfigurationError(
            f"{name} is not set: production needs a secret of its own, "
            "for instance the output of: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if len(key) < MIN_SECRET_LENGTH:
        raise ConfigurationError(f"{name} is too short: at least {MIN_SECRET_LENGTH} characters")
    return key


def _sensorthings_url(environment: Mapping[str, str]) -> str:
    name = "DTWIN_SENSORTHINGS__URL"
    text = _required(environment, name, "the SensorThings service, for instance http://127.0.0.1:8084")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigurationError(
            f"{name} is {text!r}: it must start with http:// or https:// and name a host"
        )
    return text.rstrip("/")


def _port(environment: Mapping[str, str]) -> int:
    name = "DTWIN_PLATFORM__PORT"
    text = environment.get(name) or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise ConfigurationError(f"{name} is {text!r}: use a port from 1 to {MAX_PORT}")
    return int(text)


def _current_settings(request: Request) -> PlatformSettings:
    return cast(PlatformSettings, request.app.state.settings)


CurrentSettings = Annotated[PlatformSettings, Depends(_current_settings)]
