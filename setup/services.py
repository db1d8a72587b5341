"""The stack's own services as this machine runs them: which module, which port, which environment.

Only descriptions: starting and stopping them is `stack.py`. What each variable means is told by the service
itself.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from client.errors import ConfigurationError
from platform_ui.audit.keys import make_key
from setup.errors import PartMissingError, SetupError
from setup.local.paths import Home, clone_folder
from setup.local.postgres import database_url
from setup.local.secret_files import write_secret
from setup.local.state import PartState
from setup.local.trust import OPERATOR, LocalTrust

KAFKA_PORT = 9092
SENSORTHINGS_PORT = 8084
PLATFORM_PORT = 1908
ELASTICSEARCH_PORT = 9200
MQTT_PORT = 8883

# Parts in the order in which they are shown; optional ones and programs of the demo follow.
PARTS = ("kafka", "postgres", "sensorthings", "recorder", "runner", "platform")

BRIDGE = "mqtt-bridge"
SINK = "elasticsearch-sink"  # of the demo; sinks of others are told their port by themselves
BRIDGE_PROGRESS = "DTWIN_MQTT__PROGRESS_FILE"

# Prometheus pages on loopback that are ours to place; the other services serve theirs where they listen.
METRICS = {
    "runner": ("DTWIN_RUNNER__METRICS_PORT", 9095),
    "recorder": ("DTWIN_RECORDER__METRICS_PORT", 9096),
    BRIDGE: ("DTWIN_MQTT__METRICS_PORT", 9097),
    SINK: ("DTWIN_ELASTICSEARCH__METRICS_PORT", 9098),
}
METRICS_PURPOSE = "metrics"

# A part given by URL is used instead of started.
GIVEN_BY = {
    "kafka": "DTWIN_KAFKA__BOOTSTRAP_SERVERS",
    "postgres": "DTWIN_POSTGRES__URL",
    "sensorthings": "DTWIN_SENSORTHINGS__URL",
    "elasticsearch": "DTWIN_ELASTICSEARCH__URL",
    "mqtt": "DTWIN_MQTT__URL",
}

_PROTECTION = ("DTWIN_KAFKA__SECURITY_PROTOCOL", "DTWIN_KAFKA__SSL_", "DTWIN_KAFKA__SASL_")
PATIENCE_S = 25.0  # how long a part may take to end in order before it is killed
_POLITE_SIGNALS = {
    "postgres": signal.SIGINT
}  # PostgreSQL's "fast" shutdown; SIGTERM would wait for its clients


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts of one running stack are.

    Attributes:
        kafka: Bootstrap servers.
        trust: Who signs the certificates of those who reach the broker; None for a given broker: our own
            environment says how that one is reached.
        sensorthings_token_file: File with the admin token of the SensorThings service; empty for one that is
            given by URL, whose token comes in our own environment.
        postgres: libpq URL of the maintenance database.
        sensorthings: `http://host:port`.
        platform: `http://host:port`.
        elasticsearch: `http(s)://host:port`; empty when nobody asked for it.
        mqtt: `mqtts://host:port`; empty when nobody asked for it.
        metrics: Ports of Prometheus pages by part, of `METRICS`; without those that have none.
    """

    kafka: str
    postgres: str
    sensorthings: str
    platform: str
    trust: LocalTrust | None = None
    sensorthings_token_file: str = ""
    elasticsearch: str = ""
    mqtt: str = ""
    metrics: Mapping[str, int] = field(default_factory=dict)

    def metrics_settings(self, part: str) -> dict[str, str]:
        """Return the setting that places a part's Prometheus page; nothing when it has none."""
        port = self.metrics.get(part)
        return {METRICS[part][0]: str(port)} if port else {}

    def metrics_ports(self, part: str) -> dict[str, int]:
        """Return what is recorded of a part's Prometheus page; nothing when it has none."""
        port = self.metrics.get(part)
        return {METRICS_PURPOSE: port} if port else {}

    def kafka_settings(self, service: str | None) -> dict[str, str]:
        """Return the environment with which a service reaches the broker.

        Args:
            service: Its name; None for a program that shows credentials of its own.
        """
        if self.trust is None or service is None:
            return {}
        return self.trust.service(service).environment()


