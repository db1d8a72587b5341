"""Settings of the bridge, from the environment (`DTWIN_MQTT__*`), and how it reaches the MQTT broker.

What lives here: names, defaults, units and checks. What does not: addresses and certificates of Kafka
(`client.messaging.security`) and the token for SensorThings (`client.metadata.token`).
"""

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from client.metadata.token import token_from_environment
from client.settings import checked_client_name

PREFIX: Final = "DTWIN_MQTT__"
GROUP: Final = "platform.mqtt"
_SECURE_PORT: Final = 8883
_PLAIN_PORT: Final = 1883
_LARGEST_IN_FLIGHT: Final = 65_535
_NUMBERS: Final[Mapping[str, tuple[str, Callable[[str], float], float, float]]] = {
    "DTWIN_MQTT__RECEIVE_MAXIMUM": ("receive_maximum", int, 1, _LARGEST_IN_FLIGHT),
    "DTWIN_MQTT__SESSION_EXPIRY_S": ("session_expiry_s", int, 60, 2**32 - 2),
    "DTWIN_MQTT__KEEP_ALIVE_S": ("keep_alive_s", int, 5, 65_535),
    "DTWIN_MQTT__CONFIGURATION_S": ("configuration_s", float, 1, 86_400),
    "DTWIN_MQTT__ASIDE_AFTER_S": ("aside_after_s", float, 0.1, 3_600),
    "DTWIN_MQTT__ASIDE_MAX_BYTES": ("aside_max_bytes", int, 1_048_576, 2**50),
    "DTWIN_MQTT__BUFFER_MAX_BYTES": ("buffer_max_bytes", int, 1_048_576, 2**50),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConnection:
    """How the MQTT broker is reached; checked before any connection.

    Attributes:
        host: Name or address.
        port: TCP port.
        uses_tls: Whether the connection is encrypted.
        ca_file: Authorities that sign the broker's certificate; the system's own when None.
        certificate_file: Certificate that the bridge shows, PEM.
        key_file: Its key, PEM.
        username: User name, for brokers that want one.
        password: Its password.

    Raises:
        ConfigurationError: A file is missing or cannot be read.
    """

    host: str
    port: int
    uses_tls: bool = True
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise _error("DTWIN_MQTT__KEY_FILE", "and CERTIFICATE_FILE are given together, or none of them")
        if not self.uses_tls and (self.ca_file or self.certificate_file):
            raise _error("DTWIN_MQTT__URL", "begins with mqtt://, but TLS files are given; use mqtts://")
        self.tls_context()

    @property
    def url(self) -> str:
        """The address, without user name and password."""
        return f"{'mqtts' if self.uses_tls else 'mqtt'}://{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Make what a TLS connection needs, with what the files hold now; None without TLS.

        Raises:
            ConfigurationError: A file cannot be read or does not hold what it should.
        """
        if not self.uses_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:
            files = ", ".join(
                str(file) for file in (self.ca_file, self.certificate_file, self.key_file) if file
            )
            raise _error(
                "DTWIN_MQTT__CA_FILE, ...CERTIFICATE_FILE or ...KEY_FILE",
                f"names a file that cannot be used ({files}): {error}",
            ) from error
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """How the bridge runs.

    Attributes:
        mqtt: The MQTT broker.
        bootstrap_servers: Kafka addresses, `host:port[,host:port...]`.
        sensorthings: Addresses of the SensorThings service.
        folder: Where it remembers packets, metadata and the buffer; its own, and not on a temporary disk.
        security: How to reach Kafka.
        token: Token for the SensorThings service.
        system: The only system it serves, at a site; None for all systems, inside the platform.
        client: Name of the client of that system as which it works.
        client_id: Name of its MQTT session; the broker keeps messages under it while the bridge is away.
        receive_maximum: Messages that the broker sends before the first is acknowledged [1].
        session_expiry_s: How long the broker keeps the session while the bridge is away [s].
        keep_alive_s: Longest silence on the MQTT connection [s].
        configuration_s: How often registered metadata is compared with what devices were told [s].
        aside_after_s: How long a system's messages may hold up those of others, before they wait on disk [s].
        aside_max_bytes: What may wait there of one system [bytes].
        buffer_max_bytes: Largest on-disk buffer at a site [bytes]; 0 inside the platform: none.
    """

    mqtt: MqttConnection
    bootstrap_servers: str
    sensorthings: str
    folder: Path
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    token: str | None = field(default=None, repr=False)
    system: SystemName | None = None
    client: str | None = None
    client_id: str = "dtwin-bridge"
    receive_maximum: int = 10_000
    session_expiry_s: int = 7 * 24 * 3600
    keep_alive_s: int = 30
    configuration_s: float = 15.0
    aside_after_s: float = 10.0
    aside_max_bytes: int = 256 * 1024 * 1024
    buffer_max_bytes: int = 0

    @property
    def name(self) -> str:
        """Who the bridge is in Kafka: the client `<system>.<client>` at a site, else the service's group."""
        return GROUP if self.system is None else f"{self.system}.{self.client}"

    @property
    def group(self) -> str:
        """Consumer group that reads what other systems share."""
        return f"{self.name}.down" if self.system is None else f"{self.name}.mqtt"

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        system: str | None = None,
        client: str | None = None,
        buffered: bool | None = None,
    ) -> "BridgeSettings":
        """Read the settings.

        Args:
            environment: Where to read; the process's environment when left out.
            system: The only system to serve; when None, DTWIN_MQTT__SYSTEM, else all systems.
            client: The client as which it works there; when None, DTWIN_MQTT__CLIENT.
            buffered: Whether messages are kept on disk while Kafka is away; as a rule at a site only.

        Raises:
            ConfigurationError: A setting is missing or wrong.
        """
        source = os.environ if environment is None else environment
        values: dict[str, object] = {
            "mqtt": connection_from(source),
            "bootstrap_servers": _needed(source, "DTWIN_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
            "sensorthings": _needed(source, "DTWIN_SENSORTHINGS__URL", "http://127.0.0.1:8084"),
            "folder": Path(_needed(source, "DTWIN_MQTT__FOLDER", "/var/lib/dtwin/mqtt")),
            "security": KafkaSecurity.from_environment(source),
            "token": token_from_environment(source),
            **_identity(
                system or source.get("DTWIN_MQTT__SYSTEM"), client or source.get("DTWIN_MQTT__CLIENT")
            ),
        }
        is_buffered = values["system"] is not None if buffered is None else buffered
        if is_buffered:
            values["buffer_max_bytes"] = 1 << 30
        for name, (field_name, kind, least, most) in _NUMBERS.items():
            if source.get(name) and (field_name != "buffer_max_bytes" or is_buffered):
                values[field_name] = _number(name, source[name], kind, (least, most))
        if source.get("DTWIN_MQTT__CLIENT_ID"):
            values["client_id"] = source["DTWIN_MQTT__CLIENT_ID"]
        return cls(**values)  # type: ignore[arg-type]


def connection_from(source: Mapping[str, str]) -> MqttConnection:
    """Read how the MQTT broker is reached.

    Args:
        source: The environment.

    Raises:
        ConfigurationError: A setting is missing or wrong.
    """
    text = _needed(source, "DTWIN_MQTT__URL", "mqtts://127.0.0.1:8883")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in {"mqtt", "mqtts"} or parts.path.strip("/") or parts.username:
        raise _error("DTWIN_MQTT__URL", f"is {text!r}, not mqtts://host:port")
    uses_tls = parts.scheme == "mqtts"
    return MqttConnection(
        host=host,
        port=port or (_SECURE_PORT if uses_tls else _PLAIN_PORT),
        uses_tls=uses_tls,
        ca_file=_file(source, "DTWIN_MQTT__CA_FILE"),
        certificate_file=_file(source, "DTWIN_MQTT__CERTIFICATE_FILE"),
        key_file=_file(source, "DTWIN_MQTT__KEY_FILE"),
        username=source.get("DTWIN_MQTT__USERNAME") or None,
        password=_password(source),
    )


def _identity(system: str | None, client: str | None) -> dict[str, object]:
    if not system:
        if client:
            raise _error("DTWIN_MQTT__SYSTEM", "is not set, but a client is named; both or none")
        return {"system": None}
    if not client:
        raise _error("DTWIN_MQTT__CLIENT", f"is not set; as which client of {system} shall the bridge work?")
    name = SystemName.parse(system)
    return {
        "system": name,
        "client": checked_client_name(client),
        "client_id": f"dtwin-bridge-{name}.{client}",
    }


def _file(source: Mapping[str, str], name: str) -> Path | None:
    return Path(source[name]) if source.get(name) else None


def _password(source: Mapping[str, str]) -> str | None:
    setting = "DTWIN_MQTT__PASSWORD_FILE"
    if not source.get(setting):
        return source.get("DTWIN_MQTT__PASSWORD") or None
    try:
        return Path(source[setting]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _error(setting, f"names {source[setting]}, which cannot be read: {error}") from error


def _number(name: str, text: str, kind: Callable[[str], float], bounds: tuple[float, float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        raise _error(name, f"is {text!r}, not a number") from None
    least, most = bounds
    if not least <= number <= most:
        raise _error(name, f"is {text}; it goes from {least} to {most}")
    return number


def _needed(source: Mapping[str, str], name: str, example: str) -> str:
    if not source.get(name):
        raise _error(name, f"is not set. For example {example}")
    return source[name]


def _error(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{setting} {problem}", setting=setting)
