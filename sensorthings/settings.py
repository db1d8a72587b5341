"""Settings of the service, from the environment: prefix `DTWIN_SENSORTHINGS__`.

What lives here: names, defaults, units and checks. What does not: reading them anywhere else than at the
start.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from client.errors import ConfigurationError

PREFIX = "DTWIN_SENSORTHINGS__"
_DRIVER = "postgresql+psycopg"


class Settings(BaseSettings):
    """Everything that can be set.

    Attributes:
        database_url: `postgresql+psycopg://user:password@host:port/database`.
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free one.
        root_url: Address that clients use, without the version, such as `https://twin.example.org/sta`; empty
            takes it from each request.
        page_size: Entities on a page when `$top` is not given.
        max_page_size: Most entities on a page.
        max_body_bytes: Largest request body [bytes].
        pool_size: Connections to the database kept open.
        statement_timeout_s: Longest time for one statement [s].
        anonymous: What a stranger may do: `none`; `read` everything; `write` everything, as an administrator.
        admin_token: Secret that makes whoever sends it an administrator, at least 32 characters.
        admin_token_file: File with that secret, instead.
        token_memory_s: How long a token or certificate that was looked up counts without a further look [s].
        client_ca: PEM file of the authorities whose client certificates count.
        trusted_proxies: Addresses and networks, separated by commas, whose `Client-Cert` header is believed.
        ids: Who chooses the ids of new entities: the `server`, or a client where it gives one (`both`), or
            always a `client`.
        filtered_delete: Whether `DELETE Observations?$filter=...` is served.
        strict_types: Whether a result has to fit its Datastream's observationType, in bodies and filters.
        outbox: Whether new Observations of Datastreams that belong to a system are noted for Kafka.
        retention_interval_s: Time between two removals of what Datastreams want no more [s]; 0 for none.
        changes_kept_s: How long changes wait for a reader that does not ask for them [s].
        mqtt_endpoints: Addresses, separated by commas, such as `mqtts://twin.example.org:8883`, where updates
            are received by MQTT; empty where there are none.
        mqtt_creation_endpoints: The same for creating Observations, where they are others.
        timescaledb: Whether Observations are kept in a hypertable where TimescaleDB is installed (`auto`).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    database_url: SecretStr
    host: str = "127.0.0.1"
    port: int = Field(default=8084, ge=0, le=65535)
    root_url: str = ""
    page_size: int = Field(default=200, ge=1, le=10_000)
    max_page_size: int = Field(default=1000, ge=1, le=10_000)
    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    pool_size: int = Field(default=10, ge=1, le=200)
    statement_timeout_s: float = Field(default=60.0, gt=0)
    anonymous: Literal["none", "read", "write"] = "none"
    admin_token: SecretStr | None = Field(default=None, min_length=32)
    admin_token_file: Path | None = None
    token_memory_s: float = Field(default=1.0, ge=0, le=60)
    client_ca: Path | None = None
    trusted_proxies: str = ""
    ids: Literal["server", "both", "client"] = "server"
    filtered_delete: bool = False
    strict_types: bool = False
    outbox: bool = False
    retention_interval_s: float = Field(default=3600.0, ge=0)
    changes_kept_s: float = Field(default=86_400.0, ge=1)
    mqtt_endpoints: str = ""
    mqtt_creation_endpoints: str = ""
    timescaledb: Literal["auto", "off"] = "auto"

    @property
    def database(self) -> URL:
        """Address of the database, for SQLAlchemy with psycopg 3.

        Raises:
            ConfigurationError: The setting is no Postgres address.
        """
        name = f"{PREFIX}DATABASE_URL"
        try:
            url = make_url(self.database_url.get_secret_value())
        except ArgumentError:
            raise ConfigurationError(f"{name} is no database address.", setting=name) from None
        if url.drivername not in ("postgresql", "postgres", _DRIVER):
            raise ConfigurationError(
                f"{name} starts with {url.drivername}; the service needs PostgreSQL ({_DRIVER}://...).",
                setting=name,
            )
        return url.set(drivername=_DRIVER)


def read_settings(**changes: object) -> Settings:
    """Read the settings from the environment.

    Args:
        changes: Values that replace what the environment says.

    Raises:
        ConfigurationError: A setting is missing or wrong; the message names it as it is written in the
            environment.
    """
    try:
        return Settings(**{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "__".join(str(part) for part in first["loc"]).upper()
        reason = "is not set" if first["type"] == "missing" else f"is wrong: {first['msg']}"
        example = (
            " For example postgresql+psycopg://user@127.0.0.1/sensorthings." if "DATABASE" in name else ""
        )
        raise ConfigurationError(f"{name} {reason}.{example}", setting=name) from None
