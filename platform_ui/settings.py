"""The settings of the platform, read from the environment once and handed down.

What lives here: names, defaults and checks of the settings. What does not: anything that opens a
connection. A missing or malformed setting stops the start and is named in the message.

| variable | meaning | default |
|---|---|---|
| ``DTWIN_PLATFORM__DATABASE_URL`` | ``postgresql+psycopg://...`` (also ``..._FILE``) | required |
| ``DTWIN_PLATFORM__SECRET_KEY`` | signs forms and notices (also ``..._FILE``) | required in production |
| ``DTWIN_PLATFORM__MODE`` | ``production`` or ``demo`` | ``production`` |
| ``DTWIN_PLATFORM__HOST``, ``DTWIN_PLATFORM__PORT`` | where the site listens | ``127.0.0.1``, 1908 |
| ``DTWIN_PLATFORM__URL`` | the address that people use, ``https://host`` | none |
| ``DTWIN_PLATFORM__ALLOWED_HOSTS`` | further host names of the site, with commas | those of its addresses |
| ``DTWIN_PLATFORM__TRUSTED_PROXIES`` | networks whose ``X-Forwarded-*`` headers are believed | none |
| ``DTWIN_OIDC__ISSUER``, ``DTWIN_OIDC__CLIENT_ID`` | log-in by another service | by password only |
| ``DTWIN_OIDC__CLIENT_SECRET`` | proves the platform to that service (also ``..._FILE``) | required with it |
| ``DTWIN_OIDC__NAME`` | what the button calls the service | its host |
| ``DTWIN_OIDC__ALLOWED_DOMAINS`` | e-mail domains that may log in by it, with commas | all |
| ``DTWIN_PLATFORM__SESSION_IDLE_HOURS`` | a session that is not used ends after [h] | 12 |
| ``DTWIN_PLATFORM__SESSION_DAYS`` | a session ends in any case after [d], at most 14 | 14 |
| ``DTWIN_PLATFORM__ATTEMPTS_PER_ADDRESS`` | log-ins, codes, sign-ups of one address in a window | 100 |
| ``DTWIN_MAIL__URL`` | ``smtp[s]://user:password@host:port`` (also ``..._FILE``) | no mail is sent |
| ``DTWIN_MAIL__FROM`` | the address that mails come from | required with it |
| ``DTWIN_KAFKA__BOOTSTRAP_SERVERS`` | ``host:port,...`` | required |
| ``DTWIN_SENSORTHINGS__URL`` | ``http://host:port`` | required |
| ``DTWIN_SENSORTHINGS__TOKEN`` | the service's admin token (also ``..._FILE``) | access is not administered |
| ``DTWIN_SCHEMA_REGISTRY__URL`` | where schemas of records are published (also ``..._FILE``) | nowhere |
| ``DTWIN_MQTT__PUBLIC_URL`` | the MQTT broker as devices reach it | ``DTWIN_MQTT__URL`` |
| ``DTWIN_MQTT__URL`` | the MQTT broker, ``mqtts://host:port`` | none is shown |
| ``DTWIN_RUNNER__DIRECTORY`` | the folder shared with ``python -m streamhub runner`` | required |
| ``DTWIN_AUDIT__KEY_FILE`` | the key that seals the audit log each day | it is not sealed |
| ``DTWIN_PKI__DIRECTORY`` | the folder of the certificate authority | no certificates are issued |
| ``DTWIN_PKI__PASSPHRASE`` | opens the authority's key (also ``..._FILE``) | required with the folder |
| ``DTWIN_PKI__CLIENT_DAYS`` | how long certificates of client apps count [d] | 30 |
| ``DTWIN_RECORDER__PROGRESS_FILE`` and others | parts to look at: ``part_settings`` | |
| ``DTWIN_ACL__*`` | access rules and quotas: ``acl_settings`` | |
| ``DTWIN_LIMITS__*`` | what stream apps of a company may take: ``limit_settings`` | |

A secret may also lie in the folder that systemd names in ``CREDENTIALS_DIRECTORY``, in a file called like the
variable. In production, secrets that everybody knows or can guess stop the start.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import unquote, urlsplit

from fastapi import Depends, Request

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from client.metadata.token import token_from_environment
from platform_ui.acl_settings import AclSettings
from platform_ui.browser import SESSION_SECONDS, WebRules
from platform_ui.browser.origin import Network, host_name, parse_networks
from platform_ui.limit_settings import LimitSettings
from platform_ui.part_settings import PartSettings
from platform_ui.setting_values import Mode, listed, mode_of, required, secret_of, strong, whole

DEFAULT_PORT = 1908  # the seed's port of the platform
MIN_SECRET_LENGTH = 32
MAX_PORT = 65535
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
DEFAULT_SESSION_IDLE_HOURS = 12
MAX_SESSION_DAYS = SESSION_SECONDS // (24 * 3600)  # as long as browsers keep the cookie
MAX_IDLE_HOURS = 24 * MAX_SESSION_DAYS
DEFAULT_ATTEMPTS_PER_ADDRESS = 100
MAX_ATTEMPTS = 1_000_000
MAIL_PORTS = {"smtp": 587, "smtps": 465}  # RFC 8314, clause 3.3
DEFAULT_CLIENT_DAYS = 30
MAX_CLIENT_DAYS = 397  # CA/Browser Forum Baseline Requirements, 6.3.2: longer ones outlive what one remembers


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The service by which people may log in, and how the platform is known there.

    Attributes:
        issuer: its identity, an address without a final slash.
        client_id: the platform's identity there.
        client_secret: proves it.
        name: what the button calls the service.
        allowed_domains: e-mail domains in lower case that may log in; empty for all.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    allowed_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """The server that takes mails, and the address that they come from."""

    host: str
    port: int
    sender: str
    is_encrypted: bool
    username: str = ""
    password: str = field(default="", repr=False)


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
    schema_registry_url: str = field(default="", repr=False)
    mqtt_url: str = ""
    pki_directory: Path | None = None
    audit_key_file: Path | None = None
    pki_passphrase: str = field(default="", repr=False)
    client_certificate_days: int = DEFAULT_CLIENT_DAYS
    url: str = ""
    rules: WebRules = field(default_factory=WebRules)
    oidc: OidcSettings | None = None
    mail: MailSettings | None = None
    session_idle_hours: int = DEFAULT_SESSION_IDLE_HOURS
    session_days: int = MAX_SESSION_DAYS
    attempts_per_address: int = DEFAULT_ATTEMPTS_PER_ADDRESS
    acl: AclSettings = field(default_factory=AclSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    parts: PartSettings = field(default_factory=PartSettings)

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
        mode = mode_of(environment)
        return cls(
            database_url=_checked_database_url(environment, mode),
            secret_key=_secret_key(environment, mode),
            kafka_bootstrap_servers=required(
                environment,
                "DTWIN_KAFKA__BOOTSTRAP_SERVERS",
                "the Kafka brokers, for instance 127.0.0.1:9092",
            ),
            sensorthings_url=_sensorthings_url(environment),
            runner_directory=Path(
                required(environment, "DTWIN_RUNNER__DIRECTORY", "the folder of the stream app runner")
            ),
            mode=mode,
            host=environment.get("DTWIN_PLATFORM__HOST") or "127.0.0.1",
            port=_port(environment),
            security=KafkaSecurity.from_environment(environment),
            sensorthings_token=_sensorthings_token(environment, mode),
            schema_registry_url=_schema_registry_url(environment),
            mqtt_url=_mqtt_url(environment),
            pki_directory=_pki_directory(environment),
            audit_key_file=_audit_key_file(environment),
            pki_passphrase=strong("DTWIN_PKI__PASSPHRASE", _pki_passphrase(environment), mode),
            client_certificate_days=whole(
                environment, "DTWIN_PKI__CLIENT_DAYS", DEFAULT_CLIENT_DAYS, MAX_CLIENT_DAYS
            ),
            url=_public_url(environment),
            rules=_rules(environment, mode),
            oidc=_oidc(environment, mode),
            mail=_mail(environment),
            session_idle_hours=whole(
                environment, "DTWIN_PLATFORM__SESSION_IDLE_HOURS", DEFAULT_SESSION_IDLE_HOURS, MAX_IDLE_HOURS
            ),
            session_days=whole(
                environment, "DTWIN_PLATFORM__SESSION_DAYS", MAX_SESSION_DAYS, MAX_SESSION_DAYS
            ),
            attempts_per_address=whole(
                environment,
                "DTWIN_PLATFORM__ATTEMPTS_PER_ADDRESS",
                DEFAULT_ATTEMPTS_PER_ADDRESS,
                MAX_ATTEMPTS,
            ),
            acl=AclSettings.from_environment(environment),
            limits=LimitSettings.from_environment(environment),
            parts=PartSettings.from_environment(environment),
        )


def database_url(environment: Mapping[str, str]) -> str:
    """Return the URL of the platform's database for SQLAlchemy with psycopg 3.

    Raises:
        ConfigurationError: the setting is missing or names another database or driver.
    """
    name = "DTWIN_PLATFORM__DATABASE_URL"
    text = secret_of(environment, name)
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


def _secret_key(environment: Mapping[str, str], mode: Mode) -> str:
    name = "DTWIN_PLATFORM__SECRET_KEY"
    key = secret_of(environment, name)
    if not key and mode is Mode.DEMO:
        return secrets.token_urlsafe(MIN_SECRET_LENGTH)  # forms opened before a restart must be reloaded
    if not key:
        raise ConfigurationError(
            f"{name} is not set: production needs a secret of its own, "
            "for instance the output of: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if len(key) < MIN_SECRET_LENGTH:
        raise ConfigurationError(f"{name} is too short: at least {MIN_SECRET_LENGTH} characters")
    return strong(name, key, mode)


def _checked_database_url(environment: Mapping[str, str], mode: Mode) -> str:
    url = database_url(environment)
    strong("The password in DTWIN_PLATFORM__DATABASE_URL", urlsplit(url).password or "", mode)
    return url


def _sensorthings_token(environment: Mapping[str, str], mode: Mode) -> str:
    token = token_from_environment(environment) or secret_of(environment, "DTWIN_SENSORTHINGS__TOKEN")
    return strong("DTWIN_SENSORTHINGS__TOKEN", token, mode)


def _public_url(environment: Mapping[str, str]) -> str:
    name = "DTWIN_PLATFORM__URL"
    text = environment.get(name, "").strip().rstrip("/")
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path):
        raise ConfigurationError(f"{name} is {text!r}: it must look like https://twin.example.org")
    return text


def _rules(environment: Mapping[str, str], mode: Mode) -> WebRules:
    """Return whom the site believes, and in production the host names under which it answers."""
    if mode is Mode.DEMO:
        return WebRules(proxies=_proxies(environment))
    own = environment.get("DTWIN_PLATFORM__HOST") or LOOPBACK_HOSTS[0]
    hosts = (
        *LOOPBACK_HOSTS,
        own.lower(),
        urlsplit(_public_url(environment)).hostname or "",
        *(host_name(host) for host in listed(environment, "DTWIN_PLATFORM__ALLOWED_HOSTS")),
    )
    known = tuple(dict.fromkeys(host for host in hosts if host))
    return WebRules(allowed_hosts=known, proxies=_proxies(environment))


def _proxies(environment: Mapping[str, str]) -> tuple[Network, ...]:
    name = "DTWIN_PLATFORM__TRUSTED_PROXIES"
    try:
        return parse_networks(environment.get(name, ""))
    except ValueError as error:
        raise ConfigurationError(f"{name} is wrong: {error}. For example 127.0.0.1,10.0.0.0/8") from None


def _oidc(environment: Mapping[str, str], mode: Mode) -> OidcSettings | None:
    """Return how people may log in by another service, or nothing when no issuer is set."""
    issuer = environment.get("DTWIN_OIDC__ISSUER", "").strip()
    secret = secret_of(environment, "DTWIN_OIDC__CLIENT_SECRET")
    client_id = environment.get("DTWIN_OIDC__CLIENT_ID", "").strip()
    button = environment.get("DTWIN_OIDC__NAME", "").strip()
    domains = listed(environment, "DTWIN_OIDC__ALLOWED_DOMAINS")
    if not issuer:
        return None
    parts = urlsplit(issuer)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)
    if not is_safe or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            f"DTWIN_OIDC__ISSUER is {issuer!r}: it must look like https://login.example.org"
        )
    for name, value in (("DTWIN_OIDC__CLIENT_ID", client_id), ("DTWIN_OIDC__CLIENT_SECRET", secret)):
        if not value:
            raise ConfigurationError(f"{name} is not set: the service at DTWIN_OIDC__ISSUER gives it")
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=strong("DTWIN_OIDC__CLIENT_SECRET", secret, mode),
        name=button or parts.hostname,
        allowed_domains=domains,
    )


def _sensorthings_url(environment: Mapping[str, str]) -> str:
    name = "DTWIN_SENSORTHINGS__URL"
    text = required(environment, name, "the SensorThings service, for instance http://127.0.0.1:8084")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigurationError(
            f"{name} is {text!r}: it must start with http:// or https:// and name a host"
        )
    return text.rstrip("/")


def _schema_registry_url(environment: Mapping[str, str]) -> str:
    """Return where schemas are published, or nothing; user and password may stand in it."""
    name = "DTWIN_SCHEMA_REGISTRY__URL"
    text = secret_of(environment, name)
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ConfigurationError(f"{name} must look like https://user:password@registry.example.org:8081")
    return text.rstrip("/")


def _mqtt_url(environment: Mapping[str, str]) -> str:
    """Return where devices reach the MQTT broker, or nothing when there is none."""
    name = "DTWIN_MQTT__PUBLIC_URL"
    text = environment.get(name, "").strip()
    if not text:
        given = environment.get("DTWIN_MQTT__URL", "").strip()
        # The bridge may reach its broker without TLS; devices with our certificates cannot.
        return given if given.startswith("mqtts://") else ""
    parts = urlsplit(text)
    if parts.scheme != "mqtts" or not parts.hostname:
        raise ConfigurationError(f"{name} is {text!r}: it must look like mqtts://mqtt.example.org:8883")
    return text


def _port(environment: Mapping[str, str]) -> int:
    name = "DTWIN_PLATFORM__PORT"
    text = environment.get(name) or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise ConfigurationError(f"{name} is {text!r}: use a port from 1 to {MAX_PORT}")
    return int(text)


def _mail(environment: Mapping[str, str]) -> MailSettings | None:
    """Return how mails are sent, or nothing when no server is set."""
    name = "DTWIN_MAIL__URL"
    url, sender = secret_of(environment, name), environment.get("DTWIN_MAIL__FROM", "").strip()
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in MAIL_PORTS or not parts.hostname:  # the message must not show the password
        raise ConfigurationError(f"{name} must look like smtps://user:password@mail.example.org:465")
    if not sender or not sender.isprintable():
        raise ConfigurationError("DTWIN_MAIL__FROM is not set: it is the address that mails come from")
    return MailSettings(
        host=parts.hostname,
        port=parts.port or MAIL_PORTS[parts.scheme],
        sender=sender,
        is_encrypted=parts.scheme == "smtps",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _audit_key_file(environment: Mapping[str, str]) -> Path | None:
    text = environment.get("DTWIN_AUDIT__KEY_FILE", "").strip()
    return Path(text) if text else None


def _pki_directory(environment: Mapping[str, str]) -> Path | None:
    name = "DTWIN_PKI__DIRECTORY"
    text = environment.get(name, "").strip()
    if not text:
        return None
    if not Path(text).is_dir():
        raise ConfigurationError(f"{name} is {text!r}: name the folder that holds ca.pem and ca.key")
    return Path(text)


def _pki_passphrase(environment: Mapping[str, str]) -> str:
    name = "DTWIN_PKI__PASSPHRASE"
    passphrase = secret_of(environment, name)
    has_directory = bool(environment.get("DTWIN_PKI__DIRECTORY", "").strip())
    if has_directory and not passphrase:
        raise ConfigurationError(
            f"{name} is not set: it opens the key of the authority in DTWIN_PKI__DIRECTORY"
        )
    return passphrase


def _current_settings(request: Request) -> PlatformSettings:
    return cast(PlatformSettings, request.app.state.settings)


CurrentSettings = Annotated[PlatformSettings, Depends(_current_settings)]
