"""The outside parts that stream apps touch, handed down together.

What lives here: which parts there are, and SensorThings as the platform uses it. What does not: the runner's
port (``runner_port``) and the rules (``service``, ``statements``).
"""

from dataclasses import dataclass

from client.metadata.server import SensorThingsServer
from platform_ui.streams.runner_port import StreamRunner
from streamhub.outputs import MetadataRegistry

TIMEOUT_S = 5.0
RETRY_S = 2.0  # somebody waits for the page


@dataclass(frozen=True, slots=True)
class StreamPorts:
    """What an app needs of the world before it can run.

    Attributes:
        runner: The runner of stream apps.
        metadata: The SensorThings service that knows units and takes output Datastreams.
        brokers: Kafka's addresses for the app, ``host:port,...``.
    """

    runner: StreamRunner
    metadata: MetadataRegistry
    brokers: str


def open_metadata(sensorthings_url: str, token: str = "") -> SensorThingsServer:
    """Return the SensorThings service of the settings; it connects when it is first used."""
    return SensorThingsServer(sensorthings_url, timeout_s=TIMEOUT_S, retry_s=RETRY_S, token=token or None)


def acting_as(metadata: MetadataRegistry, principal: str) -> MetadataRegistry:
    """Return the service as a person (by e-mail address) or a system (by name) sees it.

    A service without rights, such as a test's, is seen alike by all.
    """
    return metadata.acting_as(principal) if isinstance(metadata, SensorThingsServer) else metadata
