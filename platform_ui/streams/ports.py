"""The outside parts that stream apps touch, handed down together.

What lives here: which parts there are, and SensorThings as the platform uses it. What does not: the runner's
port (``runner_port``) and the rules (``service``, ``statements``).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from client.metadata.server import SensorThingsServer
from platform_ui.pki.authority import Authority
from platform_ui.streams.runner_port import StreamRunner
from streamhub.outputs import MetadataRegistry

TIMEOUT_S = 5.0
RETRY_S = 2.0  # somebody waits for the page


class AccessRules(Protocol):
    """What is needed of the broker's access rules."""

    async def ensure(self, session: AsyncSession, identities: Collection[str], /) -> None:
        """Let the broker permit Kafka principals what they may do, as the running transaction sees it.

        Raises:
            BrokerError: the broker did not take it.
        """


@dataclass(frozen=True, slots=True)
class StreamPorts:
    """What an app needs of the world before it can run.

    Attributes:
        runner: The runner of stream apps.
        metadata: The SensorThings service that knows units and takes output Datastreams.
        brokers: Kafka's addresses for the app, ``host:port,...``.
        authority: Signs the certificates of apps; without it they are deployed without credentials.
        rules: The broker's access rules, brought there before an app is started; nothing where the broker
            has none.
    """

    runner: StreamRunner
    metadata: MetadataRegistry
    brokers: str
    authority: Authority | None = None
    rules: AccessRules | None = None


def open_metadata(sensorthings_url: str, token: str = "") -> SensorThingsServer:
    """Return the SensorThings service of the settings; it connects when it is first used."""
    return SensorThingsServer(sensorthings_url, timeout_s=TIMEOUT_S, retry_s=RETRY_S, token=token or None)


def acting_as(metadata: MetadataRegistry, principal: str) -> MetadataRegistry:
    """Return the service as a person (by e-mail address) or a system (by name) sees it.

    A service without rights, such as a test's, is seen alike by all.
    """
    return metadata.acting_as(principal) if isinstance(metadata, SensorThingsServer) else metadata
