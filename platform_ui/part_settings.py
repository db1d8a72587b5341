"""Parts that work beside the platform, as far as it is told of them: how far they are, each says in a file.

What lives here: the settings that name them. What does not: judging what they say (``operations``).

| variable | meaning | default |
|---|---|---|
| ``DTWIN_RECORDER__PROGRESS_FILE`` | where the recorder says how far it is | it is not shown |
| ``DTWIN_ELASTICSEARCH__PROGRESS_FILE`` | where a sink to Elasticsearch does | it is not shown |
| ``DTWIN_MQTT__PROGRESS_FILE`` | where the bridge between MQTT and Kafka does | it is not shown |
| ``DTWIN_MQTT__URL`` | the MQTT broker, as the bridge reaches it | it is not shown |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from client.errors import ConfigurationError

PORTS = {"mqtt": 1883, "mqtts": 8883}  # IANA, Service Name and Transport Protocol Port Number Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSettings:
    """Where parts beside the platform are; nothing for those that it is not told of.

    Attributes:
        recorder: File of the recorder.
        sink: File of a sink to Elasticsearch.
        bridge: File of the bridge between MQTT and Kafka.
        broker: Address of the MQTT broker.
    """

    recorder: Path | None = None
    sink: Path | None = None
    bridge: Path | None = None
    broker: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "PartSettings":
        """Read the settings.

        Raises:
            ConfigurationError: the address of the MQTT broker is none.
        """
        return cls(
            recorder=_file(environment, "DTWIN_RECORDER__PROGRESS_FILE"),
            sink=_file(environment, "DTWIN_ELASTICSEARCH__PROGRESS_FILE"),
            bridge=_file(environment, "DTWIN_MQTT__PROGRESS_FILE"),
            broker=_broker(environment),
        )

    @property
    def broker_place(self) -> tuple[str, int]:
        """Host and port of the MQTT broker."""
        parts = urlsplit(self.broker)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "").strip()
    return Path(text) if text else None


def _broker(environment: Mapping[str, str]) -> str:
    name = "DTWIN_MQTT__URL"
    text = environment.get(name, "").strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigurationError(f"{name} is {text!r}: it must look like mqtts://127.0.0.1:8883")
    return text