def given_address(part: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of a part that the environment names, or None when it is ours to start."""
    name = GIVEN_BY.get(part)
    return (environment.get(name) or None) if name else None


def wanted_port(part: str, default: int, environment: Mapping[str, str] = os.environ) -> int:
    """Return the port that a part should listen on if free: `DTWIN_<PART>__PORT`, else its usual one."""
    text = environment.get(f"DTWIN_{part.upper()}__PORT", "")
    return int(text) if text.isdecimal() else default


def wanted_metrics_port(part: str, environment: Mapping[str, str] = os.environ) -> int:
    """Return the port that a part's Prometheus page should have if free; 0 for none."""
    name, default = METRICS[part]
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else default


def end_part(part: PartState) -> bool:
    """End the process of a part in the way that suits it; return whether it ended without being killed."""
    process = part.process
    if process is None:
        return True
    return process.end(first_signal=_POLITE_SIGNALS.get(part.name, signal.SIGTERM), timeout_s=PATIENCE_S)


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this installation.

    Raises:
        PartMissingError: there is no such program in this installation.
    """
    try:
        found = importlib.util.find_spec(module if "." in module else f"{module}.__main__")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise PartMissingError(
            f"This installation has no program `python -m {module}`: "
            "install it whole with pip install 'digital-twin-stack[local]'."
        )
    return [sys.executable, "-m", module, *arguments]


def base_environment(home: Home) -> dict[str, str]:
    """Return the environment that every child process gets: ours, made independent of the working folder."""
    environment = dict(os.environ) | {
        "DTWIN_HOME": str(home.folder),
        "PYTHONUNBUFFERED": "1",  # log lines appear when they are written
        "PYTHONSAFEPATH": "1",  # a file named like one of our rooms in the working folder must not shadow it
    }
    clone = clone_folder()
    if clone is not None:
        rest = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{clone}{os.pathsep}{rest}" if rest else str(clone)
    return environment


def stack_environment(home: Home, addresses: Addresses, service: str | None = OPERATOR) -> dict[str, str]:
    """Return the environment from which programs of the stack find its services.

    Args:
        home: Folders of the stack.
        addresses: Where the services are.
        service: As whom the program reaches Kafka; None for one that shows credentials of its own.
    """
    base = base_environment(home)
    if addresses.trust is not None:
        # What our own environment says of another broker does not count for this one.
        base = {name: value for name, value in base.items() if not name.startswith(_PROTECTION)}
    optional = {"DTWIN_ELASTICSEARCH__URL": addresses.elasticsearch, "DTWIN_MQTT__URL": addresses.mqtt}
    return {
        **base,
        **addresses.kafka_settings(service),
        **{name: address for name, address in optional.items() if address},
        "DTWIN_KAFKA__BOOTSTRAP_SERVERS": addresses.kafka,
        "DTWIN_SENSORTHINGS__URL": addresses.sensorthings,
        "DTWIN_RUNNER__DIRECTORY": str(home.runner),
    }


def mqtt_for_devices(addresses: Addresses, environment: Mapping[str, str] = os.environ) -> str:
    """Return where devices reach MQTT: as the operator says, else the broker itself; empty for nowhere."""
    if not addresses.mqtt:
        return ""
    # The bridge may reach its broker without TLS; devices with our certificates cannot.
    own = addresses.mqtt if addresses.mqtt.startswith("mqtts://") else ""
    return environment.get("DTWIN_MQTT__PUBLIC_URL") or own


def sensorthings_settings(addresses: Addresses) -> dict[str, str]:
    """Return the settings of the SensorThings service; its admin token is handed over as a file's name."""
    host, _, port = addresses.sensorthings.partition("://")[2].partition(":")
    endpoints = os.environ.get("DTWIN_SENSORTHINGS__MQTT_ENDPOINTS") or mqtt_for_devices(addresses)
    return {
        "DTWIN_SENSORTHINGS__DATABASE_URL": database_url(addresses.postgres, "sensorthings"),
        "DTWIN_SENSORTHINGS__HOST": host,
        "DTWIN_SENSORTHINGS__PORT": port,
        # Behind a proxy people know another address, which the operator names.
        "DTWIN_SENSORTHINGS__ROOT_URL": os.environ.get("DTWIN_SENSORTHINGS__ROOT_URL")
        or addresses.sensorthings,
        "DTWIN_SENSORTHINGS__OUTBOX": "true",
        "DTWIN_SENSORTHINGS__ADMIN_TOKEN_FILE": addresses.sensorthings_token_file,
    } | ({"DTWIN_SENSORTHINGS__MQTT_ENDPOINTS": endpoints} if endpoints else {})


def platform_settings(home: Home, addresses: Addresses, mode: str) -> dict[str, str]:
    """Return the settings of the platform; secrets are handed over as the names of their files."""
    host, _, port = addresses.platform.partition("://")[2].partition(":")
    token = addresses.sensorthings_token_file
    authority = {
        "DTWIN_PKI__DIRECTORY": str(home.pki),
        "DTWIN_PKI__PASSPHRASE_FILE": str(home.pki_passphrase_file),
    }
    given = authority if addresses.trust else {}
    return (
        ({"DTWIN_SENSORTHINGS__TOKEN_FILE": token} if token else {})
        | given
        | {
            "DTWIN_PLATFORM__DATABASE_URL": database_url(addresses.postgres, "platform"),
            "DTWIN_PLATFORM__HOST": host,
            "DTWIN_PLATFORM__PORT": port,
            "DTWIN_PLATFORM__MODE": mode,
            "DTWIN_PLATFORM__SECRET_KEY_FILE": str(home.secret_key_file),
            "DTWIN_AUDIT__KEY_FILE": str(home.audit_key_file),
        }
        | platform_looks_at(home, addresses)
    )


def platform_looks_at(home: Home, addresses: Addresses) -> dict[str, str]:
    """Return the settings by which the platform knows of parts that it does not talk to.

    They are recorded as its own, so it starts again when MQTT or Elasticsearch is added to a running stack.
    """
    found = {}
    if addresses.sensorthings_token_file:  # else nobody here records
        found["DTWIN_RECORDER__PROGRESS_FILE"] = str(home.recorder_progress_file)
    if addresses.elasticsearch:
        found["DTWIN_ELASTICSEARCH__PROGRESS_FILE"] = str(home.sink_progress_file)
    if addresses.mqtt:
        found |= {"DTWIN_MQTT__URL": addresses.mqtt, BRIDGE_PROGRESS: str(home.mqtt_progress_file)}
    return found


def ensure_secrets(home: Home) -> None:
    """Make the platform's secret key, the admin token of SensorThings and the audit key, where missing.

    Raises:
        SetupError: the audit key cannot be written.
    """
    for path in (home.secret_key_file, home.sensorthings_token_file):
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(48))
    if not home.audit_key_file.exists():
        try:
            make_key(home.audit_key_file)
        except ConfigurationError as error:
            raise SetupError(str(error)) from error
